"""What a decision point says besides yes and no: why, and what has to be done."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs

from sso_proxy.specs.authzen.values import AuthzenError

STEP_UP: Final = "step-up"
SESSION_TERMINATION: Final = "session_termination"
SUPPORTED: Final = (STEP_UP, SESSION_TERMINATION)
"""Types of obligations that are understood without being told what to do."""

_MOST: Final = 32
_LONGEST: Final = 500
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
# What can stand in a list of acr_values (RFC 9470 section 3).
_WORD = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]{1,255}")


@attrs.frozen(kw_only=True)
class StepUp:
    """
    The login that would be enough.

    Attributes:
        acr_values: Authentication contexts, the best first.
        amr_values: Methods (RFC 8176).
        max_age: Seconds that may have passed since.
    """

    acr_values: tuple[str, ...] = ()
    amr_values: tuple[str, ...] = ()
    max_age: int | None = None


@attrs.frozen(kw_only=True)
class Obligation:
    """
    What has to be done (AuthZEN obligations profile, draft 1).

    Attributes:
        id: Which one it is.
        type: ``step-up``, ``notification``, ``session_termination`` or ``custom``.
        properties: What it says.
    """

    id: str
    type: str
    properties: Mapping[str, Any] = attrs.field(factory=dict)


def read_reasons(context: Mapping[str, Any]) -> tuple[str, ...]:
    """Give what a context says why, in lines for a log; for administrators first."""
    return tuple(
        _UNPRINTABLE.sub(" ", text)[:_LONGEST]
        for name in ("reason_admin", "reason_user")
        for text in _texts(context.get(name))
    )[:_MOST]


def read_step_up(members: Mapping[str, Any]) -> StepUp | None:
    """
    Give the login that would be enough; None if nothing is said about one.

    Raises:
        AuthzenError: It is said in a way that nobody can ask for.
    """
    acr_values = _words(members, "acr_values")
    amr_values = _words(members, "amr_values")
    max_age = members.get("max_age")
    if max_age is not None and (
        not isinstance(max_age, int) or isinstance(max_age, bool) or max_age < 0
    ):
        raise AuthzenError("max_age is no number of seconds")
    if not acr_values and not amr_values and max_age is None:
        return None
    return StepUp(acr_values=acr_values, amr_values=amr_values, max_age=max_age)


def read_obligations(context: Mapping[str, Any]) -> tuple[Obligation, ...]:
    """
    Give what a context says has to be done.

    Raises:
        AuthzenError: Something there is no obligation: nobody knows what it means.
    """
    found = context.get("obligations", [])
    if not isinstance(found, list) or len(found) > _MOST:
        raise AuthzenError("obligations is no array, or too long")
    return tuple(map(_obligation, found))


def _obligation(item: object) -> Obligation:
    """Read one."""
    if not isinstance(item, dict):
        raise AuthzenError("an obligation is no object")
    id_, type_ = item.get("id"), item.get("type")
    if not isinstance(id_, str) or not isinstance(type_, str):
        raise AuthzenError("an obligation has no id or no type")
    properties = item.get("properties", {})
    if not isinstance(properties, dict):
        raise AuthzenError("properties of an obligation is no object")
    return Obligation(id=id_, type=type_, properties=properties)


def _texts(value: object) -> Iterator[str]:
    """Give the texts of a reason, by language or status, or without either."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for each in value.values():
            if isinstance(each, str):
                yield each


def _words(members: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Read a list of words, or words with blanks between them."""
    found = members.get(name, [])
    words = found.split(" ") if isinstance(found, str) else found
    if not isinstance(words, list) or len(words) > _MOST:
        raise AuthzenError(f"{name} is no list of words")
    for word in words:
        if not isinstance(word, str) or not _WORD.fullmatch(word):
            raise AuthzenError(f"{name} is no list of words")
    return tuple(words)
