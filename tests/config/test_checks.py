"""Validators say what would be right."""

from typing import Any

import attrs
import pytest

from sso_proxy.config.checks import (
    between,
    cidr_list,
    host_pattern,
    non_empty,
    path_prefix,
    positive,
)

NONE: Any = None


@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_positive_refuses(value: float) -> None:
    with pytest.raises(ValueError, match="more than 0"):
        positive(None, NONE, value)


def test_between_includes_its_ends() -> None:
    check = between(1, 3)
    check(None, NONE, 1)
    check(None, NONE, 3)


@pytest.mark.parametrize("value", [0, 4])
def test_between_refuses_what_is_outside(value: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 3"):
        between(1, 3)(None, NONE, value)


def test_non_empty_refuses_an_empty_list() -> None:
    with pytest.raises(ValueError, match="empty"):
        non_empty(None, NONE, ())


@pytest.mark.parametrize("item", ["10.0.0.0/8", "192.0.2.1", "::1", "unix"])
def test_range_is_accepted(item: str) -> None:
    cidr_list(None, NONE, (item,))


@pytest.mark.parametrize("item", ["0.0.0.0/0", "::/0", "10.0.0.1/8", "example.com"])
def test_range_of_everybody_or_nobody_is_refused(item: str) -> None:
    with pytest.raises(ValueError, match=r"\d|example"):
        cidr_list(None, NONE, (item,))


@pytest.mark.parametrize(
    "host", ["app.example.com", "*.example.com", "*", "[::1]", "127.0.0.1", "a_b.c"]
)
def test_host_is_accepted(host: str) -> None:
    host_pattern(None, NONE, host)


@pytest.mark.parametrize(
    "host", ["", "App.example.com", "a.*", "*example.com", "a:80", "a..b", "-a", "a/b"]
)
def test_host_is_refused(host: str) -> None:
    with pytest.raises(ValueError, match="no host name"):
        host_pattern(None, NONE, host)


@pytest.mark.parametrize(
    "path", ["/", "/a", "/a/", "/a/{id}/b", "/%C3%A4/", "/a%2Fb", "/a;b=c/"]
)
def test_canonical_path_is_accepted(path: str) -> None:
    path_prefix(None, NONE, path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "a",
        "//",
        "/a//b",
        "/./",
        "/a/..",
        "/a b",
        "/a?b",
        "/%2f",
        "/%41",
        "/%7E",
        "/%00",
        "/a{id}",
        "/{}",
        "/ä",
    ],
)
def test_path_that_no_request_has_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="canonical"):
        path_prefix(None, NONE, path)


def test_long_wrong_path_is_refused_at_once() -> None:
    """An expression with nested repeats takes years for this one."""
    with pytest.raises(ValueError, match="canonical"):
        path_prefix(None, NONE, "/" + "a" * 10000 + " ")


def test_validators_fit_attrs() -> None:
    @attrs.frozen
    class Options:
        number: int = attrs.field(default=1, validator=[positive, between(1, 2)])

    with pytest.raises(ValueError, match="from 1 to 2"):
        Options(3)
