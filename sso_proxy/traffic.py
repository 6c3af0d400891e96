"""
What a process has answered lately: how much, how quickly; whose is not kept.

A request costs a few increments, made where its record is made, after its answer.
"""

from bisect import bisect_left
from collections import Counter, deque
from collections.abc import Iterable
from typing import Any, Final

STEP: Final = 5
"""Seconds of a slot."""
SLOTS: Final = 181
"""Slots that are kept: a quarter of an hour."""
BOUNDS: Final = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
"""Seconds up to which a bucket of a histogram counts; one more has the rest."""
MOST_NAMES: Final = 64
OTHERS: Final = "others"
_TUNNEL: Final = 101


class Histogram:
    """
    Durations, counted in buckets.

    Attributes:
        counts: How many there were in each bucket of `BOUNDS`, and beyond.
        sum: Their sum in seconds.
    """

    __slots__ = ("counts", "sum")

    def __init__(self) -> None:
        self.counts = [0] * (len(BOUNDS) + 1)
        self.sum = 0.0

    def note(self, seconds: float) -> None:
        """Count one."""
        self.counts[bisect_left(BOUNDS, seconds)] += 1
        self.sum += seconds

    def add(self, other: "Histogram") -> None:
        """Count those of *other*, too."""
        pairs = zip(self.counts, other.counts, strict=True)
        self.counts = [mine + theirs for mine, theirs in pairs]
        self.sum += other.sum

    def buckets(self) -> list[tuple[str, float]]:
        """Give how many took at most so many seconds, as Prometheus wants it."""
        total, found = 0, []
        for bound, count in zip((*BOUNDS, "+Inf"), self.counts, strict=True):
            total += count
            found.append((str(bound), float(total)))
        return found


class Durations:
    """
    Durations of what others do for us, by who it is.

    Attributes:
        by_name: Of each; those of more than `MOST_NAMES` together as `OTHERS`.
    """

    def __init__(self) -> None:
        self.by_name: dict[str, Histogram] = {}

    def note(self, name: str, seconds: float) -> None:
        """Count one."""
        found = self.by_name.get(name)
        if found is None:
            if len(self.by_name) >= MOST_NAMES:
                name = OTHERS
            found = self.by_name.setdefault(name, Histogram())
        found.note(seconds)


class _Slot:
    __slots__ = ("answers", "durations", "start")

    def __init__(self, start: int) -> None:
        self.start = start
        self.answers: dict[tuple[str, int], int] = {}
        self.durations = [0] * (len(BOUNDS) + 1)


class Traffic:
    """
    Answers of the last quarter of an hour, and durations since the start.

    Attributes:
        durations: Of each route's requests; those of no route under the empty name.
        decisions: Requests by what was decided on them, and why.
        bindings: Requests by the kind of key that was proved with them.
    """

    def __init__(self) -> None:
        self.durations: dict[str, Histogram] = {}
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.bindings: Counter[str] = Counter()
        self._slots: deque[_Slot] = deque([_Slot(0)], SLOTS)
        self._slot = self._slots[0]

    def note(self, route: str, status: int, seconds: float, now: float) -> None:
        """
        Count an answer.

        Args:
            route: The route's name; empty for none.
            status: What the client got.
            seconds: How long it took.
            now: Seconds since the epoch.
        """
        slot = self._slot
        if not slot.start <= now < slot.start + STEP:
            slot = self._turn(int(now) // STEP * STEP)
        key = route, status // 100
        slot.answers[key] = slot.answers.get(key, 0) + 1
        if status == _TUNNEL:  # lasts as long as somebody wants
            return
        durations = self.durations.get(route)
        if durations is None:
            durations = self.durations[route] = Histogram()
        durations.note(seconds)
        slot.durations[bisect_left(BOUNDS, seconds)] += 1

    def document(self, now: float) -> list[dict[str, Any]]:
        """Give the slots that are not too old, in the types of JSON."""
        before = now - STEP * SLOTS
        return [
            {
                "start": slot.start,
                "answers": [[*key, count] for key, count in slot.answers.items()],
                "durations": slot.durations,
            }
            for slot in self._slots
            if slot.answers and slot.start > before
        ]

    def _turn(self, start: int) -> _Slot:
        # A clock that was set back finds its slot again, if that is still kept.
        for slot in self._slots:
            if slot.start == start:
                break
        else:
            slot = _Slot(start)
            self._slots.append(slot)
        self._slot = slot
        return slot


def merge_traffic(parts: Iterable[list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Add up what several processes give as `Traffic.document`, the oldest first."""
    answers: dict[int, dict[tuple[str, int], int]] = {}
    durations: dict[int, list[int]] = {}
    for slots in parts:
        for slot in slots:
            start = slot["start"]
            found = answers.setdefault(start, {})
            for route, kind, count in slot["answers"]:
                found[route, kind] = found.get((route, kind), 0) + count
            before = durations.setdefault(start, [0] * (len(BOUNDS) + 1))
            pairs = zip(before, slot["durations"], strict=True)
            durations[start] = [mine + theirs for mine, theirs in pairs]
    return [
        {
            "start": start,
            "answers": [[*key, count] for key, count in answers[start].items()],
            "durations": durations[start],
        }
        for start in sorted(answers)
    ]
