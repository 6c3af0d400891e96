"""
Requests of our own: bounded in time and size, verified, and never redirected.

A redirect would let whoever answers choose where we go next, inside the network that
we stand in.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IOpenSSLClientConnectionCreator,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import URI, Agent, HTTPConnectionPool, ResponseDone
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers as WebHeaders
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from sso_proxy import __version__
from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.model import Headers
from sso_proxy.net.tls.client import MaterialError, client_options
from sso_proxy.net.tunnel import TunnelEndpoint

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_MAX_REASON: Final = 300


@attrs.frozen(kw_only=True)
class HttpReply:
    """
    A whole answer.

    Attributes:
        status: The status code; redirects are answers like others.
        headers: Lower-case names and values, in the order received.
        body: Octets, within the limit that was asked for.
    """

    status: int
    headers: Headers = ()
    body: bytes = attrs.field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Give the first value of the field called *name*, which is lower-case."""
        return next((value for field, value in self.headers if field == name), None)


class HttpClient:
    """
    Fetches what others publish.

    Https is verified against the system's CAs and those of the configuration, and goes
    through a proxy if one is configured; connections are kept.  There are no cookies.

    Args:
        reactor: Connects and measures time; None if nothing will be fetched.
        config: The proxy, the CAs and the limits.
        policy: How to verify https, instead of that.

    Raises:
        ConfigError: The proxy or the CA file is unusable.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401 - several interfaces at once
        config: OutboundConfig,
        *,
        policy: IPolicyForHTTPS | None = None,
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._pool = HTTPConnectionPool(reactor, persistent=True)
        self._pool.cachedConnectionTimeout = 30
        endpoints = _Endpoints(
            reactor,
            policy or _Policy(config.ca),
            _read_proxy(config.proxy),
            config.timeout,
        )
        self._agent = Agent.usingEndpointFactory(reactor, endpoints, self._pool)

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        max_bytes: int | None = None,
    ) -> HttpReply:
        """
        Fetch *url*.

        Args:
            url: ``https``, or ``http``, which is not protected at all.
            headers: Further fields of the request.
            max_bytes: Octets of the answer's body; unset, or if it is more, what is
                configured.

        Raises:
            UnavailableError: There is no whole answer in time and within the limit.
        """
        limit = min(max_bytes or self._config.max_bytes, self._config.max_bytes)
        exchange = Deferred.fromCoroutine(self._exchange(url, headers, limit))
        deadline = self._reactor.callLater(self._config.timeout, exchange.cancel)
        try:
            return await exchange
        except Exception as e:
            # the agent wraps a cancellation in what it made impossible
            cause = _cause(e)
            problem = f"{type(cause).__name__} {cause}".strip()[:_MAX_REASON]
            if isinstance(cause, CancelledError):
                if deadline.active():
                    raise CancelledError from e
                problem = f"no answer in {self._config.timeout:g} s"
            raise UnavailableError(f"{_without_query(url)}: {problem}") from e
        finally:
            if deadline.active():
                deadline.cancel()

    async def close(self) -> None:
        """Close the connections that are kept."""
        await self._pool.closeCachedConnections()

    async def _exchange(
        self, url: str, headers: Mapping[str, str], limit: int
    ) -> HttpReply:
        """Send the request and read the answer."""
        fields = WebHeaders({"User-Agent": [f"sso-proxy/{__version__}"]})
        for name, value in headers.items():
            fields.setRawHeaders(name, [value])
        target = url.encode("ascii")
        response: IResponse = await self._agent.request(b"GET", target, fields)
        body = _Body(limit)
        response.deliverBody(body)
        return HttpReply(
            status=response.code,
            headers=tuple(
                (name.decode("latin-1").lower(), value.decode("latin-1"))
                for name, values in response.headers.getAllRawHeaders()
                for value in values
            ),
            body=await body.whole,
        )


class _Body(Protocol):
    """Collects a body up to a limit."""

    def __init__(self, limit: int) -> None:
        self.whole: Deferred[bytes] = Deferred(lambda _: self._abort())
        self._left = limit
        self._parts: list[bytes] = []

    def dataReceived(self, data: bytes) -> None:
        """Keep *data*, or give up."""
        self._left -= len(data)
        if self._left >= 0:
            self._parts.append(data)
        else:
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the body if it is whole, as far as framing tells."""
        if self.whole.called:
            return
        if self._left < 0:
            self.whole.errback(Failure(ValueError("the answer is too long")))
        elif reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def _abort(self) -> None:
        """Cut the connection, unless the answer is whole and it serves others."""
        # Twisted's proxy for the transport can only close it, and over TLS that waits
        # for a peer that sends without end.
        transport = getattr(self.transport, "_producer", None)
        if transport is not None:
            transport.abortConnection()


@implementer(IPolicyForHTTPS)
class _Policy:
    """
    Verifies against the system's CAs and those of a file.

    Raises:
        ConfigError: The file is unusable.
    """

    def __init__(self, path: str | None) -> None:
        self._ca: bytes | None = None
        if path is None:
            return
        try:
            self._ca = Path(path).read_bytes()
            client_options("localhost", self._ca)
        except OSError as e:
            problem = f"cannot be read: {e.strerror}"
            raise ConfigError(Mistake("server.outbound.ca", problem)) from e
        except MaterialError as e:
            raise ConfigError(Mistake("server.outbound.ca", str(e))) from e

    def creatorForNetloc(  # noqa: N802
        self,
        hostname: bytes,
        port: int,  # noqa: ARG002
    ) -> IOpenSSLClientConnectionCreator:
        """Give the TLS client for *hostname*."""
        return client_options(hostname.decode("ascii"), self._ca)


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Decides how to reach an origin."""

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        policy: IPolicyForHTTPS,
        proxy: tuple[str, int] | None,
        timeout: float,
    ) -> None:
        self._reactor = reactor
        self._policy = policy
        self._proxy = proxy
        self._timeout = timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """Give an endpoint for *uri*."""
        host = uri.host.decode("ascii")
        if uri.scheme not in {b"https", b"http"} or "@" in host:
            raise ValueError("the URL is neither https nor http with a plain host")
        if uri.scheme == b"https" and self._proxy is not None:
            endpoint: IStreamClientEndpoint = TunnelEndpoint(
                self._to(*self._proxy), host, uri.port
            )
        else:
            endpoint = self._to(host, uri.port)
        if uri.scheme == b"http":
            return endpoint
        creator = self._policy.creatorForNetloc(uri.host, uri.port)
        return wrapClientTLS(creator, endpoint)

    def _to(self, host: str, port: int) -> IStreamClientEndpoint:
        """Give an endpoint without anything in between."""
        return HostnameEndpoint(self._reactor, host, port, timeout=self._timeout)


def _read_proxy(proxy: str | None) -> tuple[str, int] | None:
    """
    Give the host and port of the configured proxy, None if there is none.

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
        problem = "must be http://host:port"
        raise ConfigError(Mistake("server.outbound.proxy", problem))
    return host, port


def _cause(error: Exception) -> BaseException:
    """Give what went wrong first."""
    cause: BaseException = error
    while reasons := getattr(cause, "reasons", None):
        cause = reasons[0].value
    return cause


def _without_query(url: str) -> str:
    """Give *url* as it may stand in a log."""
    return url.partition("?")[0]
