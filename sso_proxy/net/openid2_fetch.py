"""
Find out who vouches for an OpenID 2.0 identifier, which anybody can have typed.

All that is fetched comes from where strangers say, so each name is looked up once and
only exactly that is connected to, if it is no address of our own network; likewise
after each redirect, and for the document that a page names.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urljoin

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.interfaces import IClock
from sso_proxy.net.guard import Guard
from sso_proxy.net.http_client import ClientTls, HttpClient, HttpReply
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url
from sso_proxy.specs.openid2.discovery import (
    Discovered,
    DocumentError,
    Page,
    find_location,
    read_document,
)
from sso_proxy.specs.openid2.identifier import IdentifierError, normal_url
from sso_proxy.specs.openid2.names import XRDS, XRDS_LOCATION

MAX_PAGE: Final = 524288
"""Octets of a page or a document."""
MOST_REDIRECTS: Final = 5

_ACCEPT: Final = f"{XRDS}, text/html;q=0.7, application/xhtml+xml;q=0.5"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HTTPS: Final = "https://"
_WILD: Final = "*"


@attrs.frozen
class DiscoveryError(SsoProxyError):
    """
    Nobody can log in with an identifier.

    Attributes:
        reason: A short code: ``openid-identifier``, ``openid-plain``,
            ``openid-redirects``, ``openid-status``, ``openid-document``,
            ``openid-no-provider``, ``openid-provider``.
        detail: Why, for the log; holds neither the identifier nor what was fetched.
    """

    reason: str
    detail: str


@attrs.frozen(kw_only=True)
class FetchRules:
    """
    Where we go, and for whom we go there.

    Attributes:
        https_only: Whether identifiers, documents and providers have to be https.
        providers: The only providers that count: the URL at which each logs people in,
            or the beginning of several, with ``*`` behind a slash; empty for all.
        networks: Networks of our own that may be gone to.
        within: Seconds for all that is fetched for one identifier.
    """

    https_only: bool = False
    providers: tuple[str, ...] = attrs.field(default=())
    networks: tuple[str, ...] = attrs.field(default=())
    within: float = 10.0

    @providers.validator
    def _check_providers(self, _: object, providers: Sequence[str]) -> None:
        for each in providers:
            plain = each.removesuffix(_WILD)
            try:
                parts, normal = read_url(plain), normal_url(plain)
            except (UrlRefusedError, IdentifierError) as e:
                raise ValueError(f"{each} is no URL: {e.detail}") from None
            if plain == each:
                continue
            if not parts.path.endswith("/") or parts.query:
                raise ValueError(f"{each} has to have a slash before the *")
            if normal != plain:
                raise ValueError(f"{each} has to be written {normal}{_WILD}")

    @networks.validator
    def _check_networks(self, _: object, networks: Sequence[str]) -> None:
        Guard.of(networks)

    @property
    def guard(self) -> Guard:
        """Give what says which addresses may be connected to."""
        return Guard.of(self.networks)

    def allows(self, op_endpoint: str) -> bool:
        """Say whether a provider counts."""
        if self.https_only and not op_endpoint.startswith(_HTTPS):
            return False
        if not self.providers:
            return True
        try:
            # ``/a/../b`` begins with ``/a/``, and is something else
            normal = normal_url(op_endpoint)
        except IdentifierError:
            return False
        return any(
            normal.startswith(each.removesuffix(_WILD))
            if each.endswith(_WILD)
            else op_endpoint == each
            for each in self.providers
        )


class Discovery:
    """
    Fetches what identifiers have to say.

    Args:
        http_client: Asks; its proxy and CAs are used.
        rules: Where we go.
        clock: The time.
        tls: Whom to trust instead of the usual CAs, and their revocation lists.
    """

    def __init__(
        self,
        http_client: HttpClient,
        rules: FetchRules,
        clock: IClock,
        tls: ClientTls | None = None,
    ) -> None:
        self._http_client = http_client.guarded(rules.guard, max_bytes=MAX_PAGE)
        self._rules = rules
        self._clock = clock
        self._tls = tls

    def allows(self, op_endpoint: str) -> bool:
        """Say whether a provider counts."""
        return self._rules.allows(op_endpoint)

    async def discover(self, url: str) -> Discovered:
        """
        Find out who vouches for *url*, and what it is called (section 7.3).

        Args:
            url: As `sso_proxy.specs.openid2.identifier.read_identifier` gives it.

        Returns:
            What is known, with one endpoint at least, and only those that count.

        Raises:
            DiscoveryError: Nobody, or nobody who counts; or what says so cannot be
                used.
            UnavailableError: Nobody answers, or only at an address where strangers
                must not lead us.
        """
        until = self._clock.monotonic() + self._rules.within
        try:
            found = await self._find(_normal(url), until)
        except DocumentError as e:
            raise DiscoveryError(e.reason, e.detail) from None
        if not found.endpoints:
            raise DiscoveryError("openid-no-provider", "it names no provider")
        endpoints = found.endpoints
        if found.claimed_id.startswith(_HTTPS):
            # else who is between us and the provider could be anybody there
            endpoints = tuple(e for e in endpoints if e.op_endpoint.startswith(_HTTPS))
            if not endpoints:
                raise DiscoveryError("openid-plain", "its provider is not https")
        counting = tuple(e for e in endpoints if self.allows(e.op_endpoint))
        if not counting:
            raise DiscoveryError("openid-provider", "its provider is not allowed")
        return attrs.evolve(found, endpoints=counting)

    async def _find(self, url: str, until: float) -> Discovered:
        """Fetch the page, and the document that it names, if any (Yadis 6.2)."""
        place, page = await self._fetch(url, until)
        location = find_location(page)
        if location is None:
            return read_document(page, place)
        if place.startswith(_HTTPS) and not location.startswith(_HTTPS):
            raise DiscoveryError("openid-plain", f"its {XRDS_LOCATION} is not https")
        _, document = await self._fetch(_normal(location), until)
        found = read_document(document, place, named=True)
        if found.endpoints:
            return found
        # It has no service of ours; then, and only then, the page may (section 7.3).
        return read_document(attrs.evolve(page, location=None), place)

    async def _fetch(self, url: str, until: float) -> tuple[str, Page]:
        """Fetch a page; give where it was in the end, too."""
        for _ in range(MOST_REDIRECTS + 1):
            self._check_place(url)
            reply = await self._get(url, until)
            if reply.status not in _REDIRECTS:
                return url, _read_page(reply)
            url = _follow(url, reply)
        raise DiscoveryError("openid-redirects", f"more than {MOST_REDIRECTS}")

    async def _get(self, url: str, until: float) -> HttpReply:
        left = until - self._clock.monotonic()
        if left <= 0:
            problem = f"takes more than {self._rules.within:g} s"
            raise DiscoveryError("openid-redirects", problem)
        return await self._http_client.get(
            url, {"Accept": _ACCEPT}, within=left, max_bytes=MAX_PAGE, tls=self._tls
        )

    def _check_place(self, url: str) -> None:
        if self._rules.https_only and not url.startswith(_HTTPS):
            raise DiscoveryError("openid-plain", "it is not https")


def _follow(url: str, reply: HttpReply) -> str:
    """Give where a redirect leads; from https only to https."""
    places = {value for name, value in reply.headers if name == "location"}
    if len(places) != 1:
        raise DiscoveryError("openid-redirects", "a redirect to nowhere, or to two")
    try:
        place = _normal(urljoin(url, places.pop()))
    except ValueError:
        raise DiscoveryError("openid-redirects", "a redirect to no URL") from None
    if url.startswith(_HTTPS) and not place.startswith(_HTTPS):
        raise DiscoveryError("openid-plain", "a redirect from https to http")
    return place


def _read_page(reply: HttpReply) -> Page:
    if reply.status != 200:
        raise DiscoveryError("openid-status", f"status {reply.status}")
    field = XRDS_LOCATION.lower()
    locations = {value for name, value in reply.headers if name == field}
    if len(locations) > 1:
        raise DiscoveryError("openid-document", f"two {XRDS_LOCATION}")
    return Page(
        media_type=reply.media_type,
        location=next(iter(locations), None),
        body=reply.body,
    )


def _normal(url: str) -> str:
    try:
        return normal_url(url)
    except IdentifierError as e:
        raise DiscoveryError(e.reason, e.detail) from None
