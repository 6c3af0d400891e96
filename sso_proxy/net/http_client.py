"""
Requests of our own: bounded in time and size, verified, and never redirected.

A redirect would let whoever answers choose where we go next, inside the network that
we stand in.
"""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import urlencode

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionClosed
from twisted.logger import Logger
from twisted.web.client import (
    Agent,
    RequestTransmissionFailed,
    ResponseNeverReceived,
)
from twisted.web.http_headers import Headers as WebHeaders
from twisted.web.iweb import IPolicyForHTTPS, IResponse

from sso_proxy import __version__
from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.guard import Guard
from sso_proxy.net.http_agent import (
    Agents,
    TlsPolicy,
    UrlError,
    build_agents,
    proxy_url,
    read_ca,
    read_proxy,
)
from sso_proxy.net.http_bodies import BoundedBody, WholeBody
from sso_proxy.net.http_reply import HttpReply
from sso_proxy.net.no_reply import (
    NoReplyError,
    Trouble,
    describe,
    first_cause,
)
from sso_proxy.net.tls.client import ClientTls
from sso_proxy.traffic import OTHERS, Durations

__all__ = ["ClientTls", "HttpClient", "HttpReply", "NoReplyError", "Trouble"]

_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_FORM: Final = "application/x-www-form-urlencoded"
_GUARDED_TIMEOUT: Final = 5.0
_GUARDED_BYTES: Final = 262144
_MAX_TLS: Final = 64
"""Kinds of `ClientTls` that connections are kept for."""

_log = Logger()

FormFields: TypeAlias = Sequence[tuple[str, str]]


class HttpClient:
    """
    Asks other servers: fetches what they publish, sends them forms.

    Https is verified against the system's CAs and those of the configuration, and goes
    through a proxy if one is configured; connections are kept, and used again only for
    requests with the same `ClientTls`.  There are no cookies.

    Args:
        reactor: Connects and measures time; None if nothing will be fetched.
        config: The proxy, the CAs and the limits.
        policy: How to verify https, instead of that.
        guard: Which addresses may be asked; None: all.
        durations: Where it is counted how long answers take; unset, of its own.

    Attributes:
        durations: The same.

    Raises:
        ConfigError: The proxy or the CA file is unusable.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401 - several interfaces at once
        config: OutboundConfig,
        *,
        policy: IPolicyForHTTPS | None = None,
        guard: Guard | None = None,
        durations: Durations | None = None,
    ) -> None:
        self._guard = guard
        self._others: dict[tuple[Guard | str, int], HttpClient] = {}
        self._reactor = reactor
        self._config = config
        self._policy = policy
        self._ca = read_ca(config.ca)
        self._proxy = read_proxy(config.proxy)
        self._agents: dict[ClientTls | None, Agents] = {}
        self.durations = durations if durations is not None else Durations()

    def guarded(self, guard: Guard, max_bytes: int = _GUARDED_BYTES) -> "HttpClient":
        """
        Give a client for what strangers name, with smaller limits.

        It resolves each host once, and connects to exactly what was found, if *guard*
        allows all of it.  Its connections are its own, and are closed with ours.

        Args:
            guard: Which addresses may be asked.
            max_bytes: Octets of an answer's body, if that is less than configured.
        """
        key = guard, max_bytes
        if key not in self._others:
            config = attrs.evolve(
                self._config,
                timeout=min(self._config.timeout, _GUARDED_TIMEOUT),
                max_bytes=min(self._config.max_bytes, max_bytes),
            )
            self._others[key] = HttpClient(
                self._reactor,
                config,
                policy=self._policy,
                guard=guard,
                durations=self.durations,
            )
        return self._others[key]

    def through(self, proxy: tuple[str, int]) -> "HttpClient":
        """
        Give a client that reaches https through another proxy.

        Its connections are its own, and are closed with ours.

        Args:
            proxy: Host and port of what takes CONNECT (RFC 9110 section 9.3.6).
        """
        if proxy not in self._others:
            config = attrs.evolve(self._config, proxy=proxy_url(proxy))
            self._others[proxy] = HttpClient(
                self._reactor,
                config,
                policy=self._policy,
                guard=self._guard,
                durations=self.durations,
            )
        return self._others[proxy]

    async def get(  # noqa: PLR0913 - one keyword for each thing that can be different
        self,
        url: str,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        fields: FormFields = (),
        max_bytes: int | None = None,
        within: float | None = None,
        tls: ClientTls | None = None,
    ) -> HttpReply:
        """
        Fetch *url*.

        Args:
            url: ``https``, or ``http``, which is not protected at all.
            headers: Further fields of the request.
            fields: Names and values to add to the query.
            max_bytes: Octets of the answer's body; unset, or if it is more, what is
                configured.
            within: Seconds for all of it; unset, what is configured.
            tls: Our certificate, and whom to trust.

        Raises:
            NoReplyError: There is no whole answer in time and within the limit.
        """
        request = _Request(
            method=b"GET",
            url=_with_query(url, fields),
            headers=headers,
            limit=min(max_bytes or self._config.max_bytes, self._config.max_bytes),
            tls=tls,
        )
        return await self._bounded(request, within or self._config.timeout)

    async def post_form(  # noqa: PLR0913 - as for `get`
        self,
        url: str,
        fields: FormFields,
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        max_bytes: int | None = None,
        within: float | None = None,
        tls: ClientTls | None = None,
        repeatable: bool = False,
    ) -> HttpReply:
        """
        Send a form, whose content stays out of every message.

        Args:
            url: As for `get`.
            fields: Names and values; secret.
            headers: Further fields of the request; secret.
            max_bytes: As for `get`.
            within: As for `get`.
            tls: As for `get`.
            repeatable: To ask twice is as good as once: if a connection ends without
                an answer, as one that was kept may, a new one is tried.

        Raises:
            NoReplyError: As for `get`.
        """
        request = _Request(
            method=b"POST",
            url=url,
            headers={"Content-Type": _FORM, **headers},
            body=urlencode(fields).encode("ascii"),
            limit=min(max_bytes or self._config.max_bytes, self._config.max_bytes),
            tls=tls,
            repeatable=repeatable,
        )
        return await self._bounded(request, within or self._config.timeout)

    async def send_json(
        self,
        method: Literal["POST", "PUT"],
        url: str,
        members: Mapping[str, Any],
        headers: Mapping[str, str] = _NO_HEADERS,
        *,
        tls: ClientTls | None = None,
    ) -> HttpReply:
        """
        Send a JSON object, whose content stays out of every message.

        Args:
            method: How.
            url: As for `get`.
            members: Of the object; secret.
            headers: Further fields of the request; secret.
            tls: As for `get`.

        Raises:
            NoReplyError: As for `get`.
        """
        kept = {"Content-Type": "application/json", **headers}
        body = json.dumps(members).encode("ascii")
        return await self.send(method, url, body, kept, tls=tls)

    async def send(  # noqa: PLR0913 - as for `get`
        self,
        method: Literal["POST", "PUT"],
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        max_bytes: int | None = None,
        within: float | None = None,
        tls: ClientTls | None = None,
        repeatable: bool = False,
    ) -> HttpReply:
        """
        Send *body* as *headers* describe it; both stay out of every message.

        The other arguments are as for `post_form`.

        Raises:
            NoReplyError: As for `get`.
        """
        request = _Request(
            method=method.encode("ascii"),
            url=url,
            headers=headers,
            body=body,
            limit=min(max_bytes or self._config.max_bytes, self._config.max_bytes),
            tls=tls,
            repeatable=repeatable,
        )
        return await self._bounded(request, within or self._config.timeout)

    async def close(self) -> None:
        """Close the connections that are kept."""
        for client in self._others.values():
            await client.close()
        for agents in self._agents.values():
            await agents.pool.closeCachedConnections()

    async def _bounded(self, request: "_Request", within: float) -> HttpReply:
        """Send *request* and wait for the answer, *within* seconds at most."""
        exchange = Deferred.fromCoroutine(self._exchange(request))
        deadline = self._reactor.callLater(within, exchange.cancel)
        began = self._reactor.seconds()
        try:
            reply = await exchange
        except Exception as e:  # noqa: BLE001
            # the agent wraps a cancellation in what it made impossible
            cause = first_cause(e)
            if isinstance(cause, CancelledError) and deadline.active():
                raise CancelledError from None
            problem, trouble = describe(cause, within)
            # Not chained: other texts may hold what we sent, when it comes back.
            what = f"{_without_query(request.url)}: {problem}"
            raise NoReplyError(what, problem=problem, trouble=trouble) from None
        else:
            _log.debug(
                "{method} {url}: {status}, {octets} octets",
                method=request.method.decode("ascii"),
                url=_without_query(request.url),
                status=reply.status,
                octets=len(reply.body),
            )
            return reply
        finally:
            if deadline.active():
                deadline.cancel()
            # Strangers name what is asked with a guard: that is no label.
            who = OTHERS if self._guard is not None else _origin(request.url)
            self.durations.note(who, self._reactor.seconds() - began)

    async def _exchange(self, request: "_Request") -> HttpReply:
        """Send the request and read the answer."""
        agents = self._agents_for(request.tls)
        try:
            response = await _send(agents.keeping, request)
        except (RequestTransmissionFailed, ResponseNeverReceived) as e:
            ended = isinstance(first_cause(e), ConnectionClosed)
            if not (ended and request.repeatable):
                raise
            response = await _send(agents.fresh, request)
        body = BoundedBody(request.limit)
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

    def _agents_for(self, tls: ClientTls | None) -> Agents:
        """
        Give what connects with *tls*.

        Each has connections of its own: one on which another certificate was shown
        would speak in another client's name.
        """
        agents = self._agents.get(tls)
        if agents is None:
            if len(self._agents) >= _MAX_TLS:  # certificates change, years go by
                oldest = next(kind for kind in self._agents if kind is not None)
                self._agents.pop(oldest).pool.closeCachedConnections()
            agents = build_agents(
                self._reactor,
                self._policy or TlsPolicy(self._ca, tls),
                proxy=self._proxy,
                connect_within=self._config.timeout,
                max_bytes=self._config.max_bytes,
                guard=self._guard,
            )
            self._agents[tls] = agents
        return agents


@attrs.frozen(kw_only=True)
class _Request:
    """What is sent, how and how much may come back."""

    method: bytes
    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None = attrs.field(default=None, repr=False)
    limit: int
    tls: ClientTls | None
    repeatable: bool = False


async def _send(agent: Agent, request: _Request) -> IResponse:
    """Send *request* and wait for the head of the answer."""
    fields = WebHeaders({"User-Agent": [f"sso-proxy/{__version__}"]})
    for name, value in request.headers.items():
        fields.setRawHeaders(name, [value])
    body = None if request.body is None else WholeBody(request.body)
    try:
        target = request.url.encode("ascii")
    except UnicodeEncodeError:
        raise UrlError("the URL is not ASCII") from None
    response: IResponse = await agent.request(request.method, target, fields, body)
    return response


def _with_query(url: str, fields: FormFields) -> str:
    """Give *url* with *fields* added to its query."""
    if not fields:
        return url
    return f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}"


def _origin(url: str) -> str:
    """Give scheme, host and port of *url*, without what may be a secret."""
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{re.split('[/?#]', rest)[0].rpartition('@')[2]}"


def _without_query(url: str) -> str:
    """Give *url* as it may stand in a log."""
    return url.partition("?")[0]
