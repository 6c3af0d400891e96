"""
Sessions that ended before their time, told to everybody who may still go by them.

Each process hears of it by the cache and forgets what it has decided for the session;
the edge closes what still runs for it.  Messages are sealed: whoever can write to the
cache cannot end anybody's session.
"""

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, IClosable, ISealer, ISubscription
from sso_proxy.session import Session
from sso_proxy.sessions.groups import Group, groups_of, is_older

_log = Logger()

PURPOSE: Final = "session-ended"

_REMEMBERED: Final = 120.0
"""Seconds that an ending is known here: longer than any decision takes."""
_MOST: Final = 10000
_AGAIN: Final = 1.0
"""Seconds until a subscription that was lost is tried again."""
_STANDS: Final = 1.0
"""Seconds after which a new one is taken to stand."""


@attrs.frozen(kw_only=True)
class Ended:
    """
    Which sessions are over.

    Attributes:
        ids: These.
        groups: Those of these groups that began no later.
    """

    ids: frozenset[str] = frozenset()
    groups: dict[Group, float] = attrs.field(factory=dict)

    def has(self, session: Session) -> bool:
        """Say whether *session* is one of them."""
        if session.id in self.ids:
            return True
        return any(
            group in self.groups and is_older(session, group, self.groups[group])
            for group in groups_of(session)
        )


@implementer(IClosable)
class Endings:
    """
    What this process knows of endings, and its way to tell others.

    Args:
        cache: Carries messages to other processes; None if there is nobody else.
        sealer: Seals them.
        clock: The time.
        spawn: Starts what listens.
        sleep: Waits for so many seconds.
        count: Is told of each that is made here: ``one`` or ``group``.
    """

    def __init__(  # noqa: PLR0913
        self,
        *,
        cache: ICache | None,
        sealer: ISealer,
        clock: IClock,
        spawn: Callable[[Coroutine[Any, Any, None]], None],
        sleep: Callable[[float], Any],
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._count = count
        self._cache = cache
        self._sealer = sealer
        self._clock = clock
        self._spawn = spawn
        self._sleep = sleep
        self._known: dict[str, float] = {}
        self._groups: dict[Group, tuple[float, float]] = {}
        self._fresh_ids: set[str] = set()
        self._fresh_groups: dict[Group, float] = {}
        self._listening = False
        self._closed = False
        self._subscription: ISubscription | None = None
        self._missed = False
        self._hears_since = float("inf")

    def listen(self) -> None:
        """Begin to hear what others end; later calls do nothing."""
        if self._listening or self._cache is None:
            return
        self._listening = True
        self._spawn(self._hear(self._cache))

    def close(self) -> None:
        """Hear no more."""
        self._closed = True
        if self._subscription is not None:
            self._subscription.close()

    async def end(self, session_id: str) -> None:
        """Say that one session is over."""
        self._count("one")
        self._note(session_id)
        await self._tell({"id": session_id})

    async def end_group(self, group: Group, before: float) -> None:
        """Say that all of *group* are that began no later than *before*."""
        self._count("group")
        self._note_group(group, before)
        kind, issuer, name = group
        await self._tell({"iss": issuer, kind: name, "before": float(before)})

    def is_over(self, session: Session) -> bool:
        """Say whether *session* is known to have ended a moment ago."""
        if session.id in self._known:
            return True
        if not self._groups:
            return False
        return any(
            group in self._groups and is_older(session, group, self._groups[group][0])
            for group in groups_of(session)
        )

    def take(self) -> Ended | None:
        """Give what has ended since this was last asked; None if nothing has."""
        if not (self._fresh_ids or self._fresh_groups):
            return None
        ended = Ended(ids=frozenset(self._fresh_ids), groups=self._fresh_groups)
        self._fresh_ids, self._fresh_groups = set(), {}
        return ended

    def take_missed(self) -> bool:
        """Say whether endings may have been missed before those heard now; once."""
        stands = self._clock.monotonic() - self._hears_since >= _STANDS
        missed = self._missed and stands
        if missed:
            self._missed = False
        return missed

    def miss(self) -> None:
        """Note that endings may have been missed."""
        self._missed = True

    async def _tell(self, message: dict[str, Any]) -> None:
        if self._cache is not None:
            octets = json.dumps(message).encode()
            await self._cache.publish(PURPOSE, self._sealer.seal(octets))

    async def _hear(self, cache: ICache) -> None:
        while not self._closed:
            try:
                self._subscription = cache.subscribe(PURPOSE)
                self._hears_since = self._clock.monotonic()
                async for sealed in self._subscription:
                    self._read(sealed)
            except UnavailableError as e:
                self._missed, self._hears_since = True, float("inf")
                _log.warn(
                    "Endings of sessions may be missed ({what}) until there are new"
                    " ones to be heard; then all that is under way is looked at.",
                    what=e.what,
                )
                if self._subscription is not None:
                    self._subscription.close()
                await self._sleep(_AGAIN)
            else:
                return  # closed

    def _read(self, sealed: bytes) -> None:
        octets = self._sealer.open(sealed)
        if octets is None:
            _log.warn("A message about a session is not ours, or its key is gone.")
            return
        match json.loads(octets):
            case {"id": str(session_id)}:
                self._note(session_id)
            case {"iss": str(issuer), "sub": str(subject), "before": float(before)}:
                self._note_group(("sub", issuer, subject), before)
            case {"iss": str(issuer), "sid": str(sid), "before": float(before)}:
                self._note_group(("sid", issuer, sid), before)
            case _:
                _log.warn("A message about a session is of a later release.")

    def _note(self, session_id: str) -> None:
        now = self._clock.monotonic()
        self._known.pop(session_id, None)
        self._known[session_id] = now
        self._fresh_ids.add(session_id)
        for known, since in [*self._known.items()][:8]:
            if now - since > _REMEMBERED or len(self._known) > _MOST:
                del self._known[known]

    def _note_group(self, group: Group, before: float) -> None:
        now = self._clock.monotonic()
        self._groups = {
            key: value
            for key, value in self._groups.items()
            if now - value[1] <= _REMEMBERED
        }
        self._groups[group] = (before, now)
        self._fresh_groups[group] = before
