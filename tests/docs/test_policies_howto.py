"""docs/howto/policies.md: its examples are read, and decide as its tables say."""

import re
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.authz.policies import Named, Policies
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.cli import main
from sso_proxy.config.load import load_config
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError
from sso_proxy.model import Decision, Effect
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.testing.pki import Pki

PAGE = Path(__file__).parents[2] / "docs" / "howto" / "policies.md"
BLOCK = re.compile(
    r"^```\{code-block\} \w+\n:caption: (\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
ROW = re.compile(
    r"^\| `(sub .+?)` \| `(\w+) (\S+)` \| `(\w+)`"
    r"(?:: (no rule)| by `([\w-]+)`)(?:; ([\w, -]+))? \|$",
    re.MULTILINE,
)
AROUND = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[server]
state_dir = "state"

[authenticator.staff]
type = "anonymous"
"""
WRONG = "wrong.toml"


@attrs.frozen
class Example:
    """A configuration and the files that it names, and what that comes to."""

    files: dict[str, str]
    rows: list[tuple[str, ...]]


def examples() -> list[Example]:
    """Cut the page before each configuration."""
    text = PAGE.read_text("utf-8")
    begins = [m.start() for m in BLOCK.finditer(text) if m[1] == "sso-proxy.toml"]
    parts = [text[a:b] for a, b in zip(begins, [*begins[1:], None], strict=True)]
    return [Example(dict(BLOCK.findall(part)), ROW.findall(part)) for part in parts]


EXAMPLES = examples()


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create()


def write(example: Example, directory: Path, pki: Pki) -> Path:
    issued = pki.issue("app", dns=["app.example.com"], server=True)
    issued.write(directory, "server")
    (directory / "policy.d").mkdir()
    for name, text in example.files.items():
        if name != WRONG:
            (directory / name).write_text(text)
    config = directory / "sso-proxy.toml"
    config.write_text(AROUND + example.files["sso-proxy.toml"])
    return config


def policies_of(config: Path, path: str) -> list[Named]:
    """Make the policies of the route that *path* is on."""
    found = load_config(config)
    fitting = [route for route in found.route if path.startswith(route.path)]
    route = max(fitting, key=lambda route: len(route.path))
    tables = tomllib.loads(config.read_text())["policy"]
    named = []
    for name in route.policy:
        options = {key: v for key, v in tables[name].items() if key != "type"}
        read = structure(options, RulesConfig, path="", directory=config.parent)
        named.append(Named(name, RulesPolicy.from_config(read, FakeTools())))
    return named


def decide(policies: list[Named], who: str, method: str, path: str) -> Decision:
    """Decide; who permits is what the last policy says of itself."""
    claims: dict[str, Any] = tomllib.loads(f"all = {{ {who} }}")["all"]
    identity = make_identity(claims.pop("sub"), claims=claims)
    request = make_request(method, path)
    found = Policies(policies).check(identity, request)
    if found.effect is not Effect.PERMIT:
        return found
    last = policies[-1].policy
    assert isinstance(last, RulesPolicy)
    return attrs.evolve(found, reasons=last.check(identity, request).reasons)


@pytest.mark.parametrize("example", EXAMPLES, ids=range(len(EXAMPLES)))
def test_an_example_decides_as_the_page_says(
    example: Example, tmp_path: Path, pki: Pki, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write(example, tmp_path, pki)
    assert main(["check", str(config)]) == 0, capsys.readouterr().err
    assert example.rows
    for who, method, path, effect, no_rule, rule, obligations in example.rows:
        found = decide(policies_of(config, path), who, method, path)
        assert found.effect.value.replace("-", "_") == effect, (who, path)
        (reason,) = found.reasons
        assert reason.endswith("no-rule" if no_rule else f"rule:{rule}")
        names = [name for name, _ in found.obligations]
        assert names == [name for name in obligations.split(", ") if name]


def test_every_row_is_read() -> None:
    rows = re.findall(r"^\| `sub", PAGE.read_text("utf-8"), re.MULTILINE)
    assert len(rows) == sum(len(example.rows) for example in EXAMPLES)
    assert len(EXAMPLES) == 7


def test_every_mistake_on_the_page_is_one(tmp_path: Path) -> None:
    text = EXAMPLES[-1].files[WRONG]
    problems = []
    for number, rule in enumerate(text.split("\n\n")):
        file = tmp_path / f"{number}.toml"
        file.write_text(rule)
        with pytest.raises(ConfigError) as caught:
            RulesPolicy.from_config(RulesConfig(files=(str(file),)), FakeTools())
        problems.append([m.path.rpartition(": ")[2] for m in caught.value.mistakes])
    assert problems == [
        ["rule[0].name", "rule[0].effect"],
        ["rule[0].match.path", "rule[0].match.method"],
        ["rule[0].when"],
        ["rule[0].when"],
        ["rule[0]"],
        ["rule[0].when"],
    ]
