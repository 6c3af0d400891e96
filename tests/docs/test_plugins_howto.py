"""The examples in docs/howto/plugins.md work as they stand there."""

import importlib.util
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sso_proxy.config.model import ComponentConfig
from sso_proxy.registry import Registry
from sso_proxy.testing import check_user_mapper, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity

HOWTO = Path(__file__).parents[2] / "docs" / "howto" / "plugins.md"
PLUGIN, TESTS = re.findall(
    r"^```python\n(.*?)^```", HOWTO.read_text("utf-8"), re.MULTILINE | re.DOTALL
)


@pytest.fixture
def plugin_path(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "domain.py").write_text(PLUGIN, "utf-8")
    before = set(sys.modules)
    yield str(tmp_path)
    for name in set(sys.modules) - before:
        if "domain" in name:
            del sys.modules[name]


def test_the_single_file_is_found_and_keeps_the_contract(plugin_path: str) -> None:
    registry = Registry.load([plugin_path])
    component = ComponentConfig(type="domain", options={"domain": "example.com"})
    made, config = registry.read_options("IUserMapper", component, "mapper.staff")
    mapper = made.from_config(config, FakeTools())
    alice = make_identity(claims={"email": "alice@example.com"})
    check_user_mapper(mapper, [alice])
    assert outcome_of(mapper.map_user(alice)) == "alice"


def test_its_tests_pass(plugin_path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(plugin_path)
    file = Path(plugin_path) / "check_domain.py"
    file.write_text(TESTS, "utf-8")
    spec = importlib.util.spec_from_file_location("check_domain", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tests = [value for name, value in vars(module).items() if name.startswith("test_")]
    assert len(tests) == 2
    for test in tests:
        test()
