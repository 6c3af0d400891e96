"""
Values of ours in header fields: claims, user names and the like.

They come from an identity provider or a directory, so they are as hostile as anything
that a client sends: CR and LF would add fields (A17), and two names that are sent alike
would be one user (A21).

The rule for names that are not plain: visible ASCII and single blanks inside go as they
are; ``%``, blanks at either end, and everything beyond ASCII are sent as the percent
escapes of their UTF-8 octets.  Percent-decoding gives the value back, and no two values
are sent alike.  Control characters are refused.
"""

import re
from typing import Final
from unicodedata import category

_LONGEST: Final = 8192
"""Octets of a value on the wire."""

_is_plain = re.compile(
    r"(?:[\x21-\x24\x26-\x7e](?:[\x20-\x24\x26-\x7e]*+(?<! ))?+)?"
).fullmatch
_special = re.compile(r"^ ++| ++$|[^\x20-\x24\x26-\x7e]")
_is_sendable = re.compile(
    r"(?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*+(?<![ \t]))?+)?"
).fullmatch


def check_value(value: str) -> None:
    """
    Check that a value can be sent as it is, octet for character.

    Raises:
        ValueError: A control character, a blank at an end (it would be lost), a
            character beyond Latin-1, or too long.
    """
    if len(value) > _LONGEST:
        raise ValueError("the value is too long for a header field")
    if not _is_sendable(value):
        raise ValueError("the value has characters that a header field cannot hold")


def encode_value(value: str) -> bytes:
    """
    Encode any text for a header field, by the rule above.

    Raises:
        ValueError: A control character, half of a surrogate pair, or too long.
    """
    if len(value) <= _LONGEST and _is_plain(value):
        return value.encode("ascii")
    if len(value) > _LONGEST:
        raise ValueError("the value is too long for a header field")
    if any(category(char) in ("Cc", "Cs") for char in value):
        raise ValueError("the value has a control character")
    encoded = _special.sub(_escape, value).encode("ascii")
    if len(encoded) > _LONGEST:
        raise ValueError("the value is too long for a header field")
    return encoded


def _escape(match: re.Match[str]) -> str:
    return "".join(f"%{octet:02X}" for octet in match[0].encode())
