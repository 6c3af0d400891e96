"""Nobody proves a device so often that others cannot."""

from sso_proxy.sessions.device_pace import MOST, WITHIN, Pace
from sso_proxy.testing.clock import SettableClock


def test_one_holder_has_so_many_in_a_minute_and_others_have_theirs() -> None:
    clock = SettableClock()
    pace = Pace(clock)
    for _ in range(MOST):
        assert pace.allows("h")
        pace.note("h")
    assert not pace.allows("h")
    assert pace.allows("other")
    clock.advance(WITHIN)
    assert pace.allows("h")
