"""
What the backend gets with an admitted request.

Phase 8 of a request's way (`sso_proxy.pipeline`).
"""

import math
from typing import Final

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Admission, Connection, Trail
from sso_proxy.bound_cookies import both
from sso_proxy.callers import Proof
from sso_proxy.equipment import Equipment
from sso_proxy.interfaces import IClock
from sso_proxy.model import (
    Authenticated,
    Caller,
    Headers,
    Identity,
    Request,
    Response,
)
from sso_proxy.outgoing import (
    add_form,
    add_query,
    asserted_fields,
    build_block,
    build_fields,
    build_identity,
    build_tokens,
    remaining_body,
)
from sso_proxy.refusals import final_recipient
from sso_proxy.routing import Route
from sso_proxy.specs.http.cors import asks_for_method, build_cors_fields, without_cors
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.max_forwards import forwarded_once, read_max_forwards

_log = Logger()

_VARYING: Final = frozenset({"authorization", "dpop"})  # and no backend may get them
_REUSE: Final = 30.0
"""Seconds that a decision may be used again for the same bytes (DESIGN section 7)."""


def equip(  # noqa: C901, PLR0913 - a question costs less than a call for nothing
    incoming: Incoming,
    connection: Connection,
    trail: Trail,
    *,
    outcome: Authenticated,
    proof: Proof,
    equipment: Equipment,
    like: Admission | None,
    via: str,
    clock: IClock,
) -> Admission | Response:
    """
    Serialise what the backend gets, and say how long that holds.

    Args:
        incoming: The request as it came.
        connection: What it came over.
        trail: What was found out.
        outcome: Who calls.
        proof: What they proved to hold.
        equipment: The backend's tokens.
        like: What was decided for the same head with another credential, or None.
        via: Our name.
        clock: The time.
    """
    (request, route), identity = trail.found, outcome.identity
    forwards = read_max_forwards(request.head) if like is None else None
    if forwards == 0:
        return final_recipient(route)
    if forwards is not None:
        head = forwarded_once(request.head, forwards)
        request = attrs.evolve(request, head=head)
    if equipment.query:
        request = add_query(request, equipment.query)
    if outcome.backend:
        equipment = with_fields(equipment, outcome.backend)
    once = equipment.once
    if like is not None and not once:
        block = like.block[: like.shared]
    else:
        block = build_block(
            incoming, request, route, via, consumed=True, equipment=equipment
        )
    shared = start = len(block)
    try:
        block += build_identity(request, route, identity, trail.user)
        if equipment.fields:
            block += build_tokens(equipment)
    except ValueError as e:
        _log.warn(
            "Request {id}: an identity header cannot be sent: {why}",
            id=request.id,
            why=str(e),
        )
        return Response(status=403, reason="header-value")
    given = (connection.trusted or route.keeps_ids) and given_id(incoming)
    left = 0.0
    again = not (forwards is not None or given or proof.once or route.reads_query)
    if again and route.signer is None:  # each request has a signature of its own
        left = _holds_for(request, route, outcome, equipment, clock)
    if once or (
        like is None
        and (
            forwards is not None
            or connection.trusted
            or given
            or request.path_asked
            or request.head.query != incoming.head.query
            or request.session is not None
            or request.cookie_stand is not None
            or not _only_the_caller_varies(request, incoming, route)
        )
    ):
        shared = 0  # more than the caller is this request's alone
    trail.place = trail.place or trail.place_of(connection)
    answer = proof.answer
    if outcome.headers or equipment.answer:
        answer += build_fields((*outcome.headers, *equipment.answer))
    rewrite = route.rewriting(request)
    if route.cors is not None and route.cors.preflight == "answer":
        rewrite = both(without_cors, rewrite)
        answer += build_fields(build_cors_fields(route.cors, request.head))
    return Admission(
        route=route,
        caller=Caller(
            request=request,
            identity=identity,
            user=trail.user,
            environ=equipment.environ,
        ),
        block=block,
        shared=shared,
        asserted=()
        if route.signer is None
        else asserted_fields(block[start:], equipment),
        place=trail.place,
        stable=trail.stable(connection),
        reuse_until=clock.monotonic() + left,
        answer=answer,
        body=None
        if request.body is None
        else add_form(remaining_body(request, route), equipment.form),
        rewrite=rewrite,
        host_routes=trail.routes,
    )


def _only_the_caller_varies(request: Request, incoming: Incoming, route: Route) -> bool:
    """
    Say whether the backend's fields are alike for heads that differ in a credential.

    These are heads with other values of the fields `_VARYING`, or without any of them
    and with another value of a cookie that no backend gets (`specs.http.repeat`).
    """
    if request.head is incoming.head:
        return route.consumed >= _VARYING
    if not route.consumed_cookies:
        return False
    return not any(name in _VARYING for name, _ in incoming.head.headers)


def with_fields(equipment: Equipment, headers: Headers) -> Equipment:
    """Add what an authenticator has for the backend, but for what is there already."""
    given = {name.lower() for name, _ in equipment.fields}
    more = [(name, value) for name, value in headers if name.lower() not in given]
    return attrs.evolve(equipment, fields=[*equipment.fields, *more])


def given_id(incoming: Incoming) -> str:
    """Give the one plausible ``X-Request-Id`` that a trusted proxy sent."""
    found = [value for name, value in incoming.forwarded if name == "x-request-id"]
    given = found[0] if len(found) == 1 and len(found[0]) <= 128 else ""
    plain = given.replace("-", "").replace("_", "")
    return given if plain.isascii() and plain.isalnum() else ""


def _holds_for(
    request: Request,
    route: Route,
    outcome: Authenticated,
    equipment: Equipment,
    clock: IClock,
) -> float:
    """Say for how many seconds the same bytes may be decided on alike."""
    identity, left, now = outcome.identity, _REUSE, clock.time()
    if equipment.once:
        return 0.0
    if equipment.until is not None:
        left = min(left, equipment.until - now)
    if identity.expires is not None:
        left = min(left, identity.expires - now)
    if outcome.until is not None:
        left = min(left, outcome.until - now)
    steady = _steady_for(identity, request, route)
    if steady < math.inf:
        came = request.time or 0.0  # decided on as of then, however long it took
        left = min(left, came + steady - now)
    if route.cors is not None and asks_for_method(request.head):
        left = 0.0  # with OPTIONS, the same bytes are a preflight
    return left


def _steady_for(identity: Identity, request: Request, route: Route) -> float:
    """Say for how many seconds conditions and policies say the same."""
    requirements, policies = route.requirements, route.policies
    steady = math.inf
    if requirements.depends_on_time:
        steady = requirements.steady_for(identity, request)
    if policies is not None:
        steady = min(steady, policies.steady_for(identity, request))
    return steady
