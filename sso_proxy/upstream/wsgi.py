"""WSGI applications (PEP 3333), run in threads of this process and told who calls."""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from threading import Condition, Thread
from typing import Any, Final

from twisted.logger import Logger
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.wsgi import WSGIResource

from sso_proxy.model import Caller
from sso_proxy.upstream.wire import Wire

_log = Logger()

Environ = MutableMapping[str, Any]
Application = Callable[[Environ, Any], Iterable[bytes]]

THREADS: Final = 20
"""Calls into one application at a time; more wait."""

_has_controls = re.compile("[\x00-\x08\x0a-\x1f\x7f]").search

_IDLE: Final = 10.0
"""Seconds after which a thread without work ends."""


class Threads:
    """
    Threads for one application, started as they are needed.

    They are daemons and nobody waits for them: an application that hangs holds up
    neither a reload nor the end of the process.  The reactor's own threads are left
    to those who look up names.
    """

    def __init__(self, most: int = THREADS) -> None:
        self._most = most
        self._calls: deque[Callable[[], object]] = deque()
        self._changed = Condition()
        self._idle = 0
        self._count = 0

    def callInThread(self, call: Callable[[], object]) -> None:  # noqa: N802
        """Have *call*, which does not raise, called as soon as a thread is free."""
        with self._changed:
            self._calls.append(call)
            if len(self._calls) <= self._idle:
                self._changed.notify()
                return
            if self._count >= self._most:
                return
            self._count += 1
        Thread(target=self._work, name="wsgi", daemon=True).start()

    def _work(self) -> None:
        while (call := self._next()) is not None:
            call()

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._calls, _IDLE)
            self._idle -= 1
            if self._calls:
                return self._calls.popleft()
            self._count -= 1
            return None


class ErrorStream:
    """``wsgi.errors``: lines into the log."""

    def __init__(self, request_id: str) -> None:
        self._id = request_id

    def write(self, text: str) -> int:
        """Log *text*, which never is a format."""
        if text.strip():
            _log.error("Request {id}: {text}", id=self._id, text=text.rstrip("\n"))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Log *lines*."""
        self.write("".join(lines))

    def flush(self) -> None:
        """Do nothing: nothing is kept back."""


class HostedApplication(Resource):
    """
    A WSGI application, told who is calling.

    Its environ has ``REMOTE_USER`` unless the caller is nobody in particular, and
    ``sso_proxy.caller``, ``sso_proxy.claims`` and ``sso_proxy.tls``.
    """

    isLeaf = True

    def __init__(self, reactor: Any, application: Application) -> None:  # noqa: ANN401
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._threads = Threads()
        self._application = application

    def render(self, request: Request) -> int:
        """Run the application in a thread."""
        transport: Any = request.channel.transport
        call = _Call(self._application, transport.caller, transport.wire)
        WSGIResource(self._reactor, self._threads, call).render(request)
        return NOT_DONE_YET


class _Call:
    """One call of an application; all of it happens in one thread."""

    def __init__(self, application: Application, caller: Caller, wire: Wire) -> None:
        self._application = application
        self._caller = caller
        self._wire = wire
        self._write: Callable[[bytes], None] | None = None
        self._sent = False

    def __call__(self, environ: Environ, start: Any) -> Iterator[bytes]:  # noqa: ANN401
        """Give the answer's parts, no faster than the client takes them."""
        if self._wire.lost:  # while it waited for a thread
            return
        tell(environ, self._caller)
        try:
            yield from self._answer(environ, start)
        except Exception:  # the traceback is logged where it is caught
            id_ = self._caller.request.id
            _log.error("Request {id}: its application failed.", id=id_)
            raise

    def _answer(self, environ: Environ, start: Any) -> Iterator[bytes]:  # noqa: ANN401

        def start_response(
            status: str,
            headers: list[tuple[str, str]],
            exc_info: Any = None,  # noqa: ANN401
        ) -> Callable[[bytes], None]:
            check_start(status, headers)
            self._write = start(status, headers, exc_info)
            return self._write_some

        pieces = self._application(environ, start_response)
        try:
            for piece in pieces:
                if piece:
                    self._check_started()
                    self._sent = True
                    yield piece
                    self._wire.room.wait()
            if not self._sent:
                # Here, not in the reactor, whatever is wrong with the head is raised.
                self._check_started()
                self._write_some(b"")
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def _write_some(self, data: bytes) -> None:
        self._sent = True
        if self._write is not None:
            self._write(data)
        self._wire.room.wait()

    def _check_started(self) -> None:
        if self._write is None:
            raise AssertionError("the application did not call start_response")


def tell(environ: Environ, caller: Caller) -> None:
    """
    Put into *environ* who calls.

    No client can: whatever it sends has a name that begins with ``HTTP_``.
    """
    request, identity = caller.request, caller.identity
    environ["sso_proxy.caller"] = caller
    environ["sso_proxy.claims"] = {} if identity is None else identity.claims
    environ["sso_proxy.tls"] = request.tls
    environ["wsgi.errors"] = ErrorStream(request.id)
    environ["wsgi.input_terminated"] = True  # a chunked body has no CONTENT_LENGTH
    environ["wsgi.multiprocess"] = True  # as it is with several workers
    environ.update(caller.environ)
    if caller.user:
        environ["REMOTE_USER"] = caller.user


def check_start(status: str, headers: Iterable[tuple[str, str]]) -> None:
    """
    Check what an application begins its answer with, while it can be told.

    Raises:
        ValueError: It could not be sent.
    """
    code, _, phrase = status.partition(" ")
    if not (code.isascii() and code.isdigit() and len(code) == 3 and phrase):
        raise ValueError(f"{status!r} is no status such as '200 OK'")
    for text in (status, *(part for header in headers for part in header)):
        text.encode("latin-1")
        if _has_controls(text):
            raise ValueError("a status or header field holds control characters")
