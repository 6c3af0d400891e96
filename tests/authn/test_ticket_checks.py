"""Options about tickets that cannot be meant are refused."""

from collections.abc import Callable
from typing import Any

import attrs
import pytest

from sso_proxy.authn.ticket_checks import (
    check_argument,
    check_cookie,
    check_place,
    check_url,
)


@attrs.frozen
class Options:
    """Something that has an option."""

    option: str = ""


ATTRIBUTE = attrs.fields(Options).option
URL = "https://sso.example.com/login?x=1"
GOOD: dict[Callable[..., Any], tuple[str, ...]] = {
    check_url: (URL, "http://[::1]:80"),
    check_place: (URL, "/", "/login", "/?x=1", "/login;a/b"),
    check_argument: ("back", "a.b~c-d_e"),
    check_cookie: ("auth_tkt",),
}
BAD: dict[Callable[..., Any], tuple[str, ...]] = {
    check_url: (
        "",
        "login",
        "/login",
        "ftp://a/",
        "https://a/#b",
        "https://a/\r\nX: y",
    ),
    check_place: ("", "login", "//evil.test", "/\\evil.test", "/#x", "/a b", "/a\n"),
    check_argument: ("", "a&b", "a=b", "ä"),
    check_cookie: ("", "a=b", "a;b", "a b"),
}


@pytest.mark.parametrize(
    ("check", "value"), [(check, v) for check, values in GOOD.items() for v in values]
)
def test_what_can_be_meant_is_taken(check: Callable[..., None], value: str) -> None:
    check(Options(), ATTRIBUTE, value)


@pytest.mark.parametrize(
    ("check", "value"), [(check, v) for check, values in BAD.items() for v in values]
)
def test_what_cannot_be_meant_is_refused(
    check: Callable[..., None], value: str
) -> None:
    with pytest.raises(ValueError, match=r"."):
        check(Options(), ATTRIBUTE, value)
