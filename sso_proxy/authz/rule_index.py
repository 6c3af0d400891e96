"""Finds the few rules, of many, that are about a request's host and path."""

from collections.abc import Iterable
from typing import Final

from sso_proxy.authz.rule import Rule, split_path

_MOST_HOSTS: Final = 1024


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

    Args:
        rules: The rules, in their order.
    """

    def __init__(self, rules: Iterable[Rule]) -> None:
        self._rules = tuple(rules)
        self._hosts: dict[str, _Node] = {}

    def find(self, host: str, path: str) -> list[Rule]:
        """Give the rules that are about *host* and *path*, in their order."""
        root = self._hosts.get(host)
        if root is None:
            root = self._add_host(host)
        found: list[Rule] = []
        root.find(split_path(path), 0, found)
        if len(found) > 1:
            found.sort(key=_number)
        return found

    def _add_host(self, host: str) -> _Node:
        """Collect the rules about *host*, a name that some route serves."""
        if len(self._hosts) >= _MOST_HOSTS:  # a wildcard has clients choose names
            self._hosts.clear()
        root = self._hosts[host] = _Node()
        for rule in self._rules:
            if rule.is_about_host(host):
                root.add(rule)
        return root


def _number(rule: Rule) -> int:
    return rule.number
