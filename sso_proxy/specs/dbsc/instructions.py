"""
What a browser is to do with a session (W3C DBSC, "JSON Session Instruction Format").

Of several rules for one path, the specification lets the first decide and Chromium the
last.  Here the one with the longest path decides; rules are written so that both obey.
"""

import json
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, TypeAlias

import attrs

Kind: TypeAlias = Literal["include", "exclude"]
"""What a rule does."""

ALL_HOSTS: Final = "*"
"""The pattern that all hosts of a scope match."""


@attrs.frozen
class Rule:
    """
    A part of a session's origin or site that is in its scope, or is not.

    Attributes:
        kind: Whether it is.
        domain: A host, ``*`` for all, or ``*.`` before a domain for all below it.
        path: This path and all below it.
    """

    kind: Kind
    domain: str
    path: str

    def matches(self, host: str, path: str) -> bool:
        """Say whether the rule is about *path* of *host* ("in scope of a session")."""
        if self.domain.startswith("*."):
            if not host.endswith(self.domain[1:]):
                return False
        elif self.domain not in (ALL_HOSTS, host):
            return False
        return path == self.path or path.startswith(self.path.removesuffix("/") + "/")


def build_instructions(
    *,
    session_id: str,
    refresh_url: str,
    origin: str,
    rules: Sequence[Rule],
    cookies: Iterable[tuple[str, str]],
) -> bytes:
    """
    Build the answer to a registration, or to a refresh.

    No other host is in the scope, and none may make a browser refresh: what is sent
    then would be sent as from there, without cookies that are ``SameSite=Lax``.

    Args:
        session_id: What the browser is to call the session.
        refresh_url: Where it refreshes it: a path of the same origin, or a URL.
        origin: The origin that the session is for.
        rules: What is not in it, or is although a wider rule says otherwise; the one
            with the longest path decides, whatever their order.
        cookies: Name and attributes of those whose absence makes a browser refresh.

    Raises:
        ValueError: `check_rules` refuses the rules.
    """
    check_rules(rules)
    document: dict[str, Any] = {
        "session_identifier": session_id,
        "refresh_url": refresh_url,
        "scope": {
            "origin": origin,
            "include_site": False,
            "scope_specification": [
                {"type": rule.kind, "domain": rule.domain, "path": rule.path}
                for rule in _for_both_readings(rules)
            ],
        },
        "credentials": [
            {"type": "cookie", "name": name, "attributes": attributes}
            for name, attributes in cookies
        ],
    }
    return _write(document)


def build_end(session_id: str) -> bytes:
    """Build the answer that ends a session."""
    return _write({"session_identifier": session_id, "continue": False})


def in_scope(rules: Iterable[Rule], host: str, path: str) -> bool:
    """
    Say whether requests for *path* wait until a session is refreshed.

    Args:
        rules: As they are given to `build_instructions`.
        host: One that is in scope where no rule says otherwise.
        path: As the browser sends it; the refresh URL's own never waits.
    """
    found = [rule for rule in rules if rule.matches(host, path)]
    return not found or max(found, key=_specificity).kind == "include"


def check_rules(rules: Iterable[Rule]) -> None:
    """
    Check that *rules* can be written and do not contradict each other.

    Raises:
        ValueError: A path does not begin with ``/``, a domain is empty or has ``*``
            elsewhere than in its first label, or the same is included and excluded.
    """
    kinds: dict[tuple[str, str], Kind] = {}
    for rule in rules:
        if not rule.path.startswith("/"):
            raise ValueError(f"the path {rule.path!r} of a rule does not begin with /")
        rest = rule.domain.removeprefix("*.")
        if rule.domain != ALL_HOSTS and (not rest or "*" in rest):
            raise ValueError(f"{rule.domain!r} is no host, no *.domain and no *")
        if kinds.setdefault((rule.domain, rule.path), rule.kind) != rule.kind:
            raise ValueError(f"{rule.path!r} is included and excluded")


def _specificity(rule: Rule) -> tuple[int, bool, int]:
    """Rank rules: long paths above short ones, then hosts above patterns."""
    return len(rule.path), not rule.domain.startswith("*"), len(rule.domain)


def _for_both_readings(rules: Iterable[Rule]) -> list[Rule]:
    """
    Order *rules* so that the most specific one is met first from either end.

    Where all do the same, no order matters and each is there once.
    """
    ordered = sorted(dict.fromkeys(rules), key=_specificity, reverse=True)
    if len({rule.kind for rule in ordered}) < 2:
        return ordered
    return ordered + ordered[-2::-1]


def _write(document: dict[str, Any]) -> bytes:
    """Write JSON that a browser reads."""
    return json.dumps(document, separators=(",", ":")).encode()
