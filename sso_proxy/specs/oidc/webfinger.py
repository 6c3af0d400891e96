"""Find the provider of an account (RFC 7033, OpenID Connect Discovery section 2)."""

import re
from typing import Final
from urllib.parse import quote, urlencode

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_issuer, read_url

ISSUER_REL: Final = "http://openid.net/specs/connect/1.0/issuer"
"""The relation of an account to its provider."""
MAX_JRD: Final = 65536
"""Octets of an answer."""
LONGEST: Final = 320
"""Characters of what somebody types."""

_WELL_KNOWN: Final = "/.well-known/webfinger"
_ACCT: Final = "acct:"
_HTTPS: Final = "https://"
_scheme = re.compile(r"(?i)[a-z][a-z0-9+.-]*:(?![0-9])").match
_account = re.compile(r"([^@/?#\s]+)@([^@/?#:\s]+)").fullmatch
_escaped = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+").fullmatch
_SAFE: Final = "-._~!$&'()*+,;="
"""Octets that stand for themselves in the local part of an account (RFC 7565)."""


@attrs.frozen
class WebFingerError(SsoProxyError):
    """
    There is no provider to be found.

    Attributes:
        detail: Why, for the log; never holds what somebody typed.
    """

    detail: str


@attrs.frozen(kw_only=True)
class Lookup:
    """
    What to ask whom.

    Attributes:
        resource: The account or URL, normalised.  Says who somebody is.
        host: The name that is asked.
        url: Where, with the question in the query.
    """

    resource: str = attrs.field(repr=False)
    host: str
    url: str = attrs.field(repr=False)


def read_identifier(text: str) -> Lookup:
    """
    Normalise what somebody typed (OpenID Connect Discovery section 2.1.2).

    An account as in an e-mail address becomes ``acct:``; everything else without a
    scheme (``example.com``, ``example.com:8080``, ``example.com/alice``) becomes
    ``https://``.  A fragment is cut off.

    Raises:
        WebFingerError: It is neither, has a scheme that is not one of these, an XRI
            (``=``, ``@``, ``!``), has a password, or a host that is no name.
    """
    text = text.strip().partition("#")[0]
    if not text or len(text) > LONGEST:
        raise WebFingerError("nothing, or too much was typed")
    if text[0] in "=@!+$(":
        raise WebFingerError("an XRI")
    lower = text.lower()
    if lower.startswith(_HTTPS):
        return _of_url(_HTTPS + text[len(_HTTPS) :])
    if lower.startswith(_ACCT):
        return _of_account(text[len(_ACCT) :])
    if _account(text):
        return _of_account(text)
    if _scheme(text):
        raise WebFingerError("a scheme that is neither https nor acct")
    return _of_url(_HTTPS + text)


def read_answer(status: int, body: bytes) -> str:
    """
    Read the issuer in an answer (RFC 7033 section 4.4, Discovery section 2).

    The media type is not looked at: servers that have it wrong are many, and what is
    no JRD has no link of this relation.

    Raises:
        WebFingerError: It is no JRD, has no link of exactly that relation, or its
            ``href`` is no https URL without query and fragment.
    """
    if status != 200:
        raise WebFingerError(f"status {status}")
    if len(body) > MAX_JRD:
        raise WebFingerError(f"more than {MAX_JRD} octets")
    try:
        links = read_json_object(body).get("links")
    except TokenError as e:
        raise WebFingerError(e.detail) from None
    for link in links if isinstance(links, list) else ():
        if isinstance(link, dict) and link.get("rel") == ISSUER_REL:
            return _read_href(link.get("href"))
    raise WebFingerError("no link to an issuer")


def _read_href(href: object) -> str:
    """Give the first issuer; who lies about one is not asked for another."""
    if not isinstance(href, str):
        raise WebFingerError("href is no string")
    try:
        place = read_issuer(href)
    except UrlRefusedError as e:
        raise WebFingerError(f"href: {e.detail}") from None
    if place.is_plain:
        raise WebFingerError("href: must be https")
    return href


def _of_account(text: str) -> Lookup:
    """Make the question about an account (RFC 7565)."""
    match = _account(text)
    if match is None:
        raise WebFingerError("no account")
    local, host = match.groups()
    if ":" in local:
        raise WebFingerError("a password, or another scheme")
    # One who has escaped it already is not asked to think of our escaping.
    local = local if _is_escaped(local) else quote(local, safe=_SAFE)
    origin, host = _read_host(host)
    return _lookup(f"{_ACCT}{local}@{host}", origin, host)


def _of_url(url: str) -> Lookup:
    """Make the question about a URL."""
    authority = re.split(r"[/?]", url[len(_HTTPS) :], maxsplit=1)[0]
    user, at, place = authority.rpartition("@")
    if ":" in user or "@" in user:
        raise WebFingerError("a password")
    if user and not _is_escaped(user):
        raise WebFingerError("a user that a browser could take for a host")
    origin, host = _read_host(place)
    rest = url[len(_HTTPS) + len(authority) :]
    try:
        read_url(origin + rest)
    except UrlRefusedError as e:
        raise WebFingerError(e.detail) from None
    return _lookup(f"{_HTTPS}{user}{at}{place}{rest}", origin, host)


def _read_host(place: str) -> tuple[str, str]:
    """Give origin and host of ``host[:port]``."""
    try:
        url = read_url(_HTTPS + place)
    except UrlRefusedError as e:
        raise WebFingerError(e.detail) from None
    if url.path or url.query:
        raise WebFingerError("no host")
    return url.origin, url.host


def _is_escaped(text: str) -> bool:
    return _escaped(text) is not None


def _lookup(resource: str, origin: str, host: str) -> Lookup:
    query = urlencode({"resource": resource, "rel": ISSUER_REL})
    return Lookup(resource=resource, host=host, url=f"{origin}{_WELL_KNOWN}?{query}")
