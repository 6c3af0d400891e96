"""
Moments and hours of the week in conditions.

A moment is written as in RFC 3339: ``2026-12-31``, ``2026-12-31T18:00:00+01:00``.
Hours of the week are days, then times, then a time zone::

    mon-fri 08:00-18:00 Europe/Berlin
    sat,sun 00:00-24:00 UTC
"""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import attrs

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

_MOMENT = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:T(\d\d:\d\d:\d\d)(Z|[+-]\d\d:\d\d))?", re.ASCII
)
_HOURS = re.compile(r"(\d\d):(\d\d)-(\d\d):(\d\d)", re.ASCII)
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC).timestamp()


@attrs.frozen
class Moment:
    """Seconds since the epoch."""

    seconds: float


def read_moment(text: str) -> Moment:
    """
    Read a day (its first moment, in UTC) or a moment with its offset (RFC 3339).

    Raises:
        ValueError: *text* is none.
    """
    found = _MOMENT.fullmatch(text)
    if found is None:
        raise ValueError("expected a moment such as 2026-12-31T18:00:00Z")
    day, clock, offset = found.groups()
    whole = f"{day}T{clock or '00:00:00'}{offset or 'Z'}"
    try:
        moment = datetime.fromisoformat(whole)
    except ValueError as e:
        raise ValueError(f"there is no such moment: {e}") from None
    return Moment(moment.timestamp())


@attrs.frozen
class Window:
    """
    Hours of the week.

    Attributes:
        days: Days, 0 is Monday.
        begin: Minutes after midnight.
        end: Minutes after midnight, at most 1440; hours that end before they begin
            end on the next day.
        zone: The time zone's name.
    """

    days: frozenset[int]
    begin: int
    end: int
    zone: str

    def has(self, seconds: float) -> bool | None:
        """Say whether a moment is in these hours; None if it is none."""
        if not _EARLIEST <= seconds < _LATEST:
            return None
        return any(begin <= seconds < end for begin, end in self._around(seconds))

    def next_change(self, seconds: float) -> float:
        """Give the first moment after *seconds* at which `has` may differ."""
        moments = (m for pair in self._around(seconds) for m in pair if m > seconds)
        return min(moments, default=seconds)

    def _around(self, seconds: float) -> Iterator[tuple[float, float]]:
        """Give the hours that may have a moment in them, and those that come next."""
        zone = ZoneInfo(self.zone)
        today = datetime.fromtimestamp(seconds, zone).date()
        for number in range(-1, 9):
            day = today + timedelta(days=number)
            if day.weekday() not in self.days:
                continue
            length = self.end - self.begin + (1440 if self.end <= self.begin else 0)
            begin = _at(day, self.begin, zone)
            yield begin, _at(day, self.begin + length, zone)


def _at(day: date, minutes: int, zone: ZoneInfo) -> float:
    """Give the moment at which a clock on a wall shows *minutes* after midnight."""
    extra, minutes = divmod(minutes, 1440)
    hour, minute = divmod(minutes, 60)
    when = datetime.combine(day + timedelta(days=extra), time(hour, minute), zone)
    return when.timestamp()


def read_window(text: str) -> Window:
    """
    Read hours of the week.

    Raises:
        ValueError: *text* says none.
    """
    words = text.split()
    if len(words) != 3:
        raise ValueError("expected hours such as mon-fri 08:00-18:00 Europe/Berlin")
    days, hours, zone = words
    found = _HOURS.fullmatch(hours)
    if found is None:
        raise ValueError(f"expected times such as 08:00-18:00, not {hours!r}")
    begin = int(found[1]) * 60 + int(found[2])
    end = int(found[3]) * 60 + int(found[4])
    if begin >= 1440 or end > 1440 or int(found[2]) > 59 or int(found[4]) > 59:
        raise ValueError(f"there are no such times: {hours!r}")
    try:
        ZoneInfo(zone)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"there is no time zone {zone!r}") from None
    return Window(_read_days(days), begin, end, zone)


def _read_days(text: str) -> frozenset[int]:
    """Read ``mon-fri,sun``; a range may go over the end of the week."""
    days: set[int] = set()
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if first not in DAYS or (dash and last not in DAYS):
            raise ValueError(f"expected days such as mon-fri or sat,sun, not {part!r}")
        begin = DAYS.index(first)
        end = DAYS.index(last) if dash else begin
        days |= {day % 7 for day in range(begin, end + (7 if end < begin else 0) + 1)}
    return frozenset(days)
