"""
What other proxies hear that only ask here, and forward themselves what may pass.

The last phase of the way of what they ask about (`sso_proxy.pipeline`), and how each
kind of proxy is told what came of it.
"""

from typing import Final

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Trail
from sso_proxy.callers import Proof
from sso_proxy.equipment import Equipment
from sso_proxy.equipping import with_fields
from sso_proxy.model import Authenticated, Headers, Request, Response
from sso_proxy.outgoing import (
    authority,
    build_identity,
    build_tokens,
    without_our_cookies,
)
from sso_proxy.refusals import NO_STORE
from sso_proxy.routing import Route
from sso_proxy.specs.http.original import Asker

_log = Logger()

_PASSED: Final = b"This may pass.\n"
_UNHEARD: Final = frozenset({"location", "www-authenticate"})
_REMOVE: Final = "x-envoy-auth-headers-to-remove"


def let_pass(
    trail: Trail, outcome: Authenticated, proof: Proof, equipment: Equipment
) -> Response:
    """
    Answer who may pass: with the fields for the backend, if another proxy asks.

    Who comes to us instead of to that proxy finds nothing here, and above all no
    credentials that are the backend's.
    """
    (request, route), identity = trail.found, outcome.identity
    if not trail.asker:
        return Response(status=404, reason="no-backend", headers=(NO_STORE,))
    if outcome.backend:
        equipment = with_fields(equipment, outcome.backend)
    try:
        lines = build_identity(request, route, identity, trail.user)
        lines += build_tokens(equipment)
        fields = (*_read(lines), *_cookies(request, equipment))
    except ValueError as e:
        _log.warn(
            "Request {id}: a field for the backend cannot be sent: {why}",
            id=request.id,
            why=str(e),
        )
        return Response(status=403, reason="header-value", headers=(NO_STORE,))
    fields += _others(trail.asker, route, equipment, fields)
    told = (*outcome.headers, *equipment.answer, *_read(proof.answer))
    told = tuple(field for field in told if field[0] != NO_STORE[0])
    return Response(
        status=200,
        reason="may-pass",
        headers=(NO_STORE, ("content-type", "text/plain"), *fields, *told),
        body=_PASSED,
    )


def _read(lines: bytes) -> Headers:
    """Take field lines of ours apart."""
    split = (line.partition(": ") for line in lines.decode("latin-1").splitlines())
    return tuple((name.lower(), value) for name, _, value in split)


def _cookies(request: Request, equipment: Equipment) -> Headers:
    """
    Give the cookies for the backend: the client's without ours, and those it gets.

    Raises:
        ValueError: They would not stay one line.
    """
    kept = map(without_our_cookies, request.head.values("cookie"))
    added = (f"{name}={value}" for name, value in equipment.cookies)
    value = "; ".join(each for each in (*kept, *added) if each)
    if not (value.isascii() and value.isprintable()):
        raise ValueError("a cookie has a character that is not ASCII")
    return (("cookie", value),) if value else ()


def _others(asker: str, route: Route, equipment: Equipment, given: Headers) -> Headers:
    """Have *asker* take off what else a client may have sent that is not its own."""
    if asker not in {"caddy", "envoy"}:
        return ()  # these replace or delete whatever they are configured to take
    names = {"authorization", "cookie", *(route.asked or ())}
    names |= {*route.settable, *route.consumed, *equipment.removed}
    others = sorted(names - {name for name, _ in given})
    if asker == "envoy":  # it lets a client's fields be unless we name them
        return ((_REMOVE, ",".join(others)),) if others else ()
    # It would send the name of its variable for a field that is not there.
    return tuple((name, "") for name in others)


def tell(asker: Asker, response: Response, request: Request | None) -> Response:
    """
    Put an answer into words that *asker* understands.

    Args:
        asker: Who asks.
        response: The answer, as a client would get it.
        request: What it is about; None if that could not be read.
    """
    headers = response.headers
    if request is not None:
        headers = tuple(_absolute(field, request) for field in headers)
    if asker not in {"nginx", "caddy"}:
        return attrs.evolve(response, headers=headers)
    cookies = (value for name, value in headers if name == "set-cookie")
    # Both have a variable for the value of a field, but not for several of one name.
    numbered = (
        (f"x-sso-set-cookie-{number}", value) for number, value in enumerate(cookies, 1)
    )
    headers += tuple(numbered)
    status = response.status
    if asker == "nginx" and status != 200:  # it knows two refusals
        status = 401 if status == 401 or 300 <= status < 400 else 403
        # The client hears challenges from us; nginx would add these to them.
        headers = tuple(field for field in headers if field[0] not in _UNHEARD)
    return attrs.evolve(response, status=status, headers=headers)


def _absolute(field: tuple[str, str], request: Request) -> tuple[str, str]:
    """Give where to go as seen from anywhere: Traefik reads it as seen from us."""
    name, value = field
    if name != "location" or not value.startswith("/"):
        return field
    head = request.head
    place = authority(head.host, head.port, head.scheme)
    return name, f"{head.scheme}://{place}{value}"
