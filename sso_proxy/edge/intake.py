"""A request's body as it comes in: counted, without its framing."""

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.chunked import LAST_CHUNK, ChunkedDecoder, encode_chunk


class Intake:
    """
    Takes a body's octets in and gives them out framed for the backend.

    Attributes:
        received: Octets of content so far.
        done: The body is complete.
        leftover: What came after it: the next request.
    """

    __slots__ = (
        "_decoder",
        "_left",
        "_limit",
        "_measured",
        "_since",
        "done",
        "leftover",
        "received",
    )

    def __init__(self, length: int | None, limit: int, now: float) -> None:
        """
        Begin.

        Args:
            length: ``Content-Length``, or None for chunked.
            limit: Octets of content allowed.
            now: Monotonic time, for the rate.
        """
        self._left = length or 0
        self._decoder = ChunkedDecoder() if length is None else None
        self._limit = limit
        self.received = 0
        self.done = False
        self.leftover = b""
        self._since = now
        self._measured = 0

    def feed(self, data: bytes) -> bytes:
        """
        Take *data* and give what goes to the backend.

        Raises:
            BadMessageError: 400 for bad chunks, 413 for more than is allowed.
        """
        if self._decoder is None:
            if len(data) >= self._left:
                self.done = True
                self.leftover = data[self._left :]
                data = data[: self._left]
            self._left -= len(data)
            self.received += len(data)
            return data
        pieces = self._decoder.feed(data)
        content = b"".join(pieces) if len(pieces) != 1 else bytes(pieces[0])
        self.received += len(content)
        if self.received > self._limit:
            raise BadMessageError(413, "body-too-large")
        framed = encode_chunk(content) if content else b""
        if self._decoder.finished:
            self.done = True
            self.leftover = self._decoder.leftover
            framed += LAST_CHUNK
        return framed

    def skip(self, data: bytes) -> bool:
        """Take *data* and drop it; say whether that was all of the body."""
        try:
            self.feed(data)
        except BadMessageError:
            return False  # it ends in an unknown place
        return self.done

    def restart(self, now: float) -> None:
        """Measure the rate from now on: before, we did not read."""
        self._since, self._measured = now, self.received

    def too_slow(self, now: float, grace: float, rate: int) -> bool:
        """Say whether less than *rate* octets a second came after *grace* seconds."""
        took = now - self._since
        return took > grace and self.received - self._measured < rate * (took - grace)
