"""Connections to servers that we ask: verified, kept, and through a proxy or not."""

from collections.abc import Iterable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import (
    HostnameEndpoint,
    TCP4ClientEndpoint,
    TCP6ClientEndpoint,
    wrapClientTLS,
)
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.web.client import URI, Agent, HTTPConnectionPool
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS
from zope.interface import implementer

from sso_proxy.errors import ConfigError, Mistake, SsoProxyError
from sso_proxy.net.guard import Endpoints, Guard, GuardedEndpoint
from sso_proxy.net.tls.client import ClientTls, MaterialError, client_options
from sso_proxy.net.tunnel import TunnelEndpoint

_IDLE: Final = 64
"""Connections kept for one server."""
_IDLE_TIME: Final = 30
"""Seconds that they are."""
_MAX_HEAD: Final = 65536
"""Octets of an answer besides its body."""


class UrlError(SsoProxyError):
    """Nothing can be sent there."""


@attrs.frozen(kw_only=True)
class Agents:
    """
    What connects with one certificate.

    Attributes:
        pool: Idle connections.
        keeping: Uses these.
        fresh: Makes a connection for each request.
    """

    pool: HTTPConnectionPool
    keeping: Agent
    fresh: Agent


def build_agents(  # noqa: PLR0913 - one keyword for each thing it depends on
    reactor: Any,  # noqa: ANN401 - several interfaces at once
    policy: IPolicyForHTTPS,
    *,
    proxy: tuple[str, int] | None,
    connect_within: float,
    max_bytes: int,
    guard: Guard | None = None,
) -> Agents:
    """
    Build what connects under *policy*.

    Args:
        reactor: Connects and measures time.
        policy: How to verify https, and which certificate to show.
        proxy: Host and port of the proxy for https, or None.
        connect_within: Seconds for a TCP connection.
        max_bytes: Octets of an answer's body; `_MAX_HEAD` may stand around it.
        guard: Which addresses may be connected to; None: all.
    """
    endpoints: Any = _Endpoints(
        reactor, policy, proxy, connect_within, max_bytes + _MAX_HEAD, guard
    )
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.cachedConnectionTimeout = _IDLE_TIME
    pool.maxPersistentPerHost = _IDLE
    single = HTTPConnectionPool(reactor, persistent=False)
    make: Any = Agent.usingEndpointFactory  # not annotated
    return Agents(
        pool=pool,
        keeping=make(reactor, endpoints, pool),
        fresh=make(reactor, endpoints, single),
    )


@implementer(IPolicyForHTTPS)
class TlsPolicy:
    """Verifies against the system's CAs and others, or as a `ClientTls` says."""

    def __init__(self, ca: bytes | None, tls: ClientTls | None) -> None:
        # to make one reads the system's CAs, which takes milliseconds
        self._options = lru_cache(maxsize=64)(
            lambda hostname: client_options(hostname, ca, tls)
        )

    def creatorForNetloc(  # noqa: N802
        self,
        hostname: bytes,
        port: int,  # noqa: ARG002
    ) -> IOpenSSLClientConnectionCreator:
        """Give the TLS client for *hostname*."""
        return self._options(hostname.decode("ascii"))


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Decides how to reach an origin."""

    def __init__(  # noqa: PLR0913, PLR0917
        self,
        reactor: Any,  # noqa: ANN401
        policy: IPolicyForHTTPS,
        proxy: tuple[str, int] | None,
        timeout: float,
        limit: int,
        guard: Guard | None,
    ) -> None:
        self._guard = guard
        self._limit = limit
        self._reactor = reactor
        self._policy = policy
        self._proxy = proxy
        self._timeout = timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """Give an endpoint for *uri*."""
        host = uri.host.decode("ascii")
        if uri.scheme not in {b"https", b"http"} or "@" in host:
            raise UrlError("the URL is neither https nor http with a plain host")
        guard = self._guard
        connect: Endpoints = self._to if guard is None else self._to_address
        if uri.scheme == b"https" and self._proxy is not None:
            proxy = self._to(*self._proxy)
            connect = partial(TunnelEndpoint, proxy)
        if guard is None:
            endpoint = connect(host, uri.port)
        else:
            endpoint = GuardedEndpoint(self._reactor, host, uri.port, guard, connect)
        if uri.scheme == b"https":
            creator = self._policy.creatorForNetloc(uri.host, uri.port)
            endpoint = wrapClientTLS(creator, endpoint)
        return _Limited(endpoint, self._limit)

    def _to(self, host: str, port: int) -> IStreamClientEndpoint:
        """Give an endpoint without anything in between."""
        return HostnameEndpoint(self._reactor, host, port, timeout=self._timeout)

    def _to_address(self, address: str, port: int) -> IStreamClientEndpoint:
        """Give an endpoint that asks no resolver, not even about a number."""
        kind = TCP6ClientEndpoint if ":" in address else TCP4ClientEndpoint
        return kind(self._reactor, address, port, timeout=self._timeout)


@implementer(IStreamClientEndpoint)
class _Limited:
    """Connects, and cuts connections whose answers are too long."""

    def __init__(self, endpoint: IStreamClientEndpoint, limit: int) -> None:
        self._endpoint = endpoint
        self._limit = limit

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:  # noqa: N803
        """Connect, and give the protocol that *protocolFactory* builds."""
        # else the log has two lines for each connection
        protocolFactory.noisy = False  # type: ignore[attr-defined]
        factory = WrappingFactory(protocolFactory)
        factory.noisy = False
        factory.protocol = lambda *args: _Counting(self._limit, *args)
        connected: Deferred[Any] = self._endpoint.connect(factory)
        return connected.addCallback(lambda counting: counting.wrappedProtocol)


class _Counting(ProtocolWrapper):
    """
    Counts what comes after each request.

    Twisted limits the length of header lines and not their number.
    """

    def __init__(self, limit: int, *args: Any) -> None:  # noqa: ANN401
        super().__init__(*args)
        self._base: Any = super()  # not annotated
        self._limit = limit
        self._left = limit

    def write(self, data: bytes) -> None:
        """Send a part of a request."""
        self._left = self._limit
        self._base.write(data)

    def writeSequence(self, data: Iterable[bytes]) -> None:
        """Send a part of a request."""
        self._left = self._limit
        self._base.writeSequence(data)

    def dataReceived(self, data: bytes) -> None:
        """Take a part of an answer."""
        self._left -= len(data)
        if self._left < 0:
            self.abortConnection()
        else:
            self._base.dataReceived(data)


def read_ca(path: str | None) -> bytes | None:
    """
    Read the CAs to trust besides the system's, None if there are no others.

    Raises:
        ConfigError: The file is unusable.
    """
    if path is None:
        return None
    try:
        ca = Path(path).read_bytes()
        client_options("localhost", ca)
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
        raise ConfigError(Mistake("server.outbound.ca", problem)) from e
    except MaterialError as e:
        raise ConfigError(Mistake("server.outbound.ca", str(e))) from e
    return ca


def read_proxy(
    proxy: str | None, path: str = "server.outbound.proxy"
) -> tuple[str, int] | None:
    """
    Give the host and port of the configured proxy, None if there is none.

    Args:
        proxy: Its URL.
        path: The option with it, for mistakes.

    Raises:
        ConfigError: It is no URL of a proxy.
    """
    if proxy is None:
        return None
    try:
        parts = urlsplit(proxy)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    plain = {f"http://{host}:{port}", f"http://[{host}]:{port}"}
    if not host or not port or proxy.lower().rstrip("/") not in plain:
        raise ConfigError(Mistake(path, "must be http://host:port"))
    return host, port


def proxy_url(proxy: tuple[str, int]) -> str:
    """Give the URL that `read_proxy` reads *proxy* from."""
    host, port = proxy
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
