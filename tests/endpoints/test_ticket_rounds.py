"""A browser that is sent round and round is seen, and one with many tabs is not."""

from sso_proxy.endpoints.ticket_rounds import (
    MOST,
    WITHIN,
    count_round,
    forget_rounds,
    is_going_round,
)
from sso_proxy.model import Headers, Request
from sso_proxy.testing.fakes import NOW, make_request

BACK = "https://app.example.com/"


def after(fields: Headers) -> Request:
    ((_, cookie),) = fields
    return make_request(headers={"cookie": cookie.partition(";")[0]})


def gone(*places: str) -> Request:
    request = make_request()
    for place in places:
        request = after(count_round(request, place, NOW))
    return request


def test_the_same_place_again_and_again_is_a_round() -> None:
    assert not is_going_round(gone(*[BACK] * (MOST - 1)), BACK, NOW)
    assert is_going_round(gone(*[BACK] * MOST), BACK, NOW)


def test_many_places_are_none() -> None:
    tabs = [f"{BACK}{number}" for number in range(30)]
    request = gone(*tabs)
    assert not any(is_going_round(request, tab, NOW) for tab in tabs)


def test_it_is_over_after_a_while_or_when_it_is_forgotten() -> None:
    request = gone(*[BACK] * MOST)
    assert not is_going_round(request, BACK, NOW + WITHIN)
    assert not is_going_round(after(forget_rounds(request, BACK, NOW)), BACK, NOW)


def test_what_a_browser_makes_up_is_no_trouble() -> None:
    for text in ("", "...", "x-9", "-", "a-" + "9" * 40, "a-١٢", "x" * 4000):
        request = make_request(headers={"cookie": f"__Host-sso-rounds={text}"})
        assert not is_going_round(request, BACK, NOW)
