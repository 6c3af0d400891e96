"""Connect to Redis servers: verified, as who we are, and within a time limit."""

import ipaddress
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    UNIXClientEndpoint,
    connectProtocol,
    wrapClientTLS,
)

from sso_proxy.caches.redis_link import Gate, Link, OnPush
from sso_proxy.caches.redis_resp import ErrorReply, Reply
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.net.no_reply import describe
from sso_proxy.net.tls.client import ClientTls, client_options

_REFUSALS: Final = {
    "NOAUTH": "wants a password",
    "WRONGPASS": "refuses our user or password",
    "NOPERM": "does not permit us",
    "LOADING": "is loading its data",
    "READONLY": "is no master",
    "MASTERDOWN": "has lost its master",
    "CLUSTERDOWN": "says that the cluster is down",
    "OOM": "has no memory left",
    "MISCONF": "cannot save its data",
    "NOREPLICAS": "misses its replicas",
}


@attrs.frozen
class Place:
    """
    Where a server is.

    Attributes:
        host: A name or an address; for a unix socket, its path.
        port: The port; 0 for a unix socket.
    """

    host: str
    port: int

    def __str__(self) -> str:
        """Give it as messages have it."""
        return f"redis at {self.host}:{self.port}" if self.port else self.host

    @property
    def is_local(self) -> bool:
        """Whether what is sent there stays on this machine."""
        if not self.port or self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


@attrs.frozen(kw_only=True)
class Access:
    """
    How servers of one kind are spoken to.

    Attributes:
        username: The ACL user; empty for the default one.
        password: Its password.
        tls: What TLS is made of; None for none.
        server_name: The name to expect in certificates; empty for the host's.
        plaintext: Whether other machines may be spoken to without TLS.
        database: The number of the database.
    """

    username: str = ""
    password: Secret | None = None
    tls: ClientTls | None = None
    server_name: str = ""
    plaintext: bool = False
    database: int = 0


class Dialler:
    """
    Makes connections.

    Args:
        reactor: Connects and measures time.
        gate: Counts the commands that wait; for whoever gives them.
        connect_timeout: Seconds for a connection, until we are let in.
        timeout: Seconds for a reply.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        gate: Gate,
        *,
        connect_timeout: float,
        timeout: float,
    ) -> None:
        self.reactor = reactor
        self.gate = gate
        self.connect_timeout = connect_timeout
        self.timeout = timeout

    async def dial(
        self,
        place: Place,
        access: Access,
        *,
        master: bool = False,
        on_push: OnPush | None = None,
    ) -> Link:
        """
        Connect, and be let in.

        Args:
            place: Where to.
            access: How.
            master: Whether it has to be a master.
            on_push: For messages; see `Link`.

        Raises:
            UnavailableError: It does not work; says why.
        """
        link = Link(
            str(place),
            reactor=self.reactor,
            timeout=self.timeout,
            on_push=on_push,
        )
        attempt = Deferred.fromCoroutine(self._enter(link, place, access, master))
        within = self.reactor.callLater(self.connect_timeout, attempt.cancel)
        try:
            await attempt
        except UnavailableError:
            link.close()
            raise
        except CancelledError:
            link.close()
            if within.active():
                raise
            problem = f"{place}: no connection within {self.connect_timeout:g} s"
            raise UnavailableError(problem) from None
        except Exception as e:
            link.close()
            problem, _ = describe(e, self.connect_timeout)
            raise UnavailableError(f"{place}: {problem}") from e
        finally:
            if within.active():
                within.cancel()
        return link

    async def _enter(
        self,
        link: Link,
        place: Place,
        access: Access,
        master: bool,  # noqa: FBT001
    ) -> None:
        await connectProtocol(self._endpoint(place, access), link)
        if access.password is not None:
            user = (access.username.encode(),) if access.username else ()
            password = access.password.reveal().encode()
            check(link, await link.send(b"AUTH", *user, password))
        # Whoever answers this is a server of Redis, and lets us in.
        question = b"ROLE" if master else b"PING"
        role = check(link, await link.send(question))
        if master and not (isinstance(role, list) and role[:1] == [b"master"]):
            raise UnavailableError(f"{place}: is no master")
        if access.database:
            check(link, await link.send(b"SELECT", b"%d" % access.database))

    def _endpoint(self, place: Place, access: Access) -> Any:  # noqa: ANN401
        within = self.connect_timeout
        if not place.port:
            return UNIXClientEndpoint(self.reactor, place.host, timeout=within)
        if access.tls is None and not (access.plaintext or place.is_local):
            raise UnavailableError(f"{place}: another machine, and no TLS")
        plain = HostnameEndpoint(self.reactor, place.host, place.port, within)
        if access.tls is None:
            return plain
        name = access.server_name or place.host
        return wrapClientTLS(client_options(name, tls=access.tls), plain)


def check(link: Link, reply: Reply) -> Reply:
    """
    Give *reply*, unless it is an error.

    Raises:
        UnavailableError: It is.
    """
    return refuse(reply, link.name)


def refuse(reply: Reply, name: str = "redis") -> Reply:
    """
    Give *reply*, unless it is an error of the server called *name*.

    Raises:
        UnavailableError: It is.
    """
    if isinstance(reply, ErrorReply):
        raise UnavailableError(f"{name}: {reason_of(reply)}")
    return reply


def reason_of(reply: ErrorReply) -> str:
    """Say what the server means, without what it quotes."""
    return _REFUSALS.get(reply.code, f"answers {reply.code}")
