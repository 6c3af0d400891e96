"""``sso-proxy explain`` answers with a text, JSON and a status."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.testing.pki import self_signed
from tests.support.explain_scene import ALICE, CONFIG, URL, write_config
from tests.support.programs import Backend, read_request

PROGRAM = "import sys; from sso_proxy.cli import main; sys.exit(main())"


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_config(tmp_path)
    (tmp_path / "alice.json").write_text(json.dumps(ALICE))
    return tmp_path


def ask(scene: Path, *arguments: str, url: str = f"{URL}/orders/17") -> int:
    return main(["explain", str(scene / "sso-proxy.toml"), "--url", url, *arguments])


def test_permitted_is_0(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    who = str(scene / "alice.json")
    given = ("--scopes", "orders.read", "--from", "192.0.2.1")
    assert ask(scene, "--as", who, *given) == 0
    out = capsys.readouterr().out
    assert "=> permitted by main/rule:sales-read" in out
    assert "* " in out


def test_denied_is_1(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(scene, "--as", "nobody") == 1
    assert "=> denied: 401 no-credential" in capsys.readouterr().out


def test_cannot_tell_is_2(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(scene) == 2
    assert "=> cannot tell" in capsys.readouterr().out


def test_mistakes_are_2(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(scene, url="nonsense") == 2
    assert ask(scene, "--as", str(scene / "none.json")) == 2
    assert ask(scene, "--at", "tomorrow") == 2
    write_config(scene, CONFIG.replace("rules", "ruler"))
    assert ask(scene) == 2
    assert "url: 'nonsense' is no absolute URL" in capsys.readouterr().err


def test_json_is_for_programs(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ask(scene, "--json", "--as", "nobody") == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["verdict"], document["route"]) == ("deny", "route[0]")


def test_certificates_bindings_and_times_are_taken(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    certificate, _ = self_signed("client").write(scene, "client")
    given = ("--cert", str(certificate), "--binding", "dpop", "--at", "1800000000")
    assert ask(scene, *given, "--sni", "A.example", "--method", "PUT") == 1
    assert "PUT http://app.example.com/orders/17" in capsys.readouterr().out


def test_an_id_is_asked_of_the_listener_for_operators(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = str(scene / "sso-proxy.toml")
    assert main(["explain", file, "--id", "a/../b"]) == 2
    assert main(["explain", file, "--id", "abc-1"]) == 2
    err = capsys.readouterr().err
    assert "'a/../b' is no request id" in err
    assert "there is no listener for operators" in err


def test_one_of_url_and_id_is_named(scene: Path) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["explain", str(scene / "sso-proxy.toml")])
    assert caught.value.code == 2


def test_a_decision_point_is_really_asked_if_that_is_said(tmp_path: Path) -> None:
    def serve(sock: socket.socket, _number: int) -> None:
        request = read_request(sock)
        decision = b"true" if b'"PUT"' in request else b"false"
        body = b'{"decision": %b}' % decision
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        sock.sendall(b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body))

    (tmp_path / "alice.json").write_text(json.dumps(ALICE))
    with Backend(serve) as point:
        endpoint = f'endpoint = "http://127.0.0.1:{point.port}/"'
        text = CONFIG.replace(
            'policy = ["main"]\nshadow = ["next"]', 'policy = ["pdp"]'
        )
        path = write_config(
            tmp_path, f'{text}[policy.pdp]\ntype = "authzen"\n{endpoint}\n'
        )
        found = [
            subprocess.run(  # noqa: S603
                [
                    *(sys.executable, "-c", PROGRAM, "explain", path),
                    *("--url", f"{URL}/orders/17", "--as", tmp_path / "alice.json"),
                    *("--method", method, "--ask"),
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            for method in ("PUT", "GET")
        ]
    assert [each.returncode for each in found] == [0, 1], found
    assert "policy       hit  pdp: permit" in found[0].stdout
