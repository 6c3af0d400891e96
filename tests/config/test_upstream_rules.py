"""What upstreams, and routes that lead there, must not say."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]

ROUTE = """
[[route]]
host = "app.example.com"
path = "/shop/"
authenticate = ["anonymous"]
backend = "{backend}"
{more}
"""


def route(more: str = "", backend: str = "upstream:shop") -> str:
    return ROUTE.format(backend=backend, more=more)


def upstream(more: str = "", *urls: str) -> str:
    servers = [f"{{ url = '{url}' }}" for url in urls or ("http://a:1", "http://b:1")]
    return f"[upstream.shop]\nserver = [{', '.join(servers)}]\n{more}\n"


@pytest.mark.parametrize(
    ("servers", "more"),
    [
        (upstream(), ""),
        (upstream("", "http://a", "unix:/run/b"), "upstream = { host = 'a.example' }"),
        (upstream("ca = 'ca.pem'\nserver_name = 'a'", "https://a", "https://b"), ""),
        (upstream("[upstream.shop.health]\npath = '/health?deep=1'"), ""),
        (upstream("failure_status = [502, 503]"), "strip_prefix = '/shop'"),
        (upstream(), "strip_prefix = '/shop'\nadd_prefix = '/app/v2'"),
        (upstream(), "maintenance = { file = '/run/maintenance' }"),
        (upstream(), "maintenance = { on = false }"),
    ],
)
def test_it_is_accepted(mistakes: Mistakes, servers: str, more: str) -> None:
    assert mistakes(servers, route=route(more)) == {}


@pytest.mark.parametrize(
    ("servers", "more", "option"),
    [
        ("", "", "route[0].backend"),
        (upstream(), "upstream = { ca = 'a' }", "route[0].upstream.ca"),
        (upstream(), "upstream = { idle = 1 }", "route[0].upstream.idle"),
        (upstream("", "http://a", "http://a:80"), "", "upstream.shop.server[1].url"),
        (upstream("", "wsgi:a:b"), "", "upstream.shop.server[0].url"),
        (upstream("", "http://a/b"), "", "upstream.shop.server[0].url"),
        (upstream("", "http://a", "https://b"), "", "upstream.shop.server"),
        (upstream("ca = 'a'"), "", "upstream.shop.ca"),
        (upstream("key = 'a'", "https://a"), "", "upstream.shop.certificate"),
        (
            "[upstream.shop]\nserver = [{ url = 'http://a', weight = 0 }]",
            "",
            "upstream.shop.server",
        ),
        (
            upstream("balance = 'user'\nslow_start = 5"),
            "",
            "upstream.shop.slow_start",
        ),
        (upstream("failure_status = [99]"), "", "upstream.shop.failure_status[0]"),
        (upstream("health = { path = 'a' }"), "", "upstream.shop.health.path"),
        (upstream("health = { path = '/ a' }"), "", "upstream.shop.health.path"),
        (upstream('health = { path = "/\\r\\nX" }'), "", "upstream.shop.health.path"),
        (upstream("health = { host = 'a b' }"), "", "upstream.shop.health.host"),
        (upstream("health = { status = [100] }"), "", "upstream.shop.health.status[0]"),
        (upstream("health = { interval = 1 }"), "", "upstream.shop.health.timeout"),
        (upstream(), "strip_prefix = '/other'", "route[0].strip_prefix"),
        (upstream(), "strip_prefix = '/sho'", "route[0].strip_prefix"),
        (upstream(), "strip_prefix = '/shop/'", "route[0].strip_prefix"),
        (upstream(), "strip_prefix = '/'", "route[0].strip_prefix"),
        (upstream(), "add_prefix = '/a/../b'", "route[0].add_prefix"),
        (upstream(), "add_prefix = '//evil'", "route[0].add_prefix"),
        (upstream(), "add_prefix = '/a b'", "route[0].add_prefix"),
        (upstream(), "add_prefix = 'a'", "route[0].add_prefix"),
        (
            upstream(),
            "strip_prefix = '/shop'\nadd_prefix = '/shop'",
            "route[0].add_prefix",
        ),
        (upstream(), "maintenance = {}", "route[0].maintenance"),
    ],
)
def test_it_is_refused(
    mistakes: Mistakes, servers: str, more: str, option: str
) -> None:
    assert list(mistakes(servers, route=route(more))) == [option]


def test_what_serves_here_has_its_paths_as_they_are(mistakes: Mistakes) -> None:
    text = route("strip_prefix = '/shop'", backend="wsgi:a:b")
    assert list(mistakes("", route=text)) == ["route[0].strip_prefix"]


def test_an_upstream_is_a_name_with_rules(mistakes: Mistakes) -> None:
    text = upstream().replace("upstream.shop", "upstream.'a b'")
    found = mistakes(text, route=route("", backend="upstream:a b"))
    assert list(found) == ["upstream.'a b'"]
