"""The chunked transfer coding (RFC 9112 section 7.1), strictly."""

import re
from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.head import LEGAL, TCHAR, read_fields

LAST_CHUNK: Final = b"0\r\n\r\n"
"""What ends a chunked body that has no trailers."""

_SIZE_LINE: Final = 256
"""Octets of a chunk's first line, its extensions included."""
_TRAILER_LINE: Final = 8192
_TRAILER_BYTES: Final = 16384
_TRAILERS: Final = 64
_WASTE: Final = 16384
"""Octets of framing that may exceed what chunks of a sensible size need: chunks of an
octet with a long extension each cost much and carry nothing (CVE-2023-39326)."""

_read_size = re.compile(
    rb"([0-9A-Fa-f]{1,16}+)"
    rb"(?:;T++(?:=(?:T++|\"(?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]"
    rb"|\\[\t\x20-\x7e\x80-\xff])*+\"))?)*+".replace(b"T", TCHAR.encode())
).fullmatch


class ChunkedDecoder:
    """
    Takes a chunked body apart, however it is cut.

    Attributes:
        finished: The end was seen.
        leftover: What came after the end; set once finished.
    """

    __slots__ = (
        "_at_data_end",
        "_held",
        "_in_trailers",
        "_left",
        "_trailer_bytes",
        "_trailers",
        "_waste",
        "finished",
        "leftover",
    )

    def __init__(self) -> None:
        self.finished = False
        self.leftover = b""
        self._held = b""
        self._left = 0
        self._at_data_end = False
        self._in_trailers = False
        self._trailers = 0
        self._trailer_bytes = 0
        self._waste = 0

    def feed(self, data: bytes) -> list[bytes]:
        """
        Take the next octets and give what is payload in them.

        Trailers are checked and dropped: merged into the head they would get past
        every decision.

        Raises:
            BadMessageError: 400: not exactly the coding, or too much framing for
                what it carries.  431: too many or too long trailers.
        """
        pieces: list[bytes] = []
        if self.finished:
            self.leftover += data
            return pieces
        at = 0
        if self._held:
            data = self._held + data
            self._held = b""
        while at < len(data):
            if self._left:
                piece = data  # not a copy of all of it
                if at or len(data) > self._left:
                    piece = data[at : at + self._left]
                pieces.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._at_data_end = not self._left
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                self._hold(data[at:])
                break
            last = self._take_line(data[at:end])
            at = end + 2
            if last:
                self.finished = True
                self.leftover = data[at:]
                break
        return pieces

    def _hold(self, rest: bytes) -> None:
        """Keep an unfinished line, or refuse what cannot become a good one."""
        bare = rest.removesuffix(b"\r")
        if b"\n" in bare or b"\r" in bare or (self._at_data_end and bare):
            raise BadMessageError(400, "chunk-line-end")
        if len(bare) > (_TRAILER_LINE if self._in_trailers else _SIZE_LINE):
            raise BadMessageError(
                *(
                    (431, "trailer-too-long")
                    if self._in_trailers
                    else (400, "chunk-line")
                )
            )
        self._held = rest

    def _take_line(self, line: bytes) -> bool:
        """
        Take a line without its CRLF: a chunk's end, its beginning, or a trailer.

        Gives True for the empty line that ends the body.
        """
        if self._at_data_end:
            if line:
                raise BadMessageError(400, "chunk-end")
            self._at_data_end = False
        elif self._in_trailers:
            if not line:
                return True
            self._take_trailer(line)
        else:
            self._take_size(line)
        return False

    def _take_size(self, line: bytes) -> None:
        match = _read_size(line) if len(line) <= _SIZE_LINE else None
        if match is None:
            raise BadMessageError(400, "chunk-line")
        size = int(match[1], 16)
        self._waste = max(0, self._waste + len(line) - 16 - 2 * size)
        if self._waste > _WASTE:
            raise BadMessageError(400, "chunk-waste")
        self._left = size
        self._in_trailers = not size

    def _take_trailer(self, line: bytes) -> None:
        self._trailers += 1
        self._trailer_bytes += len(line) + 2
        if (
            len(line) > _TRAILER_LINE
            or self._trailers > _TRAILERS
            or self._trailer_bytes > _TRAILER_BYTES
        ):
            raise BadMessageError(431, "trailer-too-long")
        if line.translate(None, LEGAL) or b"\n" in line or b"\r" in line:
            raise BadMessageError(400, "control-character")
        read_fields([line.decode("latin-1")])


def encode_chunk(data: bytes) -> bytes:
    """Make one chunk of *data*; nothing of nothing, since an empty chunk is the end."""
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""
