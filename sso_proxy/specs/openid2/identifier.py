"""
URLs that somebody types or a document names, in their one form (sections 7.2 and 11.5).

Two spellings of one identifier would be two people; and a spelling that different
programs read as different hosts would be whoever owns the other one.
"""

import re
from typing import Final
from urllib.parse import quote

import attrs

from sso_proxy.errors import BadMessageError, SsoProxyError
from sso_proxy.specs.http.authority import DEFAULT_PORTS, read_authority
from sso_proxy.specs.http.uri import build_origin
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url

LONGEST: Final = 1024
"""Characters of what somebody types."""

_XRI_FIRST: Final = "=@+$!("
_XRI: Final = "xri://"
_ASCII: Final = "".join(map(chr, range(0x21, 0x7F)))

_scheme = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*+:(?!\d)").match
_web = re.compile(r"(?i:(https?))://(.*)", re.DOTALL).fullmatch
_escape = re.compile("%(..?)?", re.DOTALL)
_hex = re.compile("[0-9A-Fa-f]{2}").fullmatch
_unreserved = re.compile(r"[A-Za-z0-9._~-]").fullmatch
_forbidden = re.compile(r"[\x00-\x20\x7f-\xa0\\]").search


@attrs.frozen
class IdentifierError(SsoProxyError):
    """
    What was given is no identifier that anybody could log in with.

    Attributes:
        reason: A short code: ``openid-xri``, ``openid-identifier``.
        detail: Why, for the log; never holds what was given.
    """

    reason: str
    detail: str


def read_identifier(text: str, *, scheme: str = "http") -> str:
    """
    Normalise what somebody typed (section 7.2).

    Args:
        text: What was typed.
        scheme: What is meant without a scheme: ``http``, as the standard has it, or
            ``https`` where nothing else is taken.

    Returns:
        The URL without its fragment.

    Raises:
        IdentifierError: It is an XRI (``=name``), an e-mail address, has a user or a
            password, another scheme, or cannot be read in one way.
    """
    text = text.strip()
    if not text or len(text) > LONGEST:
        raise _refused("nothing, or too much was typed")
    lower = text.lower()
    if lower.startswith(_XRI) or text[0] in _XRI_FIRST:
        raise IdentifierError("openid-xri", "an XRI")
    if not _web(text):
        if _scheme(text):
            raise _refused("a scheme that is neither https nor http")
        text = f"{scheme}://{text}"
    if _forbidden(text):
        raise _refused("white space, a control character or a backslash")
    try:
        return normal_url(quote(text, safe=_ASCII))
    except UnicodeEncodeError:
        raise _refused("half of a character") from None


def normal_url(url: str) -> str:
    """
    Give the normal form of a URL, without its fragment (RFC 3986 section 6.2).

    Scheme and host in lower case, no default port, escapes in upper case, unreserved
    characters decoded, dot segments resolved, no empty path.  Its query stays.

    Raises:
        IdentifierError: It cannot be read in one way.
    """
    match = _web(without_fragment(url))
    if match is None:
        raise _refused("no https or http URL")
    scheme = match[1].lower()
    try:
        parts = read_url(f"{scheme}://{_unescape(match[2])}")
        host, port = read_authority(parts.origin.removeprefix(f"{scheme}://"))
    except UrlRefusedError as e:
        raise _refused(e.detail) from None
    except BadMessageError:
        raise _refused("its host cannot be read") from None
    origin = build_origin(scheme, host, port or DEFAULT_PORTS[scheme])
    return f"{origin}{_resolve(parts.path)}{parts.query}"


def without_fragment(url: str) -> str:
    """
    Take the fragment off an identifier.

    Providers tell the owners of one URL by it, one after the other (section 11.5.1).
    """
    return url.partition("#")[0]


def _unescape(text: str) -> str:
    """Decode escapes of unreserved characters, and put the others in upper case."""

    def one(match: re.Match[str]) -> str:
        digits = match[1] or ""
        if not _hex(digits):
            raise _refused("an escape that is none")
        octet = chr(int(digits, 16))
        if octet < " " or octet == "\x7f":
            raise _refused("an escaped control character")
        return octet if _unreserved(octet) else f"%{digits.upper()}"

    authority = re.split("[/?]", text, maxsplit=1)[0]
    if "%" in authority:  # names have none: what it stands for could be a delimiter
        raise _refused("its host cannot be read")
    return _escape.sub(one, text)


def _resolve(path: str) -> str:
    """
    Resolve dot segments (RFC 3986 section 5.2.4); empty segments stay.

    Raises:
        IdentifierError: It climbs above the root.
    """
    kept: list[str] = []
    segments = path.split("/")[1:]
    for segment in segments:
        if segment == "..":
            if not kept:
                raise _refused("a path that climbs above the root")
            kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments and segments[-1] in {".", ".."}:
        kept.append("")
    return "/" + "/".join(kept)


def _refused(detail: str) -> IdentifierError:
    return IdentifierError("openid-identifier", detail)
