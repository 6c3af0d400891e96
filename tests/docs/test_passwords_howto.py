"""docs/howto/passwords.md: its examples are good, and its numbers are the defaults."""

import re
from pathlib import Path

import attrs
import pytest

from sso_proxy.authn.basic import BasicConfig
from sso_proxy.authn.form import FormConfig
from sso_proxy.cli import main
from sso_proxy.specs.htpasswd import MOST_COST, MOST_ROUNDS
from sso_proxy.testing.pki import Pki
from tests.support.password_scene import htpasswd_line

PAGE = (Path(__file__).parents[2] / "docs" / "howto" / "passwords.md").read_text(
    "utf-8"
)
BLOCKS = re.findall(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
OPTIONS = re.findall(r"^\| `(\w+)` \| (?:`([\w-]+)`|([\d,]+)) \|", PAGE, re.MULTILINE)
AROUND = """
[server]
state_dir = "state"

[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

"""


def test_there_are_examples() -> None:
    assert len(BLOCKS) == 2
    assert len(OPTIONS) == 8


@pytest.mark.parametrize("block", BLOCKS, ids=["first", "fresh"])
def test_an_example_is_good(
    block: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pki = Pki.create()
    pki.issue("app", dns=["app.example.com"], server=True).write(tmp_path, "server")
    (tmp_path / "users").write_text(htpasswd_line("alice", "wonderland"))
    file = tmp_path / "sso-proxy.toml"
    file.write_text(AROUND + block)
    status = main(["check", str(file)])
    assert status == 0, capsys.readouterr()


@pytest.mark.parametrize(("name", "text", "number"), OPTIONS, ids=lambda v: v)
def test_a_default_is_as_it_says(name: str, text: str, number: str) -> None:
    fields = {
        f.name: f for kind in (BasicConfig, FormConfig) for f in attrs.fields(kind)
    }
    default = fields[name].default
    assert str(default) == text or default == float(number.replace(",", ""))


def test_limits_are_as_it_says() -> None:
    assert f"4 to {MOST_COST}" in PAGE
    assert f"1,000 to {MOST_ROUNDS:,} rounds" in PAGE
