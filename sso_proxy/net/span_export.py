"""
Spans on their way to a collector: never in the way of a request.

They wait in memory, so many at most, are encoded in a thread and sent some at a time.
While the collector is down, what is too much is dropped and counted.
"""

import importlib
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.threads import deferToThreadPool
from twisted.logger import Logger

from sso_proxy.config.operator_parts import TracesConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.no_reply import NoReplyError
from sso_proxy.spans import Span

_log = Logger()

_BATCH: Final = 512
"""Spans that are sent at once."""

_PAUSE: Final = 1.0
"""Seconds between two batches that are not full."""

_AFTER_FAILURE: Final = 5.0
"""Seconds after one that could not be sent."""

_ENCODER: Final = "sso_proxy.net.otlp"


def load_encoder(path: str) -> Any:  # noqa: ANN401
    """
    Give the module that encodes spans, which is not imported before.

    Raises:
        ConfigError: What it needs is not installed.
    """
    try:
        return importlib.import_module(_ENCODER)
    except ImportError as e:
        what = f"needs {e.name}; install 'sso-proxy[otel]'"
        raise ConfigError(Mistake(path, what)) from None


@attrs.define(kw_only=True, eq=False)
class SpanExport:
    """
    Sends spans to a collector.

    Attributes:
        options: Where to.
        encode: Encodes them.
        content_type: As what.
        client: Sends requests of ours.
        reactor: Has the threads.
        spawn: Runs what nobody waits for.
        clock: The time.
        dropped: Spans that nobody got.
    """

    options: TracesConfig
    encode: Callable[[Sequence[Span], Mapping[str, str]], bytes]
    content_type: str
    client: HttpClient
    reactor: Any
    spawn: Callable[[Coroutine[Any, Any, Any]], None]
    clock: IClock
    dropped: int = 0
    _waiting: deque[Span] = attrs.field(factory=deque, init=False, repr=False)
    _busy: bool = attrs.field(default=False, init=False)
    _down: bool = attrs.field(default=False, init=False)
    _next: float = attrs.field(default=0.0, init=False)

    def add(self, span: Span) -> None:
        """Take *span*, or drop it if too many wait."""
        if len(self._waiting) >= self.options.queue:
            self.dropped += 1
        else:
            self._waiting.append(span)

    def flush(self) -> None:
        """Begin to send what waits, if it is time."""
        now = self.clock.monotonic()
        full = len(self._waiting) >= _BATCH and not self._down
        if self._waiting and not self._busy and (full or now >= self._next):
            self._busy = True
            count = min(_BATCH, len(self._waiting))
            batch = [self._waiting.popleft() for _ in range(count)]
            self.spawn(self._send(batch))

    async def _send(self, batch: Sequence[Span]) -> None:
        pause = _PAUSE
        try:
            problem = await self._post(batch)
            if problem:
                pause = _AFTER_FAILURE
                self.dropped += len(batch)
            self._tell(problem)
        finally:
            self._busy = False
            self._next = self.clock.monotonic() + pause

    async def _post(self, batch: Sequence[Span]) -> str:
        """Send *batch*; returns what went wrong, or nothing."""
        options = self.options
        assert options.endpoint is not None  # noqa: S101
        resource = {"service.name": options.service}
        headers = {"Content-Type": self.content_type}
        if options.authorization is not None:
            headers["Authorization"] = options.authorization.reveal()
        pool = self.reactor.getThreadPool()
        try:
            body = await deferToThreadPool(
                self.reactor, pool, self.encode, batch, resource
            )
            reply = await self.client.send("POST", options.endpoint, body, headers)
        except CancelledError:
            raise
        except NoReplyError as e:
            return str(e)
        return "" if reply.status == 200 else f"it answers {reply.status}"

    def _tell(self, problem: str) -> None:
        """Log that the collector is down, or well again; not each time."""
        if problem and not self._down:
            _log.warn(
                "Traces cannot be sent to {endpoint}: {problem}; what is too much is"
                " dropped, and this is not said again",
                endpoint=self.options.endpoint,
                problem=problem,
            )
        elif self._down and not problem:
            _log.info(
                "Traces are sent again; {count} spans were dropped", count=self.dropped
            )
        self._down = bool(problem)
