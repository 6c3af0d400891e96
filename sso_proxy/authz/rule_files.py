"""Reading what rules are made of, from all files, as one."""

import glob
import tomllib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.authz.facts import Table
from sso_proxy.authz.rule_data import Files, read_group, read_table
from sso_proxy.authz.rules_config import RuleConfig, RulesConfig, RuleSetConfig
from sso_proxy.config.structure import structure
from sso_proxy.errors import ConfigError, Mistake

MOST_RULE_OCTETS: Final = 1 << 20
"""Of one file of rules."""

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
        self._files = Files()
        self._mistakes: list[Mistake] = []
        self._rules: list[tuple[str, RuleConfig]] = []
        self._members: dict[str, tuple[str, Sequence[str]]] = {}
        self._listed: dict[str, Collection[str]] = {}
        self._tables: dict[str, Table] = {}
        self._seen: dict[str, str] = {}

    def load(self, config: RulesConfig) -> RuleSet:
        self._add("", config)
        chosen = self._choose(config)
        for file in chosen:
            found = self._try(f"files: {file}", _read_rules, file)
            if found is not None:
                self._add(file, found)
        if len(self._rules) > MOST_RULES:
            problem = f"there are {len(self._rules)} rules; {MOST_RULES} at most"
            self._mistakes.append(Mistake("rule", problem))
        groups = self._groups()
        if chosen != list(_fitting(config.files)):
            problem = "other files are there now than when they were read"
            self._mistakes.append(Mistake("files", problem))
        for file in self._files.changed():
            problem = "was written while it was read"
            self._mistakes.append(Mistake(f"files: {file}", problem))
        if self._mistakes:
            raise ConfigError(*self._mistakes)
        return RuleSet(rules=tuple(self._rules), groups=groups, tables=self._tables)

    def _choose(self, config: RulesConfig) -> list[str]:
        """Find the files of rules."""
        for number, pattern in enumerate(config.files):
            if not any(_fitting((pattern,))):
                problem = f"no file fits {pattern!r}"
                self._mistakes.append(Mistake(f"files[{number}]", problem))
        return list(_fitting(config.files))

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
            self._members[name] = path, ()
            self._listed[name] = self._try(path, read_group, group) or ()
        for name, table in found.tables.items():
            path = _at(place, f"tables.{name}")
            self._once(path, f"table {name!r}", path)
            self._tables[name] = self._try(path, read_table, table) or {}

    def _once(self, path: str, what: str, place: str) -> None:
        """Note that a name is taken."""
        other = self._seen.setdefault(what, place)
        if other != place:
            self._mistakes.append(Mistake(path, f"{what} is {other} already"))

    def _try(self, path: str, read: Callable[[Files, Any], Any], what: object) -> Any:  # noqa: ANN401
        try:
            return read(self._files, what)
        except ConfigError as e:
            self._mistakes += e.mistakes
        except (OSError, ValueError) as e:
            self._mistakes.append(Mistake(path, str(e)))
        return None

    def _groups(self) -> dict[str, frozenset[str]]:
        """Put groups into the groups that name them."""
        below = {name: self._below(name) for name in self._members}
        for name, (path, _) in self._members.items():
            way = _way_back(name, below)
            if way:
                problem = f"goes round in a circle: {' has '.join(way)}"
                self._mistakes.append(Mistake(path, problem))
        return {
            name: frozenset(
                member
                for each in _reached(name, below)
                for member in (*self._named(each), *self._listed.get(each, ()))
            )
            for name in self._members
        }

    def _named(self, group: str) -> Iterator[str]:
        """Give the members of *group* alone that are no groups."""
        _, members = self._members[group]
        return (m for m in members if not m.startswith(_REFERENCE))

    def _below(self, group: str) -> list[str]:
        """Give the groups that *group* names."""
        path, members = self._members[group]
        named = [m.removeprefix(_REFERENCE) for m in members if m[:1] == _REFERENCE]
        for name in named:
            if name not in self._members:
                self._mistakes.append(Mistake(path, f"there is no group {name!r}"))
        return [name for name in named if name in self._members]


def _reached(name: str, below: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Give *name* and all groups that it leads to, with the one that leads there."""
    found = {name: ""}
    left = [name]
    while left:
        above = left.pop()
        for other in below[above]:
            if other not in found:
                found[other] = above
                left.append(other)
    return found


def _way_back(name: str, below: Mapping[str, Sequence[str]]) -> list[str]:
    """Give the way from *name* to itself, or nothing."""
    reached = _reached(name, below)
    last = next((each for each in reached if name in below[each]), "")
    way = [name] if last else []
    while last:
        way.insert(0, last)
        last = reached[last]
    return way


def _fitting(patterns: Sequence[str]) -> Iterator[str]:
    """Give the files that patterns fit, each once, in the order of their names."""
    given: set[str] = set()
    for pattern in patterns:
        found = sorted(glob.glob(pattern)) if "*" in pattern else [pattern]  # noqa: PTH207 - a pattern from the root
        yield from (file for file in found if file not in given)
        given.update(found)


def _at(place: str, what: str) -> str:
    """Name a place in a file of rules, or in the configuration."""
    return f"files: {place}: {what}" if place else what


def _read_rules(files: Files, file: str) -> RuleSetConfig:
    """
    Read one file of rules.

    Raises:
        ConfigError: It is none.
        OSError: It cannot be read.
        ValueError: It is too large, or no TOML.
    """
    text = files.read_text(file, MOST_RULE_OCTETS)
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
