"""
Why requests were refused lately, for the operator who has the id of one.

Kept is what the configuration says and whether it held: no claims, tokens, queries or
paths, nor who called; the audit record of the same id has the latter two.  Whoever
shows no credential can push out only what is kept of others who show none.
"""

from collections import OrderedDict
from datetime import UTC, datetime
from typing import Any, Final

import attrs
from twisted.logger import Logger

from sso_proxy.admission import Trail
from sso_proxy.explain.judging import judge_few
from sso_proxy.explain.report import Step, step_to_json
from sso_proxy.interfaces import IClock
from sso_proxy.model import Response

_log = Logger()

LIFE: Final = 900.0
"""Seconds for which a refusal is kept."""
MOST: Final = 500
"""Refusals of callers that are known, and again of those who are not."""
MOST_RULES: Final = 16
"""Rules of each policy that are explained: those about the host and path."""
EACH_SECOND: Final = 20
"""Refusals that are explained in a second: many are an attack, or all alike."""

_JUDGED: Final = frozenset({401, 403})


@attrs.frozen(kw_only=True)
class Refused:
    """
    A request that was refused.

    Attributes:
        id: Its id.
        time: When, in seconds since the epoch.
        route: The route; empty if it had none.
        status: What it was answered.
        reason: Why, in a word.
        steps: Conditions and rules, and whether they held.
        note: What else there is to say.
    """

    id: str
    time: float
    route: str
    status: int
    reason: str
    steps: tuple[Step, ...] = ()
    note: str = ""


class RecentRefusals:
    """
    Keeps them, a bounded number for a bounded time.

    Args:
        clock: The time.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._of_known: OrderedDict[str, Refused] = OrderedDict()
        self._of_strangers: OrderedDict[str, Refused] = OrderedDict()
        self._second = 0
        self._explained = 0

    def note(self, trail: Trail, response: Response) -> None:
        """Keep why a request, of which *trail* has what was found out, is refused."""
        try:
            self._note(trail, response)
        except Exception:  # noqa: BLE001 - the request is refused all the same
            _log.failure("cannot keep why a request was refused")

    def find(self, id_: str) -> dict[str, Any] | None:
        """Give what is kept of a request, in the types of JSON; None if nothing is."""
        self.forget()
        found = self._of_known.get(id_) or self._of_strangers.get(id_)
        if found is None:
            return None
        moment = datetime.fromtimestamp(found.time, UTC)
        return {
            "v": 1,
            "id": found.id,
            "time": moment.isoformat(timespec="milliseconds"),
            "route": found.route,
            "status": found.status,
            "reason": found.reason,
            "steps": [step_to_json(step) for step in found.steps],
            "note": found.note,
        }

    def forget(self) -> None:
        """Let go of what is old."""
        before = self._clock.time() - LIFE
        for kept in (self._of_known, self._of_strangers):
            while kept and next(iter(kept.values())).time < before:
                kept.popitem(last=False)

    def _note(self, trail: Trail, response: Response) -> None:
        request, route = trail.request, trail.route
        if request is None:
            return
        steps: tuple[Step, ...] = ()
        note = ""
        identity = trail.identity
        if identity is not None and route is not None and response.status in _JUDGED:
            if self._may_explain():
                steps = judge_few(route, request, identity, MOST_RULES)
            else:
                note = "too many at once: its rules were not looked at again"
        refused = Refused(
            id=request.id,
            time=self._clock.time(),
            route=route.name if route is not None else "",
            status=response.status,
            reason=response.reason,
            steps=steps,
            note=note,
        )
        kept = self._of_strangers if identity is None else self._of_known
        kept.pop(request.id, None)
        kept[request.id] = refused
        if len(kept) > MOST:
            kept.popitem(last=False)

    def _may_explain(self) -> bool:
        second = int(self._clock.monotonic())
        if second != self._second:
            self._second, self._explained = second, 0
        self._explained += 1
        return self._explained <= EACH_SECOND
