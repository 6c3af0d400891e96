"""
Requests of our own: bounded in time and size, verified, and never redirected.

A redirect would let whoever answers choose where we go next, inside the network that
we stand in.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.internet import ssl
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import (
    URI,
    Agent,
    BrowserLikePolicyForHTTPS,
    HTTPConnectionPool,
    ResponseDone,
)
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers as WebHeaders
from twisted.web.iweb import IAgentEndpointFactory, IPolicyForHTTPS, IResponse
from zope.interface import implementer

from sso_proxy import __version__
from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import ConfigError, Mistake, UnavailableError
from sso_proxy.model import Headers
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
        reactor: Connects and measures time.
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
            policy or BrowserLikePolicyForHTTPS(_trust_root(config.ca)),
            _proxy_endpoint(reactor, config),
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
        exchange.addTimeout(self._config.timeout, self._reactor)
        try:
            return await exchange
        except CancelledError:
            raise
        except DeferredTimeoutError:
            problem = f"no answer in {self._config.timeout:g} s"
        except Exception as e:  # noqa: BLE001 - whatever it is, there is no answer
            problem = _describe(e)
        raise UnavailableError(f"{_without_query(url)}: {problem}")

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
        elif not self.whole.called:
            self.whole.errback(Failure(ValueError("the answer is too long")))
            self._abort()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """Give the body if it is whole, as far as framing tells."""
        if self.whole.called:
            return
        if reason.check(ResponseDone, PotentialDataLoss):
            self.whole.callback(b"".join(self._parts))
        else:
            self.whole.errback(reason)

    def _abort(self) -> None:
        """Cut the connection."""
        abort = getattr(self.transport, "abortConnection", None)
        if abort is not None:
            abort()


class _TrustRoot(ssl.OpenSSLDefaultPaths):
    """The system's CAs and those of a file."""

    def __init__(self, path: str) -> None:
        self._path = path

    def _addCACertsToContext(self, context: Any) -> None:  # noqa: ANN401, N802
        super()._addCACertsToContext(context)  # type: ignore[no-untyped-call]
        context.load_verify_locations(self._path)


@implementer(IAgentEndpointFactory)
class _Endpoints:
    """Decides how to reach an origin."""

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        policy: IPolicyForHTTPS,
        proxy: IStreamClientEndpoint | None,
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
                self._proxy, host, uri.port
            )
        else:
            endpoint = HostnameEndpoint(
                self._reactor, host, uri.port, timeout=self._timeout
            )
        if uri.scheme == b"http":
            return endpoint
        creator = self._policy.creatorForNetloc(uri.host, uri.port)
        return wrapClientTLS(creator, endpoint)


def _trust_root(path: str | None) -> ssl.OpenSSLDefaultPaths:
    """Trust the system's CAs, and those of the PEM file *path*."""
    if path is None:
        return ssl.OpenSSLDefaultPaths()
    root = _TrustRoot(path)
    try:
        ssl.optionsForClientTLS("localhost", trustRoot=root)
    except Exception as e:
        problem = "no PEM file with certificates of CAs that can be read"
        raise ConfigError(Mistake("server.outbound.ca", problem)) from e
    return root


def _proxy_endpoint(
    reactor: Any,  # noqa: ANN401
    config: OutboundConfig,
) -> IStreamClientEndpoint | None:
    """Give the way to the configured proxy, None if there is none."""
    if config.proxy is None:
        return None
    try:
        parts = urlsplit(config.proxy)
        host, port = parts.hostname, parts.port
    except ValueError:
        host = port = None
    if not host or not port or config.proxy.rstrip("/") != f"http://{parts.netloc}":
        problem = "must be http://host:port"
        raise ConfigError(Mistake("server.outbound.proxy", problem))
    return HostnameEndpoint(reactor, host, port, timeout=config.timeout)


def _describe(error: Exception) -> str:
    """Say what went wrong, for the log."""
    reasons = getattr(error, "reasons", None) or [Failure(error)]
    first = reasons[0].value
    return f"{type(first).__name__} {first}".strip()[:_MAX_REASON]


def _without_query(url: str) -> str:
    """Give *url* as it may stand in a log."""
    return url.partition("?")[0]
