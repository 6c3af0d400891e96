"""Why a browser that comes back has not brought what it was given at the start."""

import re
from typing import Final

import attrs

from sso_proxy.model import Request, Response
from sso_proxy.specs.http.cookies import login_name, read_cookies

_STATE: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


@attrs.frozen
class Lost:
    """
    What is likely.

    Attributes:
        reason: The code by which a page explains it.
        detail: For the log.
    """

    reason: str
    detail: str


def begin_again(request: Request, state: str | None) -> Response | None:
    """
    Send somebody on who comes back to an answer that has served, and has no session.

    That is who goes back in the history of a browser after a logout.  Where the login
    led, another one begins, and only there: the answer itself is good for nothing.  It
    happens once, so that nobody is sent round.

    Returns:
        None if it is not the browser that has finished that login.
    """
    target, headers = request.sessions.logins.finished(request, state or "")
    if target is None:
        return None
    fields = (("location", target), *headers)
    return Response(status=303, reason="login-again", headers=fields)


def explain_lost(request: Request, state: str | None) -> Lost:
    """
    Say why nothing is known of the login that an answer belongs to.

    Args:
        request: The request that brought the answer.
        state: The answer's ``state``, or None.
    """
    if state is None or not _STATE.fullmatch(state):
        return Lost("login-state", "the answer has no state of ours")
    fields = request.head.values("cookie")
    kept = read_cookies(fields[0], login_name("")) if fields else {}
    if login_name(state) in kept:
        return Lost("login-expired", "its cookie is too old, or not from us")
    if kept:
        return Lost("login-state", "it is finished, or many others began since")
    if fields:
        return Lost("login-other-browser", "there are cookies, but none of a login")
    return Lost("login-no-cookie", "the browser sent no cookie at all")
