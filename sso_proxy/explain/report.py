"""What has been found out about a request, for people and for programs."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self, TypeAlias

import attrs

from sso_proxy.authz.possible import Outcome

Verdict: TypeAlias = Literal["permit", "deny", "step_up", "unknown"]


@attrs.frozen(kw_only=True)
class Step:
    """
    One thing that was looked at.

    Attributes:
        phase: What it is: ``listener``, ``route``, ``require``, ``rule`` …
        text: About it.
        outcome: Whether it holds; empty where that is no question.
        decides: Whether the answer is what it is for this.
        parts: What it is made of.
    """

    phase: str
    text: str
    outcome: Outcome | Literal[""] = ""
    decides: bool = False
    parts: tuple["Step", ...] = ()

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        """Read what `step_to_json` wrote."""
        parts = tuple(cls.from_json(part) for part in document["parts"])
        return cls(**{**document, "parts": parts})


@attrs.frozen(kw_only=True)
class Explanation:
    """
    The whole way of a request.

    Attributes:
        request: Its method and URL.
        verdict: What comes of it; ``unknown`` if that depends on what is not given.
        status: Our answer's status, if it gets no farther than to us; else 0.
        reason: Our answer's reason code, likewise.
        route: Which route it takes, such as ``route[0]``; empty if none.
        user: What the backend calls the user.
        decided_by: What policies say: ``main/rule:sales-read``.
        headers: Fields that the backend would get from us.
        steps: In their order.
    """

    request: str
    verdict: Verdict
    status: int = 0
    reason: str = ""
    route: str = ""
    user: str = ""
    decided_by: tuple[str, ...] = ()
    headers: tuple[tuple[str, str], ...] = ()
    steps: tuple[Step, ...]

    @property
    def summary(self) -> str:
        """Say it in one line."""
        if self.verdict == "unknown":
            return "cannot tell: that depends on what is not given (may)"
        said = {"permit": "permitted", "deny": "denied", "step_up": "step-up"}
        told = f"{self.status or ''} {self.reason}".strip()
        why = f": {told}" if told else ""
        by = f" by {', '.join(self.decided_by)}" if self.decided_by and not why else ""
        return f"{said[self.verdict]}{why}{by}"


def write_text(explanation: Explanation) -> Iterator[str]:
    """Give the lines for a terminal: ``*`` decides, ``~`` might."""
    yield plain(explanation.request)
    for step in explanation.steps:
        yield from lines_of(step)
    yield plain(f"=> {explanation.summary}")


def lines_of(step: Step, depth: int = 0) -> Iterator[str]:
    """Give the lines for one step."""
    mark = "*" if step.decides else "~" if step.outcome == "may" else " "
    label = "" if step.phase == "part" else step.phase
    first, *rest = plain(step.text).split("\n")
    shown = f"{mark} {'  ' * depth}{label:<13}{step.outcome:<5}"
    yield f"{shown}{first}".rstrip()
    for line in rest:
        yield f"{' ' * len(shown)}{line}".rstrip()
    for part in step.parts:
        yield from lines_of(part, depth + 1)


def plain(text: str) -> str:
    """Give *text* without what a terminal would do something at, but for new lines."""
    return "".join(
        sign if sign.isprintable() or sign == "\n" else f"\\x{ord(sign):02x}"
        for sign in text
    )


def to_json(explanation: Explanation) -> dict[str, Any]:
    """Give it in the types of JSON."""
    return {
        "v": 1,
        "request": explanation.request,
        "verdict": explanation.verdict,
        "status": explanation.status,
        "reason": explanation.reason,
        "route": explanation.route,
        "user": explanation.user,
        "decided_by": list(explanation.decided_by),
        "headers": [list(field) for field in explanation.headers],
        "steps": [step_to_json(step) for step in explanation.steps],
    }


def step_to_json(step: Step) -> dict[str, Any]:
    """Give a step in the types of JSON."""
    return {
        "phase": step.phase,
        "text": step.text,
        "outcome": step.outcome,
        "decides": step.decides,
        "parts": [step_to_json(part) for part in step.parts],
    }
