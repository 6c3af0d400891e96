"""Public keys that a URL serves one by one, under names that tokens give."""

import functools
from collections import OrderedDict, deque
from typing import Final
from urllib.parse import quote

import attrs
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.once import Once
from sso_proxy.specs.jose.keys import (
    KeyRefusedError,
    UnknownKeyError,
    VerificationKey,
    read_pem,
)

_log = Logger()

MAX_KEPT: Final = 16
"""Keys that are kept."""
KEEP: Final = 3600.0
"""Seconds after which a key is fetched again, to see whether it is still there."""
RETRY_AFTER: Final = 60.0
"""Seconds until that is tried again if nobody answers."""
MISSING_FOR: Final = 60.0
"""Seconds that a key which is not there is not looked for again."""
MAX_FETCHES: Final = 10
"""Fetches in `FETCH_PERIOD`, whatever tokens name."""
FETCH_PERIOD: Final = 60.0
MAX_BYTES: Final = 8192
"""Octets of a key."""


@attrs.define
class _Kept:
    """A key, and when it is to be fetched again."""

    key: VerificationKey
    stale_at: float


class NamedKeys:
    """
    Fetches each key once, and never more often than `MAX_FETCHES` allows.

    Who sends tokens can name keys that do not exist, or keys of others that do: the
    fetches are counted together, what is not there is remembered, and the key that is
    used is the last to go.

    Args:
        base: Where the keys are; a name is put after it.
        http_client: Fetches them, and follows no redirect.
        clock: Says how old they are.
    """

    def __init__(self, base: str, http_client: HttpClient, clock: IClock) -> None:
        self._base = base
        self._http_client = http_client
        self._clock = clock
        self._kept: OrderedDict[str, _Kept] = OrderedDict()
        self._missing: dict[str, float] = {}
        self._running: dict[str, Once[VerificationKey]] = {}
        self._fetches: deque[float] = deque(maxlen=MAX_FETCHES)

    async def key(self, name: str) -> VerificationKey:
        """
        Give the key called *name*, without waiting if it is kept.

        Raises:
            UnknownKeyError: There is no such key.
            UnavailableError: Nobody knows now whether there is.
        """
        now = self._clock.monotonic()
        kept = self._kept.get(name)
        if kept is not None:
            self._kept.move_to_end(name)
            if now >= kept.stale_at:
                kept.stale_at = now + RETRY_AFTER
                if self._may_fetch(name, now):
                    self._fetching(name).begin()
            return kept.key
        if now < self._missing.get(name, now):
            raise UnknownKeyError("there is no such key", reason="token-key-unknown")
        if not self._may_fetch(name, now):
            raise UnavailableError(f"keys at {self._base}: too many names of keys")
        return await self._fetching(name).join()

    def _may_fetch(self, name: str, now: float) -> bool:
        """Say whether another fetch is allowed now, and count it."""
        if name in self._running:
            return True
        fetches = self._fetches
        if len(fetches) == MAX_FETCHES and now < fetches[0] + FETCH_PERIOD:
            return False
        fetches.append(now)
        return True

    def _fetching(self, name: str) -> Once[VerificationKey]:
        """Give the fetch of *name* that runs, or one that may begin."""
        if name not in self._running:
            self._running[name] = Once(functools.partial(self._fetch, name))
        return self._running[name]

    async def _fetch(self, name: str) -> VerificationKey:
        """Fetch a key, and keep it or that there is none."""
        try:
            return await self._get(name)
        finally:
            del self._running[name]

    async def _get(self, name: str) -> VerificationKey:
        """Fetch a key."""
        reply = await self._http_client.get(
            self._base + quote(name, safe=""), max_bytes=MAX_BYTES
        )
        now = self._clock.monotonic()
        if reply.status in {403, 404}:  # a bucket that may not be listed says 403
            self._kept.pop(name, None)
            self._forget_missing(now)
            self._missing[name] = now + MISSING_FOR
            raise UnknownKeyError("there is no such key", reason="token-key-unknown")
        if reply.status != 200:
            raise self._failed(f"status {reply.status}")
        try:
            keys = read_pem(reply.body).keys
        except KeyRefusedError as e:
            raise self._failed(e.detail) from e
        if len(keys) != 1:
            raise self._failed("more than one key")
        self._kept[name] = _Kept(keys[0], now + KEEP)
        self._kept.move_to_end(name)
        if len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)
        return keys[0]

    def _forget_missing(self, now: float) -> None:
        """Forget what may be looked for again; the rest is as few as the fetches."""
        self._missing = {n: until for n, until in self._missing.items() if now < until}

    def _failed(self, problem: str) -> UnavailableError:
        """Say that there is no key, and why."""
        _log.warn("No key from {base}: {problem}", base=self._base, problem=problem)
        return UnavailableError(f"keys at {self._base}: {problem}")
