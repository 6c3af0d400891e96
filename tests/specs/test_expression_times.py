"""Moments and hours of the week."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.expression_times import Moment, Window, read_moment, read_window

BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str, zone: ZoneInfo = BERLIN) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=zone).timestamp()


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01", 0.0),
        ("1970-01-01T00:00:01Z", 1.0),
        ("1970-01-01T01:00:01+01:00", 1.0),
        ("2026-12-31T18:00:00-05:00", 1798758000.0),
    ],
)
def test_a_moment_is_read(text: str, seconds: float) -> None:
    assert read_moment(text) == Moment(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-01-01T24:00:00Z",
        "2026-01-01T10:00",
        "2026-01-01T10:00:00",
        "2026-01-01 10:00:00Z",
        "\u0662026-01-01",
        "",
    ],
)
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="moment"):
        read_moment(text)


@pytest.mark.parametrize(
    ("window", "moment", "inside"),
    [
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-11-20T08:00:00", True),
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-11-20T17:59:59", True),
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-11-20T18:00:00", False),
        ("mon-fri 08:00-18:00 Europe/Berlin", "2026-11-21T12:00:00", False),
        ("sat,sun 00:00-24:00 Europe/Berlin", "2026-11-21T00:00:00", True),
        ("sat,sun 00:00-24:00 Europe/Berlin", "2026-11-22T23:59:59", True),
        ("sat,sun 00:00-24:00 Europe/Berlin", "2026-11-23T00:00:00", False),
        ("fri 22:00-06:00 Europe/Berlin", "2026-11-21T05:59:00", True),
        ("fri 22:00-06:00 Europe/Berlin", "2026-11-20T05:59:00", False),
        ("sat-mon 00:00-24:00 Europe/Berlin", "2026-11-23T12:00:00", True),
        ("mon-sun 02:30-03:30 Europe/Berlin", "2026-10-25T02:45:00", True),
        ("fri 08:00-18:00 UTC", "2026-11-20T08:30:00", False),
    ],
)
def test_hours_have_a_moment_or_not(window: str, moment: str, *, inside: bool) -> None:
    assert read_window(window).has(at(moment)) is inside


@pytest.mark.parametrize(
    "text",
    [
        "",
        "mon-fri",
        "mon 08:00-18:00",
        "mon 08:00-18:00 Mars/Base",
        "mon 08:00-18:00 ../../etc/passwd",
        "day 08:00-18:00 UTC",
        "mon- 08:00-18:00 UTC",
        "mon 8-18 UTC",
        "mon 24:00-24:00 UTC",
        "mon 08:00-24:01 UTC",
        "mon 08:60-09:00 UTC",
    ],
)
def test_what_are_no_hours_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"expected|no such|no time zone"):
        read_window(text)


def test_a_clock_that_is_not_set_tells_nothing() -> None:
    window = read_window("mon 08:00-18:00 UTC")
    for seconds in (-1.0, 1e15, float("nan"), float("inf")):
        assert window.has(seconds) is None


WINDOWS = st.builds(
    Window,
    days=st.frozensets(st.integers(0, 6), min_size=1),
    begin=st.integers(0, 1439),
    end=st.integers(0, 1440),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/St_Johns"]),
)


@given(WINDOWS, st.integers(1_760_000_000, 1_800_000_000))
def test_nothing_changes_before_the_next_change(window: Window, now: int) -> None:
    change = window.next_change(now)
    assert change > now
    middle = now + (change - now) / 2
    assert window.has(now) == window.has(middle) == window.has(change - 0.5)
