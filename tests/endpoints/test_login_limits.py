"""How many logins may begin."""

import pytest

from sso_proxy.endpoints.login_limits import (
    MOST_TRIES,
    WITHIN,
    AddressLimit,
    count_try,
    forget_tries,
    is_going_round,
)
from sso_proxy.specs.http.cookies import TRIES
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_request
from tests.support.sessions import Browser

NOW = 1_800_000_000.0


def test_an_address_may_begin_so_many_at_once() -> None:
    limit = AddressLimit(SettableClock(), 3)

    assert [limit.allows("192.0.2.1") for _ in range(5)] == [True] * 3 + [False] * 2


def test_time_allows_more() -> None:
    clock = SettableClock()
    limit = AddressLimit(clock, 60)
    for _ in range(60):
        limit.allows("192.0.2.1")
    assert not limit.allows("192.0.2.1")
    clock.advance(2.0)

    assert [limit.allows("192.0.2.1") for _ in range(3)] == [True, True, False]


def test_what_nobody_used_does_not_add_up() -> None:
    clock = SettableClock()
    limit = AddressLimit(clock, 2)
    limit.allows("192.0.2.1")
    clock.advance(86400.0)

    assert [limit.allows("192.0.2.1") for _ in range(3)] == [True, True, False]


def test_one_address_does_not_use_up_what_another_has() -> None:
    limit = AddressLimit(SettableClock(), 1)
    limit.allows("192.0.2.1")

    assert limit.allows("192.0.2.2")


def test_a_customer_has_one_ipv6_network() -> None:
    limit = AddressLimit(SettableClock(), 1)
    limit.allows("2001:db8::1")

    assert not limit.allows("2001:db8:0:0:ffff::2")
    assert limit.allows("2001:db8:0:1::1")


def test_what_is_kept_of_addresses_is_bounded() -> None:
    limit = AddressLimit(SettableClock(), 1)
    for number in range(10_100):
        limit.allows(f"client-{number}")

    assert len(limit) == 10_000
    assert not limit.allows("client-10099")


def test_a_browser_that_logs_in_three_times_in_a_minute_goes_round() -> None:
    browser = Browser()
    for number in range(MOST_TRIES):
        assert not is_going_round(browser.request(), NOW + number)
        browser.take(count_try(browser.request(), NOW + number))

    assert is_going_round(browser.request(), NOW + MOST_TRIES)


def test_after_a_minute_it_may_log_in_again() -> None:
    browser = Browser()
    for number in range(MOST_TRIES):
        browser.take(count_try(browser.request(), NOW + number))

    assert not is_going_round(browser.request(), NOW + WITHIN)


def test_whoever_was_told_may_try_again() -> None:
    browser = Browser()
    for _ in range(MOST_TRIES):
        browser.take(count_try(browser.request(), NOW))
    browser.take(forget_tries())

    assert not is_going_round(browser.request(), NOW)


@pytest.mark.parametrize(
    "text", ["", ".", "...", "x.y.z", "-1.-1.-1", "9" * 5000, "1.2.3", "²." * 3]
)
def test_whatever_a_browser_says_does_no_harm(text: str) -> None:
    request = make_request(headers={"cookie": f"{TRIES}={text}"})

    assert not is_going_round(request, NOW)
    count_try(request, NOW)
