"""
The way of a request that asks about its own session.

It is the way of any request of the route (`sso_proxy.pipeline`), but that it ends here:
the session has to be good, its keys proved, its user named, and the route's conditions
and the list of what is revoked allow it.  Nobody is sent to log in.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Trail
from sso_proxy.callers import (
    authorise,
    bind,
    judge,
    name_user,
    open_session,
    session_ended,
    with_session,
)
from sso_proxy.endpoints.session_info import Asked, SessionInfo
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator, IRefreshes
from sso_proxy.model import (
    Authenticated,
    Decision,
    Effect,
    Headers,
    Identity,
    Request,
    Response,
    Unbound,
)
from sso_proxy.routing import Route
from sso_proxy.session import Session
from sso_proxy.supplying import make_equipment

_log = Logger()

Revoked = Callable[[Identity], Decision | None]


async def tell(info: SessionInfo, trail: Trail, revoked: Revoked) -> Response:
    """
    Answer the request of *trail*.

    Args:
        info: What may be told.
        trail: Has the request; takes what is found out.
        revoked: Says whether somebody must not get in any more.

    Raises:
        BadMessageError: The query can be read in two ways.
    """
    request, route = trail.found
    if request.head.path != route.path:
        return info.refuse(request, 404, "no-endpoint")
    asked = info.read(request)
    if isinstance(asked, Response):
        return asked
    trail.request = attrs.evolve(request, passive=not asked.extend)
    teller = _Teller(info, trail, revoked)
    try:
        return await teller.answer(asked)
    except UnavailableError as e:
        _log.warn(
            "Request {id}: {what} is not available; nothing is told.",
            id=request.id,
            what=e.what,
        )
        later = (("retry-after", "5"),) if e.status == 503 else ()
        return teller.refuse(e.status, "unavailable", later)


class _Teller:
    """Answers one request."""

    def __init__(self, info: SessionInfo, trail: Trail, revoked: Revoked) -> None:
        self._info = info
        self._trail = trail
        self._revoked = revoked
        self._cookies: Headers = ()
        self._proved: Mapping[str, Any] | None = None

    async def answer(self, asked: Asked) -> Response:
        """
        Say what the session is.

        Raises:
            UnavailableError: Something that is needed for that.
        """
        authenticator = await self._find()
        if authenticator is None:
            return self.refuse(401, "no-session")
        refused = await self._check()
        if refused is None:
            refused = self._info.check(self._request, self._session)
        if refused is not None:
            return refused
        # Only who may ask makes us ask a provider.
        if asked.refresh is not None and IRefreshes.providedBy(authenticator):
            refused = await self._refresh(authenticator, asked.refresh)
            if refused is not None:
                return refused
        # Nothing waits after the check, so that no end of the session comes too late.
        inactive_at = self._request.sessions.inactive_at(self._session)
        user, cookies = self._trail.user, self._cookies
        return self._info.answer(self._session, user, inactive_at, cookies)

    def refuse(self, status: int, reason: str, fields: Headers = ()) -> Response:
        """Say to a program what is wrong."""
        every = (*fields, *self._cookies)
        return self._info.refuse(self._request, status, reason, every)

    async def _find(self) -> IAuthenticator | None:
        """Find who goes by the session; None if there is none that is good."""
        opened = await open_session(self._route, self._request)
        self._cookies += opened.headers
        session = opened.session
        if session is None:
            return None
        request = with_session(self._route, self._request, session)
        for authenticator in self._route.authenticators:
            if not getattr(authenticator, "reads_session", False):
                continue
            outcome = await authenticator.authenticate(request)
            if not isinstance(outcome, Authenticated):
                continue
            self._cookies += outcome.headers
            known: Session | None = outcome.session or session
            if known is session and outcome.identity != session.identity:
                # It has changed the session, and does not say into what.
                again = attrs.evolve(request, passive=True)
                known = (await open_session(self._route, again)).session
            if known is None or outcome.identity != known.identity:
                continue  # it knows somebody by something else
            self._trail.request = attrs.evolve(request, session=known)
            return authenticator
        return None

    async def _refresh(self, authenticator: Any, min_age: int) -> Response | None:  # noqa: ANN401
        """Get new tokens if they are that old; None if all is well then."""
        request, session = self._request, self._session
        opened = await authenticator.refresh(request, session, min_age)
        self._cookies += opened.headers
        if opened.session is None:
            return self.refuse(401, "no-session")
        if opened.session is session:
            return None
        self._trail.request = attrs.evolve(request, session=opened.session)
        return await self._check()

    async def _check(self) -> Response | None:
        """Decide on the session as it is now; None if it may be told about."""
        request, trail = self._request, self._trail
        identity = trail.identity = self._session.identity
        if self._proved != identity.confirmation:  # a proof may be good only once
            bound = await bind(self._route, request, identity)
            if isinstance(bound, Unbound):
                return self.refuse(bound.status, bound.reason)
            trail.bound, self._proved = bound.kinds, identity.confirmation
        user = await name_user(self._route, identity)
        if isinstance(user, Response):
            return self.refuse(user.status, user.reason)
        trail.user = user
        judged = None
        if self._route.policies is not None:
            asked = attrs.evolve(request, bindings=trail.bound)
            judged = await judge(self._route, asked, identity, make_equipment(trail))
        decision = (
            session_ended(request)
            or self._revoked(identity)
            or authorise(self._route, request, identity)
            or judged
        )
        if decision is None:
            return None
        reason = decision.reasons[0] if decision.reasons else "denied"
        return self.refuse(401 if decision.effect is Effect.REVOKED else 403, reason)

    @property
    def _request(self) -> Request:
        return self._trail.found[0]

    @property
    def _session(self) -> Session:
        session = self._request.session
        assert session is not None  # noqa: S101
        return session

    @property
    def _route(self) -> Route:
        return self._trail.found[1]
