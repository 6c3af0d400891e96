"""An issuer's keys, fetched from where it publishes them."""

from collections.abc import Callable
from typing import Final

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, IHealth
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.published import Fetched, Published, ttl, without_query
from sso_proxy.specs.jose.keys import (
    MAX_JWKS,
    KeyRefusedError,
    KeySet,
    read_jwks,
    read_pem,
)

_log = Logger()

MAX_PEM: Final = 10_000
"""Octets of a key in PEM."""

_EC_ALGORITHMS: Final = frozenset({"ES256", "ES384", "ES512"})


@attrs.frozen(kw_only=True)
class _Form:
    """
    How keys are published.

    Attributes:
        name: What the log calls them.
        accept: The media types to ask for.
        max_bytes: Octets of the answer.
        read: Reads them, or raises `KeyRefusedError`.
    """

    name: str
    accept: str
    max_bytes: int
    read: Callable[[bytes], KeySet]


@implementer(IHealth)
class _KeySource:
    """
    Keeps keys fresh, as `Published` says.

    An error, a redirect, a page that is something else, and a set with no key that can
    be used are no keys: the last good ones stay in use.
    """

    def __init__(  # noqa: PLR0913
        self,
        form: _Form,
        url: str,
        http_client: HttpClient,
        clock: IClock,
        tls: ClientTls | None = None,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._form = form
        self._url = url
        self._http_client = http_client
        self._tls = tls
        self._ignored: tuple[str, ...] = ()
        self._keys: Published[KeySet] = Published(
            self._name(), self._fetch, clock, changed
        )

    def current(self) -> KeySet | None:
        """Give the last good keys, if any; newer ones are fetched meanwhile if due."""
        return self._keys.current()

    async def key_set(self) -> KeySet:
        """
        Give the keys, without waiting if there are any.

        Raises:
            UnavailableError: There are none yet, and they cannot be had now.
        """
        keys = self._keys.current()
        return keys if keys is not None else await self._keys.get()

    async def key_set_for_unknown(self) -> KeySet:
        """
        Give the keys after a token named one that was not among them.

        Raises:
            UnavailableError: They could not be had lately, so that nobody knows
                whether the token is good.
        """
        return await self._keys.renewed()

    async def warm(self) -> None:
        """Fetch the keys if there are none; that they cannot be had is only logged."""
        await self._keys.warm()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing; begins to fetch the keys if there are none."""
        return self._keys.health()

    def move(self, url: str) -> None:
        """Fetch the keys from *url* from now on; the last good ones stay until then."""
        if url != self._url:
            self._url = url
            self._keys.what = self._name()
            self._keys.expire()

    async def _fetch(self) -> Fetched[KeySet]:
        """
        Fetch the keys.

        Raises:
            UnavailableError: There is none that can be used.
        """
        url, form = self._url, self._form
        reply = await self._http_client.get(
            url, {"Accept": form.accept}, max_bytes=form.max_bytes, tls=self._tls
        )
        if reply.status != 200:
            raise UnavailableError(f"status {reply.status}")
        try:
            keys = form.read(reply.body)
        except KeyRefusedError as e:
            raise UnavailableError(e.detail) from e
        self._tell_ignored(keys.ignored)
        if not keys.keys:
            raise UnavailableError("no key that can be used")
        return Fetched(keys, ttl(reply) if url == self._url else 0.0)

    def _tell_ignored(self, ignored: tuple[str, ...]) -> None:
        """Log which keys of a set are not used and why, when that has changed."""
        if ignored != self._ignored:
            for line in ignored:
                _log.info("Ignored in {what}: {line}", what=self._keys.what, line=line)
        self._ignored = ignored

    def _name(self) -> str:
        """Give what log and health call this."""
        return f"{self._form.name} of {without_query(self._url)}"


class JwksSource(_KeySource):
    """
    Keeps the JWK Set of one issuer fresh.

    Keys of it that are private, symmetric, weak, for something else than signatures or
    unknown are not used, and logged.

    Args:
        url: Where the set is; https, or an address of this machine.
        http_client: Fetches it.
        clock: Says how old it is.
        tls: Whom to trust; None for what is usual.
        changed: Called when other keys may be good than before.
    """

    def __init__(
        self,
        url: str,
        http_client: HttpClient,
        clock: IClock,
        tls: ClientTls | None = None,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(_JWKS, url, http_client, clock, tls, changed=changed)


class EcKeySource(_KeySource):
    """
    Keeps one EC key fresh, that a URL serves in PEM.

    The key has no name.  When its owner changes it, tokens do not name an unknown key
    but have a signature that seems wrong; ``key_set_for_unknown`` is for these, too.

    Args:
        url: Where the key is; https, or an address of this machine.
        http_client: Fetches it.
        clock: Says how old it is.
        changed: Called when another key may be good than before.
    """

    def __init__(
        self,
        url: str,
        http_client: HttpClient,
        clock: IClock,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(_EC_KEY, url, http_client, clock, changed=changed)


@implementer(IHealth)
class FixedKeys:
    """Keys of the configuration file; gives what `JwksSource` gives."""

    def __init__(self, keys: KeySet) -> None:
        self._keys = keys

    def current(self) -> KeySet:
        """Give the keys."""
        return self._keys

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


def _read_ec_key(document: bytes) -> KeySet:
    """
    Read one EC public key in PEM.

    Raises:
        KeyRefusedError: It is anything else.
    """
    keys = read_pem(document)
    if len(keys.keys) != 1 or not keys.keys[0].algs <= _EC_ALGORITHMS:
        raise KeyRefusedError("not one EC key")
    return keys


_JWKS: Final = _Form(
    name="jwks",
    accept="application/jwk-set+json, application/json",
    max_bytes=MAX_JWKS,
    read=read_jwks,
)
_EC_KEY: Final = _Form(
    name="EC key",
    accept="application/x-pem-file, text/plain, */*",
    max_bytes=MAX_PEM,
    read=_read_ec_key,
)
