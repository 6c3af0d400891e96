"""The messages of who answers (AuthZEN Authorization API 1.0, sections 6 and 7)."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.specs.authzen.reading import need_object, read_content
from sso_proxy.specs.authzen.values import (
    EVALUATION_PATH,
    EVALUATIONS_PATH,
    LAST,
    SEMANTICS,
    Action,
    AuthzenError,
    Entity,
    Evaluated,
    Evaluation,
    Semantic,
)

MOST: Final = 256
"""Questions of one request."""
LONGEST: Final = 2048
"""Characters of a type, an id or a name."""

_CONTENT: Final = "the content"
_NEEDED: Final[Mapping[str, tuple[str, ...]]] = {
    "subject": ("type", "id"),
    "action": ("name",),
    "resource": ("type", "id"),
}
_PARTS: Final[tuple[str, ...]] = ("subject", "action", "resource", "context")


@attrs.frozen(kw_only=True)
class Batch:
    """
    Several questions.

    Attributes:
        items: Each question, or what is wrong with it.
        semantic: When the answers end.
    """

    items: tuple[Evaluation | AuthzenError, ...]
    semantic: Semantic = "execute_all"

    def ends_at(self, answer: Evaluated) -> bool:
        """Say whether *answer* is the last one (section 7.1.2.1)."""
        return answer.decision is LAST.get(self.semantic)


def read_evaluation(content_type: str | None, body: bytes) -> Evaluation:
    """
    Read one question; members that nobody knows are ignored.

    Raises:
        AuthzenError: It is none: 400.
    """
    return _evaluation(read_content(content_type, body, _CONTENT))


def read_evaluations(content_type: str | None, body: bytes) -> Batch | Evaluation:
    """
    Read several questions, each with what the whole says where it says nothing itself.

    Without any in it, the whole is one question (section 7.1).

    Raises:
        AuthzenError: It is no such thing: 400.  What is wrong with one question alone
            stands in its place.
    """
    members = read_content(content_type, body, _CONTENT)
    options = need_object(members.get("options", {}), "options")
    semantic = options.get("evaluations_semantic", SEMANTICS[0])
    if semantic not in SEMANTICS:
        raise AuthzenError(
            f"options.evaluations_semantic is none of {', '.join(SEMANTICS)}"
        )
    items = members.get("evaluations", [])
    if not isinstance(items, list):
        raise AuthzenError("evaluations is no array")
    if len(items) > MOST:
        raise AuthzenError(f"there are more than {MOST} evaluations")
    if not items:
        return _evaluation(members)
    defaults = {part: members[part] for part in _PARTS if part in members}
    return Batch(
        items=tuple(_item(defaults, item) for item in items), semantic=semantic
    )


def build_answer(answer: Evaluated) -> bytes:
    """Write the answer to one question."""
    return json.dumps(answer.members).encode("ascii")


def build_answers(answers: Sequence[Evaluated]) -> bytes:
    """Write the answers to several questions, in the order of these."""
    members = {"evaluations": [each.members for each in answers]}
    return json.dumps(members).encode("ascii")


def answer_mistake(mistake: AuthzenError) -> Evaluated:
    """Give the answer to a question that is none, among others (section 7.2.1)."""
    return Evaluated(
        decision=False,
        context={"error": {"status": 400, "message": mistake.detail}},
    )


def build_metadata(base: str) -> bytes:
    """
    Write what a decision point publishes about itself (section 9).

    Args:
        base: Its URL, as who asks knows it: without a slash at the end.
    """
    members = {
        "policy_decision_point": base,
        "access_evaluation_endpoint": f"{base}{EVALUATION_PATH}",
        "access_evaluations_endpoint": f"{base}{EVALUATIONS_PATH}",
    }
    return json.dumps(members).encode("ascii")


def _item(defaults: Mapping[str, Any], item: object) -> Evaluation | AuthzenError:
    """Read one of several questions."""
    if not isinstance(item, dict):
        return AuthzenError("an evaluation is no object")
    try:
        return _evaluation(_with_defaults(defaults, item))
    except AuthzenError as e:
        return e


def _with_defaults(
    defaults: Mapping[str, Any], item: Mapping[str, Any]
) -> dict[str, Any]:
    """
    Give a question with what the whole says.

    Its own subject, action and resource stand as they are, but for what each has to
    have and does not say itself.
    """
    merged = {**defaults, **item}
    for part, needed in _NEEDED.items():
        own, usual = item.get(part), defaults.get(part)
        if isinstance(own, dict) and isinstance(usual, dict):
            given = {name: usual[name] for name in needed if name in usual}
            merged[part] = {**given, **own}
    return merged


def _evaluation(members: Mapping[str, Any]) -> Evaluation:
    """Read one question."""
    action = need_object(members.get("action"), "action")
    return Evaluation(
        subject=_entity(members, "subject"),
        action=Action(
            name=_text(action, "action", "name"),
            properties=_properties(action, "action"),
        ),
        resource=_entity(members, "resource"),
        context=need_object(members.get("context", {}), "context"),
    )


def _entity(members: Mapping[str, Any], what: str) -> Entity:
    """Read a subject or a resource."""
    found = need_object(members.get(what), what)
    return Entity(
        type=_text(found, what, "type"),
        id=_text(found, what, "id"),
        properties=_properties(found, what),
    )


def _properties(members: Mapping[str, Any], what: str) -> dict[str, Any]:
    """Read what else is known."""
    return need_object(members.get("properties", {}), f"{what}.properties")


def _text(members: Mapping[str, Any], what: str, name: str) -> str:
    """Give a member that has to be text with something in it."""
    value = members.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST:
        raise AuthzenError(f"{what}.{name} is missing or no text")
    return value
