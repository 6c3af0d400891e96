"""What a route's options must not say together, and what they must find."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]


API = '[authenticator.api]\ntype = "bearer"'
MTLS = '[authenticator.cert]\ntype = "mtls"'
NEVER = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "tls/app.crt"
key = "tls/app.key"
"""


def route(extra: str = "", **options: str) -> str:
    """Write a route whose options are given in TOML."""
    lines = {
        "host": '"app.example.com"',
        "authenticate": '["anonymous"]',
        "backend": '"http://127.0.0.1:9000"',
    } | options
    written = "\n".join(f"{name} = {value}" for name, value in lines.items())
    return f"[[route]]\n{written}\n{extra}\n"


def one(found: dict[str, str]) -> tuple[str, str]:
    """Give the only mistake."""
    assert len(found) == 1, found
    return next(iter(found.items()))


@pytest.mark.parametrize(
    "text",
    [
        route(authenticate='["api", "anonymous"]', map_user='["m"]'),
        route() + route(path='"/a/"') + route(host='"b.example"'),
        route(path='"/{a}/x"') + route(path='"/{a}/y"'),
        route(backend='"https://b"', upstream='{ ca = "a", certificate="c", key="k" }'),
        route(backend='"static:/srv"'),
        route(methods='["GET", "PROPFIND"]'),
        route(upgrade='["websocket"]', origins='["https://a.example:8443"]'),
        route(headers='{ user = "", claims = ["email", "name"] }'),
        route(upstream='{ host = "internal:8080", idle = 1 }'),
    ],
)
def test_route_is_accepted(mistakes: Mistakes, text: str) -> None:
    assert mistakes(API, '[mapper.m]\ntype = "static"', route=text) == {}


def test_authenticator_that_is_not_there_is_refused(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(API, route=route(authenticate='["apl"]')))
    assert path == "route[0].authenticate[0]"
    assert problem == "there is no authenticator 'apl'; did you mean 'api'?"


def test_reference_to_a_table_with_mistakes_is_no_second_mistake(
    mistakes: Mistakes,
) -> None:
    broken = "[authenticator.api]\ntpe = 1"
    path, _ = one(mistakes(broken, route=route(authenticate='["api"]')))
    assert path == "authenticator.api"


def test_mapper_that_is_not_there_is_refused(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(route=route(map_user='["m"]')))
    assert path == "route[0].map_user[0]"
    assert "none at all" in problem


DPOP = '{ dpop = "require" }'


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ("", route(binding=DPOP)),
        ("", route(host='"*.example.com"', binding=DPOP)),
        ("", route(host='"*"', authenticate='["api"]')),
        ("[binding.dpop]", route(host='"*"')),
        ("[binding.dpop]", route(authenticate='["api"]')),
        (
            "[binding.dpop]\norigins = { '*' = 'https://a.example' }",
            route(host='"*"', binding=DPOP),
        ),
    ],
)
def test_dpop_knows_what_clients_sign(
    mistakes: Mistakes, tables: str, text: str
) -> None:
    assert mistakes(API, tables, route=text) == {}


@pytest.mark.parametrize(
    ("tables", "text"),
    [
        ("", route(host='"*"', authenticate='["api"]', binding=DPOP)),
        ("", route(host='"*"', binding='{ dpop = "observe" }')),
        ("[binding.dpop]", route(host='"*"', authenticate='["api"]')),
        (
            "[binding.dpop]\norigins = { 'a' = 'https://a.example' }",
            route(host='"*"', authenticate='["api", "anonymous"]'),
        ),
    ],
)
def test_dpop_does_not_go_by_whatever_a_client_calls_us(
    mistakes: Mistakes, tables: str, text: str
) -> None:
    path, problem = one(mistakes(API, tables, route=text))
    assert path == "route[0].host"
    assert "binding.dpop.origins" in problem


def test_name_that_stands_twice_is_refused(mistakes: Mistakes) -> None:
    path, _ = one(mistakes(API, route=route(authenticate='["api", "api"]')))
    assert path == "route[0].authenticate[1]"


@pytest.mark.parametrize("name", ["anonymous", "anyone"])
def test_nobody_is_asked_after_anonymous(mistakes: Mistakes, name: str) -> None:
    own = '[authenticator.anyone]\ntype = "anonymous"'
    text = route(authenticate=f'["{name}", "api"]')
    path, problem = one(mistakes(API, own, route=text))
    assert path == "route[0].authenticate[0]"
    assert "put it last" in problem


def test_nobody_in_authenticate_is_refused(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(route=route(authenticate="[]")))
    assert path == "route[0].authenticate"
    assert problem == "must not be empty"


@pytest.mark.parametrize(
    ("first", "second"), [("/a/", "/a/"), ("/{user}/x", "/{id}/x")]
)
def test_same_route_twice_is_refused(
    mistakes: Mistakes, first: str, second: str
) -> None:
    text = route(path=f'"{first}"') + route(path=f'"{second}"')
    path, problem = one(mistakes(route=text))
    assert path == "route[1].path"
    assert "route[0]" in problem


def test_required_binding_without_certificates_is_refused(mistakes: Mistakes) -> None:
    text = route(binding='{ certificate = "require" }')
    path, problem = one(mistakes(listener=NEVER, route=text))
    assert path == "route[0].binding.certificate"
    assert "no listener asks" in problem


def test_mtls_without_certificates_is_refused(mistakes: Mistakes) -> None:
    text = route(authenticate='["cert"]')
    path, _ = one(mistakes(MTLS, listener=NEVER, route=text))
    assert path == "route[0].authenticate[0]"


@pytest.mark.parametrize(
    ("names", "fits"),
    [
        ('["app.example.com"]', True),
        ('["*.example.com"]', True),
        ('["other.example.com"]', False),
        ('["*.other.example"]', False),
    ],
)
@pytest.mark.parametrize("host", ["app.example.com", "*.example.com"])
def test_certificate_may_be_asked_for_by_name(
    mistakes: Mistakes,
    names: str,
    fits: bool,  # noqa: FBT001
    host: str,
) -> None:
    name = f'[[listener.name]]\nhost = {names}\nclient_certificate = "optional_no_ca"'
    text = route(host=f'"{host}"', binding='{ certificate = "require" }')
    found = mistakes(listener=NEVER + name, route=text)
    overlaps = fits or (host.startswith("*") and "other.example.com" in names)
    assert (found == {}) is overlaps


def test_certificate_may_come_from_a_trusted_terminator(mistakes: Mistakes) -> None:
    text = route(binding='{ certificate = "require" }')
    server = '[server]\ntrusted_proxies = ["10.0.0.0/8"]'
    passes = NEVER + 'forwarded_certificate = "unverified"\n'
    assert mistakes(server, listener=passes, route=text) == {}
    path, _ = one(mistakes(server, listener=NEVER, route=text))
    assert path == "route[0].binding.certificate"


@pytest.mark.parametrize("option", ["token_binding", "forwarded_token_binding"])
def test_backend_is_told_of_keys_only_where_they_can_be_proved(
    mistakes: Mistakes, option: str
) -> None:
    text = route(headers='{ token_binding = ["provided"] }')
    server = '[server]\ntrusted_proxies = ["10.0.0.0/8"]'
    path, problem = one(mistakes(server, listener=NEVER, route=text))
    assert path == "route[0].headers.token_binding"
    assert "no listener" in problem
    listener = f"{NEVER}{option} = true\n"
    assert mistakes(server, listener=listener, route=text) == {}


def test_backend_that_is_none_is_refused(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(route=route(backend='"127.0.0.1:9000"')))
    assert path == "route[0].backend"
    assert "no kind of backend" in problem


@pytest.mark.parametrize("option", ["ca", "certificate", "key", "server_name"])
def test_tls_option_of_a_plain_backend_is_refused(
    mistakes: Mistakes, option: str
) -> None:
    found = mistakes(route=route(upstream=f'{{ {option} = "x" }}'))
    assert "no effect" in found[f"route[0].upstream.{option}"]


def test_upstream_of_a_hosted_application_is_refused(mistakes: Mistakes) -> None:
    text = route(backend='"static:/srv"', upstream="{ idle = 5 }")
    path, _ = one(mistakes(route=text))
    assert path == "route[0].upstream.idle"


def test_half_a_client_certificate_is_refused(mistakes: Mistakes) -> None:
    text = route(backend='"https://b"', upstream='{ certificate = "c" }')
    path, _ = one(mistakes(route=text))
    assert path == "route[0].upstream.key"


@pytest.mark.parametrize("host", ["a b", "a\\r\\nX: y", "", "http://a"])
def test_host_for_the_backend_is_a_host(mistakes: Mistakes, host: str) -> None:
    path, _ = one(mistakes(route=route(upstream=f'{{ host = "{host}" }}')))
    assert path == "route[0].upstream.host"


@pytest.mark.parametrize(
    ("headers", "problem"),
    [
        ('{ user = "X User" }', "no header field's name"),
        ('{ user = "Content-Length" }', "belongs to HTTP"),
        ('{ user = "content_length" }', "belongs to HTTP"),
        ('{ user = "X-Claim-email", claims = ["email"] }', "the one of user"),
        ('{ claims = ["a_b", "a-b"] }', "the one of claims 'a_b'"),
        ('{ claims = ["https://x/y"] }', "no header field's name"),
        ('{ claim_names = { email = "Host" } }', "belongs to HTTP"),
        ('{ tokens = { access_token = "Connection" } }', "belongs to HTTP"),
        ('{ tokens = { id_token = "X-Remote-User" } }', "the one of user"),
    ],
)
def test_header_that_says_two_things_is_refused(
    mistakes: Mistakes, headers: str, problem: str
) -> None:
    path, found = one(mistakes(route=route(headers=headers)))
    assert path == "route[0].headers"
    assert problem in found


@pytest.mark.parametrize(
    ("options", "path"),
    [
        ({"methods": '["GET", "TRACE"]'}, "methods[1]"),
        ({"methods": '["CONNECT"]'}, "methods[0]"),
        ({"methods": '["get"]'}, "methods[0]"),
        ({"methods": '["G T"]'}, "methods[0]"),
        ({"upgrade": '["web socket"]'}, "upgrade[0]"),
        ({"upgrade": '["websocket"]', "origins": '["https://a/"]'}, "origins[0]"),
        ({"origins": '["https://a"]'}, "origins"),
        ({"endpoints": '"/sso"'}, "endpoints"),
        ({"endpoints": '"/"'}, "endpoints"),
        ({"path": '"/.sso/x"'}, "path"),
    ],
)
def test_word_that_is_none_is_refused(
    mistakes: Mistakes, options: dict[str, str], path: str
) -> None:
    assert one(mistakes(route=route(**options)))[0] == f"route[0].{path}"


def test_sessions_that_are_not_there_are_refused(mistakes: Mistakes) -> None:
    path, problem = one(mistakes(route=route(session='"gone"')))
    assert path == "route[0].session"
    assert "none at all" in problem


@pytest.mark.parametrize(
    "removed",
    [
        "'authorization', 'cookie'",
        "'Authorization', 'cookie:legacy', 'cookie:Legacy'",
        "'x-legacy-user', 'accept-language'",
    ],
)
def test_what_clients_send_can_be_removed(mistakes: Mistakes, removed: str) -> None:
    headers = f"{{ remove = [{removed}] }}"
    assert mistakes(route=route(headers=headers)) == {}


@pytest.mark.parametrize(
    "removed",
    [
        "'x', ''",
        "'x', 'a b'",
        "'x', 'X'",
        "'x-a', 'x_a'",
        "'x', '?token'",
        "'x', 'cookie:'",
        "'x', 'cookie:a=b'",
        "'x', 'cookie:__Host-sso'",
        "'cookie', 'cookie:a'",
        "'cookie:a', 'cookie:a'",
        "'x', 'host'",
        "'x', 'Content-Length'",
        "'x', 'sec-websocket-key'",
    ],
)
def test_what_cannot_be_removed_is_said(mistakes: Mistakes, removed: str) -> None:
    headers = f"{{ remove = [{removed}] }}"
    place, _ = one(mistakes(route=route(headers=headers)))
    assert place == "route[0].headers.remove[1]"


@pytest.mark.parametrize(
    "text",
    [
        'names = ["JSESSIONID"], certificate = "require"',
        'names = ["*"], certificate = "prefer"',
        'names = ["PHP*", "ASP.NET_SessionId", "__Host-id"], certificate = "require"',
        'names = ["a"], device = "require"',
        'names = ["a"], device = "prefer", device_options = { exclude = ["/a"] }',
    ],
)
def test_cookies_can_be_bound(mistakes: Mistakes, text: str) -> None:
    assert mistakes(route=route(binding=f"{{ cookies = {{ {text} }} }}")) == {}


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            'names = ["a b"], certificate = "require"',
            ".names[0]",
            "no name of a cookie",
        ),
        ('names = ["a", "a*b"], certificate = "prefer"', ".names[1]", "at its end"),
        ('names = ["__Host-sso"], certificate = "require"', ".names[0]", "is ours"),
        ('names = ["a"]', "", "to which key?"),
        ('names = ["a"], device = "observe"', ".device", "require"),
        (
            'names = ["a"], device = "prefer", device_options = { exclude = ["a"] }',
            ".device_options.exclude[0]",
            "write '/a'",
        ),
        (
            'names = ["a"], certificate = "prefer", device_options = { grace = 9 }',
            ".device_options",
            "no effect without device",
        ),
        (
            'names = ["a"], device = "prefer", device_options = { lifetime = 4 }',
            ".device_options.lifetime",
            "5",
        ),
        ('names = ["a"], certificate = "observe"', ".certificate", "require"),
        ('names = ["a"], token_binding = "require"', ".token_binding", "no listener"),
        ('names = [], certificate = "require"', ".names", "empty"),
    ],
)
def test_cookies_that_cannot_be_bound_are_refused(
    mistakes: Mistakes, text: str, place: str, said: str
) -> None:
    found = mistakes(route=route(binding=f"{{ cookies = {{ {text} }} }}"))
    path, problem = one(found)
    assert path == "route[0].binding.cookies" + place
    assert said in problem


def test_cookies_are_bound_to_certificates_where_these_are_asked_for(
    mistakes: Mistakes,
) -> None:
    text = route(binding='{ cookies = { names = ["a"], certificate = "prefer" } }')
    path, problem = one(mistakes(route=text, listener=NEVER))
    assert path == "route[0].binding.cookies.certificate"
    assert "client_certificate" in problem
