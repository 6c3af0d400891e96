"""What the status page shows."""

from typing import Any

import pytest

from sso_proxy.endpoints.status_view import age, build_view, quantile
from sso_proxy.traffic import BOUNDS, Histogram, Traffic
from tests.support.status_document import NOW, busy_status

QUIET: dict[str, Any] = {
    "name": "proxy",
    "workers": [1, 1],
    "missing": [],
    "reload_refused": False,
    "traffic": [],
    "decisions": [],
    "logins": [],
    "listeners": [],
    "parts": {},
    "upstreams": [],
    "certificates": [],
}


def test_a_proxy_that_nobody_has_asked_has_a_view() -> None:
    view = build_view(QUIET, NOW)
    assert [tile[1] for tile in view["tiles"]] == ["0/s", "—", "—", "—", "0"]
    assert "0 requests in 15 minutes" in view["traffic"]
    assert view["routes"] == []


def test_rates_are_of_the_last_whole_minute() -> None:
    traffic = Traffic()
    for number in range(120):
        traffic.note("orders", 500 if number == 0 else 200, 0.02, NOW - 60 + number / 4)
    view = build_view({**QUIET, "traffic": traffic.document(NOW)}, NOW)
    assert view["tiles"][0][1] == "2/s"
    assert view["tiles"][1][1] == "0.833 %"
    (route,) = view["routes"]
    assert (route["name"], route["count"], route["failed"]) == ("orders", "120", "1")


def test_what_is_going_on_now_is_not_half_a_bar() -> None:
    traffic = Traffic()
    traffic.note("orders", 200, 0.02, NOW)
    view = build_view({**QUIET, "traffic": traffic.document(NOW)}, NOW)
    assert "0 requests" in view["traffic"]


def test_quantiles_are_where_they_are() -> None:
    histogram = Histogram()
    for number in range(100):
        histogram.note(0.008 if number < 95 else 0.9)
    middle, slow = quantile(histogram.counts, 0.5), quantile(histogram.counts, 0.99)
    assert middle is not None
    assert slow is not None
    assert 0.005 < middle <= 0.01
    assert 0.5 < slow <= 1.0
    assert quantile([0] * (len(BOUNDS) + 1), 0.5) is None


def test_states_are_named_besides_their_colours() -> None:
    view = build_view(busy_status(), NOW)
    parts = {part["place"]: part for part in view["parts"]}
    assert parts["authenticator.api"]["word"] == "working"
    assert parts["cache.shared"]["word"] == "not working"
    assert parts["policy.remote"]["lines"] == ["slower than 100 ms"]
    states = [each["state"] for each in view["certificates"]]
    assert states == ["ok", "refused", "ok"]
    words = [each["word"] for each in view["certificates"]]
    assert words == ["6 d left", "ends soon: 9 d left", "61 d left"]
    looks = [server["look"] for server in view["upstreams"][0]["servers"]]
    assert looks == ["ok", "refused", "failed"]


def test_what_is_missing_and_warnings_are_told_apart() -> None:
    view = build_view(busy_status(), NOW)
    assert view["wrong"] == ["cache.shared: 127.0.0.1:6379 does not answer"]
    assert view["warnings"] == ["certificate tls/wiki.crt expires in 9 days"]


def test_a_certificate_that_has_ended_says_so() -> None:
    view = build_view({**QUIET, "certificates": [["a.crt", NOW - 1, 9.0]]}, NOW)
    assert view["certificates"][0]["word"] == "ended"


@pytest.mark.parametrize(
    ("by", "first", "last"),
    [
        ("user", "<script>alert(1)</script>", "erin"),
        ("application", "alice", "<script>alert(1)</script>"),
        ("address", "alice", "<script>alert(1)</script>"),
        ("age", "alice", "<script>alert(1)</script>"),
        ("binding", "bob", "<script>alert(1)</script>"),
        ("nonsense", "alice", "<script>alert(1)</script>"),
    ],
)
def test_sessions_are_sorted_as_wanted(by: str, first: str, last: str) -> None:
    logins = build_view(busy_status(), NOW, by=by)["logins"]
    assert [logins[0]["subject"], logins[-1]["subject"]] == [first, last]


def test_addresses_are_sorted_as_numbers() -> None:
    (login, *_) = busy_status()["logins"]
    addresses = ["192.0.2.10", "unix", "2001:db8::1", "192.0.2.9"]
    logins = [{**login, "address": address} for address in addresses]
    view = build_view({**QUIET, "logins": logins}, NOW, by="address")
    found = [each["address"] for each in view["logins"]]
    assert found == ["unix", "192.0.2.9", "192.0.2.10", "2001:db8::1"]


@pytest.mark.parametrize(
    ("find", "found"),
    [
        ("", 6),
        ("BOB", 1),
        ("192.0.2.12", 1),
        ("wiki staff", 3),
        ("none at login", 5),
        ("x!", 0),
    ],
)
def test_sessions_are_found_by_what_is_known_of_them(find: str, found: int) -> None:
    view = build_view(busy_status(), NOW, find=find)
    assert (view["found"], view["known"]) == (found, 6)


def test_no_more_sessions_are_shown_than_somebody_can_look_through() -> None:
    (login, *_) = busy_status()["logins"]
    view = build_view({**QUIET, "logins": [login] * 10_000}, NOW)
    assert (len(view["logins"]), view["found"]) == (100, 10_000)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-3, "0 s"),
        (59, "59 s"),
        (61, "1 min"),
        (3601, "1 h"),
        (90000, "25 h"),
        (200000, "2 d"),
    ],
)
def test_ages_are_short(seconds: float, text: str) -> None:
    assert age(seconds) == text
