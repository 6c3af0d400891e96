"""When listeners begin to accept, and what they are called."""

from collections.abc import Iterable
from typing import Any, Final, Protocol

from sso_proxy.config.model import ListenerConfig

PATIENCE: Final = 3.0
"""
Seconds that connections wait at the start for what other machines have revoked.

Reading that takes milliseconds, and who is answered before gets 503; when it takes
longer, those whom nobody could have revoked wait no more.
"""


class Accepting(Protocol):
    """A listener."""

    def start(self) -> None:
        """Begin to accept."""


class Opening:
    """
    Has listeners begin to accept, once.

    Until then connections wait in the system's queue, or other processes take them.

    Args:
        reactor: Measures time.
    """

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._listeners: Iterable[Accepting] = ()
        self._later: Any = None

    def begin(self, listeners: Iterable[Accepting], *, doubted: bool) -> None:
        """Begin, at once unless it is *doubted* that we know who is revoked."""
        self._listeners = listeners
        if doubted:
            self._later = self._reactor.callLater(PATIENCE, self.hurry)
        else:
            self.hurry()

    def hurry(self) -> None:
        """Wait no more."""
        listeners, self._listeners = self._listeners, ()
        if self._later is not None and self._later.active():
            self._later.cancel()
        for listener in listeners:
            listener.start()


def name_of(listener: ListenerConfig) -> str:
    """Give where *listener* is, for logs and metrics."""
    if listener.address.startswith(("unix:", "systemd:")):
        return listener.address
    address = f"[{listener.address}]" if ":" in listener.address else listener.address
    return f"{address}:{listener.port}"
