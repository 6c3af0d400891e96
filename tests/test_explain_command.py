"""``sso-proxy explain`` answers with a text, JSON and a status."""

import json
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.testing.pki import self_signed
from tests.support.explain_scene import ALICE, CONFIG, URL, write_config


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
