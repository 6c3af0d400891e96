"""What an identifier's documents say about who vouches for it (section 7.3)."""

from collections.abc import Mapping
from typing import Any, Final, Self

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url
from sso_proxy.specs.openid2.html_links import HtmlError, read_links
from sso_proxy.specs.openid2.names import (
    IDENTIFIER_SELECT,
    SERVER,
    SIGNON,
    XRDS,
    XRDS_LOCATION,
)
from sso_proxy.specs.openid2.xrds import Service, XrdsError, read_xrds

_HTML: Final = frozenset({"text/html", "application/xhtml+xml"})
_XML: Final = frozenset({XRDS, "application/xml", "text/xml"})
"""What servers call an XRDS document that they said to be one."""
_LONGEST_ID: Final = 2048


@attrs.frozen
class DocumentError(SsoProxyError):
    """
    A document says nothing that could be used.

    Attributes:
        reason: A short code: ``openid-document``.
        detail: Why, for the log; says nothing of what is in it.
    """

    reason: str
    detail: str


@attrs.frozen(kw_only=True)
class Endpoint:
    """
    A provider, and for whom it vouches there.

    Attributes:
        op_endpoint: Where browsers are sent, and where we ask.
        claimed_id: The identifier, normal and without fragment; empty if the provider
            is to say whose it is.
        local_id: What the provider calls it, if that is something else.
        select: Whether the provider is to say whose it is.
    """

    op_endpoint: str
    claimed_id: str = ""
    local_id: str = ""
    select: bool = False

    @property
    def identity(self) -> str:
        """Give ``openid.identity``."""
        return IDENTIFIER_SELECT if self.select else self.local_id or self.claimed_id

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return {
            "op": self.op_endpoint,
            **({"id": self.claimed_id} if self.claimed_id else {}),
            **({"local": self.local_id} if self.local_id else {}),
            **({"select": True} if self.select else {}),
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave; nobody but us can have written it."""
        return cls(
            op_endpoint=members["op"],
            claimed_id=members.get("id", ""),
            local_id=members.get("local", ""),
            select=members.get("select", False),
        )


@attrs.frozen(kw_only=True)
class Discovered:
    """
    What was discovered about a URL; all of it is from one document.

    Attributes:
        claimed_id: The URL, normal and without fragment, after redirects.
        endpoints: Those that can be used, the best first: a provider's own identifier
            goes before anybody's (section 7.3.2.2).
    """

    claimed_id: str
    endpoints: tuple[Endpoint, ...]

    @property
    def best(self) -> Endpoint | None:
        """Give where to log in, None if nowhere."""
        return next(iter(self.endpoints), None)

    @property
    def vouching(self) -> tuple[Endpoint, ...]:
        """Give those that vouch for the URL itself."""
        return tuple(each for each in self.endpoints if not each.select)


@attrs.frozen(kw_only=True)
class Page:
    """
    What came from a URL.

    Attributes:
        media_type: As the field says; None if there is none.
        location: Where the XRDS document is, as a field says; None if none does.
        body: Octets.
    """

    media_type: str | None
    location: str | None
    body: bytes = attrs.field(repr=False)


def find_location(page: Page) -> str | None:
    """
    Say where the XRDS document is, if that is elsewhere (Yadis 6.2.5).

    None, if *page* is one, or names none.

    Raises:
        DocumentError: It names what is no URL, or two.
    """
    kind = _kind(page.media_type)
    if kind == XRDS:
        return None
    location = page.location
    if location is None and kind in _HTML:
        location = _links(page.body).xrds_location
    if not location:
        return None
    _check_url(location.strip(), XRDS_LOCATION)
    return location.strip()


def read_document(page: Page, claimed_id: str, *, named: bool = False) -> Discovered:
    """
    Read what *page* says about *claimed_id*: by XRDS or by HTML, never by both.

    Args:
        page: It.
        claimed_id: The URL that was asked about, after redirects, normal.
        named: Whether a page named it as the XRDS document, which it then has to be.

    Raises:
        DocumentError: It is neither, or cannot be read.
    """
    kind = _kind(page.media_type)
    if kind == XRDS or (named and kind in _XML):
        return Discovered(
            claimed_id=claimed_id, endpoints=_of_xrds(page.body, claimed_id)
        )
    if named:
        raise _refused("what was named as the XRDS document is none")
    if kind in _HTML:
        return Discovered(
            claimed_id=claimed_id, endpoints=_of_html(page.body, claimed_id)
        )
    raise _refused("is neither XRDS nor HTML")


def _of_xrds(document: bytes, claimed_id: str) -> tuple[Endpoint, ...]:
    try:
        services = read_xrds(document)
    except XrdsError as e:
        raise _refused(f"XRDS {e.detail}") from None
    selects = [
        Endpoint(op_endpoint=uri, select=True)
        for service in services
        if SERVER in service.types
        for uri in _usable(service)
    ]
    signons = [
        Endpoint(op_endpoint=uri, claimed_id=claimed_id, local_id=_local(service))
        for service in services
        if SIGNON in service.types
        for uri in _usable(service)
    ]
    return (*selects, *signons)


def _of_html(page: bytes, claimed_id: str) -> tuple[Endpoint, ...]:
    links = _links(page)
    if not links.provider:
        return ()
    _check_url(links.provider, "openid2.provider")
    _check_local_id(links.local_id)
    endpoint = Endpoint(
        op_endpoint=links.provider, claimed_id=claimed_id, local_id=links.local_id
    )
    return (endpoint,)


def _usable(service: Service) -> list[str]:
    """Give the URLs of a service that we could go to."""
    return [uri for uri in service.uris if _is_url(uri)]


def _local(service: Service) -> str:
    """
    Give what the identifier is called at a service.

    Raises:
        DocumentError: It is called two things: nobody can say which user that is.
    """
    if len(set(service.local_ids)) > 1:
        raise _refused("XRDS has two local identifiers in one service")
    local_id = service.local_ids[0] if service.local_ids else ""
    _check_local_id(local_id)
    return local_id


def _check_local_id(local_id: str) -> None:
    bad = not local_id.isascii() or not local_id.isprintable()
    if bad or len(local_id) > _LONGEST_ID or local_id == IDENTIFIER_SELECT:
        raise _refused("a local identifier that cannot be sent")


def _links(page: bytes) -> Any:  # noqa: ANN401
    try:
        return read_links(page)
    except HtmlError as e:
        raise _refused(f"HTML {e.detail}") from None


def _kind(media_type: str | None) -> str:
    """Give the media type alone; the charset does not matter for what is read."""
    return (media_type or "").partition(";")[0].strip(" \t").lower()


def _is_url(url: str) -> bool:
    try:
        read_url(url)
    except UrlRefusedError:
        return False
    return True


def _check_url(url: str, what: str) -> None:
    try:
        read_url(url)
    except UrlRefusedError as e:
        raise _refused(f"{what}: {e.detail}") from None


def _refused(detail: str) -> DocumentError:
    return DocumentError("openid-document", detail)
