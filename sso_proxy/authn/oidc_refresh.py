"""
New tokens before the old ones expire, once for all requests of a session.

Whoever comes while they are being got waits for them, in whichever process
(``ISessionStore.renew``).  A provider that is down, or that refuses, is asked again
after ten seconds at the earliest: requests of a session never become as many questions.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Any, Final, cast

import attrs
from twisted.logger import Logger

from sso_proxy.config.login_parts import RefreshFailed
from sso_proxy.errors import SessionTooLargeError, SsoProxyError, UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.model import Authenticated, Headers, Identity, NotPresented, Request
from sso_proxy.session import Opened, Session

_log = Logger()

REFUSED: Final = "refresh_refused"
"""
In a session's data: the provider has refused new tokens, on a route that goes on
without.  Others of the same session may not.
"""
AGAIN: Final = 10.0
"""Seconds after a failure until the provider is asked again."""
_REMEMBERED: Final = 4096
"""Sessions whose failures are remembered, in each process."""
SELDOM: Final = 5.0
"""Seconds that an access token is used at least, whoever wants a new one."""
_SOONEST: Final = 1.0
"""Seconds that tokens are used at least, however soon they expire."""

GetTokens = Callable[[Session], Awaitable[tuple[Identity, Mapping[str, Any]]]]
"""
Gives what a session is to hold after a refresh.

`RefreshRefusedError`: there will be no new tokens for it.  UnavailableError: not now.
"""


@attrs.frozen
class RefreshRefusedError(SsoProxyError):
    """
    A provider gives no new tokens, or what it gives must not be used.

    Attributes:
        detail: Why, for the log; nothing secret.
    """

    detail: str


def refresh_at(now: float, expires_in: float | None, before: float) -> float | None:
    """
    Say when tokens that were got *now* have to be refreshed; None for never.

    *before* seconds ahead of their end; for tokens that do not last twice as long,
    after half of their time, or each request would bring new ones.
    """
    if expires_in is None:
        return None
    return now + max(expires_in - before, expires_in / 2, _SOONEST)


class Refresher:
    """
    Decides when a session needs new tokens, and what it is without them.

    Args:
        get_tokens: Gets them.
        failed: What becomes of a session that gets none, where its route does not say.
        clock: The time.
    """

    def __init__(
        self, get_tokens: GetTokens, failed: RefreshFailed, clock: IClock
    ) -> None:
        self._get_tokens = get_tokens
        self._failed = failed
        self._clock = clock
        self._later: OrderedDict[str, float] = OrderedDict()

    def is_due(self, session: Session) -> bool:
        """Say whether *session* needs new tokens now."""
        due = session.data.get("refresh_at")
        return (
            due is not None
            and self._clock.time() >= due
            and bool(session.data.get("refresh_token"))
        )

    async def authenticate(  # noqa: PLR0911 - one for each way it may end
        self, request: Request, session: Session
    ) -> Authenticated | NotPresented:
        """
        Go by *session*, which `is_due`, with new tokens if they can be had.

        Or which has been refused some already, on another route.

        Raises:
            UnavailableError: They cannot, and it is nothing without them.
        """
        failed = self._policy(request)
        if REFUSED in session.data:
            return await self._refused(request, session, "the provider has refused")
        until = self._later.get(session.id)
        if until is not None and self._clock.monotonic() < until:
            what = "a provider that failed a moment ago"
            return self._without(session, what, failed)
        work = partial(self._work, failed)
        try:
            opened = await request.sessions.renew(request, session, work)
        except UnavailableError as e:
            return self._without(session, e.what, failed)
        except (RefreshRefusedError, SessionTooLargeError) as e:
            return await self._refused(request, session, str(e))
        renewed: Session | None = opened.session
        if renewed is None:
            return NotPresented()
        self._later.pop(session.id, None)
        if REFUSED in renewed.data and failed != "keep":
            return await self._refused(request, renewed, "the provider has refused")
        due = renewed.data.get("refresh_at")
        return Authenticated(
            renewed.identity, until=due, headers=opened.headers, session=renewed
        )

    async def refresh(
        self, request: Request, session: Session, min_age: float
    ) -> Opened:
        """
        Get new tokens for *session* if somebody wants them and they are old enough.

        Args:
            request: The request of who wants them.
            session: Its session.
            min_age: Seconds; an access token that is not older does.

        Returns:
            The session as it is then; no session if it is over by that.

        Raises:
            UnavailableError: There are none, and it goes on with those that it has.
        """
        since = session.data.get("access_since", session.created)
        age = self._clock.time() - since
        if age < max(min_age, SELDOM) or not session.data.get("refresh_token"):
            return Opened(session)
        until = self._later.get(session.id)
        if until is not None and self._clock.monotonic() < until:
            raise UnavailableError("a provider that failed a moment ago")
        failed = self._policy(request)
        work = partial(self._work, failed)
        try:
            opened = await request.sessions.renew(request, session, work)
        except UnavailableError as e:
            self._wait(session, e.what)
            raise
        except (RefreshRefusedError, SessionTooLargeError) as e:
            if failed == "unavailable":
                self._wait(session, str(e))
                raise UnavailableError(str(e), status=502) from e
            return Opened(None, headers=await self._end(request, session, str(e)))
        self._later.pop(session.id, None)
        given: Opened = opened
        return given

    def _policy(self, request: Request) -> RefreshFailed:
        wanted = request.refresh_failed
        return cast("RefreshFailed", wanted) if wanted else self._failed

    async def _work(
        self, failed: RefreshFailed, session: Session
    ) -> tuple[Identity, Mapping[str, Any]]:
        try:
            return await self._get_tokens(session)
        except RefreshRefusedError as e:
            if failed != "keep":
                raise
            _log.info("Session {id}: no new tokens: {why}", id=session.id, why=e.detail)
            # The refresh token is worth nothing now, and nobody tries it again.
            gone = ("refresh_token", "refresh_at")
            kept = {n: value for n, value in session.data.items() if n not in gone}
            return session.identity, {**kept, REFUSED: True}

    def _without(
        self, session: Session, what: str, failed: RefreshFailed
    ) -> Authenticated:
        """
        Go by *session* with the tokens that it has.

        Raises:
            UnavailableError: They have expired, and it is nothing without them.
        """
        self._wait(session, what)
        now, expires = self._clock.time(), session.data.get("access_expires")
        if failed != "keep" and expires is not None and now >= expires:
            raise UnavailableError(what)
        return Authenticated(session.identity, until=now + 1.0)

    def _wait(self, session: Session, what: str) -> None:
        """Ask nobody again for a while."""
        until = self._later.get(session.id)
        if until is None or self._clock.monotonic() >= until:
            self._later[session.id] = self._clock.monotonic() + AGAIN
            self._later.move_to_end(session.id)
            if len(self._later) > _REMEMBERED:
                self._later.popitem(last=False)
            _log.warn("Session {id}: no new tokens: {what}", id=session.id, what=what)

    async def _refused(
        self, request: Request, session: Session, why: str
    ) -> Authenticated | NotPresented:
        failed = self._policy(request)
        if failed == "keep" and REFUSED in session.data:
            return Authenticated(session.identity)
        if failed == "unavailable":
            return self._without(session, why, failed)
        await self._end(request, session, why)
        return NotPresented()

    async def _end(self, request: Request, session: Session, why: str) -> Headers:
        _log.info("Session {id} ends: no new tokens: {why}", id=session.id, why=why)
        fields: Headers = await request.sessions.end(request)
        return fields
