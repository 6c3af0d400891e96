"""
A backend that keeps every octet it gets, reads it strictly, and answers by a script.

Its reading is its own and knows one form of everything, so that whatever the proxy
sends in another form is noted as garbage instead of being understood kindly.
"""

import asyncio
import itertools
import re
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, Self

import attrs


class Mark:
    """A step of a script that is not octets."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


BODY: Final = Mark("BODY")
"""Wait until the request's body is complete."""
CLOSE: Final = Mark("CLOSE")
"""Close the connection."""
RESET: Final = Mark("RESET")
"""Reset the connection."""
HOLD: Final = Mark("HOLD")
"""Read nothing more."""
RAW: Final = Mark("RAW")
"""What comes from here on is no HTTP: keep it, and send it back."""

Step = bytes | float | Mark

_line = re.compile(rb"([A-Z-]+) (\S+) HTTP/1\.1").fullmatch
_field = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+): ([\t\x20-\x7e\x80-\xff]*)")
_chunk = re.compile(rb"([1-9a-f][0-9a-f]*)\r\n")


@attrs.define(kw_only=True, eq=False)
class Seen:
    """A request as it arrived."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    number: int
    connection: int
    body: bytes = b""
    whole: bool = False

    def values(self, name: str) -> list[str]:
        """Give the values of the field called *name*, in any case."""
        return [value for key, value in self.headers if key.lower() == name.lower()]

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]

    @property
    def names(self) -> set[str]:
        return {name.lower() for name, _ in self.headers}


def answer(body: bytes = b"", status: str = "200 OK", *fields: bytes) -> bytes:
    """Make a plain answer."""
    lines = [b"HTTP/1.1 " + status.encode(), b"Content-Length: %d" % len(body), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


class _Connection(asyncio.Protocol):
    """One connection: reads strictly, one request after the other."""

    def __init__(self, recorder: "Recorder", number: int) -> None:
        self.recorder = recorder
        self.number = number
        self.octets = b""
        self._at = 0
        self._now: Seen | None = None
        self._left: int | None = 0
        self._body_done = asyncio.Event()
        self._raw = False
        self._player: asyncio.Task[None] | None = None
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.recorder.connections[self.number] = self
        if self.recorder.greeting:
            self.transport.write(self.recorder.greeting)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self.recorder.lost += 1
        self._body_done.set()
        if self._player is not None:
            self._player.cancel()

    def data_received(self, data: bytes) -> None:
        self.octets += data
        if self._raw:
            self.transport.write(data)
            return
        try:
            while self._read():
                pass
        except ValueError as e:
            self.recorder.garbage.append((str(e), self.octets[self._at :]))
            self.transport.abort()

    def _read(self) -> bool:
        """Take one thing; False if more octets are needed."""
        if self._now is None:
            return self._read_head()
        return self._read_body(self._now)

    def _read_head(self) -> bool:
        end = self.octets.find(b"\r\n\r\n", self._at)
        if self._at == len(self.octets):
            return False
        if end < 0:
            return False
        line, *lines = self.octets[self._at : end].split(b"\r\n")
        first = _line(line)
        fields = [_field.fullmatch(each) for each in lines]
        if first is None or None in fields:
            raise ValueError("no request")
        if self._player is not None and not self._player.done():
            raise ValueError("a request before the answer to the one before")
        self._at = end + 4
        headers = [(f[1].decode("ascii"), f[2].decode("latin-1")) for f in fields if f]
        seen = self._now = Seen(
            method=first[1].decode(),
            target=first[2].decode("ascii"),
            headers=headers,
            number=len(self.recorder.seen),
            connection=self.number,
        )
        self.recorder.seen.append(seen)
        self._body_done = asyncio.Event()
        self._left = self._length(seen)
        self._player = asyncio.ensure_future(self._play(seen))
        return True

    @staticmethod
    def _length(seen: Seen) -> int | None:
        coding, length = seen.values("transfer-encoding"), seen.values("content-length")
        if len(coding) + len(length) > 1 or coding not in ([], ["chunked"]):
            raise ValueError("two lengths")
        return None if coding else int(length[0]) if length else 0

    def _read_body(self, seen: Seen) -> bool:
        if self._left is not None:
            part = self.octets[self._at : self._at + self._left]
            seen.body += part
            self._at += len(part)
            self._left -= len(part)
            if self._left:
                return False
        else:
            rest = self.octets[self._at :]
            chunk = _chunk.match(rest)
            if rest.startswith(b"0\r\n\r\n"):
                self._at += 5
            elif chunk is not None:
                size, start = int(chunk[1], 16), chunk.end()
                if len(rest) < start + size + 2:
                    return False
                if rest[start + size : start + size + 2] != b"\r\n":
                    raise ValueError("no chunk end")
                seen.body += rest[start : start + size]
                self._at += start + size + 2
                return True
            elif len(rest) > 20:
                raise ValueError("no chunk")
            else:
                return False
        seen.whole = True
        self._now = None
        self._body_done.set()
        return True

    async def _play(self, seen: Seen) -> None:
        done = self._body_done
        for step in self.recorder.script_for(seen):
            if isinstance(step, float):
                await asyncio.sleep(step)
            elif isinstance(step, bytes):
                self.transport.write(step)
            elif step is BODY:
                await done.wait()
            elif step is CLOSE:
                self.transport.close()
            elif step is RESET:
                self.transport.abort()
            elif step is HOLD:
                self.transport.pause_reading()
            elif step is RAW:
                self._raw = True


class Recorder:
    """
    The backend, in a thread of its own.

    Attributes:
        seen: Requests in the order in which their heads arrived.
        garbage: What was no request in the one form: why, and the octets.
        scripts: Steps for paths; others are told the request's number.
        connections: All that were ever made.
        lost: How many of them are gone.
        greeting: What new connections are told before anything is asked.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.garbage: list[tuple[str, bytes]] = []
        self.scripts: dict[str, Sequence[Step]] = {}
        self.connections: dict[int, _Connection] = {}
        self.lost = 0
        self.greeting = b""
        self.port = 0
        self._numbers = itertools.count()
        self._started = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def script_for(self, seen: Seen) -> Sequence[Step]:
        """Give what happens once *seen*'s head is here."""
        default = (BODY, answer(str(seen.number).encode()))
        return self.scripts.get(seen.path, default)

    def clear(self) -> None:
        """Forget what was seen."""
        self.seen.clear()
        self.garbage.clear()
        self.scripts.clear()

    def wait_for(self, count: int, seconds: float = 5.0) -> list[Seen]:
        """Wait until *count* requests were seen, and give them all."""
        until = time.monotonic() + seconds
        while len(self.seen) < count and time.monotonic() < until:
            time.sleep(0.01)
        return [*self.seen]

    def _run(self) -> None:
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await self._loop.create_server(
            lambda: _Connection(self, next(self._numbers)), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stop.wait()
        server.close()
        for connection in self.connections.values():
            connection.transport.abort()
        await asyncio.sleep(0.05)

    def __enter__(self) -> Self:
        self._thread.start()
        self._started.wait(5)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
