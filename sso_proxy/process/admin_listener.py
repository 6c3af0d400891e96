"""The operators' listener in the main process."""

from typing import Any

from sso_proxy.endpoints.admin import Status, build_admin_site
from sso_proxy.endpoints.revocations import Revoker
from sso_proxy.model import WARNING
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.tls.context import ListenerTls
from sso_proxy.net.tls.operators import OperatorsSite
from sso_proxy.process.sockets import Address, Listeners, open_sockets

_BACKLOG = 64


class AdminListener:
    """Listens for operators, once it is opened, and until the process ends."""

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._listeners = Listeners()
        self._ports: list[Any] = []
        self._over_tls: OperatorsSite | None = None

    def open(
        self,
        address: Address,
        status: Status,
        revoker: Revoker,
        secret: str | None,
        tls: ListenerTls | None = None,
    ) -> Address:
        """
        Tell *status*, and let operators revoke, at *address*; returns where that is.

        Over *tls*, who gets in is an operator, wherever they are.

        Raises:
            ListenError: The address cannot be listened on.
        """
        self._listeners = open_sockets([address], _BACKLOG)
        clock, near = SystemClock(), tls is None
        site: Any = build_admin_site(
            status, revoker, secret, self._reactor, clock, near=near
        )
        if tls is not None:
            site = self._over_tls = OperatorsSite(tls, site, self._reactor)
        for sock in self._listeners.sockets:
            port = self._reactor.adoptStreamPort(sock.fileno(), sock.family, site)
            self._ports.append(port)
        return self._listeners.names()[0]

    def reload(self, tls: ListenerTls | None) -> None:
        """Use other certificates and lists of the same listener."""
        if tls is not None and self._over_tls is not None:
            self._over_tls.reload(tls)

    def health(self) -> tuple[str, ...]:
        """
        Say which certificates and lists have ended, or will soon.

        These are warnings: operators have to do something, and all others are served.
        """
        if self._over_tls is None:
            return ()
        lines = self._over_tls.health(SystemClock().time())
        return tuple(WARNING + line.removeprefix(WARNING) for line in lines)

    async def close(self) -> None:
        """Stop listening; the reactor ends the connections when it stops."""
        for port in self._ports:
            await port.stopListening()
        self._listeners.close()
