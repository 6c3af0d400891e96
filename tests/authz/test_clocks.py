"""Clocks tell when answers may change; equal ones are the same clock."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.clocks import AgeClock, Hours, HoursClock, MomentClock
from sso_proxy.authz.facts import NOTHING, make_getter
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import MatchConfig, RuleConfig, RulesConfig
from sso_proxy.specs.expression_times import Window, read_window
from sso_proxy.specs.expression_tree import ClaimOperand
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity, make_request

WINDOWS = st.sampled_from(
    [
        "mon-fri 08:00-18:00 Europe/Berlin",
        "sun 01:00-03:30 Europe/Berlin",
        "fri 22:00-06:00 America/New_York",
        "mon-sun 00:00-24:00 UTC",
        "sat,sun 12:00-12:00 UTC",
        "wed 00:00-00:01 Asia/Kathmandu",
    ]
).map(read_window)
SUMMER_TIME_ENDS = datetime(2026, 10, 25, tzinfo=UTC).timestamp()
STEPS = st.one_of(
    st.integers(-3600, 3600),
    st.floats(-1.0, 1.0),
    st.sampled_from([-timedelta(days=2), timedelta(hours=7), timedelta(days=6)]).map(
        timedelta.total_seconds
    ),
)


@given(window=WINDOWS, steps=st.lists(STEPS, max_size=30))
def test_hours_are_what_they_are_for_whoever_never_asked(
    window: Window, steps: list[float]
) -> None:
    hours, clock, now = Hours(window), HoursClock(window), SUMMER_TIME_ENDS
    for step in steps:
        now += step
        assert hours.has(now) is window.has(now)
        assert hours.next_change(now) == window.next_change(now)
        assert clock(make_identity(), make_request(), now) == window.next_change(now)


@pytest.mark.parametrize("nothing", [-1.0, 1e12, float("nan")])
def test_what_is_no_moment_is_in_no_hours(nothing: float) -> None:
    hours = Hours(read_window("mon-sun 00:00-24:00 UTC"))
    for _ in range(2):
        assert hours.has(NOW) is True
        assert hours.has(nothing) is None


@pytest.mark.parametrize(
    ("since", "change"),
    [(NOW - 30, NOW + 30), (NOW - 60, NOW), (NOW + 30, NOW + 90), (NOW + 90, NOW + 30)],
)
def test_an_age_counts_from_when_it_can_be_told(since: float, change: float) -> None:
    """Who authenticated later than clocks can differ has no age until then."""
    identity = make_identity(claims={"auth_time": since})
    assert AgeClock(60)(identity, make_request(), NOW) == change


def test_clocks_of_the_same_are_equal() -> None:
    window = "mon-fri 08:00-18:00 UTC"
    assert AgeClock(60) == AgeClock(60) != AgeClock(61)
    assert HoursClock(read_window(window)) == HoursClock(read_window(window))
    a, b = ClaimOperand(("a",)), ClaimOperand(("b",))
    first, second = make_getter(a, NOTHING), make_getter(a, NOTHING)
    assert MomentClock(a, first) == MomentClock(a, second) != MomentClock(b, first)


def test_a_hundred_rules_about_the_same_hours_look_at_one_clock() -> None:
    """Finding out when hours begin in some time zone takes 30 microseconds."""
    rules = tuple(
        RuleConfig(
            name=f"r{number}",
            effect="permit",
            match=MatchConfig(hours="mon-fri 08:00-18:00 Europe/Berlin"),
            when=("auth_age <= 60", "claims.until > now"),
        )
        for number in range(100)
    )
    made = RulesPolicy.from_config(RulesConfig(rule=rules), FakeTools())
    assert len(made._clocks) == 3  # noqa: SLF001
    identity = make_identity(claims={"auth_time": NOW, "until": NOW + 9})
    assert made.steady_for(identity, make_request()) == 9
