"""Purposes, times to live and sizes."""

import math

import pytest

from sso_proxy.caches.records import (
    MOST,
    check_purpose,
    check_ttl,
    check_value,
    cost,
)


@pytest.mark.parametrize("purpose", ["a", "dpop-replay", "a" * 32, "0"])
def test_purpose_is_a_short_word(purpose: str) -> None:
    check_purpose(purpose)


@pytest.mark.parametrize(
    "purpose", ["", "A", "a_b", "a b", "a\0", "a\n", "a" * 33, "ä"]
)
def test_other_purposes_are_refused(purpose: str) -> None:
    with pytest.raises(ValueError, match="no purpose"):
        check_purpose(purpose)


@pytest.mark.parametrize("ttl", [0, -1, math.nan, math.inf, -math.inf, 1e10])
def test_time_to_live_is_finite_and_more_than_nothing(ttl: float) -> None:
    with pytest.raises(ValueError, match="cannot keep"):
        check_ttl(ttl)


def test_value_that_some_backend_cannot_take_is_refused() -> None:
    check_value(b"v" * MOST)
    with pytest.raises(ValueError, match="1000001 octets"):
        check_value(b"v" * (MOST + 1))


def test_longer_value_costs_more() -> None:
    assert 0 < cost(b"") < cost(b"a") < cost(b"aa")
