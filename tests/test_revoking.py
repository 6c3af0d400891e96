"""``sso-proxy revoke`` speaks to the proxy that runs."""

import io
import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.config.private_file import write_private
from sso_proxy.specs.revocations import token_digests
from sso_proxy.testing.pki import Pki
from tests.support.programs import Backend, RealProxy, free_port, read_request

Run = Callable[..., tuple[int, str, str]]

ISSUER = "https://login.example.com"
PLAIN = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true
[[route]]
host = "*"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command; gives its status and what it wrote."""

    def command(*arguments: object) -> tuple[int, str, str]:
        status = main(["revoke", *map(str, arguments)])
        return (status, *capsys.readouterr())

    return command


@pytest.fixture(scope="module", params=["unix", "tcp", "tls"])
def config(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Path]:
    """Run a proxy; gives its configuration file."""
    directory = tmp_path_factory.mktemp("proxy")
    proxy = RealProxy(directory, PLAIN, state_dir=str(directory / "state"))
    if request.param != "unix":
        text = proxy.config.read_text()
        unix = f'"unix:{proxy.admin_socket}"'
        tcp = f'"127.0.0.1", port = {free_port()}'
        if request.param == "tls":
            tcp += with_certificates(directory)
        assert unix in text
        proxy.config.write_text(text.replace(unix, tcp))
    with proxy.serve():
        yield proxy.config


def with_certificates(directory: Path) -> str:
    """Write certificates of the listener and of an operator; gives the options."""
    ours, operators = Pki.create("Ours"), Pki.create("Operators")
    ours.issue("admin", dns=["admin.example"], server=True).write(directory, "admin")
    operators.issue("op", client=True).write(directory, "op")
    operators.write(directory, "operators")
    files = {
        "certificate": "admin.crt",
        "key": "admin.key",
        "client_ca": "operators.crt",
        "operator_certificate": "op.crt",
        "operator_key": "op.key",
    }
    return "".join(f', {name} = "{directory / it}"' for name, it in files.items())


def test_what_is_revoked_is_listed_until_it_is_lifted(run: Run, config: Path) -> None:
    status, out, err = run(
        "--config",
        config,
        *("--issuer", ISSUER, "--subject", "alice", "--issued-before", "1700000000"),
    )
    assert (status, err) == (0, "")
    assert out.startswith("in force: {")
    revocation = json.loads(out.partition(": ")[2])
    assert revocation["subject"] == "alice"
    assert revocation["issued_before"] == 1_700_000_000
    status, out, _ = run("--config", config, "--list")
    assert json.loads(out) == revocation
    status, out, _ = run("--config", config, "--lift", revocation["id"])
    assert status == 0
    assert out.startswith("lifted: {")
    assert run("--config", config, "--list") == (0, "", "")


def test_token_is_read_and_only_its_digest_leaves(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = "eyJhbGciOiJFUzI1NiJ9.e30.c2lnbmF0dXJl"
    monkeypatch.setattr("sys.stdin", io.StringIO(f" {token}\n"))
    status, out, _ = run("--config", config, "--token")
    assert status == 0
    revocation = json.loads(out.partition(": ")[2])
    assert revocation["token_sha256"] == token_digests(token)[1]
    assert run("--config", config, "--lift", revocation["id"])[0] == 0


@pytest.mark.parametrize("text", ["", " \n", "one two", "t\u00f6ken"])
def test_anything_but_one_token_is_refused(
    run: Run, config: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))
    status, _, err = run("--config", config, "--token")
    assert (status, err) == (1, "standard input: must have one token\n1 mistake\n")


def test_what_makes_no_sense_is_said(run: Run, config: Path) -> None:
    status, out, err = run("--config", config, "--issuer", ISSUER)
    assert (status, out) == (1, "")
    assert "an issuer alone is too much" in err
    status, _, err = run("--config", config, "--lift", "nothing")
    assert status == 1
    assert "no such revocation (404)" in err


def test_proxy_that_does_not_run_is_said(run: Run, tmp_path: Path) -> None:
    proxy = RealProxy(tmp_path, PLAIN)
    status, _, err = run("--config", proxy.config, "--list")
    assert status == 1
    assert "does the proxy run?" in err


def test_secret_that_is_not_there_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "sso-proxy.toml"
    admin = 'admin = { address = "127.0.0.1", port = 9 }'
    path.write_text(f'[server]\nstate_dir = "{tmp_path}"\n{admin}\n{PLAIN}')
    status, _, err = run("--config", path, "--list")
    assert status == 1
    assert err.startswith(f"{tmp_path}/admin.secret: is not there; run this as")


def test_configuration_without_the_listener_is_said(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "sso-proxy.toml"
    path.write_text(PLAIN)
    status, _, err = run("--config", path, "--list")
    assert status == 1
    assert err.startswith("server.admin: there is no listener for operators")


def test_what_is_not_in_force_everywhere_is_said(run: Run, tmp_path: Path) -> None:
    told = {
        "status": "incomplete",
        "revocation": {"id": "x", "issuer": ISSUER},
        "missing": ["worker 2: does not answer; another takes its place"],
    }
    body = json.dumps(told).encode()
    asked = []

    def serve(sock: socket.socket, _: int) -> None:
        asked.append(read_request(sock))
        head = b"HTTP/1.1 503 x\r\nContent-Length: %d\r\n\r\n" % len(body)
        sock.sendall(head + body)

    write_private(tmp_path / "admin.secret", b"s" * 44, replace=False)
    path = tmp_path / "sso-proxy.toml"
    with Backend(serve) as proxy:
        admin = f'admin = {{ address = "127.0.0.1", port = {proxy.port} }}'
        path.write_text(f'[server]\nstate_dir = "{tmp_path}"\n{admin}\n{PLAIN}')
        status, out, err = run("--config", path, "--issuer", ISSUER, "--jti", "t1")
    assert (status, out) == (1, "")
    assert "is not in force everywhere yet\n" in err
    assert "worker 2: does not answer; another takes its place\n" in err
    assert b"Authorization: Bearer " + b"s" * 44 in asked[0]
    assert asked[0].endswith(b'{"issuer": "https://login.example.com", "jti": "t1"}')
