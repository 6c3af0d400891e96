"""What TOML said becomes frozen values, or every mistake is named."""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.config.checks import non_empty, positive
from sso_proxy.config.model import ComponentConfig, FilePath
from sso_proxy.config.secrets import Secret
from sso_proxy.config.structure import join, structure
from sso_proxy.errors import ConfigError, Mistake

HERE = Path("/etc/sso")


@attrs.frozen(kw_only=True)
class Inner:
    """An inner table."""

    level: Literal["low", "high"] = "low"


@attrs.frozen(kw_only=True)
class Options:
    """One option of each type."""

    text: str = ""
    number: int = attrs.field(default=1, validator=positive)
    seconds: float = 1.0
    flag: bool = False
    words: tuple[str, ...] = attrs.field(default=("a",), validator=non_empty)
    by_name: Mapping[str, int] = attrs.field(factory=dict)
    either: str | tuple[str, ...] = ""
    maybe: int | None = None
    inner: Inner = attrs.field(factory=Inner)
    inners: tuple[Inner, ...] = ()
    file: FilePath | None = None
    files: tuple[FilePath, ...] = ()
    secret: Secret | None = None
    anything: Any = None
    part: ComponentConfig | None = None


@attrs.frozen(kw_only=True)
class Needs:
    """Options without defaults."""

    text: str
    words: tuple[str, ...]
    key: Secret


@attrs.frozen(kw_only=True)
class Quoted:
    """What ``from __future__ import annotations`` makes of a class."""

    count: "int"


def read(text: str, kind: Any = Options) -> Any:  # noqa: ANN401
    return structure(tomllib.loads(text), kind, path="x.y", directory=HERE)


def mistakes(text: str, kind: Any = Options) -> dict[str, str]:  # noqa: ANN401
    with pytest.raises(ConfigError) as e:
        read(text, kind)
    return {mistake.path: mistake.problem for mistake in e.value.mistakes}


def test_nothing_written_gives_the_defaults() -> None:
    assert read("") == Options()


def test_every_type_is_read() -> None:
    options = read(
        """
        text = "t"
        number = 2
        seconds = 3
        flag = true
        words = ["b", "c"]
        by_name = { one = 1 }
        either = ["d"]
        maybe = 4
        inner = { level = "high" }
        inners = [{}, { level = "high" }]
        anything = [1, "x"]
        part = { type = "p", other = 5 }
        """
    )
    assert options == Options(
        text="t",
        number=2,
        seconds=3.0,
        flag=True,
        words=("b", "c"),
        by_name={"one": 1},
        either=("d",),
        maybe=4,
        inner=Inner(level="high"),
        inners=(Inner(), Inner(level="high")),
        anything=[1, "x"],
        part=ComponentConfig(type="p", options={"other": 5}, directory="/etc/sso"),
    )
    assert type(options.seconds) is float


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('number = "10"', "must be an integer, not a string"),
        ("number = true", "must be an integer, not true"),
        ("number = 1.0", "must be an integer, not a fraction"),
        ("flag = 1", "must be true or false, not an integer"),
        ("text = 1", "must be a string, not an integer"),
        ('seconds = "1"', "must be a number, not a string"),
        ("seconds = true", "must be a number, not true"),
        ("seconds = inf", "must be finite, not inf"),
        ("seconds = nan", "must be finite, not nan"),
        ('words = "api"', "must be a list, not a string"),
        ("words = []", "must not be empty"),
        ("by_name = []", "must be a table, not a list"),
        ("either = 1", "must be a string or a list, not an integer"),
        ('maybe = "1"', "must be an integer, not a string"),
        ("inner = 1", "must be a table, not an integer"),
        ("inners = {}", "must be a list, not a table"),
        ("number = 0", "must be more than 0, not 0"),
        ('file = ""', "must be a file's name"),
        ("part = {}", "type must name a plugin, as in type = 'bearer'"),
        ("part = 1", "must be a table, not an integer"),
        ("number = 1979-05-27", "must be an integer, not a date or time"),
    ],
)
def test_other_types_are_not_converted(line: str, problem: str) -> None:
    """What was written is not told: it may be a secret in the wrong place."""
    assert mistakes(line) == {f"x.y.{line.partition(' ')[0]}": problem}


def test_literal_names_its_choices() -> None:
    problem = "must be one of 'low', 'high', not 'mid'"
    assert mistakes('inner.level = "mid"') == {"x.y.inner.level": problem}


def test_all_mistakes_are_told_at_once_with_their_paths() -> None:
    found = mistakes(
        """
        nubmer = 3
        number = -1
        flag = 0
        words = ["a", 1, 2]
        either = [true]
        inners = [{}, { level = 3, lvel = 1 }]
        by_name = { a = "x", b = 1, "c.d" = "y" }
        """
    )
    assert set(found) == {
        "x.y.nubmer",
        "x.y.number",
        "x.y.flag",
        "x.y.words[1]",
        "x.y.words[2]",
        "x.y.either[0]",
        "x.y.inners[1].level",
        "x.y.inners[1].lvel",
        "x.y.by_name.a",
        "x.y.by_name.c.d",
    }


def test_unknown_option_gets_the_one_that_may_be_meant() -> None:
    problem = "there is no option 'nubmer'; did you mean 'number'?"
    assert mistakes("nubmer = 3") == {"x.y.nubmer": problem}


def test_unknown_option_like_no_other_gets_the_list() -> None:
    assert mistakes("level = 1\nzzz = 1", Inner)["x.y.zzz"] == (
        "there is no option 'zzz'; there are level"
    )


def test_missing_options_are_named_with_what_belongs_there() -> None:
    assert mistakes("", Needs) == {
        "x.y.text": "is missing; it must be a string",
        "x.y.words": "is missing; it must be a list",
        "x.y.key": "is missing; write key_file = '…' or key = 'env:NAME'",
    }


def test_relative_files_start_at_the_configuration_file() -> None:
    options = read('file = "a/b"\nfiles = ["/c", "d"]')
    assert options.file == "/etc/sso/a/b"
    assert options.files == ("/c", "/etc/sso/d")


def test_secret_is_read_from_a_file_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "s").write_text("hush\n")
    (tmp_path / "s").chmod(0o600)
    options = structure({"secret_file": "s"}, Options, path="", directory=tmp_path)
    assert options.secret == Secret("hush")


@attrs.frozen(kw_only=True)
class Odd:
    """Secrets in a list, and a type that no file can say."""

    secrets: tuple[Secret, ...] = ()
    octets: bytes = b""
    letters: list[str] = attrs.field(factory=list)
    some: frozenset[str] = frozenset()


def test_secrets_may_stand_in_a_list(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUSH", "hush")
    assert read('secrets = ["env:HUSH"]', Odd).secrets == (Secret("hush"),)
    found = mistakes('secrets = ["env:HUSH", "hush"]', Odd)
    assert list(found) == ["x.y.secrets[1]"]


@pytest.mark.parametrize("line", ["octets = 5", 'letters = "api"', 'some = "api"'])
def test_type_that_would_be_converted_into_is_refused(line: str) -> None:
    (problem,) = mistakes(line, Odd).values()
    assert "the option's class has the type" in problem


def test_literal_secret_is_refused_and_not_shown() -> None:
    found = mistakes('secret = "hush"')
    assert "must not stand in this file" in found["x.y.secret"]
    assert "hush" not in str(found)


def test_validator_that_reads_other_options_is_heard() -> None:
    @attrs.frozen(kw_only=True)
    class Range:
        low: int
        high: int = attrs.field()

        @high.validator
        def _above(self, _: object, value: int) -> None:
            if value < self.low:
                raise ValueError("must be above low")

    assert read("low = 1\nhigh = 2", Range) == Range(low=1, high=2)
    assert mistakes("low = 2\nhigh = 1", Range) == {"x.y": "must be above low"}


def test_class_with_annotations_as_strings_is_read() -> None:
    problem = "must be an integer, not a string"
    assert mistakes('count = "1"', Quoted) == {"x.y.count": problem}


def test_join_writes_paths_as_the_file_does() -> None:
    assert join(join(join("", "route"), 0), "backend") == "route[0].backend"


toml = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@given(
    raw=st.dictionaries(st.sampled_from([f.name for f in attrs.fields(Options)]), toml)
)
def test_any_table_is_read_or_refused_with_its_mistakes(raw: dict[str, Any]) -> None:
    refused: tuple[Mistake, ...] = ()
    try:
        structure(raw, Options, path="x", directory=HERE)
    except ConfigError as e:
        refused = e.mistakes or (Mistake("", "none named"),)
    assert all(m.path.startswith("x") and m.problem for m in refused)
