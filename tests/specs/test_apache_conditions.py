"""Conditions are put together without what goes without saying."""

import pytest

from sso_proxy.specs.apache_conditions import (
    FALSE,
    TRUE,
    TooLargeError,
    all_of,
    any_of,
    write,
    write_each,
)


def test_what_is_always_true_or_false_is_left_out() -> None:
    assert any_of(["a", TRUE]) == all_of([TRUE]) == all_of([]) == TRUE
    assert all_of(["a", FALSE]) == any_of([FALSE]) == any_of([]) == FALSE
    assert any_of([FALSE, "a", "a"]) == all_of([TRUE, "a"]) == "a"


def test_what_is_joined_alike_is_one() -> None:
    inner = any_of(["b", "c"])
    assert write(any_of(["a", inner])) == "any(a, b, c)"
    assert write(all_of(["a", inner])) == "all(a, any(b, c))"
    assert write_each(all_of(["a", inner])) == ("a", "any(b, c)")
    assert write_each(inner) == ("any(b, c)",)
    assert write_each(TRUE) == ()


def test_there_is_a_largest_one() -> None:
    with pytest.raises(TooLargeError):
        any_of(map(str, range(501)))
