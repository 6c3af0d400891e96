"""A thing that others publish, kept fresh: keys, metadata."""

import re
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Final, Generic, TypeVar

import attrs
from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import HttpReply
from sso_proxy.net.once import Once

_log = Logger()

MIN_TTL: Final = 60.0
MAX_TTL: Final = 86400.0
DEFAULT_TTL: Final = 600.0
RETRY_AFTER: Final = 5.0
"""Seconds between attempts that fail."""
UNKNOWN_AFTER: Final = 60.0
"""Seconds between fetches that tokens cause by what they name."""

_MAX_AGE = re.compile(r'(?:^|[,\s])max-age="?(\d{1,9})"?(?=$|[,\s])', re.IGNORECASE)

T = TypeVar("T")


@attrs.frozen
class Fetched(Generic[T]):
    """
    What was fetched.

    Attributes:
        value: The thing.
        ttl: Seconds until it is fetched again.
    """

    value: T
    ttl: float


class Published(Generic[T]):
    """
    Keeps what others publish fresh, with as few fetches as that takes.

    Whoever publishes it may be down when we start, and later: the last good one stays
    in use for as long as there is no better one, and `health` says so.  There is never
    more than one fetch at a time, one that failed is not repeated for `RETRY_AFTER`,
    and whatever clients send causes one in `UNKNOWN_AFTER`.  Time is the monotonic
    clock's, so that a time of day that jumps changes nothing.

    Attributes:
        what: What it is, for log and health: ``jwks of https://…``.

    Args:
        what: That.
        fetch: Gets it, in bounded time, or raises `UnavailableError` with the reason.
        clock: Says how old it is.
        changed: Called when there is a newer one, which may be another.
    """

    def __init__(
        self,
        what: str,
        fetch: Callable[[], Coroutine[Any, Any, Fetched[T]]],
        clock: IClock,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.what = what
        self._fetch = fetch
        self._clock = clock
        self._changed = changed
        self._once: Once[T] = Once(self._get)
        self._value: T | None = None
        self._problem = ""
        self._fetched_at = float("-inf")
        self._stale_at = float("-inf")
        self._retry_at = float("-inf")
        self._renew_at = float("-inf")

    def current(self) -> T | None:
        """Give the last good one, if any; a newer one is fetched meanwhile if due."""
        value = self._value
        if value is not None:
            now = self._clock.monotonic()
            if now >= self._stale_at and now >= self._retry_at:
                self._once.begin()
        return value

    async def get(self) -> T:
        """
        Give the last good one, and wait only if there is none.

        Raises:
            UnavailableError: There is none yet, and it cannot be had now.
        """
        value = self.current()
        if value is not None:
            return value
        if self._clock.monotonic() < self._retry_at:
            raise self._unavailable()
        return await self._once.join()

    async def renewed(self, min_age: float = 0.0) -> T:
        """
        Give the newest one, because what a client names is not in the last good one.

        It is fetched, unless that was done for another client in the last
        `UNKNOWN_AFTER` seconds.

        Args:
            min_age: It need not be fetched if it is not older than this, in seconds.

        Raises:
            UnavailableError: It could not be had lately, so that nobody knows whether
                there is what the client names.
        """
        if self._value is None:
            return await self.get()
        now = self._clock.monotonic()
        if self._once.running:
            return await self._once.join()
        if now >= self._retry_at and self._may_renew(now, min_age):
            self._renew_at = now + UNKNOWN_AFTER
            return await self._once.join()
        if self._problem:
            raise self._unavailable()
        return self._value

    def expire(self) -> None:
        """Have it fetched soon; the last good one stays in use until then."""
        self._stale_at = float("-inf")

    async def warm(self) -> None:
        """Fetch it if there is none; that it cannot be had is only logged."""
        with suppress(UnavailableError):
            await self.get()

    def health(self) -> tuple[str, ...]:
        """
        Say what is missing; begins to fetch it if there is none.

        Otherwise a proxy that gets no requests before it is ready would never be.
        """
        if self._value is None:
            if self._clock.monotonic() >= self._retry_at:
                self._once.begin()
            return (f"{self.what}: {self._problem or 'not fetched yet'}",)
        if self._problem:
            return (f"{WARNING}{self.what}: an old one in use: {self._problem}",)
        return ()

    def _may_renew(self, now: float, min_age: float) -> bool:
        """Say whether it is due, or a client may have it fetched."""
        wanted = max(self._renew_at, self._fetched_at + min_age)
        return now >= min(wanted, self._stale_at)

    async def _get(self) -> T:
        """Fetch it and note when to do so again."""
        try:
            fetched = await self._fetch()
        except CancelledError:
            raise
        except Exception as e:
            raise self._failed(e) from e
        self._problem = ""
        newer = self._value is not None
        self._value = fetched.value
        self._fetched_at = self._clock.monotonic()
        self._retry_at = float("-inf")
        self._stale_at = self._fetched_at + fetched.ttl
        if newer:
            self._changed()
        return fetched.value

    def _failed(self, error: Exception) -> UnavailableError:
        """Note why there is no new one."""
        now = self._clock.monotonic()
        self._retry_at = now + RETRY_AFTER
        self._stale_at = min(self._stale_at, now)
        if isinstance(error, UnavailableError):
            self._problem = error.what
            _log.warn("No {what}: {problem}", what=self.what, problem=error.what)
        else:  # ours: what came must not make each client fetch it again
            self._problem = f"failed: {type(error).__name__}"
            _log.failure("No {what}", what=self.what)
        return self._unavailable()

    def _unavailable(self) -> UnavailableError:
        """Say that there is none."""
        return UnavailableError(f"{self.what}: {self._problem}")


def ttl(reply: HttpReply) -> float:
    """Give how long an answer is fresh, in seconds (RFC 9111 section 5.2.2.1)."""
    match = _MAX_AGE.search(reply.header("cache-control") or "")
    if match is None:
        return DEFAULT_TTL
    return min(max(float(match[1]), MIN_TTL), MAX_TTL)


def without_query(url: str) -> str:
    """Give *url* as it may stand in a log."""
    return url.partition("?")[0]
