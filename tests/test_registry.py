"""A component is made by the class that its ``type`` names, or refused."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar, cast

import attrs
import pytest
from zope.interface import implementer

from sso_proxy.authn.anonymous import AnonymousAuthenticator
from sso_proxy.config.model import ComponentConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools, IUserMapper
from sso_proxy.registry import FAMILIES, Registry, provided_problems

TOOLS = cast("ITools", SimpleNamespace(name="part"))
HERE = "registry_test_plugins"


@attrs.frozen(kw_only=True)
class Config:
    """
    Options.

    Attributes:
        count: A number.
        password: A secret.
    """

    count: int
    password: Secret | None = None


@implementer(IUserMapper)
class Mapper:
    """A mapper that is right."""

    config_class: ClassVar[Any] = Config

    def __init__(self, config: Config, tools: ITools) -> None:
        self.config = config
        self.tools = tools

    @classmethod
    def from_config(cls, config: Config, tools: ITools) -> "Mapper":
        return cls(config, tools)

    async def map_user(self, identity: object) -> Any: ...  # noqa: ANN401


class Undeclared(Mapper):
    """Says nothing about what it provides, and takes back what its base says."""

    __provides__ = None

    @classmethod
    def from_config(cls, config: Config, tools: ITools) -> Any:  # noqa: ANN401, ARG003
        return SimpleNamespace()


class Sync(Mapper):
    """Answers at once where a coroutine function is declared."""

    def map_user(self, identity: object) -> Any: ...  # noqa: ANN401


class Raises(Mapper):
    """Cannot be made, for the reason that ``raised`` is."""

    raised: ClassVar[Exception]

    @classmethod
    def from_config(cls, config: Config, tools: ITools) -> Any:  # noqa: ANN401, ARG003
        raise cls.raised


class NoConfig:
    """Has no config class."""


class NoFactory:
    """Has no from_config."""

    config_class: ClassVar[Any] = Config


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the classes above importable by one short name."""
    made = ModuleType(HERE)
    vars(made).update(globals())
    monkeypatch.setitem(sys.modules, HERE, made)


def part(kind: str, **options: Any) -> ComponentConfig:  # noqa: ANN401
    return ComponentConfig(type=kind, options=options, directory="/etc/sso")


def build(kind: str, **options: Any) -> Any:  # noqa: ANN401
    registry = Registry.load()
    return registry.build("IUserMapper", part(kind, **options), TOOLS, "mapper.m")


def refused(kind: str, **options: Any) -> dict[str, str]:  # noqa: ANN401
    with pytest.raises(ConfigError) as e:
        build(kind, **options)
    return {mistake.path: mistake.problem for mistake in e.value.mistakes}


def test_announced_component_is_made() -> None:
    registry = Registry.load()
    made = registry.build(
        "IAuthenticator", part("anonymous"), TOOLS, "authenticator.nobody"
    )
    assert isinstance(made, AnonymousAuthenticator)


def test_class_that_nobody_announces_is_made_with_its_options() -> None:
    made = build(f"{HERE}:Mapper", count=3)
    assert made.config == Config(count=3)
    assert made.tools is TOOLS


def test_names_are_those_of_one_interface() -> None:
    names = Registry.load().names("IUserMapper")
    assert names == [
        "chain",
        "claim",
        "file",
        "ldap",
        "mod_auth_openidc",
        "pattern",
        "static",
    ]


def test_unknown_type_gets_the_one_that_may_be_meant() -> None:
    assert refused("sttic") == {
        "mapper.m.type": "there is no user mapper 'sttic'; did you mean 'static'?"
    }


def test_type_of_another_interface_is_unknown() -> None:
    assert "there is no user mapper 'mtls'" in refused("mtls")["mapper.m.type"]


@pytest.mark.parametrize(
    ("target", "problem"),
    [
        ("no_such_one:Thing", "No module named 'no_such_one'"),
        (f"{HERE}:Thing", "has no attribute 'Thing'"),
        (":Thing", "cannot be imported"),
        (f"{HERE}:", "cannot be imported"),
        (f"{HERE}:NoConfig", "has no config_class that is an attrs class"),
        (f"{HERE}:NoFactory", "has no class method from_config"),
    ],
)
def test_class_that_is_none_is_refused(target: str, problem: str) -> None:
    found = refused(target)
    assert list(found) == ["mapper.m.type"]
    assert problem in found["mapper.m.type"]


def test_options_are_checked_by_the_components_class() -> None:
    assert refused(f"{HERE}:Mapper", count="3", cuont=1) == {
        "mapper.m.count": "must be an integer, not a string",
        "mapper.m.cuont": "there is no option 'cuont'; did you mean 'count'?",
    }


def test_secrets_work_for_components_too(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("hush")
    (tmp_path / "password").chmod(0o600)
    options = {"count": 1, "password_file": "password"}
    component = ComponentConfig(
        type=f"{HERE}:Mapper", options=options, directory=str(tmp_path)
    )
    made = Registry.load().build("IUserMapper", component, TOOLS, "mapper.m")
    assert made.config.password == Secret("hush")


@pytest.mark.parametrize(
    ("raised", "found"),
    [
        (ValueError("bad file"), {"mapper.m": "cannot be made: bad file"}),
        (OSError("down"), {"mapper.m": "cannot be made: OSError: down"}),
        (ConfigError(Mistake("count", "no")), {"mapper.m.count": "no"}),
        (ConfigError(Mistake("mapper.m.count", "no")), {"mapper.m.count": "no"}),
        (ConfigError(Mistake("", "no")), {"mapper.m": "no"}),
    ],
)
def test_component_that_cannot_be_made_is_refused(
    raised: Exception, found: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Raises, "raised", raised, raising=False)
    assert refused(f"{HERE}:Raises", count=1) == found


def test_object_that_does_not_provide_its_interface_is_refused() -> None:
    found = refused(f"{HERE}:Undeclared", count=1)
    assert set(found) == {"mapper.m.type"}
    assert "IUserMapper" in found["mapper.m.type"]


def test_sync_method_where_async_is_declared_is_refused() -> None:
    problem = "map_user must be declared with async def"
    assert refused(f"{HERE}:Sync", count=1) == {"mapper.m.type": problem}


def test_right_component_has_no_problems() -> None:
    assert provided_problems("IUserMapper", Mapper(Config(count=1), TOOLS)) == []


ANNOUNCE = """
from sso_proxy.plugin import PluginFactory
thing = PluginFactory(name={name!r}, makes={makes!r}, target={target!r})
"""


def announce(
    directory: Path,
    name: object,
    makes: object = "IUserMapper",
    target: object = "a:B",
) -> Path:
    directory.chmod(0o755)
    file = directory / "mine.py"
    file.write_text(ANNOUNCE.format(name=name, makes=makes, target=target))
    file.chmod(0o644)
    return file


def test_file_in_plugin_path_announces_a_component(tmp_path: Path) -> None:
    announce(tmp_path, "mine", target=f"{HERE}:Mapper")
    registry = Registry.load([str(tmp_path)])
    made = registry.build("IUserMapper", part("mine", count=1), TOOLS, "mapper.m")
    assert made.config.count == 1


def test_only_the_chosen_class_is_imported(tmp_path: Path) -> None:
    announce(tmp_path, "mine", target="no_such_one:Thing")
    assert "mine" in Registry.load([str(tmp_path)]).names("IUserMapper")


def test_name_found_twice_is_refused(tmp_path: Path) -> None:
    file = announce(tmp_path, "static")
    with pytest.raises(ConfigError) as e:
        Registry.load([str(tmp_path)])
    problem = str(e.value)
    assert problem.startswith(f"{file}: announces the user mapper 'static'")
    assert "sso_proxy_plugin.py; take one of them away" in problem


def test_one_name_for_two_interfaces_is_no_mistake(tmp_path: Path) -> None:
    announce(tmp_path, "static", makes="IPolicy")
    assert "static" in Registry.load([str(tmp_path)]).names("IPolicy")


@pytest.mark.parametrize(
    ("name", "makes", "target", "problem"),
    [
        (7, "IUserMapper", "a:B", "'name' is no string"),
        ("", "IUserMapper", "a:B", "'name' is no string"),
        ("x", "IUserMaper", "a:B", "no interface of ours"),
        ("x", "Any", "a:B", "no interface of ours"),
        ("x", "IUserMapper", None, "'target' is no string"),
        ("x:y", "IUserMapper", "a:B", "has a colon"),
    ],
)
def test_announcement_that_says_nothing_is_refused(
    tmp_path: Path, name: object, makes: object, target: object, problem: str
) -> None:
    announce(tmp_path, name, makes, target)
    with pytest.raises(ConfigError, match=problem):
        Registry.load([str(tmp_path)])


def test_config_classes_are_those_of_tables() -> None:
    classes = Registry.load().config_classes()
    assert set(classes) == FAMILIES.keys() - {"obligation"}, "ours need no table"
    assert set(classes["mapper"]) > {"claim", "pattern", "static"}


def test_own_config_classes_leave_out_others(tmp_path: Path) -> None:
    announce(tmp_path, "mine", target=f"{HERE}:Mapper")
    registry = Registry.load([str(tmp_path)])
    assert registry.config_classes()["mapper"]["mine"] is Config
    assert "mine" not in registry.config_classes(own=True)["mapper"]
