"""``sso-proxy status`` gives a link; browser/test_status.py follows one."""

import json
import webbrowser
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from sso_proxy.cli import main
from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.status_command import origin_of

CONFIG = """
[server]
state_dir = "{directory}"
admin = {{ address = "127.0.0.1", port = {port} }}

[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """Give a configuration whose proxy knows one answer, once."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            assert self.path == "/status/link"
            assert self.headers["authorization"] == f"Bearer {'s' * 44}"
            told = {"path": "/status/enter/abc", "seconds": 60.0}
            body = json.dumps(told).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)

    def answer() -> None:
        with server:
            server.handle_request()

    Thread(target=answer, daemon=True).start()
    secret = tmp_path / "admin.secret"
    secret.write_text("s" * 44)
    secret.chmod(0o600)
    path = tmp_path / "proxy.toml"
    path.write_text(CONFIG.format(directory=tmp_path, port=server.server_port))
    return path


def test_the_link_is_printed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["status", "--config", str(config)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("good once, within 60 s: http://127.0.0.1:")
    assert said.endswith("/status/enter/abc\n")


def test_the_link_is_opened(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))  # type: ignore[func-returns-value]
    assert main(["status", "--config", str(config), "--open"]) == 0
    assert capsys.readouterr().out == "opened the status page\n"
    assert opened[0].endswith("/status/enter/abc")


def test_a_browser_that_is_not_there_is_no_end(
    config: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    assert main(["status", "--config", str(config), "--open"]) == 0
    assert "/status/enter/abc" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("127.0.0.1", "https://127.0.0.1:9443"),
        ("::1", "https://[::1]:9443"),
        ("0.0.0.0", "https://gateway-1.example.com:9443"),  # noqa: S104
        ("::", "https://gateway-1.example.com:9443"),
    ],
)
def test_the_link_is_good_where_the_listener_is_reached(
    address: str, origin: str
) -> None:
    files = {"certificate": "a.crt", "key": "a.key", "client_ca": "operators.crt"}
    admin = AdminConfig(address=address, port=9443, **files)
    assert origin_of(admin, "gateway-1.example.com") == origin
