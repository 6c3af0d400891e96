"""
The realm: which URLs we are, to a provider and its users (section 9.2).

A provider may look up whether answers may go where a request says (section 13): the
document that says so is at the realm.
"""

import re
from typing import Final
from xml.sax.saxutils import escape

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.openid2.identifier import IdentifierError, normal_url
from sso_proxy.specs.openid2.names import RETURN_TO

_WILD: Final = "*."
_parts = re.compile(
    r"(https?)://(\[[^\]]*+\]|[^/:?]*+)(?::(\d+))?([^?]*+)(.*)"
).fullmatch
_realm = re.compile(r"(?i:(https?://))(\*\.)?(.*)").fullmatch


@attrs.frozen
class RealmError(SsoProxyError):
    """
    What should be a realm is none.

    Attributes:
        detail: Why.
    """

    detail: str

    def __str__(self) -> str:
        """Say why."""
        return self.detail


@attrs.frozen(kw_only=True)
class Realm:
    """
    Which URLs we are.

    Attributes:
        text: As providers are told it.
        scheme: ``https`` or ``http``.
        any_below: Whether hosts below *host* are we, too.
        host: Lower-case name or address.
        port: The port.
        path: Below which all are.
    """

    text: str
    scheme: str
    any_below: bool
    host: str
    port: int
    path: str

    def covers(self, url: str) -> bool:
        """Say whether *url* is below it (section 9.2)."""
        try:
            scheme, host, port, path = _take_apart(normal_url(url))
        except IdentifierError:
            return False
        if (scheme, port) != (self.scheme, self.port):
            return False
        below = self.any_below and host.endswith(f".{self.host}")
        if host != self.host and not below:
            return False
        # ``/app`` is no part of ``/application``
        return path == self.path or path.startswith(f"{self.path.rstrip('/')}/")


def read_realm(text: str) -> Realm:
    """
    Read a realm: a URL without query and fragment, whose host may begin with ``*.``.

    Raises:
        RealmError: It is none, or is not written in its normal form, in which providers
            compare it.
    """
    match = _realm(text)
    if match is None:
        raise RealmError("a realm is an https or http URL")
    scheme, wild, rest = match.groups()
    plain = f"{scheme}{rest}"
    try:
        normal = normal_url(plain)
    except IdentifierError as e:
        raise RealmError(f"the realm cannot be read: {e.detail}") from None
    if "?" in text or "#" in text:
        raise RealmError("a realm has neither a query nor a fragment")
    if normal != plain:
        raise RealmError(f"the realm has to be written {normal}")
    name, host, port, path = _take_apart(normal)
    if wild and ("." not in host or not host[-1].isalpha()):
        raise RealmError("below *. of a realm there has to be a name with a dot")
    return Realm(
        text=text,
        scheme=name,
        any_below=bool(wild),
        host=host,
        port=port,
        path=path,
    )


def build_return_to_document(*return_to: str) -> bytes:
    """
    Give the XRDS document that says where answers to us may go (section 13).

    Args:
        return_to: These URLs, and what is below them.
    """
    uris = "".join(f"<URI>{escape(uri)}</URI>" for uri in return_to)
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<xrds:XRDS xmlns:xrds="xri://$xrds" xmlns="xri://$xrd*($v*2.0)"><XRD>'
        f'<Service priority="0"><Type>{RETURN_TO}</Type>{uris}</Service>'
        "</XRD></xrds:XRDS>\n"
    ).encode("ascii")


def _take_apart(url: str) -> tuple[str, str, int, str]:
    """Give scheme, host, port and path of a normal URL."""
    match = _parts(url)
    if match is None:
        raise IdentifierError("openid-identifier", "no URL")
    scheme, host, port, path, _ = match.groups()
    return scheme, host, int(port or DEFAULT_PORTS[scheme]), path or "/"
