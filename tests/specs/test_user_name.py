"""Tests for `sso_proxy.specs.user_name`."""

import pytest

from sso_proxy.specs.user_name import is_safe_user_name


@pytest.mark.parametrize("name", ["a", "alice@example.com", "José Núñez", "x" * 256])
def test_a_printable_name_is_safe(name: str) -> None:
    assert is_safe_user_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "x" * 257,
        "a\nb",
        "a\x00b",
        "a\x7fb",
        "a\x85b",
        "a\u2028b",
        "a\u202eb",
        "a\u200bb",
        "a\u00a0b",
        "\ud800",
        " alice",
        "alice ",
    ],
)
def test_a_name_that_can_be_read_in_two_ways_is_not(name: str) -> None:
    assert not is_safe_user_name(name)
