"""URLs that an authorization server has, and which of them we may go to."""

import re
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final

import attrs

from sso_proxy.errors import BadMessageError, SsoProxyError
from sso_proxy.specs.http.authority import read_authority

_LONGEST: Final = 2048
_URL = re.compile(
    r"(https?)://([^/?#]+)((?:/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?)"
    r"((?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?)"
)
_UNICAST = IPv6Network("2000::/3")
_NUMBER = re.compile(r"[0-9]+|0[xX][0-9A-Fa-f]*")


@attrs.frozen
class UrlRefusedError(SsoProxyError):
    """
    A URL must not be used.

    Attributes:
        detail: Why, for the log; never holds the URL.
    """

    detail: str


@attrs.frozen(kw_only=True)
class ServerUrl:
    """
    A URL, taken apart.

    Attributes:
        origin: Scheme, host and port as they were written.
        scheme: ``https`` or ``http``.
        host: Lower-case name or address; IPv6 in brackets.
        path: Empty, or begins with a slash.
        query: Empty, or begins with a question mark.
    """

    origin: str
    scheme: str
    host: str
    path: str
    query: str

    @property
    def is_plain(self) -> bool:
        """Say whether anybody on the way could read and change what is sent."""
        return self.scheme == "http"

    @property
    def is_loopback(self) -> bool:
        """Say whether the host is an address of this machine itself."""
        address = _address(self.host)  # names are what a resolver says they are
        return address is not None and address.is_loopback

    @property
    def is_local(self) -> bool:
        """Say whether the host, by itself, means something else everywhere."""
        address = _address(self.host)
        if address is None:
            return self.host == "localhost" or self.host.endswith(".localhost")
        return is_local_address(address)


def is_local_address(address: IPv4Address | IPv6Address) -> bool:
    """Say whether *address* is anything but one of a single host of the Internet."""
    if isinstance(address, IPv6Address) and (
        address not in _UNICAST or address.sixtofour is not None
    ):
        return True  # an IPv4 address in disguise, among others
    return not address.is_global or address.is_multicast


def read_url(url: str) -> ServerUrl:
    """
    Read an ``https`` or ``http`` URL (RFC 3986).

    Raises:
        UrlRefusedError: It is none, has user information, a fragment or a character
            that must be escaped, is longer than 2,048 characters, or its host is a
            number that is no address in its usual form (``127.1``): resolvers make
            one of it.
    """
    match = _URL.fullmatch(url) if len(url) <= _LONGEST else None
    if match is None:
        raise UrlRefusedError("no https URL without fragment")
    scheme, authority, path, query = match.groups()
    try:
        host, _ = read_authority(authority)
    except BadMessageError:
        raise UrlRefusedError("its host cannot be read") from None
    if _NUMBER.fullmatch(host.rpartition(".")[2]) and _address(host) is None:
        raise UrlRefusedError("its host is a number, but no IPv4 address")
    return ServerUrl(
        origin=f"{scheme}://{authority}",
        scheme=scheme,
        host=host,
        path=path,
        query=query,
    )


def read_issuer(issuer: str) -> ServerUrl:
    """
    Read an issuer identifier (RFC 8414 section 2).

    Raises:
        UrlRefusedError: It is no URL as `read_url` wants it, has a query, or is not
            https and no address of this machine either.
    """
    url = read_url(issuer)
    if url.query:
        raise UrlRefusedError("an issuer has no query")
    if url.is_plain and not url.is_loopback:
        raise UrlRefusedError("must be https; http only for loopback addresses")
    return url


def check_published_url(url: str, issuer: ServerUrl) -> None:
    """
    Check that we may go to a URL that *issuer* publishes.

    Other hosts are usual.  But a document of others must not lead us to what only this
    machine or this network can reach, a cloud's metadata address above all, unless the
    operator has put the issuer itself there.  A name that resolves to such an address
    passes: companies have such names, and the answer has to prove by certificate that
    it is who the name means.

    Raises:
        UrlRefusedError: It is no URL as `read_url` wants it; it is not https, unless it
            and *issuer* are both http at loopback addresses; or its host is a local
            address and that of *issuer* is none.
    """
    place = read_url(url)
    if place.is_plain and not (
        place.is_loopback and issuer.is_plain and issuer.is_loopback
    ):
        raise UrlRefusedError("must be https")
    if place.is_local and not issuer.is_local:
        raise UrlRefusedError("leads to a local address, where the issuer is not")


def _address(host: str) -> IPv4Address | IPv6Address | None:
    """Give the address that *host* is, None for a name."""
    try:
        if host.startswith("["):
            return IPv6Address(host[1:-1])
        return IPv4Address(host)
    except ValueError:
        return None
