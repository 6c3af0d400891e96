"""Plots as SVG."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sso_proxy.endpoints.plots import (
    HEIGHT,
    WIDTH,
    duration,
    duration_axis,
    lines,
    plain_axis,
    sparkline,
    stacked_bars,
)

TIMES = ["15:45", "15:50", "15:55", "16:00"]
VALUES = st.lists(st.floats(0, 1e9), max_size=40)


def numbers(svg: str) -> list[float]:
    paths = re.findall(r' d="([^"]*)"', svg)
    return [float(n) for path in paths for n in re.findall(r"-?\d+\.?\d*", path)]


@given(VALUES, VALUES)
def test_bars_stay_within_their_picture(some: list[float], more: list[float]) -> None:
    """Whatever was counted; and it can be read as XML."""
    more = (more + [0.0] * len(some))[: len(some)]
    svg = stacked_bars([("ok", some), ("failed", more)], TIMES, "said")
    etree.fromstring(svg)
    assert all(0 <= n <= max(WIDTH, HEIGHT) for n in numbers(svg))


@given(st.lists(st.none() | st.floats(0, 1e4), max_size=40))
def test_lines_stay_within_their_picture(some: list[float | None]) -> None:
    """Also where there is nothing to be drawn."""
    svg = lines([("p50", some)], TIMES, "said")
    etree.fromstring(svg)
    assert all(0 <= n <= max(WIDTH, HEIGHT) for n in numbers(svg))


def test_a_bar_is_as_high_as_its_share_and_stands_on_the_one_below() -> None:
    svg = stacked_bars([("ok", [4.0]), ("failed", [4.0])], TIMES, "said")
    found = re.findall(r'bar (\w+)" d="M[\d.]+ ([\d.]+)V([\d.]+)h', svg)
    (low, low_from, low_to), (high, high_from, high_to) = found
    assert (low, high) == ("ok", "failed")
    assert low_to == high_from
    first = float(low_from) - float(low_to)
    assert first == pytest.approx(float(high_from) - float(high_to), abs=0.11)


def test_a_gap_is_no_line() -> None:
    svg = lines([("p50", [0.1, None, 0.2])], TIMES, "said")
    (path,) = re.findall(r'line p50" d="([^"]*)"', svg)
    assert path.count("M") == 2
    assert "L" not in path


def test_what_is_said_is_escaped() -> None:
    for svg in (
        stacked_bars([], TIMES, '"><script>'),
        lines([], TIMES, '"><script>'),
        sparkline([1.0, 2.0], '"><script>'),
    ):
        assert "<script>" not in svg
        etree.fromstring(svg)


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (1.0, ["0", "0.25", "0.5", "0.75", "1"]),
        (90.0, ["0", "25", "50", "75", "100"]),
        (7000.0, ["0", "2k", "4k", "6k", "8k"]),
    ],
)
def test_ticks_are_round(largest: float, ticks: list[str]) -> None:
    assert [text for _, text in plain_axis(largest).ticks] == ticks


def test_durations_have_an_axis_of_powers_of_ten() -> None:
    axis = duration_axis(0.002, 0.3)
    assert [text for _, text in axis.ticks] == ["1 ms", "10 ms", "100 ms", "1 s"]


def test_durations_are_written_for_people() -> None:
    texts = [duration(s) for s in (0.0000421, 0.0025, 0.25, 3.0)]
    assert texts == ["42.1 µs", "2.5 ms", "250 ms", "3 s"]
