"""Where a login server's tickets go, and what its options must not say."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]

TOKENS = """
[token.tickets]
type = "x"
[authenticator.corp]
type = "x"
"""
ROUTE = """
[[route]]
host = "{host}"
authenticate = ["{by}"]
backend = "{backend}"
{ticket}
"""
GOOD = "domain = 'example.com', back = ['*.example.com']"


def route(
    ticket: str = GOOD,
    *,
    backend: str = "ticket:tickets",
    host: str = "login.example.com",
    by: str = "corp",
) -> str:
    table = f"ticket = {{{ticket}}}" if ticket else ""
    return ROUTE.format(host=host, by=by, backend=backend, ticket=table)


@pytest.mark.parametrize(
    "ticket",
    [
        GOOD,
        GOOD + ", cookie = 'sso', same_site = 'none', http_only = false",
        "domain = 'example.com', back = ['http://a.example.com'], secure = false",
        "domain = 'login.example.com', back = ['https://login.example.com:8443']",
    ],
)
def test_it_is_accepted(mistakes: Mistakes, ticket: str) -> None:
    assert mistakes(TOKENS, route=route(ticket)) == {}


@pytest.mark.parametrize(
    ("ticket", "option"),
    [
        ("domain = 'other.com', back = ['a.other.com']", "domain"),
        ("domain = 'com', back = ['a.com']", "domain"),
        ("domain = 'ample.com', back = ['a.ample.com']", "domain"),
        ("domain = 'x.login.example.com', back = ['x.login.example.com']", "domain"),
        ("domain = 'example.com', back = ['a.example.com', 'other.com']", "back[1]"),
        ("domain = 'example.com', back = ['*.badexample.com']", "back[0]"),
        ("domain = 'example.com', back = ['http://a.example.com']", "back[0]"),
        (GOOD + ", cookie = 'a b'", "cookie"),
        (GOOD + ", cookie = '__Host-x'", "cookie"),
        (GOOD + ", back_cookie = 'a b'", "back_cookie"),
        (GOOD + ", cookie = '__Secure-sso'", "cookie"),
        (GOOD + ", same_site = 'none', secure = false", "same_site"),
        (GOOD + ", back_argument = 'unauth'", "back_argument"),
        (GOOD + ", back_argument = 'a&b'", "back_argument"),
    ],
)
def test_it_is_refused(mistakes: Mistakes, ticket: str, option: str) -> None:
    found = mistakes(TOKENS, route=route(ticket))
    assert [*found] == [f"route[0].ticket.{option}"]


def test_backend_and_table_need_each_other(mistakes: Mistakes) -> None:
    assert [*mistakes(TOKENS, route=route(""))] == ["route[0].ticket"]
    elsewhere = route(backend="http://127.0.0.1:9")
    assert [*mistakes(TOKENS, route=elsewhere)] == ["route[0].ticket"]


def test_the_token_has_to_be_there(mistakes: Mistakes) -> None:
    found = mistakes(TOKENS, route=route(backend="ticket:ticket"))
    assert [*found] == ["route[0].backend"]
    assert "tickets" in found["route[0].backend"]
    assert "route[0].backend" in mistakes(TOKENS, route=route(backend="ticket:"))


def test_somebody_has_to_log_in(mistakes: Mistakes) -> None:
    found = mistakes(TOKENS, route=route(by="anonymous"))
    assert [*found] == ["route[0].authenticate"]


def test_it_is_at_one_path(mistakes: Mistakes) -> None:
    text = route().replace("authenticate", 'path = "/{tenant}/login"\nauthenticate')
    assert [*mistakes(TOKENS, route=text)] == ["route[0].path"]
