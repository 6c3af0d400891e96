"""Backends get tokens of their own from npm oidc-provider, by its grants."""

from collections.abc import Iterator
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.logins_at_op import SECRET
from tests.support.oidc_provider import KnownKey, OidcProvider
from tests.support.programs import free_port
from tests.support.recorder import Seen
from tests.support.tokens_from_op import read_claims, read_header, resource

JWT_BEARER: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ORDERS: Final = resource("https://orders.example.com", alg="ES256")
BILLS: Final = resource("https://bills.example.com", alg="RS256")
NOBODYS: Final = resource("https://nobody.example.com", alg="RS256")
TOKEN: Final = "POST /token "
_SERVER: Final = 'issuer = "{issuer}"\nclient_secret_file = "client.secret"\n'
_TOKENS: Final = f"""
[token.service]
type = "client_credentials"
client_id = "service"
scope = ["orders.read"]
{_SERVER}
[token.user]
type = "refresh"
client_id = "people"
authenticator = "people"
{_SERVER}
[token.visitor]
type = "refresh"
client_id = "people"
authenticator = "visitors"
{_SERVER}
[session.browsers]
type = "cookie"
cookie = {{ name = "__Host-sso-visitors" }}

[token.own]
type = "jwt"
issuer = "https://{HOST}"
keys = ["own.pem"]
kid = "own"

[token.crossing]
type = "jwt_bearer"
client_id = "crossing"
subject = "token:own"
subject_audience = "{{issuer}}"
{_SERVER}"""
_LOGIN: Final = f"""
client_secret_file = "client.secret"
scope = ["openid", "orders.read"]
resource = ["{ORDERS}", "{BILLS}"]
"""


def _token(name: str, audience: str, more: str = "") -> str:
    return f'[[route.token]]\nname = "{name}"\naudience = "{audience}"\n{more}\n'


_ROUTES: Final = {
    "service": _token("service", ORDERS),
    "orders": _token("user", ORDERS),
    "both": _token("user", ORDERS)
    + _token("user", BILLS, 'to = "header"\nfield = "X-Bills"'),
    "refused": _token("user", NOBODYS),
    "crossing": _token("crossing", BILLS),
    "visitors": _token("visitor", ORDERS)
    + _token("visitor", BILLS, 'to = "header"\nfield = "X-Bills"'),
    "later": _token("visitor", ""),
}
_SESSIONS: Final = {"visitors": "browsers", "later": "browsers"}
_BY: Final = {"visitors": "visitors", "later": "visitors"}


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, the server, and a browser of somebody who has logged in."""

    gate: LoginProxy
    server: OidcProvider
    browser: Browser

    def ask(self, route: str) -> Seen:
        """Ask for something; gives what the backend saw."""
        page = self.browser.go(self.gate.url(route))
        assert page.status == 200, self.gate.story(self.browser, page)
        return self.gate.arrived(route)[-1]


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run all of them."""
    directory, port = tmp_path_factory.mktemp("grants"), free_port()
    own = KnownKey.create("ES256", "own")
    write_secret(directory, "client.secret", SECRET)
    write_secret(directory, "own.pem", own.pem)
    callback = f"https://{HOST}:{port}/.sso/callback/"
    clients = [
        _client("service", "client_credentials"),
        _client("crossing", JWT_BEARER),
        {
            **_client("people", "authorization_code", "refresh_token"),
            "redirect_uris": [f"{callback}people", f"{callback}visitors"],
            "response_types": ["code"],
        },
    ]
    keys = {"keys": [own.signer.public_jwk()]}
    trusted = {"issuer": f"https://{HOST}", "jwks": keys}
    with OidcProvider(pki, clients, assertions=trusted) as server:
        people = Site(issuer=server.issuer, client_id="people", options=_LOGIN)
        sites = {"people": people}
        for name, tokens in _ROUTES.items():
            session = f'session = "{_SESSIONS.get(name, "main")}"\n'
            by = (_BY.get(name, "people"),)
            sites[name] = attrs.evolve(people, authenticate=by, route=session + tokens)
        tokens = _TOKENS.replace("{issuer}", server.issuer)
        sites["people"] = attrs.evolve(people, route=f'session = "main"\n{tokens}')
        with login_proxy(directory, pki, sites, port) as gate:
            browser = gate.browser()
            page = browser.submit(browser.go(gate.url("people")), login="alice")
            assert page.status == 200, gate.story(browser, page)
            yield Scene(gate=gate, server=server, browser=browser)


def _client(name: str, *grants: str) -> dict[str, object]:
    return {
        "client_id": name,
        "client_secret": SECRET,
        "grant_types": [*grants],
        "redirect_uris": [],
        "response_types": [],
    }


def _bearer(seen: Seen) -> str:
    """Give the one token in ``Authorization``."""
    [value] = seen.values("Authorization")
    scheme, _, token = value.partition(" ")
    assert scheme == "Bearer"
    return token


def test_a_backend_gets_a_token_of_the_proxy(scene: Scene) -> None:
    """RFC 6749 section 4.4, with ``resource`` (RFC 8707)."""
    claims = read_claims(_bearer(scene.ask("service")))
    assert claims["aud"] == "https://orders.example.com"
    assert claims["client_id"] == claims["sub"] == "service"
    assert claims["scope"] == "orders.read"


def test_a_backend_gets_a_token_for_the_user_and_for_itself(scene: Scene) -> None:
    """RFC 6749 section 6, with ``resource``; the login's own token is for neither."""
    token = _bearer(scene.ask("orders"))
    claims = read_claims(token)
    assert read_header(token)["typ"] == "at+jwt"
    assert (claims["sub"], claims["aud"]) == ("alice", "https://orders.example.com")


def test_refresh_tokens_that_rotate_are_not_lost(scene: Scene) -> None:
    """The provider ends a login whose refresh token comes twice (section 10.4)."""
    seen = scene.ask("both")
    [bills] = seen.values("X-Bills")
    assert read_claims(bills)["aud"] == "https://bills.example.com"
    assert read_claims(bills)["sub"] == "alice"
    assert read_claims(_bearer(seen))["aud"] == "https://orders.example.com"
    before = scene.server.requests(TOKEN)
    assert scene.ask("both").values("X-Bills") == [bills]
    assert scene.server.requests(TOKEN) == before
    other = scene.gate.browser()
    page = other.submit(other.go(scene.gate.url("both")), login="bob")
    assert page.status == 200, scene.gate.story(other, page)
    assert read_claims(_bearer(scene.gate.arrived("both")[-1]))["sub"] == "bob"
    assert scene.server.requests(TOKEN) == before + 3  # the code, and two refreshes


def test_nor_are_they_where_browsers_keep_sessions(scene: Scene) -> None:
    """Each answer brings the cookie that has the next one."""
    browser = scene.gate.browser()
    page = browser.submit(browser.go(scene.gate.url("visitors")), login="carol")
    assert page.status == 200, scene.gate.story(browser, page)
    told = [value for name, value in page.fields if name == "set-cookie"]
    assert told[-1].startswith("__Host-sso-visitors")
    seen = scene.gate.arrived("visitors")[-1]
    [bills] = seen.values("X-Bills")
    assert read_claims(bills)["aud"] == "https://bills.example.com"
    assert read_claims(_bearer(seen))["sub"] == "carol"
    before = scene.server.requests(TOKEN)
    page = browser.go(scene.gate.url("later"))
    assert page.status == 200, scene.gate.story(browser, page)
    assert scene.server.requests(TOKEN) == before + 1


def test_what_the_provider_does_not_give_for_an_audience_is_403(scene: Scene) -> None:
    """ "invalid_target" (RFC 8707 section 2)."""
    page = scene.browser.go(scene.gate.url("refused"))
    assert page.status == 403, scene.gate.story(scene.browser, page)
    assert scene.gate.arrived("refused") == []
    scene.gate.proxy.wait_for_record("token-target")
    scene.ask("orders")  # the session goes on


def test_a_server_believes_what_we_say_of_the_user(scene: Scene) -> None:
    """RFC 7523: a JWT that we signed is exchanged for a token of its own."""
    claims = read_claims(_bearer(scene.ask("crossing")))
    assert claims["sub"] == "alice"
    assert claims["aud"] == "https://bills.example.com"
    assert claims["iss"] == scene.server.issuer
