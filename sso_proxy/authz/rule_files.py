"""Reading what rules are made of: files of rules, groups, and tables."""

import csv
import glob
import io
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.authz.facts import Table
from sso_proxy.authz.rules_config import (
    GroupFileConfig,
    RuleConfig,
    RulesConfig,
    RuleSetConfig,
    TableConfig,
)
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError, Mistake

MOST_RULE_OCTETS: Final = 1 << 20
"""Of one file of rules."""

MOST_TABLE_OCTETS: Final = 1 << 24
"""Of one file with a group or table."""

MOST_RULES: Final = 10_000

_REFERENCE: Final = "@"


@attrs.frozen(kw_only=True)
class RuleSet:
    """
    All that the rules of one policy are made of.

    Attributes:
        rules: Each with the place that mistakes about it name.
        groups: Members by name.
        tables: Tables by name.
    """

    rules: tuple[tuple[str, RuleConfig], ...]
    groups: Mapping[str, frozenset[str]]
    tables: Mapping[str, Table]


def load_rules(config: RulesConfig) -> RuleSet:
    """
    Read everything that *config* names, as one.

    Raises:
        ConfigError: Some of it cannot be used: all that is wrong.
    """
    return _Loader().load(config)


class _Loader:
    """Reads one file after another, and remembers what is wrong."""

    def __init__(self) -> None:
        self._mistakes: list[Mistake] = []
        self._rules: list[tuple[str, RuleConfig]] = []
        self._members: dict[str, tuple[str, Sequence[str]]] = {}
        self._tables: dict[str, Table] = {}
        self._seen: dict[str, str] = {}

    def load(self, config: RulesConfig) -> RuleSet:
        self._add("", config)
        for file in self._files(config):
            found = self._try(f"files: {file}", _read_file, file)
            if found is not None:
                self._add(file, found)
        if len(self._rules) > MOST_RULES:
            problem = f"there are {len(self._rules)} rules; {MOST_RULES} at most"
            self._mistakes.append(Mistake("rule", problem))
        groups = self._groups()
        if self._mistakes:
            raise ConfigError(*self._mistakes)
        return RuleSet(rules=tuple(self._rules), groups=groups, tables=self._tables)

    def _files(self, config: RulesConfig) -> Iterator[str]:
        """Give the files that patterns fit, each once, in the order of their names."""
        given: set[str] = set()
        for number, pattern in enumerate(config.files):
            found = sorted(glob.glob(pattern)) if "*" in pattern else [pattern]  # noqa: PTH207 - a pattern from the root
            if not found:
                problem = f"no file fits {pattern!r}"
                self._mistakes.append(Mistake(f"files[{number}]", problem))
            yield from (file for file in found if file not in given)
            given.update(found)

    def _add(self, place: str, found: RuleSetConfig) -> None:
        """Take over what stands in one place."""
        for number, rule in enumerate(found.rule):
            path = _at(place, f"rule[{number}]")
            self._once(f"{path}.name", f"rule {rule.name!r}", path)
            self._rules.append((path, rule))
        for name, members in found.groups.items():
            path = _at(place, f"groups.{name}")
            self._once(path, f"group {name!r}", path)
            self._members[name] = path, members
        for name, group in found.group_files.items():
            path = _at(place, f"group_files.{name}")
            self._once(path, f"group {name!r}", path)
            self._members[name] = path, self._try(path, read_group, group) or ()
        for name, table in found.tables.items():
            path = _at(place, f"tables.{name}")
            self._once(path, f"table {name!r}", path)
            self._tables[name] = self._try(path, read_table, table) or {}

    def _once(self, path: str, what: str, place: str) -> None:
        """Note that a name is taken."""
        other = self._seen.setdefault(what, place)
        if other != place:
            self._mistakes.append(Mistake(path, f"{what} is {other} already"))

    def _try(self, path: str, read: Callable[[Any], Any], what: object) -> Any:  # noqa: ANN401
        try:
            return read(what)
        except ConfigError as e:
            self._mistakes += e.mistakes
        except (OSError, ValueError) as e:
            self._mistakes.append(Mistake(path, str(e)))
        return None

    def _groups(self) -> dict[str, frozenset[str]]:
        """Put groups into the groups that name them."""
        return {name: frozenset(self._all_of(name, ())) for name in self._members}

    def _all_of(self, name: str, above: tuple[str, ...]) -> Iterator[str]:
        path, members = self._members[name]
        if name in above:
            if name == above[0]:  # else it is said of another group
                way = " has ".join((*above, name))
                problem = f"goes round in a circle: {way}"
                self._mistakes.append(Mistake(path, problem))
            return
        for member in members:
            other = member.removeprefix(_REFERENCE)
            if other == member:
                yield member
            elif other in self._members:
                yield from self._all_of(other, (*above, name))
            else:
                self._mistakes.append(Mistake(path, f"there is no group {other!r}"))


def _at(place: str, what: str) -> str:
    """Name a place in a file of rules, or in the configuration."""
    return f"files: {place}: {what}" if place else what


def _read_file(file: str) -> RuleSetConfig:
    """
    Read one file of rules.

    Raises:
        ConfigError: It is none.
        OSError: It cannot be read.
        ValueError: It is too large, or no TOML.
    """
    text = _read_text(file, MOST_RULE_OCTETS)
    try:
        raw = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise ValueError(f"is not TOML: {e}") from None
    directory = Path(file).absolute().parent
    try:
        return structure(raw, RuleSetConfig, path="", directory=directory)
    except ConfigError as e:
        mistakes = (attrs.evolve(m, path=_at(file, m.path)) for m in e.mistakes)
        raise ConfigError(*mistakes) from None


def read_group(config: GroupFileConfig) -> tuple[str, ...]:
    """
    Read the members of a group.

    Raises:
        OSError: The file cannot be read.
        ValueError: It says no members.
    """
    rows = _read_rows(config.file)
    if rows and all(isinstance(row, str) for row in rows):
        if config.column is not None:
            raise ValueError(f"{config.file} has no columns")
        return tuple(str(row) for row in rows)
    tables = [_row(config.file, row) for row in rows]
    column = config.column or _only_column(config.file, tables)
    return tuple(_cell(config.file, row, column) for row in tables)


def read_table(config: TableConfig) -> Table:
    """
    Read a table.

    Raises:
        OSError: The file cannot be read.
        ValueError: It is none, or two rows have the same key.
    """
    table: dict[str, Mapping[str, str]] = {}
    for row in _read_rows(config.file):
        cells = _row(config.file, row)
        key = _cell(config.file, cells, config.key)
        if key in table:
            raise ValueError(f"{config.file} has two rows with {config.key} {key!r}")
        table[key] = cells
    return table


def _read_text(file: str, most: int) -> str:
    """
    Read a file of at most *most* octets, as UTF-8.

    Raises:
        OSError: It cannot be read.
        ValueError: It is too large, or no text.
    """
    with open(file, "rb") as stream:  # noqa: PTH123
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{file} has more than {most} octets")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not UTF-8") from None


def _read_rows(file: str) -> list[Any]:
    """Read rows of a CSV or JSON file."""
    text = _read_text(file, MOST_TABLE_OCTETS)
    if file.endswith(".csv"):
        return _read_csv(file, text)
    if file.endswith(".json"):
        return _read_json(file, text)
    raise ValueError(f"{file}: the name has to end with .csv or .json")


def _read_csv(file: str, text: str) -> list[Any]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [line for line in reader if line]
    except csv.Error as e:
        raise ValueError(f"{file} is not CSV: {e}") from None
    if not lines:
        raise ValueError(f"{file} has no line that names the columns")
    head, *rows = lines
    if len(set(head)) < len(head) or not all(head):
        raise ValueError(f"{file}: each column needs a name of its own")
    for number, row in enumerate(rows, 2):
        if len(row) != len(head):
            problem = f"{len(row)} values for {len(head)} columns"
            raise ValueError(f"{file}: row {number} has {problem}")
    return [dict(zip(head, row, strict=True)) for row in rows]


def _read_json(file: str, text: str) -> list[Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise ValueError(f"{file} is not JSON: {e}") from None
    if not isinstance(found, list):
        raise ValueError(f"{file} is no list")  # noqa: TRY004 - of what is read
    return found


def _row(file: str, row: object) -> Mapping[str, str]:
    if not isinstance(row, dict) or not all(isinstance(v, str) for v in row.values()):
        raise ValueError(f"{file}: each row has to be an object whose values are texts")
    return row


def _cell(file: str, row: Mapping[str, str], column: str) -> str:
    if column not in row:
        raise ValueError(f"{file} has no column {column!r}; it has: {', '.join(row)}")
    return row[column]


def _only_column(file: str, rows: Sequence[Mapping[str, str]]) -> str:
    columns = {column for row in rows for column in row}
    if len(columns) > 1:
        raise ValueError(f"{file} has several columns; column says which")
    return next(iter(columns), "")
