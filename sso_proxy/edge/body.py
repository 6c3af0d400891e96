"""A request's whole body, for who has to read it before the request is decided on."""

from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from sso_proxy.specs.http.chunked import ChunkedDecoder

if TYPE_CHECKING:
    from sso_proxy.edge.uplink import Uplink


class BodyReader:
    """
    Takes a body in if it is asked to; implements `sso_proxy.upstream.Sink`.

    Nothing is read, and no ``100 Continue`` sent, unless somebody asks.  While it is
    read, the deadlines are those of any body.

    Attributes:
        content: The body without its framing, once it was read.
        full: It never has to wait.
    """

    __slots__ = ("_decoder", "_pieces", "_uplink", "_waiting", "content", "full")

    def __init__(self, uplink: "Uplink", *, chunked: bool) -> None:
        self._uplink = uplink
        self._decoder = ChunkedDecoder() if chunked else None
        self._pieces: list[bytes] = []
        self._waiting: Deferred[None] | None = None
        self.content: bytes | None = None
        self.full = False

    async def read(self, limit: int) -> bytes:
        """
        Give the content.

        Raises:
            BadMessageError: 413 for more than *limit* octets, 400 for what is no body.
        """
        if self.content is None:
            self._uplink.read_whole(self, limit)
        if self.content is None:
            self._waiting = Deferred()
            await self._waiting
        assert self.content is not None  # noqa: S101
        return self.content

    def write(self, data: bytes) -> None:
        """Take octets, framed as `sso_proxy.edge.intake.Intake` does it."""
        self._pieces += [data] if self._decoder is None else self._decoder.feed(data)

    def end(self) -> None:
        """Give the content to who waits for it."""
        self.content = b"".join(self._pieces)
        waiting, self._waiting = self._waiting, None
        if waiting is not None:
            waiting.callback(None)

    def resume(self) -> None:
        """Do nothing: there is no answer to relay yet."""

    def abandon(self) -> None:
        """Forget what came; who waits was cancelled."""
        self._pieces = []
        self._waiting = None
