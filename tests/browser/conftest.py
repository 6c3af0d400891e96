"""One browser for all, and pages for it to look at."""

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import attrs
import pytest

from sso_proxy.model import Headers
from tests.support.chromium import Chromium

Page = tuple[Headers, bytes]


@attrs.frozen
class Shown:
    """
    A server on this machine.

    Attributes:
        origin: Where it is.
        pages: What it answers, by path.
        posted: Bodies that were sent to it.
    """

    origin: str
    pages: dict[str, Page]
    posted: list[str]

    def show(self, page: Page, path: str = "/page") -> str:
        """Answer with *page* at *path*; give its URL."""
        self.pages[path] = page
        return self.origin + path


@pytest.fixture(scope="package")
def chromium() -> Iterator[Chromium]:
    with Chromium() as browser:
        yield browser


@pytest.fixture
def shown() -> Iterator[Shown]:
    pages: dict[str, Page] = {}
    posted: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers, body = pages.get(self.path, ((), b"nothing"))
            place = dict(headers).get("location")
            self.send_response(303 if place else 200)
            for name, value in headers:
                self.send_header(name, value)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            with contextlib.suppress(ConnectionError):  # a tab that was closed
                self.wfile.write(body)

        def do_POST(self) -> None:
            length = int(self.headers["content-length"])
            posted.append(self.rfile.read(length).decode())
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(
        target=server.serve_forever, kwargs={"poll_interval": 0.02}
    )
    thread.start()
    try:
        yield Shown(f"http://127.0.0.1:{server.server_port}", pages, posted)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
