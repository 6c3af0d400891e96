"""
URIs of requests, in the one form in which they are compared (RFC 3986 section 6.2).

The path is put into the form that requests' paths are put into, so that what a client
says about its request and what we read of it come out alike: in both, duplicate slashes
are one, which goes beyond the RFC.
"""

import re
from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.authority import DEFAULT_PORTS, read_authority
from sso_proxy.specs.http.target import canonical_path

MAX_URI: Final = 8192
"""Characters of a URI."""

_split = re.compile(
    r"([A-Za-z]++)://([^/?#]++)(/[^?#]*+)?(\?[\x21\x22\x24-\x7e]*+)?(#[\x21\x22\x24-\x7e]*+)?"
).fullmatch


def normal_uri(text: str) -> str:
    """
    Give the normal form of an ``http`` or ``https`` URI, without query and fragment.

    Syntax-based normalisation (section 6.2.2): scheme and host in lower case, escapes
    in upper case, unreserved characters decoded, dot segments resolved.  Scheme-based
    (section 6.2.3): no default port, no empty port, no empty path.

    Raises:
        ValueError: It is longer than `MAX_URI`, relative, of another scheme, has user
            information or characters that a URI cannot have, or is one of those that
            no request here could be for, such as one that climbs above the root.
    """
    origin, path = _read(text)
    return origin + path


def read_origin(text: str) -> str:
    """
    Give the normal form of an origin, as in ``https://api.example.com:8443``.

    Raises:
        ValueError: As for `normal_uri`, or there is a path, a query or a fragment.
    """
    origin, path = _read(text)
    if path != "/" or "?" in text or "#" in text:
        raise ValueError("an origin has no path, query or fragment")
    return origin


def build_origin(scheme: str, host: str, port: int) -> str:
    """
    Put an origin together.

    Args:
        scheme: ``http`` or ``https``.
        host: As `RequestHead` has it.
        port: Left out if it is the scheme's default.
    """
    if port == DEFAULT_PORTS[scheme]:
        return f"{scheme}://{host}"
    return f"{scheme}://{host}:{port}"


def _read(text: str) -> tuple[str, str]:
    """Give the normal origin and the normal path."""
    if len(text) > MAX_URI:
        raise ValueError("the URI is too long")
    match = _split(text)
    scheme = match[1].lower() if match is not None else ""
    if match is None or scheme not in DEFAULT_PORTS:
        raise ValueError("no http or https URI")
    try:
        host, port = read_authority(match[2].removesuffix(":"))
        path = canonical_path(match[3] or "/")
    except BadMessageError as e:
        raise ValueError(f"the URI cannot be read: {e.reason}") from None
    return build_origin(scheme, host, port or DEFAULT_PORTS[scheme]), path
