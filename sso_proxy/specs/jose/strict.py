"""
Base64url and JSON that can be read in one way only.

Whatever has two spellings has two hashes, and caches, deny-lists and replay marks are
looked up by hash; whatever has two readings is read differently by a backend.
"""

import json
import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Sequence
from typing import Any, Final, NoReturn

from sso_proxy.errors import TokenError

MAX_DEPTH: Final = 16
"""Objects and arrays within each other."""

MAX_DIGITS: Final = 32
"""Characters of a number; Python reads long ones in quadratic time."""

_TO_STANDARD = bytes.maketrans(b"-_+/=", b"+/\0\0\0")
_FROM_STANDARD = bytes.maketrans(b"+/", b"-_")
_PADDING = (b"", None, b"==", b"=")
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)


def encode_base64url(octets: bytes) -> str:
    """Encode base64url without padding (RFC 7515 section 2)."""
    encoded = b2a_base64(octets, newline=False)
    return encoded.translate(_FROM_STANDARD, b"=").decode("ascii")


def decode_base64url(segment: bytes) -> bytes:
    """
    Decode base64url without padding (RFC 7515 section 2).

    Raises:
        TokenError: A character outside the alphabet, padding, or bits set that
            encode nothing: encoding the result would not give *segment*.
    """
    rest = len(segment) % 4
    padding = _PADDING[rest]
    if padding is None or (rest and segment[-1] not in _LAST[rest]):
        raise TokenError("base64url is not canonical", reason="token-malformed")
    try:
        return a2b_base64(segment.translate(_TO_STANDARD) + padding, strict_mode=True)
    except Error:
        raise TokenError("no base64url", reason="token-malformed") from None


def read_json_object(data: bytes) -> dict[str, Any]:
    """
    Read a JSON object in UTF-8 (RFC 8259, restricted as in RFC 7493 section 2).

    Raises:
        TokenError: It is no object, a member name occurs twice in one object, it is
            nested deeper than `MAX_DEPTH`, or has a number that is longer than
            `MAX_DIGITS` or none of JSON's, or half of a surrogate pair.
    """
    try:
        text = data.decode("utf-8")
        if text.count("{") + text.count("[") > MAX_DEPTH:
            _check_depth(text)
        text = text.strip(" \t\n\r")
        value, end = _scan(text, 0)
        if "\\u" in text:
            json.dumps(value, ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError, StopIteration):
        raise TokenError("no strict JSON", reason="token-malformed") from None
    if type(value) is not dict or end != len(text):
        raise TokenError("no JSON object", reason="token-malformed")
    return value


def _check_depth(text: str) -> None:
    """Raise ValueError if *text* is nested too deeply; it need not be JSON."""
    depth = 0
    for match in _TOKEN.finditer(text):
        character = match[0][0]
        if character in "[{":
            depth += 1
            if depth > MAX_DEPTH:
                raise ValueError("nested too deeply")
        elif character in "]}":
            depth -= 1


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of its members."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member name occurs twice")
    return members


def _read_int(digits: str) -> int:
    """Read an integer of bounded length."""
    if len(digits) > MAX_DIGITS:
        raise ValueError("the number is too long")
    return int(digits)


def _read_float(digits: str) -> float:
    """Read a number of bounded length and value."""
    number = float(digits)
    if len(digits) > MAX_DIGITS or number - number != 0:
        raise ValueError("the number is too long or too large")
    return number


def _refuse(_constant: str) -> NoReturn:
    """Refuse NaN and the infinities, which are not JSON."""
    raise ValueError("no JSON number")


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_int=_read_int,
    parse_float=_read_float,
    parse_constant=_refuse,
)
# What `raw_decode` calls; type stubs leave it out.
_scan: Final[Callable[[str, int], tuple[Any, int]]] = _DECODER.scan_once  # type: ignore[attr-defined]
