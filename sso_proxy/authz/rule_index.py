"""Finds the few rules, of many, that are about a request's host and path."""

from collections.abc import Iterable, Sequence
from typing import Final

import attrs

from sso_proxy.authz.rule import Rule, split_path

MOST_REMEMBERED: Final = 1024
"""Hosts and paths whose place is remembered; clients choose them."""

_LONGEST: Final = 256
"""Characters of a host and path that is remembered."""

MOST_PLACES: Final = 4096
"""Sets of rules that are known to be about one place."""

_ANY: Final = "*"


@attrs.frozen(eq=False)
class Place:
    """
    Hosts and paths that the same rules are about.

    Attributes:
        rules: The rules, in their order.
    """

    rules: Sequence[Rule]


class _Node:
    """The rules whose path ends here, and the segments that come next."""

    __slots__ = ("below", "below_any", "rules")

    def __init__(self) -> None:
        self.rules: list[Rule] = []
        self.below: dict[str, _Node] = {}
        self.below_any: _Node | None = None

    def add(self, rule: Rule) -> None:
        node = self
        for segment in rule.segments:
            if segment is not None:
                node = node.below.setdefault(segment, _Node())
                continue
            if node.below_any is None:
                node.below_any = _Node()
            node = node.below_any
        node.rules.append(rule)

    def find(self, segments: list[str], at: int, found: "list[_Node]") -> None:
        if self.rules:
            found.append(self)
        if at == len(segments):
            return
        below = self.below.get(segments[at])
        if below is not None:
            below.find(segments, at + 1, found)
        if self.below_any is not None:
            self.below_any.find(segments, at + 1, found)


class RuleIndex:
    """
    All rules of a policy, by host and path.

    Args:
        rules: The rules, in their order.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._patterns: dict[str, _Node] = {}
        for rule in rules:
            for pattern in dict.fromkeys(rule.hosts) or (_ANY,):
                self._patterns.setdefault(pattern, _Node()).add(rule)
        self._places: dict[tuple[_Node, ...], Place] = {}
        self._known: dict[tuple[str, str], Place] = {}

    def find(self, host: str, path: str) -> Place:
        """Give the place of *host* and *path*."""
        place = self._known.get((host, path))
        if place is not None:
            return place
        place = self._find(host, path)
        if len(host) + len(path) <= _LONGEST:
            if len(self._known) >= MOST_REMEMBERED:
                self._known.clear()
            self._known[host, path] = place
        return place

    def _find(self, host: str, path: str) -> Place:
        segments = split_path(path)
        nodes: list[_Node] = []
        for pattern in (host, "*." + host.partition(".")[2], _ANY):
            root = self._patterns.get(pattern)
            if root is not None:
                root.find(segments, 0, nodes)
        key = tuple(nodes)
        place = self._places.get(key)
        if place is None:
            rules = {rule for node in nodes for rule in node.rules}
            if len(self._places) >= MOST_PLACES:
                self._places.clear()
            place = Place(tuple(sorted(rules, key=_number)))
            self._places[key] = place
        return place


def _number(rule: Rule) -> int:
    return rule.number
