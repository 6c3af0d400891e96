"""Finds the few rules, of many, that are about a request's host and path."""

from collections.abc import Iterable
from typing import Final

from sso_proxy.authz.rule import Rule, split_path

_ANY: Final = "*"


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

    def find(self, segments: list[str], at: int, found: list[Rule]) -> None:
        found += self.rules
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

    Nothing is kept for a host that clients choose.

    Args:
        rules: The rules, in their order.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._patterns: dict[str, _Node] = {}
        for rule in rules:
            for pattern in dict.fromkeys(rule.hosts) or (_ANY,):
                self._patterns.setdefault(pattern, _Node()).add(rule)

    def find(self, host: str, path: str) -> list[Rule]:
        """Give the rules that are about *host* and *path*, in their order."""
        patterns = self._patterns
        segments = split_path(path)
        found: list[Rule] = []
        for pattern in (host, "*." + host.partition(".")[2], _ANY):
            root = patterns.get(pattern)
            if root is not None:
                root.find(segments, 0, found)
        if len(found) > 1:
            found = sorted(set(found), key=_number)
        return found


def _number(rule: Rule) -> int:
    return rule.number
