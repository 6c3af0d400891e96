"""Bytes both ways after an upgrade."""

import math
from collections.abc import Callable

from sso_proxy.edge.site import Site
from sso_proxy.net.stream import Stream
from sso_proxy.session import Session


class _End:
    """One direction: what arrives on one stream goes out on the other."""

    __slots__ = ("_other", "_tunnel", "count", "stream")

    def __init__(self, tunnel: "Tunnel", stream: Stream, other: Stream) -> None:
        self._tunnel = tunnel
        self.stream = stream
        self._other = other
        self.count = 0

    def data_received(self, data: bytes) -> None:
        """Pass *data* on."""
        self.count += len(data)
        self._tunnel.touch()
        self._other.write(data)
        if self._other.full:
            self.stream.pause()

    def eof_received(self) -> None:
        """Pass the end on; the other direction may go on."""
        self._other.half_close()
        self._tunnel.half_closed()

    def drained(self) -> None:
        """Read on from the other side: this one takes more."""
        self._other.resume()

    def connection_lost(self, reason: str) -> None:
        """End both."""
        self._tunnel.lost(reason)


class Tunnel:
    """
    Two streams that carry each other's bytes.

    Attributes:
        deadline: Monotonic time at which silence has lasted too long.
    """

    def __init__(  # noqa: PLR0913
        self,
        site: Site,
        client: Stream,
        backend: Stream,
        *,
        idle: float,
        over: Callable[[int, int, str], None],
        session: Session | None = None,
    ) -> None:
        self._site = site
        self._idle = idle
        self._over: Callable[[int, int, str], None] | None = over
        self._client = _End(self, client, backend)
        self._backend = _End(self, backend, client)
        self._halves = 2
        self._reason = ""
        self._session = session
        self.deadline = site.now + idle

    def start(self, *, early: bytes, first: bytes) -> None:
        """Begin, with what either side has sent already."""
        self._site.connections.add(self)
        self._client.stream.handler = self._client
        self._backend.stream.handler = self._backend
        if early:
            self._client.data_received(early)
        if first:
            self._backend.data_received(first)
        for end in (self._client, self._backend):
            if end.stream.ended:
                end.eof_received()

    def touch(self) -> None:
        """Note that something moved."""
        self.deadline = self._site.now + self._idle

    def half_closed(self) -> None:
        """Close when both directions have ended."""
        self._halves -= 1
        if not self._halves:
            self._client.stream.close()
            self._backend.stream.close()

    def lost(self, reason: str) -> None:
        """End both streams, and say so once when both are gone."""
        self._reason = self._reason or reason
        streams = (self._client.stream, self._backend.stream)
        for stream in streams:
            stream.close()  # may come back here at once
        if not all(stream.closed for stream in streams):
            # What one has to say still waits to be sent, and somebody must watch.
            patience = self._site.rules.limits.send_timeout
            self.deadline = min(self.deadline, self._site.now + patience)
            return
        over, self._over = self._over, None
        if over is None:
            return
        self.deadline = math.inf
        self._site.connections.discard(self)
        over(self._backend.count, self._client.count, self._reason)

    def timed_out(self) -> None:
        """Close: nothing has moved."""
        self.abort()

    def check_progress(self, now: float) -> None:
        """Do nothing: silence is what counts here, and `deadline` sees it."""

    def drain(self) -> None:
        """Do nothing: a tunnel has no next answer."""

    def close_if_idle(self) -> None:
        """Do nothing: there is no idleness here."""

    def end_sessions(self, ended: Callable[[Session], bool]) -> None:
        """Close if the session that this was opened with has *ended*."""
        if self._session is not None and ended(self._session):
            self._reason = "session-ended"
            self.abort()

    def abort(self) -> None:
        """Close both at once."""
        self._client.stream.abort()
        self._backend.stream.abort()
