"""
The one canonical form of a request's path (RFC 3986 section 6.2.2).

Rules are matched against this form and the backend gets this form, so there is no
second spelling that a rule does not see.
"""

import re
from typing import Final

from sso_proxy.errors import BadMessageError

PATH_CHARACTERS: Final = r"A-Za-z0-9\-._~!$&'()*+,;=:@%/"
"""What may stand in a path (RFC 3986 section 3.3), for a regular expression's class.
Raw ``"<>\\^`{|}[]`` may not: servers pass, encode, cut at or convert them."""

_FIRST = r"[A-Za-z0-9\-_~!$&'()*+,=:@]"
_REST = r"[A-Za-z0-9\-._~!$&'()*+,=:@]"
CANONICAL: Final = re.compile(f"(?:/{_FIRST}{_REST}*+)++/?+|/")
"""Paths that are canonical without a closer look: no ``%``, ``;``, ``//`` or ``/.``"""

_is_canonical = CANONICAL.fullmatch
_is_path = re.compile(f"/[{PATH_CHARACTERS}]*+").fullmatch
_escape = re.compile("%(..?)?", re.DOTALL)

# What decoders that do not check take for ``/`` and ``.``: UTF-8 in more octets than
# it needs, which RFC 3629 section 3 forbids.
_overlong = re.compile("%C[01]%[89AB]|%E0%[89]|%F0%8").search

_UNRESERVED: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_HEX: Final = "0123456789ABCDEFabcdef"
_ESCAPES: Final = {
    high + low: chr(octet) if chr(octet) in _UNRESERVED else f"%{octet:02X}"
    for high in _HEX
    for low in _HEX
    if (octet := int(high + low, 16)) > 0x1F and octet != 0x7F
}
"""Two hexadecimal digits, to what stands in a canonical path; controls are missing."""

_delimiter_escape = re.compile("%(?:2[146789ABC]|3[AD]|40)")
_parameters = re.compile("(?:;|%3B)[^/]*+")

_SLASHES: Final[tuple[tuple[str, ...], ...]] = (("%2F",), ("%5C",), ("%2F", "%5C"))
"""What a backend may take for slashes together."""


def is_canonical(path: str) -> bool:
    """
    Say whether *path* is plainly canonical: no escapes, no parameters, no dots first.

    True implies that `canonical_path` gives *path* back; False says nothing.
    """
    return _is_canonical(path) is not None


def is_settled(raw: str) -> bool:
    """
    Say whether *raw* has no empty or dot segments, however they are written.

    Where `canonical_path` reads it, all that changes is then how characters are
    written, which nobody who follows RFC 3986 section 6.2.2 reads otherwise.
    """
    path = _escape.sub(_unescape_or_keep, raw) if "%" in raw else raw
    segments = path.split("/")
    return not any(_is_dot(_parameters.sub("", each)) for each in segments) and all(
        segments[1:-1]
    )


def _unescape_or_keep(match: re.Match[str]) -> str:
    return _ESCAPES.get(match[1], match[0])


def canonical_path(raw: str) -> str:
    """
    Give the canonical form of an absolute path without query.

    Escapes are upper-cased, unreserved characters decoded, then dot segments and
    duplicate slashes resolved.  ``%2F`` and ``%5C`` stay as they are.

    Raises:
        BadMessageError: 400: a character or escape that a path cannot have, an
            escaped control character, overlong UTF-8, a dot segment with parameters,
            or one that climbs above the root.  RFC 3986 section 5.2.4 would stop at
            the root; but a client that resolves its links never sends such a path,
            and servers differ.
    """
    if _is_canonical(raw):
        return raw
    if not _is_path(raw):
        raise BadMessageError(400, "path-characters")
    path = _escape.sub(_unescape, raw) if "%" in raw else raw
    if _overlong(path):
        raise BadMessageError(400, "path-overlong")
    return _resolve(path) if "/." in path or "//" in path else path


def _unescape(match: re.Match[str]) -> str:
    """Give what stands for one escape."""
    try:
        return _ESCAPES[match[1]]
    except KeyError:
        raise BadMessageError(400, "path-escape") from None


def _resolve(path: str) -> str:
    """Take out empty and dot segments (RFC 3986 section 5.2.4)."""
    segments = path.split("/")[1:]
    kept: list[str] = []
    for segment in segments:
        if segment == "..":
            if not kept:
                raise BadMessageError(400, "path-above-root")
            kept.pop()
        elif segment and segment != ".":
            if _is_dot(_parameters.sub("", segment)):
                # Tomcat takes the parameters off first: ``/public/..;/admin``.
                raise BadMessageError(400, "path-dot-parameters")
            kept.append(segment)
    if kept and segments[-1] in ("", ".", ".."):
        kept.append("")
    return "/" + "/".join(kept)


def _is_dot(segment: str) -> bool:
    return segment in (".", "..")


def has_encoded_slash(path: str) -> bool:
    """Say whether a canonical path holds ``%2F`` or ``%5C``."""
    return "%" in path and ("%2F" in path or "%5C" in path)


def has_parameters(path: str) -> bool:
    """Say whether a canonical path holds ``;``, escaped or not."""
    return ";" in path or "%3B" in path


def strip_parameters(path: str) -> str:
    """
    Take ``;`` and what follows it off every segment of a canonical path.

    What is left is made canonical again: a segment may have become empty.
    """
    if not has_parameters(path):
        return path
    return canonical_path(_parameters.sub("", path))


def readings(path: str) -> set[str]:
    """
    Give *path*, which is canonical, as any backend may read it.

    Some take ``%2F`` or ``%5C`` or both for slashes, and then resolve dot segments;
    some take parameters off the segments, before that or after it.

    Raises:
        BadMessageError: 400: one of them has no canonical form.
    """
    if not (has_parameters(path) or has_encoded_slash(path)):
        return {path}
    found = {path, strip_parameters(path)}
    for each in [*found]:
        for slashes in _SLASHES:
            if any(slash in each for slash in slashes):
                read = each
                for slash in slashes:
                    read = read.replace(slash, "/")
                read = canonical_path(read)
                found |= {read, strip_parameters(read)}
    return found


def matching_path(path: str) -> str:
    """
    Give the form of a canonical path that rules compare.

    Also decodes what RFC 3986 section 2.2 keeps apart (``%40`` from ``@``) although
    nearly every application takes it for the same; slashes, ``;`` and ``%`` excepted.
    Both sides of a comparison need it.  Never for the backend.
    """
    if "%" not in path:
        return path
    return _delimiter_escape.sub(lambda match: chr(int(match[0][1:], 16)), path)
