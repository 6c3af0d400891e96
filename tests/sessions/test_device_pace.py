"""Nobody proves a device so often that others cannot."""

from sso_proxy.sessions.device_pace import MOST, WITHIN, Pace
from sso_proxy.testing.clock import SettableClock


def test_one_holder_has_so_many_in_a_minute_and_others_have_theirs() -> None:
    clock = SettableClock()
    pace = Pace(clock)
    assert all(pace.take("h") for _ in range(MOST))
    assert not pace.take("h")
    assert pace.take("other")
    clock.advance(WITHIN)
    assert pace.take("h")


def test_what_took_no_room_does_not_count() -> None:
    clock = SettableClock()
    pace = Pace(clock)
    assert all(pace.take("h") for _ in range(MOST))
    pace.give_back("h")
    assert [pace.take("h"), pace.take("h")] == [True, False]
    clock.advance(WITHIN)
    pace.give_back("h")  # it was counted a minute before
    assert [pace.take("h") for _ in range(MOST + 1)] == [True] * MOST + [False]
