"""
Logins in a frame that nobody looks at, to see whether somebody is still who they were.

Nobody is asked anything there, and nobody else is logged in by that.
"""

from typing import Final, Literal

import attrs

from sso_proxy.login import Finished
from sso_proxy.model import Headers, Response
from sso_proxy.pages.frames import make_frame
from sso_proxy.session import Session

TARGET: Final = "iframe/rp/"
"""Where silent logins begin, and no other can: below our endpoints."""

Status = Literal["same", "gone", "unknown"]


@attrs.frozen(kw_only=True)
class SilentLogin:
    """
    What became of a silent login.

    Attributes:
        status: ``same``: it is the user whom it was for; ``gone``: it is somebody else,
            or nobody; ``unknown``: the provider has not said.
        state: The new ``session_state``, if it is the same user.
        begins: Whether their session is to begin anew.
    """

    status: Status
    state: str = attrs.field(default="", repr=False)
    begins: bool = False

    def page(self, headers: Headers = ()) -> Response:
        """Make the page that tells it to the page around it."""
        told = {"type": "sso-proxy-login", "status": self.status, "state": self.state}
        fields, body = make_frame("told.js", told, title="Login")
        return Response(
            status=200,
            reason=f"login-silent-{self.status}",
            headers=(*fields, *(each for each in headers if each not in fields)),
            body=body,
        )


def judge_silent(
    finished: Finished | Response, session: Session | None, endpoints: str
) -> SilentLogin | None:
    """
    Say what became of a silent login; None if it is another one.

    Args:
        finished: What the authenticator said to who came back.
        session: The session of this browser.  Where it did not bring its cookie,
            because the provider had a part in this request, none can begin either.
        endpoints: Where our endpoints are.
    """
    if isinstance(finished, Response):
        if not finished.again.startswith(endpoints + TARGET):
            return None
        denied = finished.reason == "login-denied"
        return SilentLogin(status="gone" if denied else "unknown")
    if finished.wanted.silent_for is None:
        return None
    found = finished.identity
    if (found.issuer, found.subject) != finished.wanted.silent_for:
        return SilentLogin(status="gone")
    known = session is not None and finished.wanted.silent_for == (
        session.identity.issuer,
        session.identity.subject,
    )
    state = finished.data.get("session_state", "")
    return SilentLogin(status="same", state=state, begins=known)
