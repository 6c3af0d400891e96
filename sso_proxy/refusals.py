"""What callers are told who may not pass: every right challenge, and no reasons."""

from typing import Final
from urllib.parse import quote

import attrs
from twisted.logger import Logger

from sso_proxy.body import Body
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import (
    Decision,
    Effect,
    HeaderChallenge,
    Headers,
    LoginRedirect,
    Refusal,
    Rejected,
    Request,
    Response,
    Unbound,
)
from sso_proxy.pages.kit import is_own_target
from sso_proxy.routing import Route
from sso_proxy.session import DEVICE_MISSING, Opened
from sso_proxy.specs.dbsc.fields import SKIPPED, why_skipped
from sso_proxy.specs.http.accept import is_navigation
from sso_proxy.specs.http.request import METHODS
from sso_proxy.specs.oauth.offer import complete_challenges

_log = Logger()

NO_STORE: Final = ("cache-control", "no-store")

DEVICE_AGAIN: Final = "device-again"
"""Why a browser asks once more that followed a link of another site."""

MOST_TARGET: Final = 1500
"""Octets of a target that another login leads back to."""


def reject(rejected: Rejected, request: Request, route: Route) -> Response:
    """Answer somebody whose credential is not good."""
    if rejected.detail:
        _log.info(
            "Request {id}: {reason}: {detail}",
            id=request.id,
            reason=rejected.reason,
            detail=rejected.detail,
        )
    sent_on = _redirect(request, rejected.redirect, rejected.reason)
    if sent_on is not None:
        return sent_on
    return _refuse(rejected.status, rejected.reason, rejected.challenge, route)


def _redirect(
    request: Request, redirect: LoginRedirect | None, reason: str
) -> Response | None:
    """Send a browser on, if somebody wants that and this is one."""
    if redirect is None or not (redirect.always or is_navigation(request.head)):
        return None
    return Response(
        status=redirect.status,
        reason=reason,
        headers=(NO_STORE, ("location", redirect.location), *redirect.headers),
    )


async def invite(request: Request, route: Route, body: Body | None) -> Response:
    """
    Have a caller without credentials log in, or tell them how to get in.

    Args:
        request: The request.
        route: Its route.
        body: Reads what was posted, if anything was.

    Raises:
        UnavailableError: Nobody can log in now.
    """
    asked = [a.challenge(request) for a in route.authenticators]
    redirects = [c for c in asked if isinstance(c, LoginRedirect)]
    for redirect in redirects:
        sent_on = _redirect(request, redirect, "login")
        if sent_on is not None:
            return sent_on
    begun = await log_in(request, route, body)
    if begun is not None and begun.status != 401:
        return begun
    challenges = [c for c in asked if isinstance(c, HeaderChallenge)]
    values = tuple(v for challenge in challenges for v in challenge.values)
    others = tuple(f for challenge in challenges for f in challenge.headers)
    headers = _fields_of(HeaderChallenge(values, others), route, 401)
    if begun is not None:  # the form is there, and so may be other ways
        # 401 would promise a challenge (RFC 9110 section 15.5.2), beside the page.
        told = any(name == "www-authenticate" for name, _ in headers)
        status = 403 if begun.body and not told else 401
        return attrs.evolve(begun, status=status, headers=(*begun.headers, *headers))
    return Response(
        status=401 if headers or redirects or route.login_names else 403,
        reason="no-credential",
        headers=(NO_STORE, *headers),
    )


async def refuse_device(
    opened: Opened, request: Request, route: Route, body: Body | None
) -> Response:
    """
    Answer who comes with a session's cookie, and does not prove the device's key.

    That is a thief; or a browser that could not prove it just now, or never can.  To
    be sent to log in again and again would explain nothing to the last of these.  Who
    has a bound cookie that does not hold any more, such as after our clock was set, has
    to lose it: browsers prove nothing while they have it.

    Args:
        opened: The session that is not used.
        request: The request.
        route: Its route, which may require the proof.
        body: Reads what was posted, if anything was.

    Raises:
        UnavailableError: Nobody can log in now.
    """
    devices = None if route.sessions is None else route.sessions.devices
    strict = devices is not None and devices.level == "require"
    response = _ask_for_device(request, route, strict=strict)
    if response is None:
        response = await invite(request, route, body)
        if response.status not in {200, 302, 303, 401, 403}:
            return response  # another reason is the more important one
        response = attrs.evolve(response, reason=_missing(request))
    stale = () if devices is None else devices.clear(request)
    headers = tuple(dict.fromkeys((*response.headers, *opened.headers, *stale)))
    return attrs.evolve(response, headers=headers)


def _ask_for_device(request: Request, route: Route, *, strict: bool) -> Response | None:
    """
    Give the page for who looks at what comes, and proves no device; None for others.

    Args:
        request: The request.
        route: Its route.
        strict: Whether nobody gets through who cannot prove one.
    """
    if not is_navigation(request.head):
        return None  # what was posted is kept for after a login
    page = ask_for_device_again(request)
    if page is not None:
        return page
    if not strict:
        return None
    again = _login_place(request, route)
    return Response(
        status=403, reason=_missing(request), headers=(NO_STORE,), again=again
    )


def ask_for_device_again(request: Request) -> Response | None:
    """
    Have who has followed a link of another site come again; None for all others.

    Where such a link leads, browsers prove nothing, as their requests for that would be
    another site's, too, and have no cookies.  So they come once more, as from a page of
    ours: by themselves if it was somebody who has followed the link, and else by a link
    of that page.  Whoever has other sites' pages open ours without being asked must not
    make that look like our own doing.
    """
    head = request.head
    if head.values("sec-fetch-site") not in (["cross-site"], ["same-site"]):
        return None
    target = _target_of(request)
    if not is_navigation(head) or not is_own_target(target):
        return None
    by_itself = head.method == "GET" and head.values("sec-fetch-user") == ["?1"]
    fields = (NO_STORE, *((("refresh", "0"),) if by_itself else ()))
    return Response(status=403, reason=DEVICE_AGAIN, headers=fields, again=target)


def refuse_cookies(request: Request) -> Response | None:
    """
    Keep the application from what looks like nobody, and is its user; else give None.

    It would begin another session over theirs: the browser has not proved its device
    only because the request is another site's.
    """
    stand = request.cookie_stand
    if stand is None or stand.refused != DEVICE_MISSING or not stand.opened:
        return None
    return ask_for_device_again(request) if stand.own is not None else None


def _missing(request: Request) -> str:
    """Give the reason, with what the browser says why it has proved no device."""
    why = why_skipped(request.head.values(SKIPPED.lower()))
    return f"{DEVICE_MISSING}:{why}" if why else DEVICE_MISSING


def _login_place(request: Request, route: Route) -> str:
    """Give where people of *route* log in, and come back; empty if they cannot."""
    if route.logins is None or not route.login_names:
        return ""
    return _another_login(request, route, route.login_names[0])


async def log_in(
    request: Request,
    route: Route,
    body: Body | None,
    refusal: Refusal | None = None,
    *,
    by: str = "",
) -> Response | None:
    """
    Have somebody log in who looks at what comes; None if nobody does, or can.

    Args:
        request: The request that has to wait for it.
        route: Its route.
        body: Reads what was posted, if anything was.
        refusal: What is missing, or None for a first login.
        by: The only authenticator that is asked; empty for any of the route's.

    Raises:
        UnavailableError: Nobody can log in now.
    """
    names = (by,) if by else route.login_names
    if route.logins is None or not names:
        return None
    if route.asked is not None:
        if not is_navigation(request.head):
            return None
        request = _briefly(request)
    request = attrs.evolve(request, body=body)
    return await route.logins.start(request, names, refusal)


def _briefly(request: Request) -> Request:
    """
    Give what a login leads back to without anything that is kept for after it.

    That would be sent again to who forwards the route's requests, and not to us.
    """
    if len(_target_of(request)) <= MOST_TARGET:
        return request
    head = attrs.evolve(request.head, path="/", query=None)
    return attrs.evolve(request, head=head, path_asked="")


def final_recipient(route: Route) -> Response:
    """Answer OPTIONS that may go no further (RFC 9110 section 7.6.2)."""
    allow = ", ".join(sorted(route.methods or METHODS))
    return Response(status=204, reason="max-forwards", headers=(("allow", allow),))


def refuse_unbound(
    unbound: Unbound, request: Request, route: Route, authenticator: IAuthenticator
) -> Response:
    """Answer somebody who did not prove to hold the key (RFC 8705 section 3)."""
    _log.info(
        "Request {id}: {reason}: {detail}",
        id=request.id,
        reason=unbound.reason,
        detail=unbound.detail,
    )
    if unbound.reason == DEVICE_MISSING:
        page = _ask_for_device(request, route, strict=True)
        if page is not None:
            return page
        unbound = attrs.evolve(unbound, reason=_missing(request))
    challenge = unbound.challenge or authenticator.refusal(
        request, Refusal(error="invalid_token")
    )
    return _refuse(unbound.status, unbound.reason, challenge, route)


async def deny(
    decision: Decision,
    request: Request,
    route: Route,
    authenticator: IAuthenticator,
    body: Body | None,
) -> Response:
    """
    Answer somebody who is known and may not do this; perhaps after another login.

    Raises:
        UnavailableError: That would help, but nobody can log in now.
    """
    reason = decision.reasons[0] if decision.reasons else "denied"
    name = request.session.identity.authenticator if request.session else ""
    by = name if name in route.login_names else ""
    if decision.effect is Effect.STEP_UP:
        refusal = Refusal(
            error="insufficient_user_authentication",
            scope=decision.scope,
            acr_values=decision.acr_values,
            max_age=decision.max_age,
        )
        if by:
            begun = await log_in(request, route, body, refusal, by=by)
            if begun is not None:
                return begun
        challenge = authenticator.refusal(request, refusal)
        return _refuse(401, reason, challenge, route)
    if decision.effect is Effect.REVOKED:
        _log.info("Request {id}: {why}", id=request.id, why=" ".join(decision.reasons))
        if by:
            begun = await log_in(request, route, body)
            if begun is not None:
                return begun
        challenge = authenticator.refusal(request, Refusal(error="invalid_token"))
        return _refuse(401, reason, challenge, route)
    challenge = None
    if decision.scope:
        challenge = authenticator.refusal(
            request, Refusal(error="insufficient_scope", scope=decision.scope)
        )
    response = _refuse(403, reason, challenge, route)
    if by and is_navigation(request.head):
        return attrs.evolve(response, again=_another_login(request, route, by))
    return response


def _target_of(request: Request) -> str:
    """Give path and query that were asked for."""
    path, query = request.path_asked or request.head.path, request.head.query
    return path if query is None else f"{path}?{query}"


def _another_login(request: Request, route: Route, by: str) -> str:
    """Give where somebody logs in as somebody else, who perhaps may do this."""
    target = _target_of(request)
    if len(target) > MOST_TARGET:
        target = "/"
    fields = f"with={quote(by, safe='')}&to={quote(target, safe='')}"
    return f"{route.endpoints}login?{fields}"


def _refuse(
    status: int, reason: str, challenge: HeaderChallenge | None, route: Route
) -> Response:
    """Refuse; 401 would promise a challenge (RFC 9110 section 15.5.2)."""
    if challenge is None:
        return Response(
            status=403 if status == 401 else status, reason=reason, headers=(NO_STORE,)
        )
    fields = _fields_of(challenge, route, status)
    return Response(status=status, reason=reason, headers=(NO_STORE, *fields))


def _fields_of(challenge: HeaderChallenge, route: Route, status: int) -> Headers:
    values = complete_challenges(challenge.values, route.offer, status=status)
    return (*(("www-authenticate", value) for value in values), *challenge.headers)
