"""What a process has answered lately."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.traffic import (
    BOUNDS,
    MOST_NAMES,
    OTHERS,
    SLOTS,
    STEP,
    Durations,
    Histogram,
    Traffic,
    merge_traffic,
)

NOW = 1_000_000.0


def test_a_duration_is_counted_in_the_first_bucket_that_has_room() -> None:
    histogram = Histogram()
    for seconds in (0.001, 0.0011, 11.0):
        histogram.note(seconds)
    assert histogram.counts == [1, 1, *[0] * (len(BOUNDS) - 2), 1]
    buckets = histogram.buckets()
    assert buckets[0] == ("0.001", 1.0)
    assert buckets[-2:] == [("10.0", 2.0), ("+Inf", 3.0)]
    assert histogram.sum == 0.001 + 0.0011 + 11.0


def test_answers_are_counted_by_time_route_and_status() -> None:
    traffic = Traffic()
    traffic.note("orders", 200, 0.01, NOW)
    traffic.note("orders", 204, 0.01, NOW + STEP - 1)
    traffic.note("orders", 503, 0.01, NOW + STEP)
    first, second = traffic.document(NOW + STEP)
    assert first["answers"] == [["orders", 2, 2]]
    assert sum(first["durations"]) == 2
    assert second["start"] == first["start"] + STEP
    assert second["answers"] == [["orders", 5, 1]]


def test_what_is_old_is_forgotten() -> None:
    traffic = Traffic()
    for number in range(2 * SLOTS):
        traffic.note("", 200, 0.01, NOW + number * STEP)
    end = NOW + 2 * SLOTS * STEP
    assert len(traffic.document(end)) < SLOTS + 1
    assert traffic.document(end + SLOTS * STEP) == []


def test_a_clock_that_goes_back_counts_on() -> None:
    traffic = Traffic()
    for moment in (NOW, NOW + STEP, NOW):
        traffic.note("", 200, 0.01, moment)
    slots = merge_traffic([traffic.document(NOW)])
    assert [slot["answers"][0][2] for slot in slots] == [2, 1]


def test_one_request_of_a_route_is_shown_in_a_second() -> None:
    traffic = Traffic()
    moments = (0.0, 0.9, 1.0, 1.5, -5.0, -4.9)
    shown = [traffic.note("orders", 200, 0.1, NOW + later) for later in moments]
    assert shown == [True, False, True, False, True, False]
    assert traffic.note("wiki", 200, 0.1, NOW - 4.9)


def test_names_are_bounded() -> None:
    durations = Durations()
    for number in range(3 * MOST_NAMES):
        durations.note(f"https://{number}.example", 0.1)
    assert len(durations.by_name) == MOST_NAMES + 1
    assert sum(durations.by_name[OTHERS].counts) == 2 * MOST_NAMES


def test_a_tunnel_is_no_slow_request() -> None:
    traffic = Traffic()
    traffic.note("chat", 101, 3600.0, NOW)
    assert sum(traffic.durations["chat"].counts) == 0
    assert traffic.document(NOW)[0]["answers"] == [["chat", 1, 1]]


@given(
    st.lists(
        st.tuples(
            st.sampled_from("ab"), st.sampled_from([200, 403]), st.integers(0, 20)
        )
    )
)
def test_several_processes_count_what_one_would(
    noted: list[tuple[str, int, int]],
) -> None:
    """Whoever answers which request: the sum is the same."""
    alone, parts = Traffic(), [Traffic(), Traffic(), Traffic()]
    for number, (route, status, later) in enumerate(sorted(noted, key=lambda n: n[2])):
        alone.note(route, status, 0.01, NOW + later)
        parts[number % 3].note(route, status, 0.01, NOW + later)

    def plain(slots: object) -> object:
        return [
            (s["start"], sorted(map(tuple, s["answers"])), s["durations"])
            for s in slots  # type: ignore[attr-defined]
        ]

    merged = merge_traffic(each.document(NOW + 20) for each in parts)
    assert plain(merged) == plain(merge_traffic([alone.document(NOW + 20)]))
