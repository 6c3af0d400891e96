"""What several processes tell, as one document."""

from typing import Any

from sso_proxy.process.status import merge_status

NOTHING: dict[str, Any] = {
    "traffic": [],
    "decisions": [],
    "logins": [],
    "listeners": [],
    "parts": {},
    "upstreams": [],
    "certificates": [],
}


def server(state: str, why: str = "") -> dict[str, Any]:
    return {"server": "10.0.0.1:80", "state": state, "why": why, "busy": 3}


def upstream(state: str, busy: int, why: str = "") -> list[dict[str, Any]]:
    return [{"name": "b", "busy": busy, "idle": 1, "servers": [server(state, why)]}]


def test_who_does_not_answer_is_counted() -> None:
    assert merge_status({}, 2)["workers"] == [0, 2]
    assert merge_status({1: NOTHING}, 2)["workers"] == [1, 2]


def test_connections_are_added() -> None:
    one = {**NOTHING, "listeners": [["a", 2]], "upstreams": upstream("up", 1)}
    two = {**NOTHING, "listeners": [["a", 3], ["b", 1]], "upstreams": upstream("up", 4)}
    merged = merge_status({1: one, 2: two}, 2)
    assert merged["listeners"] == [["a", 5], ["b", 1]]
    assert (merged["upstreams"][0]["busy"], merged["upstreams"][0]["idle"]) == (5, 2)


def test_a_server_is_as_bad_as_the_worst_that_a_process_says() -> None:
    one = {**NOTHING, "upstreams": upstream("up", 1)}
    two = {**NOTHING, "upstreams": upstream("down", 1, "refused")}
    for told in ({1: one, 2: two}, {1: two, 2: one}):
        (found,) = merge_status(told, 2)["upstreams"][0]["servers"]
        assert (found["state"], found["why"]) == ("down", "refused")
        assert found["busy"] == 6


def test_what_a_part_misses_anywhere_is_said_once() -> None:
    one = {**NOTHING, "parts": {"cache.c": ["down"], "authenticator.a": []}}
    two = {**NOTHING, "parts": {"cache.c": ["down"], "authenticator.a": ["slow"]}}
    parts = merge_status({1: one, 2: two}, 2)["parts"]
    assert parts == {"cache.c": ["down"], "authenticator.a": ["slow"]}


def test_the_newest_decisions_and_logins_come_first() -> None:
    told = {
        number: {
            **NOTHING,
            "decisions": [{"time": float(number + 2 * i)} for i in range(99)],
            "logins": [{"created": float(number)}],
        }
        for number in (1, 2)
    }
    merged = merge_status(told, 2)
    times = [each["time"] for each in merged["decisions"]]
    assert times == sorted(times, reverse=True)
    assert len(times) == 100
    assert [each["created"] for each in merged["logins"]] == [2.0, 1.0]
