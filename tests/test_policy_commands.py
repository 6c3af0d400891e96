"""``sso-proxy test`` and ``sso-proxy diff``."""

import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from sso_proxy.audit import audit_line, caller_part, place_part
from sso_proxy.cli import main
from tests.support.explain_scene import CONFIG, ISSUER, URL, write_config

CASES = f"""
[[case]]
name = "sales may read"
url = "{URL}/orders/17"
as = {{ sub = "alice", iss = "{ISSUER}", department = "sales", email = "a@b" }}
scopes = "orders.read"
from = "192.0.2.1"
expect = "permit"
expect_rule = "main/rule:sales-read"
expect_header = {{ X-Purpose = "sales" }}
[[case]]
name = "nobody may not"
url = "{URL}/orders/17"
as = "nobody"
expect = 401
"""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    write_config(tmp_path)
    (tmp_path / "cases.toml").write_text(CASES)
    new = CONFIG.replace("scope:orders.read", "scope:orders.write")
    (tmp_path / "new.toml").write_text(new)
    return tmp_path


def run(scene: Path, command: str, *files: str) -> int:
    named = [file if file[0] == "-" else str(scene / file) for file in files]
    return main([command, *named])


def test_cases_that_are_as_expected_are_0(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scene, "test", "sso-proxy.toml", "cases.toml") == 0
    assert capsys.readouterr().out.splitlines() == [
        "ok      sales may read",
        "ok      nobody may not",
        "2 cases, 0 failed",
    ]


def test_a_case_that_fails_is_1_and_explained(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = ("new.toml", "cases.toml", "--junit", "out.xml")
    assert run(scene, "test", *files) == 1
    out = capsys.readouterr().out
    assert "FAILED  sales may read\n    expected permit, got denied: 403" in out
    assert "scope:orders.write" in out
    assert "2 cases, 1 failed" in out


def test_results_go_to_a_file(scene: Path) -> None:
    file = scene / "out.xml"
    arguments = [str(scene / "new.toml"), str(scene / "cases.toml")]
    assert main(["test", *arguments, "--junit", str(file)]) == 1
    assert ET.parse(file).getroot()[0].get("failures") == "1"  # noqa: S314
    assert main(["test", *arguments, "--junit", str(scene / "none" / "x")]) == 2


def test_files_that_are_wrong_are_2(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(scene, "test", "sso-proxy.toml", "none.toml") == 2
    assert run(scene, "diff", "sso-proxy.toml", "none.toml", "cases.toml") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_who_loses_is_said(scene: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(scene, "diff", "sso-proxy.toml", "new.toml", "cases.toml") == 1
    out = capsys.readouterr().out
    assert "loses: sales may read" in out
    assert "1 loses, 0 gains, 0 changes, 1 the same, 0 cannot be told" in out


def test_no_difference_is_0(scene: Path) -> None:
    assert run(scene, "diff", "new.toml", "new.toml", "cases.toml") == 0


def test_an_audit_log_is_replayed(
    scene: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without claims, only what does not depend on them can be told."""
    place = place_part(
        listener="l", client="10.1.2.3", peer="p", host="app.example.com", route="r"
    )
    who = caller_part(authenticator="api", issuer=ISSUER, subject="alice")
    for path in ("/orders/1", "/orders/1", "/open/x"):
        line = audit_line(
            place + who,
            time=1.8e9,
            id="1",
            method="GET",
            path=path,
            status=200,
            reason="",
            sent=0,
            received=0,
            duration=0.1,
            upstream_status=200,
            upstream="u",
        )
        with (scene / "audit.log").open("ab") as log:
            log.write(line)
    closed = CONFIG.replace('methods = ["GET"]', 'methods = ["PUT"]')
    (scene / "new.toml").write_text(closed)
    files = ("sso-proxy.toml", "new.toml", "audit.log", "--json")
    assert run(scene, "diff", *files) == 1
    document = json.loads(capsys.readouterr().out)
    assert [each["kind"] for each in document["changes"]] == ["loses"]
    assert (document["same"], document["untold"]) == (2, 0)
