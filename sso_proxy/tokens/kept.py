"""
Tokens that servers issued, kept for as long as they are good.

Each process has a shelf of its own, from which most requests are served without waiting
for anything.  What is not there may be in the cache that all processes share; what is
not there either is got by one of them, while the others wait for it.
"""

from collections import Counter
from collections.abc import Callable, Coroutine
from hashlib import sha256
from typing import Any, Final, TypeVar

import attrs
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import deferLater
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ISealer, ITools
from sso_proxy.model import WARNING
from sso_proxy.net.circuit import Circuit
from sso_proxy.net.once import Once
from sso_proxy.net.shelf import Shelf
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.asking import REFUSALS, Answer, Asker, Fetch
from sso_proxy.tokens.keep_rules import KeepRules, span_of
from sso_proxy.tokens.kept_record import Kept
from sso_proxy.tokens.shared import KIND, NEEDS, Refused, SharedTokens, Turn

_log = Logger()

AT_ONCE: Final = 256
"""Different tokens that are got at the same time."""
RENEWED_AT_ONCE: Final = 512
"""The same with those that are renewed, which must not suffer from who has none yet."""
_JUMP: Final = 5.0
"""Seconds by which a clock that was set is told from one that goes a bit wrong."""
_LOOK_EVERY: Final = 1.0
"""Seconds between looks at whether the clock was set."""
_SOON: Final = 1.0
_TRY_AGAIN: Final = 30.0
"""Seconds, at least and at most, until a renewal that failed is tried again."""

T = TypeVar("T")


@attrs.define
class _Entry:
    """
    A token on the shelf.

    Attributes:
        token: The token.
        renew: When a new one is to be got, by the monotonic clock; never after *ends*,
            as until then nobody looks at anything else.
        ends: When this one is used no more, by the monotonic clock.
    """

    token: Token
    renew: float
    ends: float

    @property
    def octets(self) -> int:
        """How large it is."""
        return len(self.token.value)

    def put_off(self, now: float) -> None:
        """Have a renewal that came to nothing tried again after a while."""
        pause = min(max(_SOON, (self.ends - now) / 4), _TRY_AGAIN)
        self.renew = min(now + pause, self.ends)


@attrs.frozen
class _Refusal:
    """
    A refusal on its shelf.

    Attributes:
        why: What was refused.
        ends: When it is believed no more, by the monotonic clock.
    """

    why: NotIssued
    ends: float

    @property
    def octets(self) -> int:
        """How large it is."""
        return len(self.why.detail)


class TokenKeeper:
    """
    Keeps the tokens of one source.

    Args:
        name: What the configuration calls the source.
        cache: What processes share tokens by; None if each is to get its own.
        sealer: Seals what goes there; None if nothing does.
        clock: The time.
        sleep: Waits for so many seconds; can be cancelled.
        rules: How tokens are kept.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        *,
        cache: ICache | None,
        sealer: ISealer | None,
        clock: IClock,
        sleep: Callable[[float], Deferred[Any]],
        rules: KeepRules,
    ) -> None:
        self.name = name
        self._clock = clock
        self._monotonic = clock.monotonic
        self._sleep = sleep
        self._rules = rules
        self._counts: Counter[str] = Counter()
        self._hits = 0
        self._shared: SharedTokens | None = None
        if cache is not None and sealer is not None:
            self._shared = SharedTokens(
                cache, sealer, clock, sleep=sleep, rules=rules, counts=self._counts
            )
        self._shelf: Shelf[_Entry] = Shelf(rules.size)
        self._refusals: Shelf[_Refusal] = Shelf(rules.size)
        self._running: dict[bytes, Once[Answer]] = {}
        self._asker = Asker(name, clock, self._counts)
        self._cache = Circuit(clock)
        self._cache_problem = ""
        self._look_at = float("-inf")
        self._epoch = clock.time() - clock.monotonic()

    @property
    def counts(self) -> Counter[str]:
        """
        Count what happened, by what it was.

        ``kept``: served from this process's own; ``shared``: from the cache;
        ``issued``, ``refused``, ``unusable``, ``unavailable``: what servers did when
        they were asked; ``refusal-kept``: not asked, as it had just refused;
        ``renewed``: of those issued, the ones got in good time; ``unreadable`` and
        ``cache-unavailable``: troubles with the cache.
        """
        return self._counts + Counter(kept=self._hits)

    async def get(
        self, key: bytes, fetch: Fetch, *, until: float | None, ahead: bool = True
    ) -> Answer:
        """
        Give the token of *key*, which *fetch* gets if nobody has it.

        Args:
            key: A digest of all that the token depends on.
            fetch: Gets one.  It goes on when the caller is cancelled.
            until: When what the token is made from ends, in seconds since the epoch;
                None if it has no end.
            ahead: Whether a new one may be got in good time, while nobody waits for
                it; not where the caller's answer has to say something of it.

        Raises:
            UnavailableError: The server is down, or does not answer in time.
        """
        entry = self._shelf.find(key)
        if entry is not None:
            now = self._monotonic()
            if now < entry.renew and now < self._look_at:
                self._hits += 1
                return entry.token
        return await self._get(key, fetch, until, ahead=ahead)

    async def probe(self) -> tuple[str, ...]:
        """Say what is wrong, as far as is known."""
        lines = []
        if self._asker.problem:
            lines.append(f"{WARNING}token.{self.name}: {self._asker.problem}")
        if self._cache_problem:
            meanwhile = (
                "each process gets its own"
                if self._rules.cache_down == "local"
                else "only tokens that are known are given"
            )
            lines.append(
                f"{WARNING}token.{self.name}: {self._cache_problem} is down;"
                f" {meanwhile}"
            )
        return tuple(lines)

    async def _get(
        self, key: bytes, fetch: Fetch, until: float | None, *, ahead: bool
    ) -> Answer:
        """Give a token that may have to be got, or renewed."""
        now = self._look()
        entry = self._shelf.find(key)
        if entry is not None and now < entry.ends:
            if ahead and now >= entry.renew:
                self._renew(key, fetch, until, entry)
            self._hits += 1
            return entry.token
        refusal = self._refusals.find(key)
        if refusal is not None and now < refusal.ends:
            self._counts["refusal-kept"] += 1
            return refusal.why
        once = self._running.get(key)
        if once is None:
            if len(self._running) >= AT_ONCE:
                raise self._unavailable("too many tokens are being got", 503)
            once = self._running[key] = Once(lambda: self._run(key, fetch, until, None))
        return await once.join()

    def _look(self) -> float:
        """
        Give the monotonic time, and forget everything if the clock has been set.

        Until when a token is good was worked out by a clock that was wrong.
        """
        now = self._monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            epoch = self._clock.time() - now
            if abs(epoch - self._epoch) > _JUMP:
                self._shelf.clear()
                self._refusals.clear()
            self._epoch = epoch
        return now

    def _renew(
        self, key: bytes, fetch: Fetch, until: float | None, entry: _Entry
    ) -> None:
        """Have a new token got, unless somebody does; nobody waits for it."""
        if key in self._running or len(self._running) >= RENEWED_AT_ONCE:
            entry.put_off(self._monotonic())
            return
        entry.renew = entry.ends  # or when to try again, if this one fails
        once = Once(lambda: self._run(key, fetch, until, entry))
        self._running[key] = once
        once.begin()

    async def _run(
        self, key: bytes, fetch: Fetch, until: float | None, old: _Entry | None
    ) -> Answer:
        """Get a token in time, in the place of *old* if there is one."""
        renewed = False
        try:
            work = self._obtain(key, fetch, until, old)
            answer = await self._in_time(work)
            renewed = isinstance(answer, Token)
        finally:
            del self._running[key]
            if old is not None and not renewed:
                old.put_off(self._monotonic())
        return answer

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        """Wait for *work*, as long as a request may."""
        working = Deferred.fromCoroutine(work)
        late = False

        def end(_: object) -> None:
            nonlocal late
            late = True
            working.cancel()

        timer = self._sleep(self._rules.timeout)
        timer.addCallbacks(end, lambda why: why.trap(CancelledError))
        try:
            return await working
        except CancelledError:
            if not late:
                raise
            raise self._unavailable("there was no token in time", 504) from None
        finally:
            timer.cancel()

    async def _obtain(
        self, key: bytes, fetch: Fetch, until: float | None, old: _Entry | None
    ) -> Answer:
        """Give what others have, or get it."""
        name = sha256(len(self.name).to_bytes(8, "big") + self.name.encode() + key)
        found = await self._seek(name.digest(), old)
        match found:
            case Kept():
                self._counts["shared"] += 1
                self._shelve(key, found)
                return found.token
            case Refused(why, left):
                self._counts["refusal-kept"] += 1
                self._believe(key, why, left)
                return why
            case _:
                return await self._exchange(
                    key, fetch, until, name=name.digest(), turn=found, old=old
                )

    async def _seek(
        self, name: bytes, old: _Entry | None
    ) -> Kept | Refused | Turn | None:
        """Give what others have, or our turn; None if each process is on its own."""
        if self._shared is None:
            return None
        if self._cache.admit():
            try:
                found = await self._shared.seek(name, fresh=old is not None)
            except UnavailableError as e:
                self._cache_failed(e)
            else:
                self._cache_works()
                return found
        if self._rules.cache_down == "refuse":
            raise UnavailableError(f"token.{self.name}: {self._cache_problem}")
        return None

    async def _exchange(  # noqa: PLR0913
        self,
        key: bytes,
        fetch: Fetch,
        until: float | None,
        *,
        name: bytes,
        turn: Turn | None,
        old: _Entry | None,
    ) -> Answer:
        """Ask the server, and keep what it says."""
        try:
            answer = await self._asker.ask(fetch)
            if isinstance(answer, Token):
                self._counts["renewed"] += old is not None
                await self._keep(key, answer, until, name)
            elif answer.status in REFUSALS:
                self._believe(key, answer, self._rules.negative)
                turn = await self._refuse(turn, name, answer, old)
        finally:
            if turn is not None:
                await self._quietly(turn.end())
        return answer

    async def _keep(
        self, key: bytes, token: Token, until: float | None, name: bytes
    ) -> None:
        """Keep *token* for others who come, if it is good for long enough."""
        now = self._clock.time()
        span = span_of(token, until, now, self._rules)
        if span is None:
            return
        kept = Kept(token=attrs.evolve(token, headers=()), made=now, span=span)
        self._shelve(key, kept)
        if self._shared is not None:
            await self._quietly(self._shared.put(name, kept))

    async def _refuse(
        self,
        turn: Turn | None,
        name: bytes,
        refusal: NotIssued,
        old: _Entry | None,
    ) -> Turn | None:
        """Let others know of a refusal; gives *turn* if that is still to be ended."""
        if self._shared is None:
            return turn
        if old is not None:
            await self._quietly(self._shared.drop(name))
        if turn is not None and self._rules.negative > 0:
            await self._quietly(self._shared.refuse(turn, name, refusal))
            return None
        return turn

    def _shelve(self, key: bytes, kept: Kept) -> None:
        """Put a token on the shelf."""
        here, now = self._monotonic(), self._clock.time()
        renew, ends = kept.span.renew - now, kept.span.ends - now
        entry = _Entry(kept.token, here + renew, here + ends)
        self._shelf.put(key, entry)

    def _believe(self, key: bytes, refusal: NotIssued, left: float) -> None:
        """Go by a refusal for *left* seconds, and no more by a token from before."""
        self._shelf.drop(key)
        if left > 0:
            ends = self._monotonic() + left
            self._refusals.put(key, _Refusal(refusal, ends))

    async def _quietly(self, work: Coroutine[Any, Any, None]) -> None:
        """
        Leave something in the cache; do without if it is down, or has no room for it.

        That says nothing about the cache: a token may be too large.
        """
        try:
            await work
        except UnavailableError:
            self._counts["cache-unavailable"] += 1

    def _cache_failed(self, error: UnavailableError) -> None:
        self._counts["cache-unavailable"] += 1
        self._cache.failed()
        if not self._cache_problem:
            _log.warn(
                "Tokens of {name} are not shared until the cache answers: {what}",
                name=self.name,
                what=error.what,
            )
        self._cache_problem = error.what

    def _cache_works(self) -> None:
        self._cache.succeeded()
        if self._cache_problem:
            _log.info("Tokens of {name} are shared again", name=self.name)
        self._cache_problem = ""

    def _unavailable(self, problem: str, status: int) -> UnavailableError:
        return UnavailableError(f"token.{self.name}: {problem}", status=status)


def build_keeper(rules: KeepRules, tools: ITools) -> TokenKeeper:
    """
    Make what keeps the tokens of the source that *tools* are for.

    Raises:
        ConfigError: The cache or the key ring cannot be used.
    """
    shares = rules.cache != ""
    return TokenKeeper(
        tools.name,
        cache=tools.cache(rules.cache, NEEDS) if shares else None,
        sealer=tools.sealer(KIND) if shares else None,
        clock=tools.clock,
        sleep=lambda seconds: deferLater(tools.reactor, seconds),
        rules=rules,
    )
