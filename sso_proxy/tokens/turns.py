"""
One use of a session's refresh token at a time, over all processes.

An authorization server may take a refresh token once, and give another with its answer
(RFC 6749 section 6); using the first one again can end everything that it stands for.
So whoever uses it holds the session meanwhile (`ISessionStore.renew`), and what comes
for it is in the session before anybody else has a turn.
"""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, Generic, TypeVar

import attrs

from sso_proxy.errors import SessionTooLargeError, SsoProxyError, UnavailableError
from sso_proxy.model import Headers, Identity, Request
from sso_proxy.session import Session

T = TypeVar("T")

_TURNS: Final = 64
"""More than a page's requests for backends, each of which changes the session."""

_MEMBER: Final = "refresh_token"


@attrs.frozen(kw_only=True)
class Used(Generic[T]):
    """
    What came of a refresh token.

    Attributes:
        result: What it was used for, or why it could not be.
        refresh_token: The one to be used from now on; None for the same.
    """

    result: T
    refresh_token: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Turn(Generic[T]):
    """
    What came of somebody's turn.

    Attributes:
        result: What the refresh token was used for.
        revision: The `Session.revision` from then on.
        told: Whether only its browser can keep the session as it is now: `fields_of`
            has something for it.
    """

    result: T
    revision: int
    told: bool


async def take_turn(
    request: Request, session: Session, use: Callable[[str], Awaitable[Used[T]]]
) -> Turn[T] | None:
    """
    Use the refresh token of *session*, and keep the one that comes for it.

    Args:
        request: A request of the session.
        session: The session, as it was some time ago.
        use: Uses a refresh token; bounded in time.  A refusal is a result.

    Returns:
        What came of it; None if the session is over, or has no refresh token.

    Raises:
        UnavailableError: From *use*; or the sessions cannot be had, or others have had
            all turns.
    """
    for _ in range(_TURNS):
        if not session.data.get(_MEMBER):
            return None
        mine = _Mine(use)
        try:
            opened = await request.sessions.renew(request, session, mine.work)
        except SessionTooLargeError as e:
            raise UnavailableError(f"room in a session: {e}") from e
        except SsoProxyError as e:
            if mine.begun or isinstance(e, UnavailableError):
                raise
            continue  # what somebody else did, whom we have waited for
        if opened.session is None:
            return None
        if mine.used is not None:
            return Turn(
                result=mine.used.result,
                revision=opened.session.revision,
                told=bool(opened.headers),
            )
        session = opened.session
    raise UnavailableError("a session that others change all the time")


async def fields_of(request: Request, session: Session) -> Headers:
    """
    Give the fields by which a browser keeps its session as it is now.

    Args:
        request: The browser's request.
        session: The session that it came with, which has changed since.
    """

    async def keep(newest: Session) -> tuple[Identity, Mapping[str, Any]]:
        return newest.identity, newest.data

    opened = await request.sessions.renew(request, session, keep)
    fields: Headers = opened.headers
    return fields


class _Mine(Generic[T]):
    """
    What is done in one turn, if it is ours.

    Attributes:
        begun: It is ours.
        used: What came of it.
    """

    def __init__(self, use: Callable[[str], Awaitable[Used[T]]]) -> None:
        self.begun = False
        self.used: Used[T] | None = None
        self._use = use

    async def work(self, session: Session) -> tuple[Identity, Mapping[str, Any]]:
        """Use the token, and say what the session is to hold then."""
        self.begun = True
        token = session.data[_MEMBER]  # of this very revision there was one
        self.used = await self._use(token)
        rotated = self.used.refresh_token or token
        return session.identity, {**session.data, _MEMBER: rotated}
