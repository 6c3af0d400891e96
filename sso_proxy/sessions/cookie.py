"""
The ``cookie`` sessions: all of a session is in the browser, sealed.

They need no store.  What they cannot do without one: be ended before their time
elsewhere than in the browser that is told to forget them.
"""

import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.checks import between
from sso_proxy.errors import SessionTooLargeError, UnavailableError
from sso_proxy.interfaces import ICache, IClock, ISealer, ISessionStore, ITools
from sso_proxy.model import Headers, Identity, Request
from sso_proxy.session import Opened, Session, SessionEntry
from sso_proxy.sessions import denials, newest, renewal
from sso_proxy.sessions.common import (
    Common,
    Sessions,
    as_before,
    build_common,
    needs_of,
    sleeper,
)
from sso_proxy.sessions.denials import Denials
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.groups import Group
from sso_proxy.sessions.jar import field_of
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.sessions.names import OCTETS, decode, digest, encode, read_name
from sso_proxy.sessions.newest import Newest
from sso_proxy.sessions.options import CookieConfig, OnStoreFailure
from sso_proxy.sessions.records import Opener
from sso_proxy.sessions.renewal import Renewals, Work
from sso_proxy.specs.session_record import write_record

_log = Logger()

_NEEDS: Final = denials.NEEDS | newest.NEEDS | renewal.NEEDS | {"publish", "subscribe"}
_NEARLY: Final = 0.8
"""The part of the room that may be taken before the log says so."""


@attrs.frozen(kw_only=True)
class CookieSessionConfig:
    """
    The ``cookie`` sessions: sealed in the browser, without any store.

    Attributes:
        cookie: The cookie; a session of more than 4,000 octets takes several.
        binding: Keys that a session is bound to.
        device: How sessions are bound to devices, where ``binding.device`` says so;
            their keys are in ``cache``.
        inactivity: Seconds without a request after which a session is over.
        lifetime: Seconds after the login when it is over in any case.
        max_bytes: Octets of a session's cookies.  Servers between browsers and this
            one have to take as much, and what the application sets besides.
        cache: Name of the cache that lists sessions which ended before their time,
            until they would be over anyway; unset, nothing is listed, and who has kept
            a copy of the cookie can go on until then.
        on_store_failure: When that cache cannot answer, ``refuse`` requests that have
            a session (503), or take them for ones without: they may ``login`` anew.
    """

    cookie: CookieConfig = attrs.field(factory=CookieConfig)
    binding: SessionBindingConfig = attrs.field(factory=SessionBindingConfig)
    device: DeviceConfig = attrs.field(factory=DeviceConfig)
    inactivity: float = attrs.field(default=1800.0, validator=between(10, 3.2e7))
    lifetime: float = attrs.field(default=28800.0, validator=between(10, 3.2e8))
    max_bytes: int = attrs.field(default=8000, validator=between(1000, 32000))
    cache: str | None = None
    on_store_failure: OnStoreFailure = "refuse"


@implementer(ISessionStore)
class CookieSessions(Sessions):
    """
    Keeps sessions in browsers.

    Args:
        config: Their options.
        common: What both types of sessions have.
        cache: Has those that ended before their time, or None.
        sealer: Seals them.
        clock: The time.
        sleep: Waits for so many seconds.
    """

    config_class = CookieSessionConfig

    def __init__(  # noqa: PLR0913
        self,
        config: CookieSessionConfig,
        common: Common,
        *,
        cache: ICache | None,
        sealer: ISealer,
        clock: IClock,
        sleep: Callable[[float], Any],
    ) -> None:
        super().__init__(common)
        self._config = config
        self._clock = clock
        self._sealer = sealer
        self._opener = Opener(sealer, common.name)
        self._context = b"cookie " + common.name.encode()
        self._newest = Newest(common.name, cache, sealer, clock)
        self._denials: Denials | None = None
        if cache is not None:
            self._denials = Denials(common.name, cache, config.lifetime)
        self.revocable = cache is not None
        self._renewals = Renewals(self, cache, self._name_of, sleep)

    @classmethod
    def from_config(cls, config: CookieSessionConfig, tools: ITools) -> Self:
        """
        Make the sessions.

        Raises:
            ConfigError: No browser takes the cookie, or the cache cannot do enough.
        """
        cache = None
        if config.cache is not None:
            needs = _NEEDS | needs_of(config.binding)
            cache = tools.cache(config.cache, needs)
        return cls(
            config,
            build_common(config, tools, cache, cache),
            cache=cache,
            sealer=tools.sealer("session-cookie"),
            clock=tools.clock,
            sleep=sleeper(tools),
        )

    async def load(self, request: Request) -> Opened:
        """Give the session of *request*, in a new cookie now and then."""
        field = field_of(request)
        session = self._read(field)
        if session is None:
            return Opened(None)
        self.common.endings.listen()
        try:
            standing = self._look(request, session, field) or await self._examine(
                request, session
            )
            if standing.refused:
                return await self._refuse(request, session, standing)
            known, due = await self._check(session)
            if known is None:
                return Opened(None)
            until = self.common.lifetime.until(known)
            headers: Headers = ()
            if not request.passive and (due or known is not session):
                known = self._used(known)
                until, headers = self._clock.time(), self._write(request, known)
            elif (opened := self._settle(known, standing)) is not None:
                return opened
            return await self._proved(
                request, known, standing, until=until, headers=headers
            )
        except UnavailableError:
            if self._config.on_store_failure == "refuse":
                raise
            return Opened(None)

    async def by_cookie(self, request: Request) -> Session | None:
        """Give the session of *request*, whichever device it comes from."""
        session = self._read(field_of(request))
        if session is None or not self._is_for(request, session):
            return None
        return await self.newest(session)

    def explain(self, request: Request) -> str:
        """Say what the cookies of a *request* without a session are, for the log."""
        text = self.common.jar.read(request)
        if text is None:
            return self.common.jar.lacks(request)
        sealed = decode(text)
        if sealed is None:
            return "damaged"
        ours = self._opener.open(sealed, self._context) is not None
        return "over" if ours else "foreign"

    async def start(
        self, request: Request, identity: Identity, data: Mapping[str, Any]
    ) -> Opened:
        """
        Begin a session under a new name; the one that *request* has is over.

        Raises:
            SessionTooLargeError: It does not fit into the cookies that there may be.
        """
        await self._end(request, identity)
        session = self.common.lifetime.begin(
            encode(secrets.token_bytes(OCTETS)), identity, data, self._clock.time()
        )
        session = self._bind(request, session)
        offer = await self._offer(request, session)
        opened = self._opened(request, session, offer)
        self.common.begun.note(self.common.name, request, session)
        return opened

    async def replace(
        self,
        request: Request,
        session: Session,
        identity: Identity,
        data: Mapping[str, Any],
    ) -> Opened | None:
        """Change *session*; None if it has changed already or is over."""
        changed = await self.write(session, identity, data)
        if changed is None:
            return None
        return self._opened(request, self._used(as_before(session, changed)))

    async def renew(self, request: Request, session: Session, work: Work) -> Opened:
        """Have *work* done once for all who ask for it."""
        changed = await self._renewals.renew(session, self._counted(work))
        if changed is None:
            return Opened(None)
        changed = as_before(session, changed)
        if request.passive:
            # The browser must have it: nobody else does.  It lasts as long as before.
            used = max(session.used, changed.used)
            return self._opened(request, attrs.evolve(changed, used=used))
        return self._opened(request, self._used(changed))

    async def end(self, request: Request) -> Headers:
        """End the session of *request* and take its cookies away."""
        await self._end(request)
        return self._clear(request)

    async def sessions_of(
        self,
        issuer: str,  # noqa: ARG002
        subject: str,  # noqa: ARG002
    ) -> tuple[SessionEntry, ...]:
        """Say that nobody but the browsers knows."""
        raise UnavailableError("a list of sessions that only browsers have")

    async def revoke(self, session_id: str) -> bool:
        """End one session; False if it was ended before, or is none."""
        if read_name(session_id) is None:
            return False
        denied = await self._listed().deny(session_id)
        await self.common.endings.end(session_id)
        await self._forget_device(session_id)
        return denied

    async def revoke_user(self, issuer: str, subject: str) -> None:
        """End all sessions of a user."""
        await self._revoke_group(("sub", issuer, subject))

    async def revoke_sid(self, issuer: str, sid: str) -> None:
        """End all that come from one session at the provider."""
        await self._revoke_group(("sid", issuer, sid))

    async def find_sid(self, issuer: str, sid: str) -> bool:  # noqa: ARG002
        """Say that nobody but the browsers knows."""
        return False

    async def newest(self, session: Session) -> Session | None:
        """Give *session* as it is now; None if it is over."""
        known = await self._newest.anywhere(session)
        return None if await self._is_denied(known) else known

    async def write(
        self, session: Session, identity: Identity, data: Mapping[str, Any]
    ) -> Session | None:
        """Make the next revision of *session*; None if it has changed or is over."""
        known = await self.newest(session)
        if known is None or known.revision != session.revision:
            return None
        changed = attrs.evolve(
            known,
            identity=identity,
            data=data,
            revision=known.revision + 1,
        )
        self._seal(changed)  # too large is said before anything has changed
        await self._newest.remember(changed)
        return changed

    def _read(self, field: str) -> Session | None:
        """Give what a ``Cookie`` *field* says, if that is not over."""
        text = self.common.jar.find(field)
        sealed = None if text is None else decode(text)
        if sealed is None:
            return None
        session = self._opener.open(sealed, self._context)
        now = self._clock.time()
        if session is None or not self.common.lifetime.is_alive(session, now):
            return None
        return session

    async def _check(self, session: Session) -> tuple[Session | None, bool]:
        """Give the newest form of *session*, and whether it needs a new cookie."""
        due = self.common.lifetime.is_due(session, self._clock.time())
        # A new cookie must not bring back what another process has replaced.
        known = await self._newest.anywhere(session) if due else None
        known = known or self._newest.here(session)
        return (None if await self._is_denied(known) else known), due

    async def _is_denied(self, session: Session) -> bool:
        if self.is_over(session):
            return True
        return self._denials is not None and await self._denials.has(session)

    async def _end(self, request: Request, by: Identity | None = None) -> None:
        session = self._read(field_of(request))
        if session is None or not await self._may_end(request, session, by):
            return
        if self._denials is not None:
            await self._denials.deny(session.id)
        await self.common.endings.end(session.id)
        await self._forget_device(session.id)

    async def _revoke_group(self, group: Group) -> None:
        now = self._clock.time()
        await self._listed().deny_group(group, now)
        await self.common.endings.end_group(group, now)

    def _listed(self) -> Denials:
        if self._denials is None:
            raise UnavailableError("a list of ended sessions, for which cache is unset")
        return self._denials

    def _used(self, session: Session) -> Session:
        return attrs.evolve(session, used=self._clock.time())

    def _opened(self, request: Request, session: Session, more: Headers = ()) -> Opened:
        """Put *session* into the answer's cookies, and *more* beside it."""
        headers = (*self._write(request, session), *more)
        now, headers = self._clock.time(), tuple(dict.fromkeys(headers))
        return Opened(session, until=now, headers=headers)

    def _write(self, request: Request, session: Session) -> Headers:
        """Put *session* into the answer's cookies."""
        return self.common.jar.write(request, self._seal(session))

    def _seal(self, session: Session) -> str:
        value = encode(self._sealer.seal(write_record(session), self._context))
        octets, most = len(value), self._config.max_bytes
        if octets > most:
            _log.error(
                "A session of {subject} has {octets} octets; {most} fit into cookies.",
                subject=session.identity.subject,
                octets=octets,
                most=most,
            )
            raise SessionTooLargeError(octets, most)
        if octets > _NEARLY * most:
            _log.warn(
                "A session has {octets} octets; {most} fit into cookies.",
                octets=octets,
                most=most,
            )
        return value

    def _name_of(self, session: Session) -> bytes:
        return digest(self.common.name, "renewal", session.id)
