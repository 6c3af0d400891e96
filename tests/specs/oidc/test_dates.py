"""A time is a number of seconds of this age of the world."""

import math

import pytest

from sso_proxy.errors import TokenError
from sso_proxy.specs.oidc.dates import LAST_DATE, read_date


@pytest.mark.parametrize("value", [0, 1, 1.5, 1_800_000_000, LAST_DATE - 1])
def test_numbers_are_times(value: float) -> None:
    assert read_date({"exp": value}, "exp") == value


@pytest.mark.parametrize(
    "value",
    [
        *("1", None, True, False, [], {}, math.nan, math.inf, -math.inf, -1, -0.5),
        *(1e300, LAST_DATE, 2**70, 1_800_000_000_000),
    ],
)
def test_others_are_none(value: object) -> None:
    with pytest.raises(TokenError) as caught:
        read_date({"exp": value}, "exp")
    assert caught.value.reason == "token-date"


def test_missing_time_is_refused() -> None:
    with pytest.raises(TokenError):
        read_date({}, "exp")
