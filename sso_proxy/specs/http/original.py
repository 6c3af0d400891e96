"""
The request that another proxy asks about, out of the request that it asks with.

Proxies of each kind say in one place what their client asked for.  That place alone
counts, and it has to be there exactly once; what any other place says is refused, as
who forwards the request would pass it on to a backend that may believe it.
"""

import re
from collections.abc import Callable
from typing import Final, Literal

import attrs

from sso_proxy.errors import BadMessageError
from sso_proxy.model import RequestHead
from sso_proxy.specs.http.authority import DEFAULT_PORTS, read_authority
from sso_proxy.specs.http.head import words
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.names import HOP_BY_HOP
from sso_proxy.specs.http.request import check_method, read_path_and_query
from sso_proxy.specs.http.target import canonical_path, is_settled

Asker = Literal["nginx", "caddy", "traefik", "envoy"]
"""What asks: the programs whose ways of asking are known."""

_TARGETS: Final = words(
    "x-envoy-original-host x-envoy-original-path x-forwarded-method x-forwarded-uri"
    " x-host x-original-host x-original-method x-original-proto x-original-uri"
    " x-original-url x-rewrite-url"
)
"""Fields that servers take for another request than the one they stand in."""

_OF_FORWARDED: Final = words("x-forwarded-method x-forwarded-uri")
_ITS: Final[dict[Asker, frozenset[str]]] = {
    "nginx": words("x-original-method x-original-uri x-original-url"),
    "caddy": _OF_FORWARDED,
    "traefik": _OF_FORWARDED,
    "envoy": frozenset(),
}
"""Those of these fields in which each says what it asks about."""

_is_url = re.compile(r"(https?)://([^/?#]*+)(/[^#]*+)").fullmatch


def read_original(asker: Asker, incoming: Incoming) -> RequestHead:
    """
    Give the request that *incoming* asks about.

    Its path is canonical, as any request's.  As the asking proxy forwards the one that
    it was sent, that may differ in nothing but escapes, which all readers take alike.

    Args:
        asker: What asks; it has to be trusted.
        incoming: The request that it asks with.

    Raises:
        BadMessageError: Something is missing, is there twice or is contradicted (400),
            or the request that it asks about would be refused itself (400, 405, 501).
    """
    if incoming.framing.length != 0:
        raise BadMessageError(400, "question-with-body")
    _check_fields(asker, incoming)
    method, scheme, authority, target = _READERS[asker](incoming)
    if scheme not in DEFAULT_PORTS:
        raise BadMessageError(400, "question-scheme")
    host, port = _read_host(authority, scheme)
    for name, value in incoming.forwarded:
        if (
            name == "x-forwarded-host" and _read_host(value, scheme) != (host, port)
        ) or (name == "x-forwarded-proto" and value != scheme):
            raise BadMessageError(400, "question-conflict")
    check_method(method)
    path, query = read_path_and_query(target)
    if not is_settled(path):
        raise BadMessageError(400, "path-ambiguous")
    return attrs.evolve(
        incoming.head,
        method=method,
        scheme=scheme,
        host=host,
        port=port,
        path=canonical_path(path),
        query=query,
    )


def _check_fields(asker: Asker, incoming: Incoming) -> None:
    """Refuse what the backend could take for another request, or for ours to say."""
    theirs = _TARGETS - _ITS[asker]
    if any(name in theirs for name, _ in incoming.forwarded):
        raise BadMessageError(400, "question-conflict")
    if any(name not in HOP_BY_HOP for name in incoming.dropped):
        # The other proxy would forward it: a user's name, or the alias of a field.
        raise BadMessageError(400, "field-forged")
    if not any(name == "x-forwarded-for" for name, _ in incoming.forwarded):
        # Else everybody would have the address of the proxy.
        raise BadMessageError(400, "question-field")


_Said = tuple[str, str, str, str]
"""Method, scheme, authority and target."""


def _read_nginx(incoming: Incoming) -> _Said:
    """Read what nginx is made to send, in one of the two ways that are common."""
    method = _one(incoming, "x-original-method")
    if not any(name == "x-original-url" for name, _ in incoming.forwarded):
        scheme = _one(incoming, "x-forwarded-proto")
        target = _one(incoming, "x-original-uri")
        return method, scheme, _host_of(incoming.head), target
    if any(name == "x-original-uri" for name, _ in incoming.forwarded):
        raise BadMessageError(400, "question-conflict")
    match = _is_url(_one(incoming, "x-original-url"))
    if match is None:
        raise BadMessageError(400, "target-malformed")
    return method, match[1], match[2], match[3]


def _read_forwarded(incoming: Incoming) -> _Said:
    """Read what Traefik and Caddy send by themselves."""
    return (
        _one(incoming, "x-forwarded-method"),
        _one(incoming, "x-forwarded-proto"),
        _one(incoming, "x-forwarded-host"),
        _one(incoming, "x-forwarded-uri"),
    )


def _read_envoy(incoming: Incoming) -> _Said:
    """Read what Envoy sends: the request itself, with its host and without its body."""
    head, path = incoming.head, incoming.path_sent
    target = path if head.query is None else f"{path}?{head.query}"
    return head.method, _one(incoming, "x-forwarded-proto"), _host_of(head), target


_READERS: Final[dict[Asker, Callable[[Incoming], _Said]]] = {
    "nginx": _read_nginx,
    "caddy": _read_forwarded,
    "traefik": _read_forwarded,
    "envoy": _read_envoy,
}


def _one(incoming: Incoming, name: str) -> str:
    """Give the value of the only field *name*."""
    values = [value for field, value in incoming.forwarded if field == name]
    if len(values) != 1 or not values[0]:
        raise BadMessageError(400, "question-conflict" if values else "question-field")
    return values[0]


def _host_of(head: RequestHead) -> str:
    """Give what the ``Host`` of a question says, with the port if it names one."""
    default = DEFAULT_PORTS[head.scheme]  # of the way from the proxy to us
    return head.host if head.port == default else f"{head.host}:{head.port}"


def _read_host(authority: str, scheme: str) -> tuple[str, int]:
    """Read host and port; without a port, it is the scheme's."""
    host, port = read_authority(authority)
    return host, DEFAULT_PORTS[scheme] if port is None else port
