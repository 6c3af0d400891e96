"""Where another proxy only asks, nothing is promised that only forwarding can keep."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]

SERVER = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 4181
tls = false
allow_plaintext = true
forward_auth = "nginx"
"""
TOKEN = '[token.orders]\ntype = "x"\n'
ROUTE = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "forward-auth:"
"""


@pytest.mark.parametrize(
    "more",
    [
        "",
        'headers = { user = "X-User", claims = ["email"] }',
        'token = [{ name = "orders", to = "cookie", field = "ticket" }]',
        'path_parameters = "keep"\nupgrade = ["websocket"]',
    ],
)
def test_it_is_accepted(mistakes: Mistakes, more: str) -> None:
    text = TOKEN + SERVER
    assert mistakes(text, listener=LISTENER, route=ROUTE + more) == {}


@pytest.mark.parametrize(
    ("more", "option"),
    [
        ('strip_prefix = "/a"\npath = "/a/"', "strip_prefix"),
        ('add_prefix = "/a"', "add_prefix"),
        ("cors = { origins = ['https://a.example.com'] }", "cors"),
        ("headers = { remove = ['X-Old'] }", "headers.remove"),
        ('path_parameters = "strip"', "path_parameters"),
        ("token = [{ name = 'orders', to = 'query', field = 't' }]", "token[0].to"),
        ("token = [{ name = 'orders', to = 'form', field = 't' }]", "token[0].to"),
        ("upstream = { idle = 5 }", "upstream.idle"),
    ],
)
def test_what_only_forwarding_can_keep_is_refused(
    mistakes: Mistakes, more: str, option: str
) -> None:
    text = TOKEN + SERVER
    found = mistakes(text, listener=LISTENER, route=ROUTE + more)
    assert f"route[0].{option}" in found, found


def test_nobody_may_ask_who_is_not_trusted(mistakes: Mistakes) -> None:
    found = mistakes("[server]\n", listener=LISTENER, route=ROUTE)
    assert "trusted_proxies" in found["listener[0].forward_auth"]


def test_questions_and_routes_for_them_go_together(mistakes: Mistakes) -> None:
    other = ROUTE.replace("forward-auth:", "http://127.0.0.1:9000")
    found = mistakes(SERVER, listener=LISTENER, route=other)
    assert "no route" in found["listener[0].forward_auth"]
    without = LISTENER.replace('forward_auth = "nginx"', "")
    found = mistakes(SERVER, listener=without, route=ROUTE)
    assert "no listener" in found["route[0].backend"]


def test_a_listener_that_redirects_answers_no_questions(mistakes: Mistakes) -> None:
    text = LISTENER.replace("allow_plaintext = true", "")
    found = mistakes(SERVER, listener=text, route=ROUTE)
    assert "only redirects" in found["listener[0].forward_auth"]


def test_keys_of_token_binding_are_not_asked_about(mistakes: Mistakes) -> None:
    text = LISTENER + "forwarded_token_binding = true\n"
    found = mistakes(SERVER, listener=text, route=ROUTE)
    assert "Token Binding" in found["listener[0].forward_auth"]


def test_an_asker_is_one_that_is_known(mistakes: Mistakes) -> None:
    text = LISTENER.replace('"nginx"', '"apache"')
    assert "listener[0].forward_auth" in mistakes(SERVER, listener=text, route=ROUTE)


def test_nothing_stands_after_the_colon(mistakes: Mistakes) -> None:
    route = ROUTE.replace("forward-auth:", "forward-auth:nginx")
    assert "route[0].backend" in mistakes(SERVER, listener=LISTENER, route=route)
