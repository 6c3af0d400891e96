r"""
Where a browser may be sent after it has logged in or out: to this origin alone.

The target is read with what reads requests, so that there is no second opinion on what
it means.  Then it must also be harmless to those who read it more loosely than we do:
browsers that take ``\`` for ``/`` and leave tabs out, and servers that decode a path
once more before they redirect to it (CVE-2019-14857, CVE-2019-20479, CVE-2021-32786,
CVE-2022-23527 and many others).
"""

import re
from typing import Final
from unicodedata import normalize
from urllib.parse import unquote_to_bytes

import attrs

from sso_proxy.errors import BadMessageError, SsoProxyError
from sso_proxy.specs.http.target import canonical_path
from sso_proxy.specs.http.uri import MAX_URI, build_origin, read_origin

_absolute = re.compile(r"(https?://[^/?]*+)(.*+)", re.DOTALL).fullmatch
_split = re.compile(r"(/[^?#]*+)(\?[\x21\x22\x24-\x7e]*+)?").fullmatch
_scheme = re.compile(r"(?i)\s*(?:https?|javascript|vbscript|data)\s*:").match
_control = re.compile(r"[\x00-\x1f\x7f-\x9f]").search
_MOST_ENCODED: Final = 4
"""How often a path may be escaped on top of being escaped."""

_SLASHES: Final = ("\\", "\u2044", "\u2215")


@attrs.frozen
class TargetError(SsoProxyError):
    """
    A browser must not be sent there.

    Attributes:
        detail: Why, for the log; never holds the target.
    """

    detail: str


def read_target(text: str, *, host: str, port: int, scheme: str) -> str:
    r"""
    Give the canonical path and query that *text* means on the origin given.

    Args:
        text: Path and query, or a URL of the same origin; what a request's canonical
            path and its query give together is taken as it is.
        host: As `RequestHead` has it.
        port: The port that the browser uses.
        scheme: ``https`` or ``http``.

    Returns:
        Begins with exactly one slash; safe in ``Location`` as it is.

    Raises:
        TargetError: It is of another origin or of none (``javascript:``), longer than
            `MAX_URI`, has a fragment, begins with two slashes, or cannot be read as a
            request's target could; or who decodes it, takes ``\`` for a slash, or
            joins what Unicode calls compatible, would see one of these.
    """
    if len(text) > MAX_URI:
        raise TargetError("it is too long")
    absolute = _absolute(text)
    if absolute is not None:
        origin, text = absolute.groups()
        _check_origin(origin, build_origin(scheme, host, port))
        text = text if text.startswith("/") else f"/{text}"
    match = _split(text)
    if match is None:
        raise TargetError("it is no path and query of this origin")
    _check_loosely(match[1])
    try:
        path = canonical_path(match[1])
    except BadMessageError as e:
        raise TargetError(f"its path cannot be read: {e.reason}") from None
    if path != match[1]:
        _check_loosely(path)
    return path + (match[2] or "")


def _check_origin(text: str, ours: str) -> None:
    """Raise TargetError unless *text* is the origin *ours*."""
    try:
        origin = read_origin(text)
    except ValueError:
        raise TargetError("its origin cannot be read") from None
    if origin != ours:
        raise TargetError("it is of another origin")


def _check_loosely(path: str) -> None:
    """Raise TargetError if a loose reader could see another origin in *path*."""
    seen = _read_loosely(path)
    if _control(seen):
        raise TargetError("its path hides a control character")
    asked = seen.split("/")[1:]
    segments: list[str] = []
    for segment in asked:
        if segment == "..":
            del segments[-1:]
        elif segment != ".":
            segments.append(segment)
    if asked[-1] in ("..", "."):
        segments.append("")
    if seen.startswith("//") or (len(segments) > 1 and not segments[0].strip()):
        raise TargetError("its path hides two slashes at its beginning")
    if _scheme("/".join(segments)) or _scheme(seen[1:]):
        raise TargetError("its path hides another URL")


def _read_loosely(path: str) -> str:
    """Decode *path* until there is nothing to decode, and take all slashes for one."""
    for _ in range(_MOST_ENCODED):
        decoded = unquote_to_bytes(path).decode("utf-8", "replace")
        if not decoded.isascii():
            decoded = normalize("NFKC", decoded)
        for slash in _SLASHES:
            decoded = decoded.replace(slash, "/")
        if decoded == path:
            return path
        path = decoded
    raise TargetError("its path is escaped again and again")
