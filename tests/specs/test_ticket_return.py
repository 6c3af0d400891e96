"""Where login servers are told to send browsers back to, as measured."""

import attrs
import pytest

from sso_proxy.model import RequestHead
from sso_proxy.specs.ticket_return import (
    add_argument,
    escape_return,
    return_url,
    without_ticket,
)

HEAD = RequestHead(method="GET", scheme="http", host="app.test", port=80, path="/x")
APP = "http%3a%2f%2fapp.test"


@pytest.mark.parametrize(
    ("path", "query", "back"),
    [
        ("/x", None, "%2fx"),
        ("/x", "", "%2fx%3f"),
        (
            "/a%20b/c;d",
            "q=a%26b&x=1+2&y=%C3%A9",
            "%2fa%20b%2fc%3bd%3fq%3da%2526b%26x%3d1+2%26y%3d%25C3%25A9",
        ),
        ("/p%2520q", None, "%2fp%2520q"),
        ("/%C3%A9", None, "%2f%c3%a9"),
    ],
)
def test_paths_are_decoded_once_and_queries_are_not(
    path: str, query: str | None, back: str
) -> None:
    head = attrs.evolve(HEAD, path=path, query=query)
    assert escape_return(return_url(head)) == APP + back


def test_only_a_port_that_is_not_the_usual_one_is_said() -> None:
    https = attrs.evolve(HEAD, scheme="https", port=443)
    assert return_url(https) == b"https://app.test/x"
    assert return_url(attrs.evolve(https, port=80)) == b"https://app.test:80/x"


def test_the_path_that_was_asked_for_goes_before() -> None:
    assert return_url(HEAD, "/x;v=1") == b"http://app.test/x;v=1"


def test_nothing_ends_the_argument() -> None:
    """Whatever a request has in it stays in the one argument."""
    escaped = escape_return(bytes(range(256)))
    assert not set(escaped) & set('&=#?/;"<>\\ \r\n\x00')
    assert escaped.isascii()


def test_an_argument_follows_those_that_are_there() -> None:
    assert add_argument("https://sso/login", "back", "x") == "https://sso/login?back=x"
    assert add_argument("https://sso/?t=1", "back", "x") == "https://sso/?t=1&back=x"
    assert add_argument("https://sso/?t=1", "back", "x", ";").endswith("t=1;back=x")


@pytest.mark.parametrize(
    ("query", "told"),
    [
        (None, None),
        ("", None),
        ("a=1&b=2;c", "a=1&b=2&c="),
        ("auth_tkt=x", None),
        ("a=1&auth_tkt=x;b=2", "a=1&b=2"),
        ("a=1;auth%5Ftkt=x&auth_tkt", "a=1"),
        ("xauth_tkt=1&auth_tkts=2", "xauth_tkt=1&auth_tkts=2"),
        ("&&a==1&", "a==1"),
    ],
)
def test_tickets_are_not_told_on(query: str | None, told: str | None) -> None:
    assert without_ticket(query, "auth_tkt") == told
