"""Browsers are sent to the login server, and get cookies, as far as these may go."""

from typing import Any

import attrs
import pytest

from sso_proxy.authn.auth_tkt_answers import Answers
from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.model import LoginRedirect, Request
from sso_proxy.testing.fakes import make_request

LOGIN = "https://sso.example.com/login"
ALL = "; Secure; HttpOnly; "
BACK = "back=https%3a%2f%2fapp.example.com%2f"


def answers(**options: Any) -> Answers:  # noqa: ANN401
    return Answers(AuthTktConfig(secret=Secret("a secret"), **options))


def request(*, scheme: str = "https", host: str = "app.example.com") -> Request:
    made = make_request()
    port = {"http": 80, "https": 443}[scheme]
    head = attrs.evolve(made.head, scheme=scheme, host=host, port=port)
    return attrs.evolve(made, head=head)


@pytest.mark.parametrize(
    ("method", "status"),
    [("GET", 307), ("HEAD", 307), ("OPTIONS", 307), ("POST", 303), ("PUT", 303)],
)
def test_nothing_is_posted_again_to_the_login_server(method: str, status: int) -> None:
    sent = answers().redirect(make_request(method=method), LOGIN)
    assert sent == LoginRedirect(f"{LOGIN}?{BACK}", status, always=True)


def test_without_a_url_nobody_is_sent_anywhere() -> None:
    assert answers().redirect(request(), None) is None


def test_a_ticket_in_the_query_is_not_told_on() -> None:
    asked = make_request(query="a=1&auth_tkt=secret&b=2")
    sent = answers().redirect(asked, LOGIN)
    assert sent is not None
    assert sent.location == f"{LOGIN}?{BACK}%3fa%3d1%26b%3d2"


def test_a_path_is_one_of_the_host_that_was_asked_for() -> None:
    at_port = request()
    at_port = attrs.evolve(at_port, head=attrs.evolve(at_port.head, port=8443))
    for asked, place in (
        (request(), "https://app.example.com/login"),
        (at_port, "https://app.example.com:8443/login"),
    ):
        sent = answers(back_argument="").redirect(asked, "/login")
        assert sent == LoginRedirect(place, 307, always=True)


def test_where_somebody_was_may_be_in_a_cookie() -> None:
    sent = answers(back_cookie="back_to").redirect(request(), LOGIN)
    assert sent is not None
    assert sent.location == LOGIN
    [(_, cookie)] = sent.headers
    assert cookie.startswith("back_to=https%3a%2f%2fapp.example.com%2f; Path=/;")


@pytest.mark.parametrize(
    ("options", "scheme", "host", "cookie"),
    [
        (
            {},
            "https",
            "app.example.com",
            "Path=/; Domain=app.example.com; Secure; HttpOnly; SameSite=Lax",
        ),
        (
            {},
            "http",
            "app.example.com",
            "Path=/; Domain=app.example.com; HttpOnly; SameSite=Lax",
        ),
        (
            {"cookie_secure": False, "cookie_http_only": False},
            "https",
            "app.example.com",
            "Path=/; Domain=app.example.com; SameSite=Lax",
        ),
        (
            {
                "cookie_domain": "example.com",
                "cookie_expires": 86400.0,
                "cookie_same_site": "strict",
            },
            "https",
            "app.example.com",
            f"Path=/; Domain=example.com; Max-Age=86400{ALL}SameSite=Strict",
        ),
        ({}, "https", "[::1]", "Path=/; Secure; HttpOnly; SameSite=Lax"),
    ],
)
def test_cookies_go_as_far_as_they_have_to(
    options: dict[str, Any], scheme: str, host: str, cookie: str
) -> None:
    asked = request(scheme=scheme, host=host)
    made = answers(**options)
    assert made.give(asked, "x") == (("set-cookie", f"auth_tkt=x; {cookie}"),)
    [(_, taken)] = made.take(asked)
    assert taken.startswith("auth_tkt=; Path=/;")
    assert "; Max-Age=0" in taken
    assert "86400" not in taken
