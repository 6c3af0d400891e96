"""What a route's options must not say together, and what they must find elsewhere."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sso_proxy.config.backend import Backend, read_backend
from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.listener_rules import serves
from sso_proxy.config.model import ListenerConfig, RouteConfig
from sso_proxy.config.names import (
    FIELD_NAME,
    NEVER_MANAGED,
    alias,
    method_problem,
    origin_problem,
)
from sso_proxy.config.route_parts import (
    CookieBindingConfig,
    CookieDeviceConfig,
    HeadersConfig,
)
from sso_proxy.config.structure import join
from sso_proxy.config.suggest import unknown
from sso_proxy.errors import Mistake
from sso_proxy.specs.http.bound_cookies import pattern_problem
from sso_proxy.specs.http.cookies import OURS

_HOST_VALUE = re.compile(
    r"client|[A-Za-z0-9._-]+(?::\d{1,5})?|\[[0-9a-f:.]+\](?::\d+)?"
)
_NO_CERTIFICATES = (
    "no listener asks for client certificates here; set client_certificate on one,"
    " or forwarded_certificate behind a proxy that passes them on"
)
_NOBODY_AGREES = (
    "no listener has token_binding, nor forwarded_token_binding behind a proxy"
    " that passes on what it has checked"
)
_TLS_ONLY = ("ca", "certificate", "key", "server_name")


def check_routes(draft: Draft) -> Iterator[Mistake]:
    """Check each route, what it refers to, and that no two are the same."""
    seen: dict[tuple[str, str], str] = {}
    for route in draft.routes:
        key = (route.value.host, re.sub(r"\{\w+\}", "{}", route.value.path))
        if (other := seen.setdefault(key, route.path)) != route.path:
            problem = f"{route.value.host}{route.value.path} is {other} already"
            yield Mistake(join(route.path, "path"), problem)
        yield from _check_authenticate(route, draft)
        yield from _check_names(
            join(route.path, "map_user"),
            "mapper",
            route.value.map_user,
            draft.names.get("mapper", ()),
        )
        yield from _check_policies(route, draft.names.get("policy", frozenset()))
        known = draft.names.get("session", frozenset())
        if (name := route.value.session) is not None and name not in known:
            problem = unknown("sessions", name, known)
            yield Mistake(join(route.path, "session"), problem)
        yield from _check_certificate(route, draft)
        yield from _check_told_bindings(route, draft)
        yield from _check_bound_cookies(route, draft)
        yield from _check_dpop(route, draft)
        yield from _check_backend(route)
        yield from _check_headers(join(route.path, "headers"), route.value.headers)
        removed = join(join(route.path, "headers"), "remove")
        yield from _check_removed(removed, route.value.headers.remove)
        yield from _check_words(route)


def _check_names(
    path: str, what: str, names: Sequence[str], known: Iterable[str]
) -> Iterator[Mistake]:
    """Check that each of *names* is there, and stands there once."""
    known = frozenset(known)
    for number, name in enumerate(names):
        if name not in known:
            yield Mistake(join(path, number), unknown(what, name, known))
        elif name in names[:number]:
            yield Mistake(join(path, number), f"{name!r} stands here twice")


def _check_policies(
    route: Placed[RouteConfig], known: frozenset[str]
) -> Iterator[Mistake]:
    """Check what decides on a route, and what is only compared with it."""
    for option in ("policy", "shadow"):
        names: tuple[str, ...] = getattr(route.value, option)
        yield from _check_names(join(route.path, option), "policy", names, known)
    for number, name in enumerate(route.value.shadow):
        if name in route.value.policy:
            problem = f"{name!r} decides already; a shadow is another policy"
            yield Mistake(join(join(route.path, "shadow"), number), problem)


def _check_authenticate(route: Placed[RouteConfig], draft: Draft) -> Iterator[Mistake]:
    """Check whom a route asks who is calling."""
    names = route.value.authenticate
    path = join(route.path, "authenticate")
    known = {"anonymous", *draft.names.get("authenticator", ())}
    yield from _check_names(path, "authenticator", names, known)
    for number, name in enumerate(names[:-1]):
        if _type_of(name, draft) == "anonymous":
            problem = f"{name!r} always answers; put it last, or nobody after is asked"
            yield Mistake(join(path, number), problem)


def _type_of(name: str, draft: Draft) -> str | None:
    """Give an authenticator's type; ``anonymous`` needs no table."""
    if (component := draft.authenticators.get(name)) is not None:
        return component.value.type
    return "anonymous" if name == "anonymous" else None


def _check_certificate(route: Placed[RouteConfig], draft: Draft) -> Iterator[Mistake]:
    """Check that a route that needs a client certificate can ever see one."""
    listeners = [listener.value for listener in draft.listeners]
    if not any(map(serves, listeners)) or _asks(listeners, route.value.host):
        return
    never = _NO_CERTIFICATES
    if route.value.binding.certificate == "require":
        yield Mistake(join(route.path, "binding.certificate"), never)
    for number, name in enumerate(route.value.authenticate):
        if _type_of(name, draft) == "mtls":
            yield Mistake(join(route.path, f"authenticate[{number}]"), never)


def _check_told_bindings(route: Placed[RouteConfig], draft: Draft) -> Iterator[Mistake]:
    """Check that a backend that is to be told of clients' keys can ever be."""
    listeners = [listener.value for listener in draft.listeners]
    if not route.value.headers.token_binding or not any(map(serves, listeners)):
        return
    if not _agree(listeners):
        yield Mistake(join(route.path, "headers.token_binding"), _NOBODY_AGREES)


def _agree(listeners: Iterable[ListenerConfig]) -> bool:
    """Say whether any listener hears of the keys of Token Binding."""
    return any(each.token_binding or each.forwarded_token_binding for each in listeners)


def _check_bound_cookies(route: Placed[RouteConfig], draft: Draft) -> Iterator[Mistake]:
    """Check which cookies of the application are bound, and that there are keys."""
    cookies = route.value.binding.cookies
    if cookies is None:
        return
    path = join(route.path, "binding.cookies")
    for number, name in enumerate(cookies.names):
        if problem := pattern_problem(name):
            yield Mistake(join(join(path, "names"), number), problem)
    if (cookies.certificate, cookies.token_binding, cookies.device) == (None,) * 3:
        problem = "to which key? write certificate = 'require' or device = 'require'"
        yield Mistake(path, problem)
    listeners = [listener.value for listener in draft.listeners]
    yield from _check_cookie_devices(path, cookies)
    if not any(map(serves, listeners)):
        return
    if cookies.certificate and not _asks(listeners, route.value.host):
        yield Mistake(join(path, "certificate"), _NO_CERTIFICATES)
    if cookies.token_binding and not _agree(listeners):
        yield Mistake(join(path, "token_binding"), _NOBODY_AGREES)


def _check_cookie_devices(path: str, cookies: CookieBindingConfig) -> Iterator[Mistake]:
    """Check how browsers bind cookies to their device."""
    options = cookies.device_options
    if cookies.device is None:
        if options != CookieDeviceConfig():
            yield Mistake(join(path, "device_options"), "has no effect without device")
        return
    for number, excluded in enumerate(options.exclude):
        if not excluded.startswith("/"):
            place = join(join(path, "device_options.exclude"), number)
            yield Mistake(place, f"{excluded!r} is no path; write '/{excluded}'")


def _check_dpop(route: Placed[RouteConfig], draft: Draft) -> Iterator[Mistake]:
    """Check that a route knows what its clients call it, if they sign that."""
    table = draft.bindings.get("dpop")
    if table is None and route.value.binding.dpop is None:
        return
    origins = table.value.options.get("origins") if table is not None else None
    if route.value.host != "*" or (isinstance(origins, Mapping) and "*" in origins):
        return
    types = {_type_of(name, draft) for name in route.value.authenticate}
    if types <= {"anonymous", "mtls"} and route.value.binding.dpop is None:
        return
    # Whoever runs another server could use here the proofs that clients make for it.
    problem = (
        "any Host that a client names is taken, so a DPoP proof for any server is good;"
        " name the host, or say in binding.dpop.origins what clients call this one:"
        " { '*' = 'https://api.example.com' }"
    )
    yield Mistake(join(route.path, "host"), problem)


def _asks(listeners: Iterable[ListenerConfig], host: str) -> bool:
    """Say whether any listener may ask clients of *host* for a certificate."""
    for listener in listeners:
        if listener.forwarded_certificate != "ignore":
            return True  # a terminator before us may pass it on (RFC 9440)
        modes = {listener.client_certificate}
        for name in listener.name:
            if any(_overlap(host, pattern) for pattern in name.host):
                modes.add(name.client_certificate or listener.client_certificate)
        if listener.tls and modes != {"none"}:
            return True
    return False


def _overlap(host: str, pattern: str) -> bool:
    """Say whether some name fits both patterns."""
    if "*" in {host, pattern} or host == pattern:
        return True
    if host.startswith("*."):
        host, pattern = pattern, host
    return pattern.startswith("*.") and host.partition(".")[2] == pattern[2:]


def _check_backend(route: Placed[RouteConfig]) -> Iterator[Mistake]:
    """Check where a route's requests go, and that its options mean that."""
    try:
        backend = read_backend(route.value.backend)
    except ValueError as e:
        yield Mistake(join(route.path, "backend"), str(e))
        return
    written = route.raw.get("upstream", {})
    path = join(route.path, "upstream")
    yield from _check_upstream(path, written, backend)
    upstream = route.value.upstream
    if (upstream.certificate is None) != (upstream.key is None):
        missing = "key" if upstream.key is None else "certificate"
        problem = "is missing; certificate and key go together"
        yield Mistake(join(path, missing), problem)
    if not _HOST_VALUE.fullmatch(upstream.host):
        problem = f"{upstream.host!r} is neither 'client' nor a host name"
        yield Mistake(join(path, "host"), problem)


def _check_upstream(
    path: str, written: Mapping[str, object], backend: Backend
) -> Iterator[Mistake]:
    """Refuse options that would look as if they protected the way to the backend."""
    if backend.kind == "upstream":
        return  # its table has them (`config.upstream_rules`)
    for option in written:
        if not backend.proxied:
            problem = f"has no effect with a {backend.kind}: backend"
        elif option in _TLS_ONLY and backend.kind != "https":
            problem = f"has no effect with a {backend.kind}: backend; write https:"
        else:
            continue
        yield Mistake(join(path, option), problem)


def _check_headers(path: str, headers: HeadersConfig) -> Iterator[Mistake]:
    """Check that each fact about the caller gets a header field of its own."""
    named = {claim: headers.claim_prefix + claim for claim in headers.claims}
    named |= headers.claim_names
    fields = [("user", headers.user)] if headers.user else []
    fields += [(f"claims {claim!r}", name) for claim, name in named.items()]
    fields += [(f"tokens {token!r}", name) for token, name in headers.tokens.items()]
    taken: dict[str, str] = {}
    for option, name in fields:
        if not FIELD_NAME.fullmatch(name):
            problem = f"{option}: {name!r} is no header field's name"
        elif alias(name) in NEVER_MANAGED:
            problem = f"{option}: {name} belongs to HTTP itself"
        elif (other := taken.setdefault(alias(name), option)) != option:
            problem = f"{option}: backends may take {name} for the one of {other}"
        else:
            continue
        yield Mistake(path, problem)


def _check_removed(path: str, names: Sequence[str]) -> Iterator[Mistake]:
    """Check what a backend must not get."""
    for number, name in enumerate(names):
        problem = _removal_problem(name)
        same = str if ":" in name else alias  # cookies' names have large letters, too
        if same(name) in map(same, names[:number]):
            problem = f"{name!r} stands here twice"
        elif name.startswith("cookie:") and "cookie" in map(alias, names):
            problem = "has no effect: 'cookie' removes all of them"
        if problem:
            yield Mistake(join(path, number), problem)


def _removal_problem(name: str) -> str:
    """Say why *name* cannot be removed on the way to a backend."""
    kind, colon, cookie = name.partition(":")
    if colon:
        if kind != "cookie" or not FIELD_NAME.fullmatch(cookie):
            return f"{name!r} is neither a header field nor 'cookie:NAME'"
        ours = cookie.startswith(OURS)
        return "has no effect: no backend gets cookies of ours" if ours else ""
    if not FIELD_NAME.fullmatch(name):
        return f"{name!r} is neither a header field nor 'cookie:NAME'"
    if alias(name) in NEVER_MANAGED or alias(name).startswith("sec-websocket-"):
        return f"{name} belongs to HTTP itself"
    return ""


def _check_words(route: Placed[RouteConfig]) -> Iterator[Mistake]:
    """Check options that hold words of HTTP."""
    config, path = route.value, route.path
    for option, words, problem_of in (
        ("methods", config.methods, method_problem),
        ("upgrade", config.upgrade, _protocol_problem),
        ("origins", config.origins, origin_problem),
    ):
        for number, word in enumerate(words):
            if problem := problem_of(word):
                yield Mistake(join(join(path, option), number), problem)
    if config.origins and not config.upgrade:
        yield Mistake(join(path, "origins"), "has no effect without upgrade")
    if not config.endpoints.endswith("/") or config.endpoints == "/":
        problem = f"{config.endpoints!r} must be a path of its own and end with '/'"
        yield Mistake(join(path, "endpoints"), problem)
    elif config.path.startswith(config.endpoints):
        problem = f"lies below our own {config.endpoints!r}; no request gets there"
        yield Mistake(join(path, "path"), problem)


def _protocol_problem(protocol: str) -> str | None:
    if not FIELD_NAME.fullmatch(protocol):
        return f"{protocol!r} is no protocol; write 'websocket'"
    return None
