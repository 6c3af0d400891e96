"""
What a process has answered lately: how much, how quickly; whose is not kept.

A request costs a few increments, made where its record is made, after its answer.
"""

from collections import deque
from collections.abc import Iterable
from typing import Any, Final

STEP: Final = 5
"""Seconds of a slot."""
SLOTS: Final = 181
"""Slots that are kept: a quarter of an hour."""
_BOUNDS: Final = [
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
]
BOUNDS: Final = tuple(_BOUNDS)
"""Seconds up to which a bucket of a histogram counts; one more has the rest."""
MOST_NAMES: Final = 64
OTHERS: Final = "others"
_TUNNEL: Final = 101
_CLASSES: Final = 10
_NO_DURATIONS: Final = (0,) * (len(BOUNDS) + 1)
_NOTHING: Final = ((0,) * _CLASSES, _NO_DURATIONS)


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
        bucket = 0
        # Most are short; and in a row these are compared quicker than by halves.
        while bucket < len(_BOUNDS) and seconds > _BOUNDS[bucket]:
            bucket += 1
        self.counts[bucket] += 1
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


class _Route:
    """What was counted of one route since the start."""

    __slots__ = ("classes", "durations", "shown_at")

    def __init__(self) -> None:
        self.classes = [0] * _CLASSES
        self.durations = Histogram()
        self.shown_at = 0.0

    def copy(self) -> tuple[list[int], list[int]]:
        return self.classes[:], self.durations.counts[:]


class Traffic:
    """
    Answers of the last quarter of an hour, and durations since the start.

    All is counted since the start; a slot is the difference to what it was before.

    Attributes:
        decisions: Requests that were not simply permitted, by decision and reason.
        bindings: Requests by the kind of key that was proved with them.
    """

    def __init__(self) -> None:
        self.decisions: dict[tuple[str, str], int] = {}
        self.bindings: dict[str, int] = {}
        self._routes: dict[str, _Route] = {}
        self._before: dict[str, tuple[list[int], list[int]]] = {}
        self._slots: deque[dict[str, Any]] = deque(maxlen=SLOTS)
        self._start = self._end = 0

    @property
    def durations(self) -> dict[str, Histogram]:
        """Give those of each route's requests; of no route, under the empty name."""
        return {name: route.durations for name, route in self._routes.items()}

    def note(self, name: str, status: int, seconds: float, now: float) -> bool:
        """
        Count an answer; gives whether it is the first of its route in a second.

        Args:
            name: The route's; empty for none.
            status: What the client got.
            seconds: How long it took.
            now: Seconds since the epoch.
        """
        if not self._start <= now < self._end:
            self._turn(now)
        try:
            route = self._routes[name]
        except KeyError:
            route = self._routes[name] = _Route()
        route.classes[status // 100] += 1
        if status != _TUNNEL:  # that lasts as long as somebody wants
            route.durations.note(seconds)
        if 0 <= now - route.shown_at < 1:
            return False
        route.shown_at = now
        return True

    def document(self, now: float) -> list[dict[str, Any]]:
        """Give the slots that are not too old, in the types of JSON."""
        before = now - STEP * SLOTS
        slots = (*self._slots, self._slot())
        return [slot for slot in slots if slot["answers"] and slot["start"] > before]

    def _turn(self, now: float) -> None:
        """Begin another slot; the clock may have been set back."""
        slot = self._slot()
        if slot["answers"]:
            self._slots.append(slot)
        self._before = {name: route.copy() for name, route in self._routes.items()}
        self._start = int(now) // STEP * STEP
        self._end = self._start + STEP

    def _slot(self) -> dict[str, Any]:
        """Give what has been counted since the last slot."""
        answers = []
        durations = [0] * len(_NO_DURATIONS)
        for name, route in self._routes.items():
            classes, counts = self._before.get(name, _NOTHING)
            for kind, count in enumerate(route.classes):
                if count != classes[kind]:
                    answers.append([name, kind, count - classes[kind]])
            for i, count in enumerate(route.durations.counts):
                durations[i] += count - counts[i]
        return {"start": self._start, "answers": answers, "durations": durations}


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
