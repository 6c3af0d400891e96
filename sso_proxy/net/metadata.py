"""An issuer's metadata and keys, found by its name alone."""

from collections.abc import Callable
from contextlib import suppress

from zope.interface import implementer

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, IHealth
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.jwks import JwksSource
from sso_proxy.net.published import UNKNOWN_AFTER, Fetched, Published, ttl
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.metadata import (
    MAX_METADATA,
    MetadataRefusedError,
    ServerMetadata,
    find_metadata,
)
from sso_proxy.specs.oauth.urls import read_issuer


@implementer(IHealth)
class IssuerSource:
    """
    Keeps the metadata and the keys of one issuer fresh, as `Published` says.

    It knows nothing but the issuer's name until somebody asks.  The issuer may be down
    then: its tokens cannot be judged until it is back, and nothing else suffers.  The
    keys follow a changed ``jwks_uri``; while there is no new metadata, they are fetched
    from where the last good one said.

    Requests go to the well-known places of the configured issuer, or to a configured
    URL, and to the URL for keys in the document that the server there signs for with
    its certificate; never to one that a token names.  Redirects are not followed, and
    the document cannot lead into the local network by address (`check_published_url`).

    Args:
        issuer: The issuer identifier.
        http_client: Fetches what it publishes.
        clock: Says how old that is.
        tls: Whom to trust; None for what is usual.
        url: Where its metadata is; None for the well-known places.
        changed: Called when other keys may be good than before.

    Raises:
        UrlRefusedError: *issuer* is no issuer identifier (`read_issuer`), and there is
            no *url*.
    """

    def __init__(  # noqa: PLR0913
        self,
        issuer: str,
        http_client: HttpClient,
        clock: IClock,
        tls: ClientTls | None = None,
        url: str | None = None,
        *,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        if url is None:
            read_issuer(issuer)
        self._issuer = issuer
        self._http_client = http_client
        self._clock = clock
        self._tls = tls
        self._url = url
        self._changed = changed
        self._place: str | None = None
        self._keys: JwksSource | None = None
        self._metadata: Published[ServerMetadata] = Published(
            f"metadata of {issuer}", self._fetch, clock, changed
        )

    async def metadata(self) -> ServerMetadata:
        """
        Give the metadata, without waiting if there is any.

        Raises:
            UnavailableError: There is none yet, and it cannot be had now.
        """
        metadata = self._metadata.current()
        return metadata if metadata is not None else await self._metadata.get()

    def current(self) -> KeySet | None:
        """Give the last good keys, if any; newer ones are fetched meanwhile if due."""
        self._metadata.current()
        return None if self._keys is None else self._keys.current()

    async def key_set(self) -> KeySet:
        """
        Give the keys, without waiting if there are any.

        Raises:
            UnavailableError: There are none yet, and they cannot be had now.
        """
        return await (await self._source()).key_set()

    async def key_set_for_unknown(self) -> KeySet:
        """
        Give the keys after a token named one that was not among them.

        They may have moved, too; that is looked up at the same bounded rate.

        Raises:
            UnavailableError: They could not be had lately, so that nobody knows
                whether the token is good.
        """
        with suppress(UnavailableError):
            await self._metadata.renewed(min_age=UNKNOWN_AFTER)
        return await (await self._source()).key_set_for_unknown()

    def expire(self) -> None:
        """Have metadata fetched soon; the last good ones stay in use until then."""
        self._metadata.expire()

    async def warm(self) -> None:
        """Fetch what there is not yet; that it cannot be had is only logged."""
        with suppress(UnavailableError):
            if (await self.metadata()).jwks_uri is not None:
                await self.key_set()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing; begins to fetch it if there is none."""
        lines = self._metadata.health()
        if self._keys is not None:
            lines += await self._keys.probe()
        return lines

    async def _source(self) -> JwksSource:
        """
        Give what keeps the keys.

        Raises:
            UnavailableError: There is no metadata, or it names no keys.
        """
        if self._metadata.current() is None:
            await self._metadata.get()
        if self._keys is None:
            raise UnavailableError(f"metadata of {self._issuer}: has no jwks_uri")
        return self._keys

    async def _fetch(self) -> Fetched[ServerMetadata]:
        """
        Fetch the metadata.

        Raises:
            UnavailableError: There is none that can be used.
        """
        search = find_metadata(self._issuer, self._place, self._url)
        url = next(search)
        try:
            while True:
                reply = await self._http_client.get(
                    url,
                    {"Accept": "application/json"},
                    max_bytes=MAX_METADATA,
                    tls=self._tls,
                )
                url = search.send((reply.status, reply.body))
        except StopIteration as end:
            metadata: ServerMetadata = end.value
        except MetadataRefusedError as e:
            raise UnavailableError(e.detail) from e
        self._place = url
        self._follow(metadata.jwks_uri)
        return Fetched(metadata, ttl(reply))

    def _follow(self, jwks_uri: str | None) -> None:
        """Have the keys fetched from where they are now."""
        if jwks_uri is None:
            self._keys = None
        elif self._keys is None:
            self._keys = JwksSource(
                jwks_uri,
                self._http_client,
                self._clock,
                self._tls,
                changed=self._changed,
            )
        else:
            self._keys.move(jwks_uri)
