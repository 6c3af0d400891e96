"""Which of our obligations those of other makes are."""

import re
from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.config.checks import non_empty
from sso_proxy.config.names import FIELD_NAME, NEVER_MANAGED, alias

_TAKES: Final[Mapping[str, frozenset[str]]] = {
    "set-header": frozenset({"name", "value"}),
    "remove-header": frozenset({"name"}),
    "log": frozenset({"message"}),
    "require-binding": frozenset({"kind"}),
    "end-session": frozenset(),
}
_SET_HEADER: Final = "set-header"
_UNKNOWN: Final = "unknown"
_LONGEST: Final = 200
# What others call it gets into logs, audit records and answers.
_UNPLAIN = re.compile(r"[^A-Za-z0-9._:/-]+")


def check_headers(
    _instance: object, _attribute: object, value: tuple[str, ...]
) -> None:
    """Check names of header fields that policies of others may set."""
    for name in value:
        if not FIELD_NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no header field's name")
        if alias(name) in NEVER_MANAGED:
            raise ValueError(f"{name} belongs to HTTP itself")


@attrs.frozen(kw_only=True)
class ForeignObligationConfig:
    """
    What we do about an obligation of another make.

    Attributes:
        do: ``set-header`` (*name*, *value*), ``remove-header`` (*name*), ``log``
            (*message*), ``require-binding`` (*kind*), ``end-session``, or the name of
            an ``[obligation.NAME]`` table.
        name: Which of its attributes names the header field.
        value: Which has the field's value.
        message: Which has the line for the log.
        kind: Which names the kind of key.
        parameters: For an obligation of your own: its parameters, and which attribute
            has each.
        constants: Parameters that are the same always, and what they are.
    """

    do: str = attrs.field(validator=non_empty)
    name: str | None = None
    value: str | None = None
    message: str | None = None
    kind: str | None = None
    parameters: Mapping[str, str] = attrs.field(factory=dict)
    constants: Mapping[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect."""
        takes = _TAKES.get(self.do)
        given = [*self._named, *self.parameters, *self.constants]
        for option in sorted({each for each in given if given.count(each) > 1}):
            raise ValueError(f"{option} is said twice")
        if takes is None:
            return
        if "name" in self.constants:
            check_headers(self, None, (self.constants["name"],))
        if missing := takes - set(given):
            raise ValueError(f"{self.do} needs {', '.join(sorted(missing))}")
        if extra := set(given) - takes:
            raise ValueError(f"{', '.join(sorted(extra))} has no effect: {self.do}")

    @property
    def _named(self) -> Mapping[str, str]:
        """Give which of its attributes is which parameter of ours that has a name."""
        return {
            option: value
            for option in ("name", "value", "message", "kind")
            if (value := getattr(self, option)) is not None
        }

    @property
    def taken(self) -> Mapping[str, str]:
        """Give which of its attributes is which parameter of ours."""
        return {**self.parameters, **self._named}


class ForeignObligations:
    """
    Says obligations of others in our words.

    Args:
        known: What we do about each, by its id.
        headers: Fields that they may set.

    Attributes:
        sets: Lower-case names of these fields.
    """

    def __init__(
        self, known: Mapping[str, ForeignObligationConfig], headers: tuple[str, ...]
    ) -> None:
        self._known = known
        fixed = [
            each.constants["name"]
            for each in known.values()
            if each.do == _SET_HEADER and "name" in each.constants
        ]
        self.sets = frozenset(name.lower() for name in (*headers, *fixed))

    def knows(self, foreign: str) -> bool:
        """Say whether the configuration says what to do about this one."""
        return foreign in self._known

    def translate(
        self, foreign: str, attributes: Mapping[str, Any]
    ) -> tuple[str, Mapping[str, Any]]:
        """
        Give the name and the parameters of our obligation that this one is.

        What nobody understands gets a name that nobody can fulfil, and so denies.

        Args:
            foreign: What the other side calls it.
            attributes: What it says, by name.
        """
        known = self._known.get(foreign)
        if known is None:
            return f"{_UNKNOWN}:{_UNPLAIN.sub('_', foreign)}"[:_LONGEST], {}
        parameters: dict[str, Any] = dict(known.constants)
        for ours, theirs in known.taken.items():
            if theirs in attributes:
                parameters[ours] = attributes[theirs]
        return known.do, parameters
