"""Tell systemd how far we are, and that we live (sd_notify(3)), if it wants to know."""

import os
import socket
from collections.abc import Callable, Coroutine, MutableMapping
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

_BEATS = 3
"""Signs of life in the time that systemd waits for one: two may be missed."""

_log = Logger()


class Notifier:
    """
    Tells the service manager.

    Takes what is said about it out of *environment*, so that no child speaks for us.

    Attributes:
        patience: Seconds that it waits for a sign of life; 0 if it wants none.
    """

    def __init__(self, environment: MutableMapping[str, str]) -> None:
        self._address = environment.pop("NOTIFY_SOCKET", "")
        self.patience = 0.0
        within = environment.pop("WATCHDOG_USEC", "")
        whose = environment.pop("WATCHDOG_PID", "")
        if self._address and within.isdecimal() and whose in {"", str(os.getpid())}:
            self.patience = int(within) / 1e6

    def tell(self, *states: str) -> None:
        """Tell *states*, such as ``READY=1``; a failure is logged, nothing more."""
        if not self._address:
            return
        address = self._address
        if address.startswith("@"):  # Linux's abstract sockets
            address = "\0" + address[1:]
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
                sock.sendto("\n".join(states).encode(), address)
        except OSError as e:
            _log.warn("cannot tell the service manager: {reason}", reason=e.strerror)

    def tell_reloading(self, monotonic: float) -> None:
        """
        Tell that a reload begins; ``READY=1`` ends it, whatever came of it.

        *monotonic* is the system's clock of that name, in seconds: systemd tells by it
        whether this is the reload that it has asked for.
        """
        self.tell("RELOADING=1", f"MONOTONIC_USEC={int(monotonic * 1e6)}")


class Watchdog:
    """
    Gives signs of life while all that serves does.

    Args:
        reactor: The reactor; that it calls is half of the proof.
        notifier: Tells them, if they are wanted.
        find_hanging: Says which processes hang though they were made to end.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        notifier: Notifier,
        find_hanging: Callable[[], Coroutine[Any, Any, tuple[str, ...]]],
    ) -> None:
        self._notifier = notifier
        self._find_hanging = find_hanging
        self._calls = LoopingCall(self._beat)
        self._calls.clock = reactor

    def start(self) -> None:
        """Give the first sign, and go on; nothing happens if none is wanted."""
        if self._notifier.patience and not self._calls.running:
            self._calls.start(self._notifier.patience / _BEATS)

    def stop(self) -> None:
        """Give no more."""
        if self._calls.running:
            self._calls.stop()

    def _beat(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._look()).addErrback(_not_seen)

    async def _look(self) -> None:
        hanging = await self._find_hanging()
        if not hanging:
            self._notifier.tell("WATCHDOG=1")
            return
        for process in hanging:
            _log.error(
                "{process} hangs and does not end; if that lasts {seconds} s, the"
                " service manager restarts all",
                process=process,
                seconds=self._notifier.patience,
            )


def _not_seen(failure: Failure) -> None:
    _log.failure("cannot see whether all that serves lives", failure=failure)
