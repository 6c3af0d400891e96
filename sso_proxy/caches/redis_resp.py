"""
The protocol of Redis (RESP2): commands out, replies in.

Whoever answers is not trusted with our memory: every length that it names is checked
before anything is kept for it, and a reply is bounded as a whole.
"""

import re
from typing import Final, TypeAlias, Union

import attrs

from sso_proxy.errors import SsoProxyError

MOST: Final = 2**24
"""What a whole reply may take: octets, and 64 more for each of its parts."""

_LINE: Final = 4096
"""Octets of a line: a status, a number, or the text of an error."""
_PART: Final = 64
_DEPTH: Final = 4
_NUMBER: Final = re.compile(rb"-?[0-9]{1,18}")
_HIDDEN: Final = re.compile(
    rb"(?<=: -)(?:READONLY|OOM|MISCONF|NOREPLICAS|MASTERDOWN)(?= )"
)
_CODE: Final = re.compile(rb"[A-Z]{1,32}(?![^ ])")

Reply: TypeAlias = Union[bytes, int, "ErrorReply", list["Reply"], None]
"""A status and a string are both bytes; what is not there is None."""


class RespError(SsoProxyError):
    """What came is no reply of a Redis server, or too much."""


@attrs.frozen
class ErrorReply:
    """
    The server will not do something.

    Attributes:
        text: What it says.  May quote what we sent: never for a log.
    """

    text: bytes = attrs.field(repr=False)

    @property
    def code(self) -> str:
        """Give the first word, if it is a code; older servers hide those of scripts."""
        found = _CODE.match(self.text)
        inner = _HIDDEN.search(self.text) or found
        if found is None or inner is None:
            return "ERR"
        return (inner if found[0] == b"ERR" else found)[0].decode("ascii")


def encode(arguments: tuple[bytes, ...]) -> bytes:
    """Build a command."""
    parts = [b"*%d\r\n" % len(arguments)]
    for argument in arguments:
        parts += (b"$%d\r\n" % len(argument), argument, b"\r\n")
    return b"".join(parts)


class Reader:
    """
    Reads replies from octets as they come.

    Args:
        most: What a whole reply may take.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._buffer = bytearray()
        self._at = 0
        self._bulk: int | None = None
        self._open: list[tuple[list[Reply], int]] = []
        self._taken = 0

    def feed(self, data: bytes) -> list[Reply]:
        """
        Take *data*; gives the replies that are whole now.

        Raises:
            RespError: This is no reply, or too long a one.
        """
        self._buffer += data
        replies: list[Reply] = []
        while True:
            part = self._read_bulk() if self._bulk is not None else self._read_line()
            if part is None:
                break
            for value in part:
                replies += self._place(value)
        del self._buffer[: self._at]
        self._at = 0
        return replies

    def _read_line(self) -> tuple[Reply, ...] | None:
        """Read a part's first line: gives its value, nothing yet, or None for wait."""
        end = self._buffer.find(b"\r\n", self._at, self._at + _LINE)
        if end < 0:
            if len(self._buffer) - self._at >= _LINE:
                raise RespError("a line without end")
            return None
        kind, text = (
            self._buffer[self._at : self._at + 1],
            self._buffer[self._at + 1 : end],
        )
        self._at = end + 2
        self._take(len(text))
        match bytes(kind):
            case b"+":
                return (bytes(text),)
            case b"-":
                return (ErrorReply(bytes(text)),)
            case b":":
                return (_number(text),)
            case b"$":
                return self._begin_bulk(_number(text))
            case b"*":
                return self._begin_array(_number(text))
            case _:
                raise RespError("something else than a reply")

    def _begin_bulk(self, length: int) -> tuple[Reply, ...]:
        if length == -1:
            return (None,)
        if length < 0:
            raise RespError("a negative length")
        self._take(length)
        self._bulk = length
        return ()

    def _begin_array(self, count: int) -> tuple[Reply, ...]:
        if count == -1:
            return (None,)
        if count < 0 or len(self._open) >= _DEPTH:
            raise RespError("an array that cannot be")
        if self._taken + count * _PART > self._most:
            raise RespError("too long a reply")
        if count == 0:
            return ([],)
        self._open.append(([], count))
        return ()

    def _read_bulk(self) -> tuple[Reply, ...] | None:
        if self._bulk is None or len(self._buffer) < self._at + self._bulk + 2:
            return None
        end = self._at + self._bulk
        value = bytes(self._buffer[self._at : end])
        if self._buffer[end : end + 2] != b"\r\n":
            raise RespError("a string of another length than said")
        self._at, self._bulk = end + 2, None
        return (value,)

    def _place(self, value: Reply) -> list[Reply]:
        """Put *value* where it belongs; gives the reply if that is whole now."""
        while self._open:
            items, count = self._open[-1]
            items.append(value)
            if len(items) < count:
                return []
            value = items
            self._open.pop()
        self._taken = 0
        return [value]

    def _take(self, octets: int) -> None:
        self._taken += octets + _PART
        if self._taken > self._most:
            raise RespError("too long a reply")


def _number(text: bytes | bytearray) -> int:
    if not _NUMBER.fullmatch(text):
        raise RespError("a number that is none")
    return int(text)
