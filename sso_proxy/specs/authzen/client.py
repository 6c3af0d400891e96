"""The messages of who asks (AuthZEN Authorization API 1.0, sections 6 and 7)."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sso_proxy.specs.authzen.reading import need_object, read_content
from sso_proxy.specs.authzen.values import (
    LAST,
    AuthzenError,
    Evaluated,
    Evaluation,
    Semantic,
)

_ANSWER: Final = "the answer"
_INTEROPERABLE: Final = 2**53
"""From here on, numbers differ between implementations (RFC 7493 section 2.2)."""


def build_evaluation(asked: Evaluation) -> bytes:
    """
    Write one question, in the one way that there is to write it.

    Two questions that differ in anything are written differently.

    Raises:
        ValueError: Something in it has no JSON that everybody reads alike.
    """
    return _write(asked.members)


def build_evaluations(
    asked: Sequence[Evaluation], semantic: Semantic = "execute_all"
) -> bytes:
    """
    Write several questions.

    Raises:
        ValueError: As for `build_evaluation`, or there is none.
    """
    if not asked:
        raise ValueError("there is no question")
    members = {
        "evaluations": [each.members for each in asked],
        "options": {"evaluations_semantic": semantic},
    }
    return _write(members)


def read_decision(content_type: str | None, body: bytes) -> Evaluated:
    """
    Read the answer to one question.

    Raises:
        AuthzenError: It is none: ``decision`` is anything but true or false, or the
            whole is not JSON that can be read in one way only.
    """
    return _evaluated(read_content(content_type, body, _ANSWER))


def read_decisions(
    content_type: str | None, body: bytes, count: int, semantic: Semantic
) -> tuple[Evaluated, ...]:
    """
    Read the answers to several questions, in the order of the questions.

    Args:
        content_type: The media type.
        body: The answer.
        count: How many questions there were.
        semantic: What ends the answers early.

    Raises:
        AuthzenError: As for `read_decision`, or there are too many or too few.
    """
    items = read_content(content_type, body, _ANSWER).get("evaluations")
    if not isinstance(items, list):
        raise AuthzenError("evaluations is no array")
    if len(items) > count:
        raise AuthzenError("there are more answers than questions")
    found = tuple(_evaluated(need_object(item, "an answer")) for item in items)
    ended = bool(found) and found[-1].decision is LAST.get(semantic)
    if len(found) < count and not ended:
        raise AuthzenError("there are fewer answers than questions")
    return found


def _write(members: Mapping[str, Any]) -> bytes:
    """Write JSON with sorted members and no blanks."""
    _check(members)
    text = json.dumps(
        members, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    return text.encode("utf-8")


def _check(value: Any) -> None:  # noqa: ANN401
    """
    Check that everybody reads a value alike (RFC 7493).

    Raises:
        ValueError: Not so.
    """
    match value:
        case Mapping():
            for name, each in value.items():
                _check_name(name)
                _check(each)
        case list() | tuple():
            for each in value:
                _check(each)
        case str() | bool() | None:
            pass
        case int() if abs(value) < _INTEROPERABLE:
            pass
        case float() if math.isfinite(value):
            pass
        case _:
            raise ValueError(f"not everybody reads such {type(value).__name__} alike")


def _check_name(name: object) -> None:
    """Check that a member has a name: JSON would make others one."""
    if not isinstance(name, str):
        raise ValueError("a member's name is no text")  # noqa: TRY004


def _evaluated(members: Mapping[str, Any]) -> Evaluated:
    """Read one answer."""
    decision = members.get("decision")
    if not isinstance(decision, bool):
        raise AuthzenError("decision is neither true nor false")
    context = need_object(members.get("context", {}), "context")
    return Evaluated(decision, context)
