"""Where a request arrives, and which route it takes: phases 1 to 3."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from zope.interface import implementer

from sso_proxy.admission import Connection
from sso_proxy.config.model import Config, ListenerConfig
from sso_proxy.errors import BadMessageError, ConfigError, Mistake
from sso_proxy.explain.report import Step
from sso_proxy.explain.situation import Situation
from sso_proxy.interfaces import IClock
from sso_proxy.managed import managed_names
from sso_proxy.model import CertificateFacts, Request, Response, TlsFacts
from sso_proxy.net.tls.names import NameTable
from sso_proxy.parts import Parts
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import Route
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.cors import is_preflight
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.request import read_request

ID: Final = "explain"
"""The request id of what is only asked about."""


@attrs.frozen(kw_only=True)
class Arrival:
    """
    What is known once a request has its route.

    Attributes:
        steps: What was looked at.
        refused: Our answer, if it gets no farther.
        request: The request.
        route: Its route.
        number: Where that is in the configuration; -1 for one of ours.
        missing: What is not known of the request.
    """

    steps: tuple[Step, ...]
    refused: Response | None = None
    request: Request | None = None
    route: Route | None = None
    number: int = -1
    missing: frozenset[str] = frozenset()


@implementer(IClock)
@attrs.frozen
class _Moment:
    """A clock that stands."""

    now: float

    def time(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self.now


def arrive(config: Config, parts: Parts, situation: Situation) -> Arrival:
    """
    Follow a request to its route.

    Raises:
        ConfigError: The URL is none.
    """
    scheme, host, port = _read_url(situation.url)
    found = _find_listener(config, scheme, port)
    if found is None:
        problem = f"no listener takes {scheme}"
        return _refused([Step(phase="listener", text=problem)], 0, "no-listener")
    number, listener = found
    step, missing = _listener_step(number, listener, scheme, situation, host)
    steps = [step]
    if step.outcome == "miss":
        return _refused(steps, 0, "handshake")
    try:
        incoming = _read(config, parts, situation, scheme)
    except BadMessageError as e:
        steps.append(Step(phase="request", text=f"cannot be read: {e.reason}"))
        return _refused(steps, e.status, e.reason)
    if not (listener.tls or listener.allow_plaintext):
        steps.append(Step(phase="listener", text="only redirects", decides=True))
        return _refused(steps, 301, "to-https")
    connection = _connection(parts, number, listener, (scheme, host), situation)
    pipeline = Pipeline(
        parts.routes,
        clock=_Moment(situation.at),
        trusted=lambda _: False,
        via=config.server.name,
        new_id=lambda: ID,
    )
    request = pipeline.facts(incoming, connection)
    taken = pipeline.route(request, connection)
    if isinstance(taken, Response):
        steps.append(_no_route(config, parts, request, taken))
        return _refused(steps, taken.status, taken.reason)
    _, route, request = taken
    index = _index_of(config, route)
    steps.append(_route_step(route, index))
    ours = answers_itself(route, request)
    if index < 0:
        ours = ours or Response(status=200, reason="own-endpoint")
    if ours is not None:
        steps.append(Step(phase="endpoint", text=ours.reason, decides=True))
    return Arrival(
        steps=tuple(steps),
        refused=ours,
        request=request,
        route=route,
        number=index,
        missing=missing,
    )


def _read_url(url: str) -> tuple[str, str, int]:
    """Take apart as much of a URL as has to be known before it is read in earnest."""
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname, parts.port
    except ValueError as e:
        raise ConfigError(Mistake("url", f"is none: {e}")) from None
    if scheme not in DEFAULT_PORTS or not host:
        problem = f"{url!r} is no absolute URL of http or https"
        raise ConfigError(Mistake("url", problem))
    return scheme, host.lower().removesuffix("."), port or DEFAULT_PORTS[scheme]


def _find_listener(
    config: Config, scheme: str, port: int
) -> tuple[int, ListenerConfig] | None:
    """Find where a request arrives: at its port, else at the first that takes it."""
    listeners = list(enumerate(config.listener))
    fitting = [each for each in listeners if each[1].tls == (scheme == "https")]
    if scheme == "https" and not fitting:  # something before us ends TLS
        fitting = [each for each in listeners if each[1].allow_plaintext]
    at_port = [each for each in fitting if each[1].port == port]
    return next(iter(at_port or fitting), None)


def client_mode(listener: ListenerConfig, host: str) -> str:
    """Say what a listener asks clients of *host* for (`ListenerConfig`)."""
    patterns = [
        (pattern, name.client_certificate or listener.client_certificate)
        for name in listener.name
        for pattern in name.host
    ]
    table: NameTable[str] = NameTable.build(patterns, listener.client_certificate)
    return table.find(host)


def _listener_step(
    number: int,
    listener: ListenerConfig,
    scheme: str,
    situation: Situation,
    host: str,
) -> tuple[Step, frozenset[str]]:
    """Say what the connection proves, and what is not known of it."""
    missing = set() if situation.client else {"client"}
    where = f"listener[{number}] {listener.address}:{listener.port}"
    if not listener.tls:
        ended = "TLS ends before us" if scheme == "https" else "without TLS"
        missing |= {"certificate"} if scheme == "https" else set()
        text = f"{where}, {ended}"
        return Step(phase="listener", text=text), frozenset(missing)
    missing.add("tls.version")
    name = situation.server_name or host
    mode = client_mode(listener, name)
    given = situation.certificate
    text = f"{where}, TLS for {name}, client certificates: {mode}"
    if mode == "none":
        return Step(phase="listener", text=text), frozenset(missing)
    if given is not None:
        text += f"; given: {given.subject}"
        if mode == "optional_no_ca":
            missing.add("certificate.verified")
        else:
            text += " (taken for one that a CA of ours vouches for)"
        return Step(phase="listener", text=text), frozenset(missing)
    if situation.certificate_known:
        refused = mode == "required"
        text += "; the client has none"
        text += ", and the handshake fails" if refused else ""
        step = Step(
            phase="listener",
            text=text,
            outcome="miss" if refused else "",
            decides=refused,
        )
        return step, frozenset(missing)
    missing.add("certificate")
    text += "; whether the client has one is not given"
    return Step(phase="listener", text=text), frozenset(missing)


def _read(config: Config, parts: Parts, situation: Situation, scheme: str) -> Incoming:
    """
    Read the request as if it had come.

    Raises:
        BadMessageError: It would be refused.
    """
    url = urlsplit(situation.url)
    target = url.path or "/"
    if url.query:
        target += f"?{url.query}"
    text = f"{situation.method} {target} HTTP/1.1\r\nHost: {url.netloc}\r\n\r\n"
    limits = config.server.limits
    return read_request(
        text.encode(),
        scheme=scheme,
        port=DEFAULT_PORTS[scheme],
        limits=HeadLimits(
            request_line=limits.request_line,
            header_bytes=limits.header_bytes,
            headers=limits.headers,
        ),
        managed=managed_names(config, parts.settable),
    )


def _connection(
    parts: Parts,
    number: int,
    listener: ListenerConfig,
    place: tuple[str, str],
    situation: Situation,
) -> Connection:
    scheme, host = place
    tls, facts = parts.tls[number], None
    name = situation.server_name or host
    if tls is not None:
        certificate: CertificateFacts | None = situation.certificate
        if client_mode(listener, name) == "none":
            certificate = None
        facts = TlsFacts(
            version="TLSv1.3",
            cipher="",
            server_name=name,
            certificate=certificate,
            policy=tls.policy_for(name),
        )
    return Connection(
        listener=listener.address,
        scheme=scheme,
        port=DEFAULT_PORTS[scheme],
        listener_port=listener.port,
        peer=situation.client or "unix",
        trusted=False,
        tls=facts,
        policy_for=tls.policy_for if tls is not None else None,
    )


def answers_itself(  # noqa: PLR0911 - one for each kind
    route: Route, request: Request
) -> Response | None:
    """Say what we answer ourselves on a route, before anybody is asked who calls."""
    head = request.head
    if route.published is not None:
        return Response(status=200, reason="document")
    if route.apache is not None or route.session_info is not None:
        return Response(status=200, reason="session-info")
    if route.is_own(head.path):
        return Response(status=200, reason="own-endpoint")
    if route.maintenance is not None:
        paused: Response | None = route.maintenance.answer(request)
        if paused is not None:
            return paused
    if route.cors is not None and is_preflight(head):
        return Response(status=204, reason="preflight")
    if route.methods and head.method not in route.methods:
        return Response(status=405, reason="method")
    return None


def _no_route(config: Config, parts: Parts, request: Request, answer: Response) -> Step:
    """Say why there is no route."""
    head = request.head
    why: Mapping[str, Any] = {
        "misdirected": "the name of the handshake has other rules for certificates",
        "encoded-slash": "the path has an encoded slash, which the route refuses",
        "path-parameters": "the path has parameters, which the route refuses",
        "ambiguous-path": "without its parameters, the path is another route's",
    }
    text = why.get(answer.reason, "")
    if answer.reason == "no-route" and parts.routes.of_host(head.host) is None:
        known = ", ".join(dict.fromkeys(route.host for route in config.route))
        text = f"none has the host {head.host}; there are {known}"
    elif answer.reason == "no-route":
        text = f"no path of the host {head.host} fits {head.path}"
    return Step(phase="route", text=text, outcome="miss", decides=True)


def _index_of(config: Config, route: Route) -> int:
    names = [each.host + each.path for each in config.route]
    return names.index(route.name) if route.name in names else -1


def _route_step(route: Route, number: int) -> Step:
    name = f"route[{number}]" if number >= 0 else "a route of ours"
    return Step(
        phase="route",
        text=f"{name}: host {route.host}, path {route.path}",
        outcome="hit",
    )


def _refused(steps: list[Step], status: int, reason: str) -> Arrival:
    return Arrival(steps=tuple(steps), refused=Response(status=status, reason=reason))
