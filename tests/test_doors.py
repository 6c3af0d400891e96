"""Announcements are found at each door, and a broken one is never skipped."""

import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import pytest
import twisted.plugins

from sso_proxy import doors
from sso_proxy.doors import find_announcements
from sso_proxy.errors import ConfigError

SIMPLE = """
from sso_proxy.plugin import PluginFactory
thing = PluginFactory(name={name!r}, makes="IUserMapper", target=f"{{__name__}}:Thing")
class Thing: pass
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    path = tmp_path / "plugins"
    path.mkdir(mode=0o755)
    return path


@pytest.fixture
def installed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a directory where a distribution has put its twisted.plugins."""
    path = [*twisted.plugins.__path__, str(directory)]
    monkeypatch.setattr(twisted.plugins, "__path__", path)
    return directory


def write(directory: Path, name: str, text: str, mode: int = 0o644) -> Path:
    path = directory / f"{name}.py"
    path.write_text(text)
    path.chmod(mode)
    return path


def names(*plugin_path: Path) -> set[str]:
    return {
        found.factory.name for found in find_announcements([*map(str, plugin_path)])
    }


def refused(*plugin_path: Path) -> str:
    with pytest.raises(ConfigError) as e:
        find_announcements([*map(str, plugin_path)])
    return str(e.value)


def test_built_ins_come_through_the_same_door() -> None:
    assert {"bearer", "mtls", "anonymous", "static", "claim", "pattern"} <= names()


def test_twisteds_own_modules_are_left_alone() -> None:
    names()
    loaded = {m for m in sys.modules if m.startswith("twisted.plugins.twisted_")}
    names()
    assert {
        m for m in sys.modules if m.startswith("twisted.plugins.twisted_")
    } == loaded


def test_no_cache_is_written(installed: Path) -> None:
    write(installed, "door_cache_plugin", SIMPLE.format(name="cached"))
    assert "cached" in names()
    assert not (installed / "dropin.cache").exists()


def test_installed_module_is_found(installed: Path) -> None:
    write(installed, "door_found_plugin", SIMPLE.format(name="found"))
    assert "found" in names()


def test_installed_module_that_is_broken_stops_the_start(installed: Path) -> None:
    file = write(installed, "door_broken_plugin", "# PluginFactory\nimport no_such_one")
    assert refused() == (
        f"{file}: cannot be imported: ModuleNotFoundError:"
        " No module named 'no_such_one'"
    )


def test_broken_module_for_another_program_is_not_ours(installed: Path) -> None:
    write(installed, "door_foreign_plugin", "import no_such_one")
    assert "mtls" in names()


def test_file_in_plugin_path_is_found(directory: Path) -> None:
    write(directory, "mine", SIMPLE.format(name="mine"))
    assert "mine" in names(directory)


def test_target_of_a_file_can_be_in_it(directory: Path) -> None:
    write(directory, "mine", SIMPLE.format(name="mine"))
    found = next(
        f for f in find_announcements([str(directory)]) if f.factory.name == "mine"
    )
    module = found.factory.target.partition(":")[0]
    assert sys.modules[module].Thing


def test_changed_file_is_read_anew(directory: Path) -> None:
    write(directory, "mine", SIMPLE.format(name="before"))
    assert "before" in names(directory)
    write(directory, "mine", SIMPLE.format(name="afterwards"))
    assert "afterwards" in names(directory)


def test_files_of_one_name_do_not_stand_in_for_each_other(
    directory: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir(mode=0o755)
    write(directory, "json", SIMPLE.format(name="one"))
    write(other, "json", SIMPLE.format(name="two"))
    assert {"one", "two"} <= names(directory, other)
    assert "sso_proxy" not in str(sys.modules["json"].__file__)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import no_such_one", "ModuleNotFoundError: No module named 'no_such_one'"),
        ("def f(:", "SyntaxError: invalid syntax"),
        ("1 / 0", "ZeroDivisionError: division by zero"),
    ],
)
def test_broken_file_is_refused_with_its_reason(
    directory: Path, text: str, reason: str
) -> None:
    file = write(directory, "broken", text)
    problem = refused(directory)
    assert problem.startswith(f"server.plugin_path[0]: '{file}' cannot be imported: ")
    assert reason in problem
    assert not [m for m in sys.modules if m.endswith("_broken")]


def test_every_broken_file_is_told(directory: Path) -> None:
    write(directory, "a", "1 / 0")
    write(directory, "b", "1 / 0")
    assert refused(directory).count("ZeroDivisionError") == 2


def test_broken_change_leaves_what_was_loaded(directory: Path) -> None:
    write(directory, "kept", SIMPLE.format(name="kept"))
    names(directory)
    module = next(m for m in sys.modules if m.endswith("_kept"))
    before = sys.modules[module]
    write(directory, "kept", "1 / 0  # longer, so that no cached code is taken")
    refused(directory)
    assert sys.modules[module] is before


def test_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    assert "is no directory" in refused(tmp_path / "missing")


def test_file_that_everybody_may_change_is_refused(directory: Path) -> None:
    file = write(directory, "mine", SIMPLE.format(name="mine"), 0o666)
    assert f"'{file}'; chmod o-w" in refused(directory)


def test_directory_that_everybody_may_add_to_is_refused(directory: Path) -> None:
    directory.chmod(0o777)
    assert f"'{directory}'; chmod o-w" in refused(directory)


def entry_point(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    entry = EntryPoint("thing", value, doors.GROUP)
    monkeypatch.setattr(doors, "entry_points", lambda group: EntryPoints([entry]))  # noqa: ARG005


def test_entry_point_that_cannot_be_loaded_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry_point(monkeypatch, "no_such_one:thing")
    assert refused() == (
        "entry point 'thing': cannot be imported: ModuleNotFoundError:"
        " No module named 'no_such_one'"
    )


def test_entry_point_that_is_no_announcement_stops_the_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry_point(monkeypatch, "os:path")
    assert refused() == "entry point 'thing': os:path does not provide IPluginFactory"


def test_one_announcement_behind_two_doors_is_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    entry_point(monkeypatch, "twisted.plugins.sso_proxy_plugin:static_mapper")
    found = find_announcements([])
    assert [f.factory.name for f in found].count("static") == 1
