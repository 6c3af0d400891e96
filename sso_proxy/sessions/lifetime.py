"""How long a session lasts."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.model import Identity
from sso_proxy.session import Session

SKEW: Final = 300.0
"""Seconds that a clock of ours may be behind that of who wrote a session."""


def is_since(moment: float, seconds: float, now: float) -> bool:
    """
    Say whether *moment* is less than so many *seconds* ago.

    The clock of who wrote it may be ahead of ours, by `SKEW` and no more.
    """
    return -SKEW <= now - moment < seconds


@attrs.frozen
class Lifetime:
    """
    When sessions end: some time after their last use, and in any case in the end.

    Whatever the clock is set to, a session never lasts longer than was meant by more
    than `SKEW`: one from the future counts as over.

    Attributes:
        inactivity: Seconds without a request.
        total: Seconds after the login.
    """

    inactivity: float
    total: float

    @property
    def interval(self) -> float:
        """Seconds between two notes that a session is used: few requests write."""
        return min(60.0, self.inactivity / 10)

    def end_of(self, created: float, expires: float | None) -> float:
        """Give the end of a session whose identity *expires*."""
        end = created + self.total
        return end if expires is None else min(end, expires)

    def begin(
        self, session_id: str, identity: Identity, data: Mapping[str, Any], now: float
    ) -> Session:
        """Make a session of *identity* that begins *now*."""
        return Session(
            id=session_id,
            identity=identity,
            created=now,
            used=now,
            expires=self.end_of(now, identity.expires),
            data=data,
        )

    def is_alive(self, session: Session, now: float) -> bool:
        """Say whether *session* is not over."""
        return (
            now < session.expires
            and now < session.used + self.inactivity
            and max(session.created, session.used) <= now + SKEW
            and now < session.created + self.total
        )

    def is_due(self, session: Session, now: float) -> bool:
        """Say whether it has to be noted that *session* is used."""
        return now >= session.used + self.interval

    def until(self, session: Session) -> float:
        """Give the time at which *session* has to be looked at again."""
        return min(session.expires, session.used + self.interval)

    def inactive_at(self, session: Session) -> float:
        """Give the time at which *session* is over if nobody uses it any more."""
        return min(session.expires, session.used + self.inactivity)

    def left(self, session: Session, now: float) -> float:
        """Give the seconds that *session* lasts if nobody uses it from *now* on."""
        return max(0.001, min(session.expires - now, self.inactivity))
