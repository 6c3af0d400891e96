"""What is bound to keys that nobody can show is said at the start."""

from collections.abc import Callable

import pytest

Mistakes = Callable[..., dict[str, str]]

LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 8443
certificate = "tls/app.crt"
key = "tls/app.key"
{options}
"""
SESSION = '[session.main]\ntype = "{type}"\nbinding = {{ {kind} = "{level}" }}\n'
ROUTE = """
[[route]]
host = "app.example.com"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
{options}
"""
CERTIFICATES = 'client_certificate = "optional"\nclient_ca = "tls/ca.pem"'
NAMED = (
    '[[listener.name]]\nhost = ["app.example.com"]\n'
    'client_certificate = "required"\nclient_ca = "tls/ca.pem"'
)


def listener(options: str) -> str:
    return LISTENER.format(options=options)


@pytest.mark.parametrize("type", ["server", "cookie"])
@pytest.mark.parametrize("kind", ["certificate", "token_binding"])
def test_sessions_are_bound_to_keys_that_can_be_shown(
    kind: str,
    type: str,  # noqa: A002
    mistakes: Mistakes,
) -> None:
    for level in ("require", "prefer", "observe"):
        table = SESSION.format(type=type, kind=kind, level=level)
        found = mistakes(table, listener=listener(""))
        assert list(found) == [f"session.main.binding.{kind}"]
        assert "no listener" in found[f"session.main.binding.{kind}"]
        shown = {"certificate": CERTIFICATES, "token_binding": "token_binding = true"}
        assert mistakes(table, listener=listener(shown[kind])) == {}


def test_one_host_whose_clients_have_certificates_will_do(mistakes: Mistakes) -> None:
    table = SESSION.format(type="server", kind="certificate", level="require")
    assert mistakes(table, listener=listener(NAMED)) == {}


def test_a_route_needs_no_key_that_nobody_can_show(mistakes: Mistakes) -> None:
    route = ROUTE.format(options='binding = { token_binding = "require" }')
    found = mistakes(listener=listener(""), route=route)
    assert list(found) == ["route[0].binding.token_binding"]
    assert mistakes(listener=listener("token_binding = true"), route=route) == {}
