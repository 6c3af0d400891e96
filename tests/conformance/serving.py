"""The server of the misbehaving providers: https on a loopback port, in threads."""

import ssl
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from sso_proxy.testing.pki import Issued
from tests.conformance.parts import Asked, Reply, read_fields

PATIENCE: Final = 20.0
Answer = Callable[[Asked], Reply]


class _Server(ThreadingHTTPServer):
    """Threads that end with the test, and TLS handshakes in them."""

    daemon_threads = True
    request_queue_size = 64
    answers: dict[str, Answer]
    context: ssl.SSLContext
    ended: threading.Event

    def get_request(self) -> tuple[Any, Any]:
        """Accept, and leave the handshake to the thread."""
        sock, address = super().get_request()
        sock.settimeout(PATIENCE)
        secured = self.context.wrap_socket(
            sock, server_side=True, do_handshake_on_connect=False
        )
        return secured, address

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401
        """Say nothing: clients that go away belong to the tests."""


class _Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    timeout = PATIENCE
    server: _Server

    def do_GET(self) -> None:
        """Answer."""
        length = int(self.headers.get("content-length", 0))
        body = self.rfile.read(length).decode("latin-1")
        path, _, query = self.path.partition("?")
        name, _, rest = path.lstrip("/").partition("/")
        if name == ".well-known":  # RFC 8414 puts the issuer's path behind
            document, _, name = rest.partition("/")
            rest = f".well-known/{document}"
        form = "application/x-www-form-urlencoded"
        is_form = self.headers.get("content-type", "").startswith(form)
        port = self.server.server_address[1]
        asked = Asked(
            method=self.command,
            path=f"/{rest}",
            url=f"https://localhost:{port}{path}",
            query=read_fields(query),
            form=read_fields(body) if is_form else (),
            headers={key.lower(): value for key, value in self.headers.items()},
            certificate=self.connection.getpeercert(binary_form=True),
            body=body.encode("latin-1"),
        )
        answer = self.server.answers.get(name)
        self._send(Reply(status=404) if answer is None else answer(asked))

    def do_PUT(self) -> None:
        """Answer."""
        self.do_GET()

    def do_POST(self) -> None:
        """Answer."""
        self.do_GET()

    def _send(self, reply: Reply) -> None:
        if reply.wait:
            self.server.ended.wait(reply.wait)
        self.send_response(reply.status)
        if reply.content_type:
            self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body) + reply.lacks))
        for name, value in reply.headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(reply.body)
        if reply.lacks:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Keep quiet."""


class Host:
    """
    A server whose first path segments are providers of their own.

    Args:
        issued: Its certificate, for ``localhost``.
        ca: Whose client certificates it accepts.
        directory: Where its files may be.

    Attributes:
        answers: What answers below a first path segment.
    """

    def __init__(self, issued: Issued, ca: Path, directory: Path) -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(ca))
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_cert_chain(*issued.write(directory, "provider"))
        self.answers: dict[str, Answer] = {}
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.answers = self.answers
        self._server.context = context
        self._server.ended = threading.Event()
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def origin(self) -> str:
        """Give the server's origin."""
        return f"https://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(PATIENCE)


def now() -> int:
    """Give the time in seconds since the epoch."""
    return int(time.time())
