"""
What a directory sends, looked at before it is decoded.

The decoder recurses, copies what is left after each element, and passes over what it
does not know: octets that nobody has looked at would keep us busy.
"""

from typing import Final

MOST_OCTETS: Final = 2**19
"""Of a message."""
MOST_ELEMENTS: Final = 5000
"""Of a message, the ones within others included."""
_DEEPEST: Final = 8
_STRUCTURED: Final = 0x20
_SEQUENCE: Final = 0x30
_KNOWN: Final = frozenset(
    {
        *(0x01, 0x02, 0x04, 0x0A, 0x30, 0x31),
        # Answers: bind, entry, search done, reference, extended.
        *(0x61, 0x64, 0x65, 0x73, 0x78),
        # Controls, referral, SASL credentials, name and value of extended answers.
        *(0xA0, 0xA3, 0x87, 0x8A, 0x8B),
    }
)
_ANSWERS: Final = frozenset({0x61, 0x64, 0x65, 0x73, 0x78})


class WireError(ValueError):
    """That is no message of the protocol, or one that is too long."""


def message_length(data: bytes | bytearray) -> int:
    """
    Give the length of the message that *data* begins with; 0 if that is not known yet.

    Raises:
        WireError: It is too long, or none.
    """
    if not data:
        return 0
    if data[0] != _SEQUENCE:
        raise WireError("no sequence")
    if len(data) < 2:
        return 0
    first = data[1]
    if first < 0x80:
        return 2 + first
    octets = first & 0x7F
    if not 1 <= octets <= 4:
        raise WireError("a length that is none")
    if len(data) < 2 + octets:
        return 0
    length = 2 + octets + int.from_bytes(data[2 : 2 + octets], "big")
    if length > MOST_OCTETS:
        raise WireError("too long")
    return length


def check_message(message: bytes) -> None:
    """
    Check that *message* is one answer, whole, of known elements, not too many.

    Raises:
        WireError: It is not.
    """
    left = MOST_ELEMENTS
    todo = [(0, len(message), 0)]
    top: list[int] = []
    while todo:
        at, end, depth = todo.pop()
        while at < end:
            left -= 1
            tag, begin, after = _element(message, at, end)
            if left < 0 or depth > _DEEPEST:
                raise WireError("too much")
            if depth == 1:
                top.append(tag)
            if tag & _STRUCTURED:
                todo.append((begin, after, depth + 1))
            at = after
    if top[:1] != [0x02] or len(top) not in {2, 3} or top[1] not in _ANSWERS:
        raise WireError("no answer")


def _element(message: bytes, at: int, end: int) -> tuple[int, int, int]:
    """Give the tag of the element at *at*, where its content begins, and ends."""
    if at + 2 > end:
        raise WireError("cut off")
    tag, first = message[at], message[at + 1]
    begin, length = at + 2, first
    if first >= 0x80:
        octets = first & 0x7F
        begin += octets
        if not 1 <= octets <= 4 or begin > end:
            raise WireError("a length that is none")
        length = int.from_bytes(message[at + 2 : begin], "big")
    if tag not in _KNOWN or begin + length > end:
        raise WireError("an element that is none")
    return tag, begin, begin + length
