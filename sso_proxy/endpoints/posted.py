"""
What somebody has sent who has to log in first, until they have: theirs alone.

What is kept has a name, which stands in the page where people choose how they log in.
Whoever sends a form themselves could have others follow a link with that name, and so
send it as if they wanted it.  So it belongs to the browser that it came from; and if
somebody was logged in and has to do so again, to that user.
"""

import json
import re
import secrets
from typing import Any, Final

import attrs
from twisted.logger import Logger

from sso_proxy.endpoints.desks import Desk
from sso_proxy.errors import BadMessageError, UnavailableError
from sso_proxy.login import Finished
from sso_proxy.model import Headers, Identity, Request, Response
from sso_proxy.specs.http.accept import comes_from_own_page
from sso_proxy.specs.http.cookies import MARK, Scope, build_set_cookie, read_cookies
from sso_proxy.specs.http.own_origin import own_origin

_log = Logger()

_NO_STORE: Final[Headers] = (("cache-control", "no-store"),)
_mark = re.compile(r"[A-Za-z0-9_-]{43}").fullmatch
_OCTETS: Final = 32
_LASTS: Final = 3600
"""Seconds: as long as a login may take."""


@attrs.frozen
class Kept:
    """
    Something that is kept.

    Attributes:
        name: What it is called.
        headers: Fields for the answer, by which its browser is known again.
    """

    name: str = attrs.field(repr=False)
    headers: Headers = attrs.field(repr=False)


async def keep_posted(
    request: Request, desk: Desk, target: str, *, again: bool
) -> Kept | Response:
    """
    Keep what was posted, and where, or a target that is too long to be carried.

    Args:
        request: The request.
        desk: How its sender is to log in.
        target: Its path and query.
        again: Whether its sender is logged in, and has to do so once more.

    Returns:
        What it is called, or an answer that says why it is not kept.

    Raises:
        BadMessageError: The body cannot be read.
        UnavailableError: It cannot be kept now.
    """
    head, keeper = request.head, desk.sessions.kept
    posted, why = head.method == "POST", ""
    types = head.values("content-type")
    if keeper is None:
        why = "login-form-not-kept" if posted else "login-target-long"
    elif posted and not comes_from_own_page(head, own_origin(head)):
        why = "login-form-foreign"
    elif posted and (head.values("content-encoding") or len(types) > 1):
        why = "login-form-not-kept"
    if why or keeper is None:
        status = 401 if posted else 414
        return Response(status=status, reason=why, headers=_NO_STORE, again=target)
    content = b""
    if posted and request.body is not None:
        try:
            content = await request.body.read(keeper.most)
        except BadMessageError as e:
            if e.status != 413:
                raise
            why = "login-form-large"
            return Response(status=413, reason=why, headers=_NO_STORE, again=target)
    mark = _read_mark(request) or secrets.token_urlsafe(_OCTETS)
    name = await keeper.keep(
        target,
        types[0] if types else "",
        content if posted else None,
        browser=mark,
        user=_user(request.session.identity) if again and request.session else "",
    )
    # It has to come along when a provider has a form posted here, and is good for
    # nothing but to be compared.
    cookie = build_set_cookie(MARK, mark, Scope(same_site="none"), max_age=_LASTS)
    return Kept(name, (("set-cookie", cookie),))


async def give_posted(
    request: Request, desk: Desk, finished: Finished, session_id: str
) -> Any:  # noqa: ANN401
    """
    Have what is kept belong to the session that has begun.

    Args:
        request: The request that has begun it.
        desk: How.
        finished: Who has logged in, and what for.
        session_id: The session.

    Returns:
        A `sso_proxy.sessions.kept.KeptBody`; None if it is gone, or another's.
    """
    name, keeper = finished.wanted.restore, desk.sessions.kept
    if not name or keeper is None:
        return None
    mark, user = _read_mark(request), _user(finished.identity)
    try:
        return await keeper.give(name, session_id, browser=mark, user=user)
    except UnavailableError as e:  # they are logged in all the same
        _log.warn("Request {id}: {what} is not there.", id=request.id, what=e.what)
        return None


def _read_mark(request: Request) -> str:
    fields = request.head.values("cookie")
    text = read_cookies(fields[0], MARK).get(MARK) if fields else None
    return text if text and _mark(text) else ""


def _user(identity: Identity) -> str:
    return json.dumps([identity.issuer, identity.subject])
