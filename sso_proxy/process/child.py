"""One worker process, as the main process sees it."""

import contextlib
import os
import socket
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from twisted.internet.error import ProcessExitedAlready, ProcessTerminated
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.config.model import Config
from sso_proxy.errors import SsoProxyError
from sso_proxy.process.control import Control, Message, encode, pack_config
from sso_proxy.process.logs import replay
from sso_proxy.specs.revocation_document import write_revocation
from sso_proxy.specs.revocations import Revocation

_CONTROL = 3
_FIRST_LISTENER = 4
_STDERR = 2

_log = Logger()


class WorkerStartError(SsoProxyError):
    """A worker cannot start; says why."""


class Child(ProcessProtocol):
    """
    A worker process.

    Attributes:
        number: Its place among the workers, from 1.
        config: What it serves, or was last told to.
        revocations: What it refuses from its start on.
        doubted: Whether it is in doubt then if that is all.
        ready: Whether it has said that it serves.
        born: When it was started, by the reactor's clock.
        reason: Why it could not start, if it said so.
        missed: At how many looks in a row it gave no sign of life.
    """

    transport: Any

    def __init__(
        self,
        number: int,
        config: Config,
        ended: "Callable[[Child, str], None]",  # quoted: the class is not there yet
        revocations: Iterable[Revocation] = (),
    ) -> None:
        self.number = number
        self.config = config
        self.revocations = revocations
        self.doubted = False
        self.ready = False
        self.born = 0.0
        self.reason = ""
        self.missed = 0
        self.control = Control(self._told, lambda: None)
        self._ended = ended
        self._stderr = b""
        self._line = ""
        self._socket: socket.socket | None = None

    def spawn(
        self,
        reactor: Any,  # noqa: ANN401
        arguments: Sequence[str],
        listeners: Sequence[socket.socket],
    ) -> None:
        """
        Start the process; *arguments* are Python's, up to the number of sockets.

        Raises:
            WorkerStartError: The system refuses.
        """
        self.born = reactor.seconds()
        ours, theirs = socket.socketpair()
        with theirs:
            fds: dict[int, int | str] = {0: 0, 1: 1, _STDERR: "r"}
            fds[_CONTROL] = theirs.fileno()
            for fd, listener in enumerate(listeners, _FIRST_LISTENER):
                fds[fd] = listener.fileno()
            command = [sys.executable, *arguments, str(len(listeners))]
            try:
                reactor.spawnProcess(
                    self, sys.executable, command, environment(), childFDs=fds
                )
            except OSError as e:
                ours.close()
                raise WorkerStartError(
                    f"worker {self.number} cannot be started: {e}; the user that we"
                    " run as must be able to run Python"
                ) from e
        self._socket = ours

    def attach(self, reactor: Any) -> None:  # noqa: ANN401
        """Let *reactor* watch the line from now on."""
        if self._socket is not None:
            self.control.attach(reactor, self._socket)
            self._socket = None

    def wait_until_ready(self, seconds: float) -> None:
        """
        Wait until the worker serves; for the start, before the reactor runs.

        Raises:
            WorkerStartError: It cannot, or takes more than *seconds*.
        """
        if self._socket is None:
            return
        self._socket.settimeout(max(seconds, 0.001))
        while not (self.ready or self.reason):
            try:
                data = self._socket.recv(65536)
            except TimeoutError:
                raise WorkerStartError(
                    f"worker {self.number} is not ready in time"
                ) from None
            except ConnectionError:
                data = b""
            if not data:
                self.transport.pipes[_STDERR].doRead()
                raise WorkerStartError(
                    f"worker {self.number} ended before it was ready: {self._line}"
                )
            self.control.dataReceived(data)
        if self.reason:
            raise WorkerStartError(self.reason)

    def send_config_now(self) -> None:
        """Send the configuration without the reactor."""
        if self._socket is not None:
            with contextlib.suppress(BrokenPipeError):  # then `wait_until_ready` raises
                self._socket.sendall(encode(self._config_message()))

    def send_config(self) -> None:
        """Send the configuration."""
        self.control.tell(self._config_message())

    def kill(self) -> None:
        """End the process at once."""
        with contextlib.suppress(ProcessExitedAlready):
            self.transport.signalProcess("KILL")

    def kill_and_reap(self) -> None:
        """End the process at once and wait until it has; without the reactor."""
        pid = self.transport.pid
        self.kill()
        if pid is not None:
            os.waitpid(pid, 0)
        self._let_go()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: ARG002, N802, N803
        """Log what the worker writes outside the log, such as the end of Python."""
        *lines, self._stderr = (self._stderr + data).split(b"\n")
        for line in lines:
            self._line = line.decode(errors="replace")
            _log.error("worker {worker}: {line}", worker=self.number, line=self._line)

    def processEnded(self, reason: Failure) -> None:  # noqa: N802
        """Tell that it has ended, and why."""
        self._let_go()
        self.ready = False
        self._ended(self, describe(reason.value, self.reason))

    def _let_go(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _config_message(self) -> Message:
        revocations = [write_revocation(each) for each in self.revocations]
        return {
            "config": pack_config(self.config),
            "revocations": revocations,
            "doubted": self.doubted,
        }

    def _told(self, message: Message) -> None:
        if "log" in message:
            replay(message["log"], self.number)
        elif "ready" in message:
            self.ready = True
        elif "broken" in message:
            self.reason = message["broken"]


def environment() -> Mapping[str, str]:
    """
    Give a worker's environment: ours, and our module search path.

    Without the latter a worker could find other modules than the main process has
    checked, or none.
    """
    path = os.pathsep.join(p for p in sys.path if p)
    return {**os.environ, "PYTHONPATH": path}


def describe(ending: BaseException | None, reason: str) -> str:
    """Say in words how a process ended."""
    if isinstance(ending, ProcessTerminated):
        if ending.signal is not None:
            return f"ended by signal {ending.signal}"
        text = f"ended with exit code {ending.exitCode}"
    else:
        text = "ended"
    return f"{text}: {reason}" if reason else text
