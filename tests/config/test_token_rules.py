"""Where a token may stand, and what its options must not say."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]

TOKENS = """
[token.a]
type = "x"
[token.b]
type = "x"
"""
ROUTE = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "{backend}"
token = [{tokens}]
{more}
"""


def route(*tokens: str, backend: str = "http://127.0.0.1:9", more: str = "") -> str:
    listed = ", ".join("{" + token + "}" for token in tokens)
    return ROUTE.format(backend=backend, tokens=listed, more=more)


@pytest.mark.parametrize(
    "token",
    [
        "name = 'a'",
        "name = 'a', scheme = 'DPoP', audience = 'urn:x', on_error = 'pass'",
        "name = 'a', to = 'header', field = 'X-Token', scheme = 'Token'",
        "name = 'a', to = 'cookie', field = 'sts_token'",
        "name = 'a', to = 'query', field = 'access_token'",
        "name = 'a', to = 'form', field = 'access_token'",
        "name = 'a', to = 'basic', user = 'app'",
    ],
)
def test_it_is_accepted(mistakes: Mistakes, token: str) -> None:
    assert mistakes(TOKENS, route=route(token)) == {}


def test_tokens_in_different_places_are_accepted(mistakes: Mistakes) -> None:
    tokens = ("name = 'a'", "name = 'a', to = 'header', field = 'X-Third-Party'")
    assert mistakes(TOKENS, route=route(*tokens)) == {}


@pytest.mark.parametrize(
    ("token", "option"),
    [
        ("name = 'c'", "name"),
        ("name = 'a', to = 'header'", "field"),
        ("name = 'a', field = 'X-Token'", "field"),
        ("name = 'a', to = 'cookie', field = 'a', scheme = 'Bearer'", "scheme"),
        ("name = 'a', scheme = 'two words'", "scheme"),
        ("name = 'a', scheme = ''", "scheme"),
        ("name = 'a', user = 'app'", "user"),
        ("name = 'a', to = 'basic', user = 'a:b'", "user"),
        ("name = 'a', to = 'header', field = 'two words'", "field"),
        ("name = 'a', to = 'header', field = 'Authorization'", "field"),
        ("name = 'a', to = 'header', field = 'Content_Length'", "field"),
        ("name = 'a', to = 'header', field = 'Cookie'", "field"),
        ("name = 'a', to = 'header', field = 'x_remote.user'", "field"),
        ("name = 'a', to = 'cookie', field = 'a b'", "field"),
        ("name = 'a', to = 'cookie', field = '__Host-sso'", "field"),
        ("name = 'a', to = 'query', field = 'a&b'", "field"),
        ("name = 'a', to = 'form', field = 'a=b'", "field"),
        ("name = 'a', to = 'environ', field = 'TOKEN'", "to"),
    ],
)
def test_it_is_refused(mistakes: Mistakes, token: str, option: str) -> None:
    assert [*mistakes(TOKENS, route=route(token))] == [f"route[0].token[0].{option}"]


@pytest.mark.parametrize(
    ("name", "problems"),
    [
        ("TOKEN", 0),
        ("HTTP_AUTHORIZATION", 1),
        ("wsgi.input", 1),
        ("REMOTE_USER", 1),
        ("a b", 1),
    ],
)
def test_a_member_of_an_environ_says_nothing_else(
    mistakes: Mistakes, name: str, problems: int
) -> None:
    token = f"name = 'a', to = 'environ', field = '{name}'"
    found = mistakes(TOKENS, route=route(token, backend="wsgi:app:app"))
    assert len(found) == problems


@pytest.mark.parametrize(
    "other",
    [
        "name = 'b'",
        "name = 'a', to = 'basic'",
        "name = 'b', scheme = 'Token'",
    ],
)
def test_two_tokens_cannot_be_in_one_place(mistakes: Mistakes, other: str) -> None:
    found = mistakes(TOKENS, route=route("name = 'a'", other))
    assert [*found] == ["route[0].token[1].to"]


def test_header_fields_are_compared_as_backends_read_them(mistakes: Mistakes) -> None:
    tokens = (
        "name = 'a', to = 'header', field = 'X-Token'",
        "name = 'b', to = 'header', field = 'x_token'",
    )
    assert [*mistakes(TOKENS, route=route(*tokens))] == ["route[0].token[1].to"]
