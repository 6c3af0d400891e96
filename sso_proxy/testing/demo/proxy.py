"""The proxy as a process of its own, as an operator starts it."""

import os
import sysconfig
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, connectProtocol
from twisted.internet.error import ConnectError
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from sso_proxy.errors import SsoProxyError


class ProxyEndedError(SsoProxyError):
    """The proxy does not serve; its log says why."""


class _Process(ProcessProtocol):
    """Notices the end of the process."""

    def __init__(self) -> None:
        self.ended: Deferred[None] = Deferred()
        self.running = True

    def processEnded(self, reason: Failure) -> None:  # noqa: N802, ARG002
        """Tell who waits."""
        self.running = False
        self.ended.callback(None)


class ProxyProcess:
    """
    ``twistd -n sso-proxy --config F``, with its output in a file.

    Args:
        reactor: Runs processes.
        config: The configuration file.
        log: Where its output goes.
        environ: Variables besides those of this process.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        config: Path,
        log: Path,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._reactor = reactor
        self._environ = {**os.environ, **(environ or {})}
        self._config = config
        self._log = log
        self._protocol = _Process()
        self._transport: Any = None

    def start(self) -> None:
        """Start it."""
        twistd = str(Path(sysconfig.get_path("scripts"), "twistd"))
        arguments = [twistd, "--nodaemon", "--pidfile=", "sso-proxy"]
        arguments += ["--config", str(self._config)]
        with self._log.open("wb") as out:
            self._transport = self._reactor.spawnProcess(
                self._protocol,
                twistd,
                arguments,
                env=self._environ,
                childFDs={0: "w", 1: out.fileno(), 2: out.fileno()},
            )
        self._transport.closeStdin()

    async def listening(self, port: int, *, patience: float = 30.0) -> None:
        """
        Wait until it accepts connections on *port*.

        Args:
            port: The TCP port, on 127.0.0.1.
            patience: Seconds to wait.

        Raises:
            ProxyEndedError: It ended instead, or took too long.
        """
        deadline = self._reactor.seconds() + patience
        endpoint = TCP4ClientEndpoint(self._reactor, "127.0.0.1", port, timeout=5)
        while self._protocol.running and self._reactor.seconds() < deadline:
            try:
                connection = await connectProtocol(endpoint, Protocol())
            except ConnectError:
                await deferLater(self._reactor, 0.05)
            else:
                connection.transport.abortConnection()
                return
        raise ProxyEndedError(
            f"the proxy does not listen; the end of {self._log}:\n{self.last_words()}"
        )

    def last_words(self, lines: int = 12) -> str:
        """Give the end of its log."""
        text = self._log.read_text(errors="replace").splitlines()
        return "\n".join(text[-lines:])

    async def stop(self) -> None:
        """End it, and wait for that."""
        if self._protocol.running and self._transport is not None:
            self._transport.signalProcess("TERM")
            await self._protocol.ended
