"""
When the answer to a condition may change as time goes by.

Many rules look at the same hours, age or claim: equal clocks tell the same.
"""

import math
from collections.abc import Callable
from typing import Any, Final, TypeAlias

import attrs

from sso_proxy.authz.facts import Getter
from sso_proxy.authz.logins import SKEW, authenticated_at
from sso_proxy.model import Identity, Request
from sso_proxy.specs.expression_times import Window, read_moment
from sso_proxy.specs.expression_tree import Operand

Clock: TypeAlias = Callable[[Identity, Request, float], float]
"""Gives the next moment, after the one given, at which an answer may change."""

_EVER: Final = 1e15
"""Seconds since the epoch that are no moment any more, and no float either."""


class Hours:
    """
    Hours of the week, of which the last answer is known until it changes.

    Args:
        window: The hours.
    """

    __slots__ = ("_answer", "_begin", "_change", "_window")

    def __init__(self, window: Window) -> None:
        self._window = window
        self._begin = math.inf
        self._change = -math.inf
        self._answer: bool | None = None

    def has(self, seconds: float) -> bool | None:
        """Say whether a moment is in these hours; None if it is none."""
        if self._begin <= seconds < self._change:
            return self._answer
        answer = self._window.has(seconds)
        if answer is not None:
            self._answer, self._begin = answer, seconds
            self._change = self._window.next_change(seconds)
        return answer

    def next_change(self, seconds: float) -> float:
        """Give the first moment after *seconds* at which `has` may differ."""
        known = self.has(seconds) is not None
        return self._change if known else self._window.next_change(seconds)


@attrs.frozen
class HoursClock:
    """Tells when hours of the week begin or end."""

    window: Window
    _hours: Hours = attrs.field(
        init=False,
        eq=False,
        repr=False,
        default=attrs.Factory(lambda self: Hours(self.window), takes_self=True),
    )

    def __call__(self, _identity: Identity, _request: Request, now: float) -> float:
        """Give the next moment."""
        return self._hours.next_change(now)


@attrs.frozen
class AgeClock:
    """Tells when the user authenticated longer ago than some *seconds*."""

    seconds: int

    def __call__(self, identity: Identity, _request: Request, now: float) -> float:
        """Give the next moment."""
        since = authenticated_at(identity)
        if since is None or since + self.seconds < now:
            return math.inf
        return since - SKEW if now < since - SKEW else since + self.seconds


@attrs.frozen
class MomentClock:
    """
    Tells when a moment has passed.

    Attributes:
        of: What has it: clocks of the same, in the same tables, are equal.
        get: Gives it.
    """

    of: Operand
    get: Getter = attrs.field(eq=False, repr=False)

    def __call__(self, identity: Identity, request: Request, now: float) -> float:
        """Give the next moment."""
        moment = moment_of(self.get(identity, request))
        if moment is None or not now <= moment < _EVER:
            return math.inf
        return moment


def always(_identity: Identity, _request: Request, now: float) -> float:
    """Give the moment itself: the answer for another path may be another any time."""
    return now


def number_of(found: Any) -> float | None:  # noqa: ANN401
    """Give a number as it is, and None for everything else."""
    if type(found) not in {int, float} or found != found:  # noqa: PLR0124 - a NaN
        return None
    number: float = found
    return number


def moment_of(found: Any) -> float | None:  # noqa: ANN401
    """Read seconds since the epoch (RFC 7519 section 2), or a moment as text."""
    if type(found) is str:
        try:
            return read_moment(found).seconds
        except ValueError:
            return None
    return number_of(found)
