"""``sso-proxy import-apache`` writes rules, and says what became of each line."""

from pathlib import Path

import pytest

from sso_proxy.cli import main

TEXT = "<Location /a>\nRequire claim a:b\nRequire env x\n</Location>\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    written = tmp_path / "site.conf"
    written.write_text(TEXT)
    return written


def test_rules_are_printed(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-apache", str(file)]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("# site.conf, as rules.")
    assert 'name = "line-1"' in out
    assert err.splitlines() == [
        "line 2: translated: require claim a:b",
        "line 3: unsupported: require env x: there is nothing like 'Require env' here",
        "1 translated, 0 approximated, 1 unsupported",
    ]


def test_rules_are_written_to_a_new_file(file: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.toml"
    assert main(["import-apache", str(file), "--to", str(rules)]) == 0
    written = rules.read_text()
    assert "[[rule]]" in written
    assert main(["import-apache", str(file), "--to", str(rules)]) == 1
    assert rules.read_text() == written


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"<Location /a>", "does not end"),
        (b"\xff", "can't decode"),
        (b"#" * (1 << 22) + b"\n", "more than 4194304 octets"),
    ],
)
def test_what_is_no_configuration_is_refused(
    content: bytes, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad.conf"
    bad.write_bytes(content)
    assert main(["import-apache", str(bad)]) == 1
    assert problem in capsys.readouterr().err


def test_a_file_that_is_not_there_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["import-apache", "/nonexistent"]) == 1
    assert "cannot be read" in capsys.readouterr().err
