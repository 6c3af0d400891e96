"""
Where a message head ends, and what its field lines say (RFC 9112 sections 2 and 5).

One reading for requests, answers and trailers.  Everything that two readers could take
apart differently is refused: bare CR or LF, folded lines, blanks before the colon,
control characters.
"""

import re
from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers
from sso_proxy.specs.http.limits import HeadLimits

_PRINTABLE: Final = bytes([9, *range(0x20, 0x7F), *range(0x80, 0x100)])

LEGAL: Final = b"\r\n" + _PRINTABLE
"""Octets that a head may hold: no controls but HTAB, and CR and LF in pairs."""

TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
"""One ``tchar`` (RFC 9110 section 5.6.2), for regular expressions."""

COMMON_NAMES: Final = (
    *("Accept", "Accept-Encoding", "Accept-Language", "Accept-Ranges", "Age"),
    *("Access-Control-Allow-Credentials", "Access-Control-Allow-Headers"),
    *("Access-Control-Allow-Methods", "Access-Control-Allow-Origin"),
    *("Access-Control-Expose-Headers", "Access-Control-Max-Age"),
    *("Access-Control-Request-Headers", "Access-Control-Request-Method"),
    *("Allow", "Alt-Svc", "Authorization", "Cache-Control", "Connection"),
    *("Content-Disposition", "Content-Encoding", "Content-Language"),
    *("Content-Length", "Content-Location", "Content-Range"),
    *("Content-Security-Policy", "Content-Type", "Cookie", "DNT", "DPoP", "Date"),
    *("ETag", "Expect", "Expires", "Forwarded", "From", "Host", "If-Match"),
    *("If-Modified-Since", "If-None-Match", "If-Range", "If-Unmodified-Since"),
    *(
        "Keep-Alive",
        "Last-Modified",
        "Link",
        "Location",
        "Origin",
        "Permissions-Policy",
    ),
    *("Pragma", "Priority", "Range", "Referer", "Referrer-Policy", "Retry-After"),
    *("Sec-CH-UA", "Sec-CH-UA-Mobile", "Sec-CH-UA-Platform", "Sec-Fetch-Dest"),
    *("Sec-Fetch-Mode", "Sec-Fetch-Site", "Sec-Fetch-User", "Sec-GPC", "Server"),
    *("Sec-WebSocket-Accept", "Sec-WebSocket-Extensions", "Sec-WebSocket-Key"),
    *("Sec-WebSocket-Protocol", "Sec-WebSocket-Version", "Server-Timing"),
    *("Set-Cookie", "Strict-Transport-Security", "TE", "Trailer"),
    *("Transfer-Encoding", "Upgrade", "Upgrade-Insecure-Requests", "User-Agent"),
    *("Vary", "Via", "WWW-Authenticate", "X-Content-Type-Options"),
    *("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Port"),
    *("X-Forwarded-Proto", "X-Frame-Options", "X-Powered-By", "X-Request-Id"),
    *("X-Requested-With", "X-XSS-Protection", "sec-ch-ua", "sec-ch-ua-mobile"),
    *("sec-ch-ua-platform",),
)
"""Names as most clients and servers spell them, so that they need no check."""

_WINDOW: Final = 4096
"""Octets at the end of an unfinished head that are looked at each time it grows."""

_is_token = re.compile(TCHAR + "++").fullmatch
_starts_method = re.compile(TCHAR.encode()).match


class _LowerNames(dict[str, str]):
    """Field names as received, to their lower case; others are checked each time."""

    def __missing__(self, name: str) -> str:
        if _is_token(name):
            return name.lower()
        if not name:
            raise BadMessageError(400, "field-name-empty")
        if name[0] in " \t":
            raise BadMessageError(400, "field-folded")
        if name[-1] in " \t":
            raise BadMessageError(400, "field-blank-before-colon")
        raise BadMessageError(400, "field-name")


_LOWER: Final = _LowerNames(
    {name: name.lower() for name in COMMON_NAMES}
    | {name.lower(): name.lower() for name in COMMON_NAMES}
)


_ALIKE: Final = frozenset(
    name.lower()
    for name in COMMON_NAMES
    if name.startswith(("Accept", "Cache", "Sec-CH", "Sec-Fetch", "sec-ch"))
    or name in {"Connection", "DNT", "Host", "Pragma", "Priority", "Server", "TE"}
    or name in {"Upgrade-Insecure-Requests", "User-Agent", "Vary", "Content-Type"}
)
"""Fields whose lines thousands of messages share, and that hold no secret."""

_LONGEST_KNOWN: Final = 256
_MOST_KNOWN: Final = 2048
_KNOWN_LINES: Final[dict[str, tuple[str, str]]] = {}
"""What such lines say: a pure function's results, bounded, since clients make them."""


def words(text: str) -> frozenset[str]:
    """Make a set of the words of *text*."""
    return frozenset(text.split())


def is_token(text: str) -> bool:
    """Say whether *text* is a token (RFC 9110 section 5.6.2)."""
    return _is_token(text) is not None


def end_of_head(buffer: bytes, limits: HeadLimits) -> int:
    """
    Find the index after the empty line that ends the head; -1 if more is needed.

    Budgets hold for what has come so far, so that a client cannot make us buffer
    more than they allow.  What `read_request` would refuse anyway is refused here
    as soon as it is seen.

    Args:
        buffer: All that came since the last message ended.
        limits: The budgets.

    Raises:
        BadMessageError: 400, 414 or 431; the rest of the head need not be read.
    """
    if not buffer:
        return -1
    if _starts_method(buffer) is None:
        # Also RFC 9112 section 2.2's empty line before a request: servers differ in
        # how many they skip.  And TLS on a plain port.
        raise BadMessageError(400, "request-start")
    line = buffer.find(b"\r\n", 0, limits.request_line + 2)
    if line < 0:
        if len(buffer) > limits.request_line + 1:
            raise BadMessageError(414, "request-line-too-long")
        check_unfinished(buffer)
        return -1
    end = buffer.find(b"\r\n\r\n", line)
    fields = (end if end >= 0 else len(buffer) - 3) - line
    if fields > limits.header_bytes:
        raise BadMessageError(431, "headers-too-long")
    if end >= 0:
        return end + 4
    if buffer.count(b"\r\n", line + 2) > limits.headers:
        raise BadMessageError(431, "too-many-headers")
    check_unfinished(buffer)
    return -1


def check_unfinished(buffer: bytes) -> None:
    """
    Refuse a head that will not become legal, before it is complete.

    Looks at the last octets only, so that a head that comes octet by octet costs
    little; the whole is checked when it is complete.

    Raises:
        BadMessageError: A control character, a bare CR or a bare LF.
    """
    tail = buffer[-_WINDOW:]
    if tail.translate(None, LEGAL):
        raise BadMessageError(400, "control-character")
    pairs = tail.count(b"\r\n")
    lost = len(buffer) > _WINDOW and tail[0] == 10
    if tail.count(b"\n") - lost != pairs or (
        tail.count(b"\r") - tail.endswith(b"\r") != pairs
    ):
        raise BadMessageError(400, "bare-line-end")


def split_head(data: bytes) -> list[str]:
    """
    Split a whole head into its first line and its field lines, without CRLF.

    Args:
        data: Through the empty line, and nothing after it.

    Raises:
        BadMessageError: A control character, a bare CR or LF, or no end.
    """
    lines = data.decode("latin-1").split("\r\n")
    if data.translate(None, _PRINTABLE) != b"\r\n" * (len(lines) - 1):
        unfit = data.translate(None, LEGAL)
        raise BadMessageError(400, "control-character" if unfit else "bare-line-end")
    if not data.endswith(b"\r\n\r\n"):
        raise BadMessageError(400, "head-unfinished")
    del lines[-2:]
    return lines


def read_fields(lines: list[str]) -> Headers:
    """
    Read field lines that hold no control character but HTAB (RFC 9112 section 5).

    Raises:
        BadMessageError: 400: no colon, a name that is no token, a folded line
            (section 5.2), or a blank before the colon (section 5.1).
    """
    known = _KNOWN_LINES
    return tuple([known.get(line) or _read_line(line) for line in lines])


def _read_line(line: str) -> tuple[str, str]:
    """Read one field line, and remember it if others send the same."""
    name, colon, value = line.partition(":")
    if not colon:
        reason = "field-folded" if name[:1] in (" ", "\t") else "field-no-colon"
        raise BadMessageError(400, reason)
    field = (_LOWER[name], value.strip(" \t"))
    if field[0] in _ALIKE and len(line) <= _LONGEST_KNOWN:
        if len(_KNOWN_LINES) >= _MOST_KNOWN:
            _KNOWN_LINES.clear()
        _KNOWN_LINES[line] = field
    return field
