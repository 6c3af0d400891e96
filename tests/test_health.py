"""Asking for health, as probes of containers do."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import TCPServer, ThreadingMixIn, UnixStreamServer

import pytest

from sso_proxy.health import main

PROBE = ("-c", "import sys, sso_proxy.health; print(*sys.modules)")


class Answers(BaseHTTPRequestHandler):
    """Alive, and not ready."""

    def do_GET(self) -> None:
        good = self.path == "/health/live"
        self.send_response(200 if good else 503)
        self.end_headers()
        self.wfile.write(b'{"status": "alive"}' if good else b'{"status": "not ready"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def address_string(self) -> str:
        return ""


class OnUnix(ThreadingMixIn, UnixStreamServer):
    daemon_threads = True


class OnTcp(ThreadingMixIn, TCPServer):
    daemon_threads = True


@pytest.fixture(params=["unix", "tcp"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    server: OnUnix | OnTcp
    if request.param == "unix":
        server = OnUnix(str(tmp_path / "s"), Answers)
        name = f"unix:{tmp_path}/s"
    else:
        server = OnTcp(("127.0.0.1", 0), Answers)
        name = f"127.0.0.1:{server.server_address[1]}"
    with server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield name
        server.shutdown()
        thread.join()


def test_what_is_well_ends_with_0(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([address, "live"]) == 0
    assert capsys.readouterr().out == '{"status": "alive"}\n'


def test_what_is_not_ends_with_1(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([address, "ready"]) == 1
    assert "not ready" in capsys.readouterr().out


def test_nobody_there_is_not_well(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([f"unix:{tmp_path}/none", "live"]) == 1
    assert "does not answer" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["unix:/x"], ["unix:/x", "well"]])
def test_anything_else_is_not_understood(arguments: list[str]) -> None:
    assert main(arguments) == 2


def test_it_is_cheap() -> None:
    """A probe every few seconds must not cost what a start of the proxy does."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, *PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    loaded = {name.partition(".")[0] for name in done.stdout.split()}
    assert not {"twisted", "cryptography", "OpenSSL", "attr", "lxml"} & loaded
