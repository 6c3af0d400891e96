"""
The tokens that a route's backend gets, or why a caller can have none.

Phase 7 of a request's way (`sso_proxy.pipeline`): to ask for them may take its time.
"""

from typing import Final

from twisted.logger import Logger

from sso_proxy.admission import Trail
from sso_proxy.body import Body
from sso_proxy.equipment import Equipment
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import Caller, Decision, Effect, Request, Response
from sso_proxy.refusals import NO_STORE, deny
from sso_proxy.routing import Route, Supply
from sso_proxy.specs.http.parameters import is_form
from sso_proxy.token import NotIssued, Token

_log = Logger()

MOST_FORM: Final = 1 << 20
"""Octets of a form into which a token is put: it has to be in memory for that."""


def make_equipment(trail: Trail) -> Equipment:
    """Make what takes all that a backend is to get with one request."""
    request, route = trail.found
    return Equipment(
        user=trail.user,
        has_form=trail.body is not None and is_form(request.head),
        settable=route.settable,
    )


async def supply(
    caller: Caller,
    route: Route,
    authenticator: IAuthenticator,
    body: Body | None,
    equipment: Equipment,
) -> Response | None:
    """
    Get the tokens of a route's backend, or give the answer for who can have none.

    Args:
        caller: Who calls, and the request with all credentials that it came with.
        route: The route.
        authenticator: Who knows the caller.
        body: Reads the request's body, if there is one.
        equipment: Takes the tokens.

    Raises:
        UnavailableError: A token is needed and its issuer cannot be reached.
        BadMessageError: The form that a token would be put in cannot be read.
    """
    request = caller.request
    if equipment.has_form and route.posts_tokens and body is not None:
        await body.read(min(route.body_bytes, MOST_FORM))
    for each in route.supplies:
        refused = await _supply_one(each, caller, equipment)
        if refused is None:
            continue
        tell_refused(refused, each.name, request)
        if each.required:
            return await refuse_token(refused, request, route, authenticator, body)
    return None


async def _supply_one(
    each: Supply, caller: Caller, equipment: Equipment
) -> NotIssued | None:
    """Add one token, or say why there is none."""
    try:
        token = await each.source.token_for(caller, each.audience)
    except UnavailableError as e:
        if each.required:
            raise
        return NotIssued(reason="unavailable", status=e.status, detail=e.what)
    if not isinstance(token, Token):
        return token
    equipment.note_expiry(token.expires)
    equipment.answer.extend(token.headers)
    return each.delivery.apply(token, equipment)


def tell_refused(refused: NotIssued, name: str, request: Request) -> None:
    """Write into the log why there is no token *name* for *request*."""
    tell = _log.warn if refused.status >= 500 else _log.info
    tell(
        "Request {id}: no token {name}: {reason} {detail}",
        id=request.id,
        name=name,
        reason=refused.reason,
        detail=refused.detail,
    )


async def refuse_token(
    refused: NotIssued,
    request: Request,
    route: Route,
    authenticator: IAuthenticator,
    body: Body | None,
) -> Response:
    """
    Answer who can have no token; perhaps another login gives better credentials.

    Raises:
        UnavailableError: It would, but nobody can log in now.
    """
    if refused.status != 401:
        headers = (NO_STORE,)
        return Response(status=refused.status, reason=refused.reason, headers=headers)
    decision = Decision(effect=Effect.REVOKED, reasons=(refused.reason,))
    return await deny(decision, request, route, authenticator, body)
