"""
The ``server`` sessions: a random number in the cookie, and everything else in a cache.

The cookie has 256 random bits.  What is stored has a hash of them for a name, and is
sealed: who reads the cache, or its backup, can neither use a session nor see whose it
is.
"""

import secrets
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Self

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.config.checks import between, positive
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ISealer, ISessionStore, ITools
from sso_proxy.model import Headers, Identity, Request
from sso_proxy.session import Opened, Session, SessionEntry
from sso_proxy.sessions import members, records, renewal
from sso_proxy.sessions.common import (
    Common,
    Sessions,
    as_before,
    build_common,
    needs_of,
    sleeper,
)
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.groups import Group, groups_of, user_of
from sso_proxy.sessions.jar import field_of
from sso_proxy.sessions.keys import SessionBindingConfig
from sso_proxy.sessions.members import Member, Members
from sso_proxy.sessions.names import OCTETS, digest, encode, read_name
from sso_proxy.sessions.options import CookieConfig, OnStoreFailure
from sso_proxy.sessions.records import Records
from sso_proxy.sessions.renewal import Renewals, Work

_log = Logger()

_FIELDS: Final = 1024
"""``Cookie`` fields of which is remembered what their session is called."""
_SHORT: Final = 2048
"""Octets of one that is: nobody can fill the memory with theirs."""
_LISTED: Final = members.NEEDS | {"publish", "subscribe"}


@attrs.frozen(kw_only=True)
class ServerSessionConfig:
    """
    The ``server`` sessions: kept in a cache, under a random number in a cookie.

    Attributes:
        cookie: The cookie.
        binding: Keys that a session is bound to.
        device: How sessions are bound to devices, where ``binding.device`` says so.
        inactivity: Seconds without a request after which a session is over.
        lifetime: Seconds after the login when it is over in any case.
        cache: Name of the cache; unset, the default one.
        per_user: Sessions that one user may have; with one more, the oldest is over.
        listed: Whether a user's sessions can be listed and ended.  Without it a cache
            will do that has no sets and messages (memcached), and an end may take 30
            seconds to be known everywhere.
        on_store_failure: When the cache cannot answer, ``refuse`` requests that have a
            session (503), or take them for ones without: they may ``login`` anew.
    """

    cookie: CookieConfig = attrs.field(factory=CookieConfig)
    binding: SessionBindingConfig = attrs.field(factory=SessionBindingConfig)
    device: DeviceConfig = attrs.field(factory=DeviceConfig)
    inactivity: float = attrs.field(default=1800.0, validator=between(10, 3.2e7))
    lifetime: float = attrs.field(default=28800.0, validator=between(10, 3.2e8))
    cache: str | None = None
    per_user: int = attrs.field(default=100, validator=positive)
    listed: bool = True
    on_store_failure: OnStoreFailure = "refuse"


@implementer(ISessionStore)
class ServerSessions(Sessions):
    """
    Keeps sessions in a cache.

    Args:
        config: Its options.
        common: What both types of sessions have.
        cache: Where records are.
        sealer: Seals them.
        clock: The time.
        sleep: Waits for so many seconds.
    """

    config_class = ServerSessionConfig

    def __init__(  # noqa: PLR0913
        self,
        config: ServerSessionConfig,
        common: Common,
        *,
        cache: ICache,
        sealer: ISealer,
        clock: IClock,
        sleep: Callable[[float], Any],
    ) -> None:
        super().__init__(common)
        self._config = config
        self._clock = clock
        self._records = Records(cache, sealer, common.lifetime, clock, common.name)
        self._members = Members(common.name, cache) if config.listed else None
        self.revocable = config.listed
        self._renewals = Renewals(self, cache, _name_of, sleep)
        self._read_again = lru_cache(_FIELDS)(self._read)

    @classmethod
    def from_config(cls, config: ServerSessionConfig, tools: ITools) -> Self:
        """
        Make the sessions.

        Raises:
            ConfigError: No browser takes the cookie, or the cache cannot do enough.
        """
        needs = records.NEEDS | renewal.NEEDS | (_LISTED if config.listed else set())
        cache = tools.cache(config.cache, needs | needs_of(config.binding))
        return cls(
            config,
            build_common(config, tools, cache if config.listed else None, cache),
            cache=cache,
            sealer=tools.sealer("session"),
            clock=tools.clock,
            sleep=sleeper(tools),
        )

    async def load(self, request: Request) -> Opened:
        """Give the session of *request*, and note now and then that it is used."""
        field = field_of(request)
        name = self._named(field)
        if name is None:
            return Opened(None)
        self.common.endings.listen()
        try:
            found = await self._records.find(name)
            if found is None:
                return Opened(None)
            session: Session | None = found[0]
            standing = self._look(request, found[0], field) or await self._examine(
                request, found[0]
            )
            if standing.refused:
                return await self._refuse(request, found[0], standing)
            now = self._clock.time()
            if not request.passive and self.common.lifetime.is_due(found[0], now):
                session = await self._use(name, *found)
            if session is None or self.is_over(session):
                return Opened(None)
            return self._settle(session, standing) or await self._proved(
                request, session, standing, until=self.common.lifetime.until(session)
            )
        except UnavailableError:
            if self._config.on_store_failure == "refuse":
                raise
            return Opened(None)

    async def by_cookie(self, request: Request) -> Session | None:
        """Give the session of *request*, whichever device it comes from."""
        name = self._name(request)
        found = None if name is None else await self._records.find(name)
        if found is None or self.is_over(found[0]):
            return None
        return found[0] if self._is_for(request, found[0]) else None

    def explain(self, request: Request) -> str:
        """Say what the cookie of a *request* without a session is, for the log."""
        text = self.common.jar.read(request)
        if text is None:
            return self.common.jar.lacks(request)
        return "damaged" if read_name(text) is None else "over"

    async def start(
        self, request: Request, identity: Identity, data: Mapping[str, Any]
    ) -> Opened:
        """
        Begin a session under a new name; the one that *request* has is over.

        Raises:
            UnavailableError: Its user's sessions, or those that come from the same
                session at the provider, were ended at the same time.
        """
        await self._end_of(request, identity)
        text, now = encode(secrets.token_bytes(OCTETS)), self._clock.time()
        name = self._digest(text)
        session = self.common.lifetime.begin(encode(name), identity, data, now)
        session = self._bind(request, session)
        await self._enlist(session, name)
        await self._records.put(name, session)
        await self._check_groups(session, name)
        headers = self.common.jar.write(request, text)
        headers += await self._offer(request, session)
        self.common.begun.note(self.common.name, request, session)
        return Opened(session, until=now, headers=tuple(dict.fromkeys(headers)))

    async def replace(
        self,
        request: Request,  # noqa: ARG002
        session: Session,
        identity: Identity,
        data: Mapping[str, Any],
    ) -> Opened | None:
        """Write *session* anew; None if it has changed or is over."""
        changed = await self.write(session, identity, data)
        if changed is None:
            return None
        changed = as_before(session, changed)
        return Opened(changed, until=self.common.lifetime.until(changed))

    async def renew(
        self,
        request: Request,  # noqa: ARG002
        session: Session,
        work: Work,
    ) -> Opened:
        """Have *work* done once for all who ask for it."""
        newest = await self._renewals.renew(session, self._counted(work))
        if newest is None:
            return Opened(None)
        newest = as_before(session, newest)
        return Opened(newest, until=self.common.lifetime.until(newest))

    async def end(self, request: Request) -> Headers:
        """End the session of *request* and take its cookie away."""
        await self._end_of(request)
        return self._clear(request)

    async def sessions_of(self, issuer: str, subject: str) -> tuple[SessionEntry, ...]:
        """List a user's sessions, the oldest first."""
        found = []
        for member in await self._index().list_of(("sub", issuer, subject)):
            known = await self._records.find(member.name)
            if known is not None:
                found.append(await self._entry_of(known[0]))
        return tuple(found)

    async def revoke(self, session_id: str) -> bool:
        """End one session; False if there is none."""
        name = read_name(session_id)
        return name is not None and await self._end(name)

    async def revoke_user(self, issuer: str, subject: str) -> None:
        """End all sessions of a user."""
        await self._revoke_group(("sub", issuer, subject))

    async def revoke_sid(self, issuer: str, sid: str) -> None:
        """End all that come from one session at the provider."""
        await self._revoke_group(("sid", issuer, sid))

    async def find_sid(self, issuer: str, sid: str) -> bool:
        """Say whether there are any that come from that session at the provider."""
        if self._members is None:
            return False
        return bool(await self._members.list_of(("sid", issuer, sid)))

    async def newest(self, session: Session) -> Session | None:
        """Give *session* as it is now; None if it is over."""
        found = await self._records.find(_name_of(session))
        return found[0] if found is not None else None

    async def write(
        self, session: Session, identity: Identity, data: Mapping[str, Any]
    ) -> Session | None:
        """Write the next revision of *session*; None if it has changed or is over."""
        name = _name_of(session)
        while (found := await self._records.find(name)) is not None:
            known, record = found
            if known.revision != session.revision:
                return None
            changed = attrs.evolve(
                known, identity=identity, data=data, revision=known.revision + 1
            )
            # Another request may have noted meanwhile that the session is used.
            if await self._records.swap(name, record, changed):
                return changed
        return None

    def _name(self, request: Request) -> bytes | None:
        """Give what the session of *request* would be called in the cache."""
        return self._named(field_of(request))

    def _named(self, field: str) -> bytes | None:
        """Give what the session of a ``Cookie`` *field* would be called there."""
        read = self._read_again if len(field) <= _SHORT else self._read
        return read(field)

    def _read(self, field: str) -> bytes | None:
        text = self.common.jar.find(field)
        if text is None or read_name(text) is None:
            return None
        return self._digest(text)

    def _digest(self, text: str) -> bytes:
        return digest("session", self.common.name, text)

    async def _use(
        self, name: bytes, session: Session, record: bytes
    ) -> Session | None:
        """Note that a session is used, and give it as it is now; None if it is over."""
        used = attrs.evolve(session, used=self._clock.time())
        try:
            if await self._records.swap(name, record, used):
                return used
        except UnavailableError as e:
            # It lasts as long as it would have without this request.
            _log.warn("The use of a session cannot be noted: {what}", what=e.what)
            return session
        found = await self._records.find(name)  # changed meanwhile, or over
        return found[0] if found is not None else None

    async def _entry_of(self, session: Session) -> SessionEntry:
        """Say what a list of sessions tells about *session*."""
        devices = self.devices
        return SessionEntry(
            id=session.id,
            created=session.created,
            used=session.used,
            device=None if devices is None else await devices.is_bound(session.id),
            keys=tuple(session.keys),
        )

    def _index(self) -> Members:
        if self._members is None:
            raise UnavailableError("the list of users' sessions, which is not kept")
        return self._members

    async def _revoke_group(self, group: Group) -> None:
        now = self._clock.time()
        await self._index().end(group, now)
        for member in await self._index().list_of(group):
            await self._drop(group, member)
        await self.common.endings.end_group(group, now)

    async def _enlist(self, session: Session, name: bytes) -> None:
        """Put a session on its lists; end the oldest of a user who has too many."""
        if self._members is None:
            return
        user, ttl = user_of(session), session.expires - session.created
        listed = await self._members.list_of(user)
        for member in listed[: max(0, len(listed) + 1 - self._config.per_user)]:
            await self._drop(user, member)
            await self.common.endings.end(encode(member.name))
        member = Member.of(session.created, name)
        for group in groups_of(session):
            await self._members.add(group, member, max(ttl, 0.001))

    async def _check_groups(self, session: Session, name: bytes) -> None:
        """
        Check that no group of a session was ended while this one began.

        Raises:
            UnavailableError: It was, and so is this one: it may not have been on the
                list of those to be ended yet.
        """
        if self._members is None:
            return
        for group in groups_of(session):
            if await self._members.has_ended(group, session):
                await self._end(name)
                raise UnavailableError("a session that was ended while it began")

    async def _drop(self, group: Group, member: Member) -> None:
        session = await self._records.delete(member.name)
        if self._members is not None:
            for each in {group, *(groups_of(session) if session else ())}:
                await self._members.remove(each, member)
        await self._forget_device(encode(member.name))

    async def _end_of(self, request: Request, by: Identity | None = None) -> None:
        """End the session of *request*, if it is for who sent that, or logged in."""
        name = self._name(request)
        found = None if name is None else await self._records.find(name)
        if found is None or await self._may_end(request, found[0], by):
            await self._end(name)

    async def _end(self, name: bytes | None) -> bool:
        """End the session called *name*, if there is one."""
        session = None if name is None else await self._records.delete(name)
        if name is None or session is None:
            return False
        if self._members is not None:
            for group in groups_of(session):
                member = Member.of(session.created, name)
                await self._members.remove(group, member)
        await self.common.endings.end(session.id)
        await self._forget_device(session.id)
        return True


def _name_of(session: Session) -> bytes:
    return read_name(session.id) or b""
