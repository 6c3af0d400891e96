"""An OpenID 2.0 provider on a loopback port, of Debian's Net::OpenID::Server."""

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from tests.support.openid2_op import PATIENCE, signed_on
from tests.support.programs import program

_SCRIPT: Final = Path(__file__).parent / "openid2_perl" / "op.pl"


class PerlProvider(ThreadingHTTPServer):
    """
    A provider at which alice is logged in, and nobody else.

    Attributes:
        url: Its origin.
        asked: Fields that came to its endpoint, the oldest first.
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.op_endpoint = f"{self.url}/login"
        self.identity = f"{self.url}/alice"
        self.asked: list[dict[str, str]] = []

    def modes(self) -> list[str]:
        """Give the modes of all that it was asked."""
        return [each["openid.mode"] for each in self.asked]

    def answer(self, text: str) -> tuple[str, str]:
        """Have the module answer; give what its answer is, and it."""
        self.asked.append(dict(parse_qsl(text)))
        done = subprocess.run(  # noqa: S603
            [program("perl"), str(_SCRIPT), self.op_endpoint, self.identity],
            input=text,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        )
        kind, _, data = done.stdout.partition("\n")
        return kind, data


@contextlib.contextmanager
def perl_op() -> Iterator[PerlProvider]:
    """Run a provider until the end of the block."""
    server = PerlProvider()
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


class _Asked(BaseHTTPRequestHandler):
    timeout = PATIENCE
    server: PerlProvider

    def log_message(self, *args: object) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/login":
            self._send(*self.server.answer(parts.query))
        else:
            document = signed_on(self.server.op_endpoint)
            self._send("application/xrds+xml", document)

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", "0"))
        self._send(*self.server.answer(self.rfile.read(length).decode()))

    def _send(self, kind: str, data: str) -> None:
        redirects = kind == "redirect"
        self.send_response(302 if redirects else 200)
        if redirects:
            self.send_header("Location", data)
        self.send_header("Content-Type", "text/plain" if redirects else kind)
        self.end_headers()
        self.wfile.write(b"" if redirects else data.encode())
