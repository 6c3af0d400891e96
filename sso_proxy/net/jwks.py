"""An issuer's keys, fetched from where it publishes them."""

import re
from contextlib import suppress
from typing import Final

from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, IHealth
from sso_proxy.net.http_client import HttpClient, HttpReply
from sso_proxy.net.once import Once
from sso_proxy.specs.jose.keys import MAX_JWKS, KeyRefusedError, KeySet, read_jwks

_log = Logger()

MIN_TTL: Final = 60.0
MAX_TTL: Final = 86400.0
DEFAULT_TTL: Final = 600.0
RETRY_AFTER: Final = 5.0
"""Seconds between attempts that fail."""
UNKNOWN_AFTER: Final = 60.0
"""Seconds between fetches that tokens with unknown keys cause."""

_MAX_AGE = re.compile(r'(?:^|[,\s])max-age="?(\d{1,9})"?(?=$|[,\s])', re.IGNORECASE)


@implementer(IHealth)
class JwksSource:
    """
    Keeps the key set of one issuer fresh.

    The provider may be down when we start, and later: the last good keys stay in use,
    and `probe` says so.  Tokens can make it fetch at most once a minute, however many
    of them name keys that do not exist.

    Args:
        url: Where the JWK Set is.
        http_client: Fetches it.
        clock: Says how old it is.
    """

    def __init__(self, url: str, http_client: HttpClient, clock: IClock) -> None:
        self._url = url
        self._shown = url.partition("?")[0]
        self._http_client = http_client
        self._clock = clock
        self._once: Once[KeySet] = Once(self._fetch)
        self._keys: KeySet | None = None
        self._stale_at = 0.0
        self._retry_at = float("-inf")
        self._unknown_at = float("-inf")
        self._problem = ""

    async def key_set(self) -> KeySet:
        """
        Give the keys, without waiting if there are any.

        Raises:
            UnavailableError: There are none yet, and they cannot be had now.
        """
        keys = self._keys
        now = self._clock.monotonic()
        if keys is None:
            if now < self._retry_at:
                raise self._unavailable()
            return await self._once.join()
        if now >= self._stale_at and now >= self._retry_at:
            self._once.begin()
        return keys

    async def key_set_for_unknown(self) -> KeySet:
        """
        Give the keys after a token named one that was not among them.

        Raises:
            UnavailableError: They could not be had lately, so that nobody knows
                whether the token is good.
        """
        now = self._clock.monotonic()
        if self._keys is None:
            return await self.key_set()
        if self._once.running or now >= max(self._unknown_at, self._retry_at):
            self._unknown_at = now + UNKNOWN_AFTER
            return await self._once.join()
        if self._problem:
            raise self._unavailable()
        return self._keys

    async def warm(self) -> None:
        """Fetch the keys if there are none; that they cannot be had is only logged."""
        with suppress(UnavailableError):
            await self.key_set()

    async def probe(self) -> tuple[str, ...]:
        """
        Say what is missing; begins to fetch the keys if there are none.

        Otherwise a proxy that gets no requests before it is ready would never be.
        """
        if self._keys is None:
            if self._clock.monotonic() >= self._retry_at:
                self._once.begin()
            return (f"jwks of {self._shown}: {self._problem or 'not fetched yet'}",)
        if self._problem:
            return (f"jwks of {self._shown}: old keys in use: {self._problem}",)
        if not self._keys.keys:
            return (f"jwks of {self._shown}: no key that can be used",)
        return ()

    async def _fetch(self) -> KeySet:
        """Fetch the keys and note when to do so again."""
        try:
            reply = await self._http_client.get(
                self._url, {"Accept": "application/json"}, max_bytes=MAX_JWKS
            )
            keys = _read_reply(reply)
        except CancelledError:
            raise
        except (UnavailableError, KeyRefusedError) as e:
            self._retry_at = self._clock.monotonic() + RETRY_AFTER
            self._problem = e.what if isinstance(e, UnavailableError) else e.detail
            _log.warn(
                "No keys from {url}: {problem}", url=self._shown, problem=self._problem
            )
            raise self._unavailable() from e
        for line in keys.ignored:
            _log.info("Ignored in {url}: {line}", url=self._shown, line=line)
        self._problem = ""
        self._keys = keys
        self._stale_at = self._clock.monotonic() + _ttl(reply)
        return keys

    def _unavailable(self) -> UnavailableError:
        """Say that there are no keys."""
        return UnavailableError(f"jwks of {self._shown}: {self._problem}")


@implementer(IHealth)
class FixedKeys:
    """Keys of the configuration file; gives what `JwksSource` gives."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    async def key_set(self) -> KeySet:
        """Give the keys."""
        return self._keys

    async def key_set_for_unknown(self) -> KeySet:
        """Give the keys; there will be no others."""
        return self._keys

    async def warm(self) -> None:
        """Do nothing."""

    async def probe(self) -> tuple[str, ...]:
        """Miss nothing."""
        return ()


def _read_reply(reply: HttpReply) -> KeySet:
    """
    Read the keys out of an answer.

    Raises:
        KeyRefusedError: There are none in it.
    """
    if reply.status != 200:
        raise KeyRefusedError(f"status {reply.status}")
    return read_jwks(reply.body)


def _ttl(reply: HttpReply) -> float:
    """Give how long an answer is fresh, in seconds (RFC 9111 section 5.2.2.1)."""
    match = _MAX_AGE.search(reply.header("cache-control") or "")
    if match is None:
        return DEFAULT_TTL
    return min(max(float(match[1]), MIN_TTL), MAX_TTL)
