"""Backends get tokens of their own from Debian's glewlwyd, by its grants."""

from base64 import b64decode
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser, Page
from tests.support.glewlwyd import PASSWORD, Glewlwyd
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.programs import free_port
from tests.support.recorder import Seen
from tests.support.tokens_from_op import read_claims

SECRET: Final = "0123456789abcdef0123456789abcdef"
ORDERS: Final = "https://orders.example.com/"
_PLUGIN: Final[Mapping[str, Any]] = {
    "pkce-allowed": False,
    "allow-non-oidc": True,
    "auth-type-client-enabled": True,
    "auth-type-password-enabled": True,
    "resource-allowed": True,
    "resource-scope": {"email": [ORDERS]},
    "resource-scope-and-client-property": False,
}
_SERVER: Final = """
issuer = "{issuer}"
client_id = "people"
client_secret_file = "client.secret"
"""
_TOKENS: Final = f"""
[token.service]
type = "client_credentials"
scope = ["email"]
{_SERVER}
[token.legacy]
type = "ropc"
subject = "header:X-Portal"
username_claim = "name"
scope = ["email"]
{_SERVER}
[token.user]
type = "refresh"
authenticator = "people"
{_SERVER}"""
_LOGIN: Final = f"""
client_secret_file = "client.secret"
scope = ["openid", "email"]
resource = ["{ORDERS}"]
"""
_UNPROVEN: Final = f'{_LOGIN}pkce = "off"\n'


def _token(name: str, audience: str, more: str = "") -> str:
    return f'[[route.token]]\nname = "{name}"\naudience = "{audience}"\n{more}\n'


_ROUTES: Final = {
    "service": _token("service", ORDERS),
    "unknown": _token("service", "https://unknown.example.com/"),
    "legacy": _token("legacy", ORDERS, 'to = "basic"'),
    "user": _token("user", ORDERS) + _token("user", "", 'to = "cookie"\nfield = "s"'),
}


def _client(port: int) -> dict[str, Any]:
    kinds = ["code", "refresh_token", "password", "client_credentials"]
    return {
        "client_id": "people",
        "name": "people",
        "enabled": True,
        "confidential": True,
        "password": SECRET,
        "client_secret": SECRET,
        "redirect_uri": [
            f"https://{HOST}:{port}/.sso/callback/{name}" for name in ("people", "s256")
        ],
        "authorization_type": kinds,
        "token_endpoint_auth_method": ["client_secret_basic"],
        "scope": ["email"],
    }


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, the server, and a browser of somebody who has logged in."""

    gate: LoginProxy
    server: Glewlwyd
    browser: Browser

    def ask(self, route: str, status: int = 200, **fields: str) -> Page:
        """Ask for something."""
        page = self.browser.fetch(self.gate.url(route), **fields)
        story = self.gate.story(self.browser, page) + self.server.log()[-2000:]
        assert page.status == status, story
        return page

    def seen(self, route: str, **fields: str) -> Seen:
        """Ask for something; gives what the backend saw."""
        self.ask(route, 200, **fields)
        return self.gate.arrived(route)[-1]


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run all of them."""
    directory, port = tmp_path_factory.mktemp("glewlwyd-tokens"), free_port()
    write_secret(directory, "client.secret", SECRET)
    with Glewlwyd(pki, [_client(port)], **_PLUGIN) as server:
        people = Site(issuer=server.issuer, client_id="people", options=_UNPROVEN)
        tokens = _TOKENS.replace("{issuer}", server.issuer)
        sites = {"people": attrs.evolve(people, route=tokens)}
        sites["s256"] = attrs.evolve(people, options=_LOGIN)
        for name, each in _ROUTES.items():
            by = ("people",)
            sites[name] = attrs.evolve(people, authenticate=by, route=each)
        with login_proxy(directory, pki, sites, port) as gate:
            browser = gate.browser()
            page = browser.go(gate.url("people"))
            page = server.log_in(browser, page, "people", "alice")
            story = gate.story(browser, page) + server.log()[-2000:]
            assert page.status == 200, story
            yield Scene(gate=gate, server=server, browser=browser)


def _value(seen: Seen, scheme: str) -> str:
    [value] = seen.values("Authorization")
    said, _, rest = value.partition(" ")
    assert said == scheme
    return rest


def test_people_log_in_though_the_server_refuses_challenges(scene: Scene) -> None:
    """It has no PKCE here; who asks with a challenge gets an error."""
    assert scene.gate.arrived("people") != []
    browser = scene.gate.browser()
    page = browser.go(scene.gate.url("s256"))
    story = scene.gate.story(browser, page) + scene.server.log()[-2000:]
    place, _, said = page.url.partition("?")
    assert (place, page.status) == (scene.gate.callback("s256"), 502), story
    assert "error=invalid_request" in said.split("&"), story
    assert scene.gate.arrived("s256") == []


def test_a_backend_gets_a_token_of_the_proxy(scene: Scene) -> None:
    """RFC 6749 section 4.4, with ``resource`` (RFC 8707)."""
    claims = read_claims(_value(scene.seen("service"), "Bearer"))
    assert (claims["client_id"], claims["aud"]) == ("people", ORDERS)
    assert claims["scope"] == "email"


def test_an_audience_that_it_does_not_know_is_403(scene: Scene) -> None:
    """ "invalid_target" (RFC 8707 section 2)."""
    scene.ask("unknown", 403)
    scene.gate.proxy.wait_for_record("token-target")
    assert scene.gate.arrived("unknown") == []


def test_a_legacy_password_becomes_a_token_for_basic(scene: Scene) -> None:
    """RFC 6749 section 4.3; what the client had for a password does not get on."""
    seen = scene.seen("legacy", **{"X-Portal": PASSWORD})
    user, _, token = b64decode(_value(seen, "Basic")).decode().partition(":")
    assert user != ""
    assert read_claims(token)["scope"] == "email"
    assert seen.values("X-Portal") == []


def test_a_wrong_password_is_refused(scene: Scene) -> None:
    """It says 403 and nothing else; it is no fault of the server."""
    scene.ask("legacy", 403, **{"X-Portal": "wrong"})
    scene.gate.proxy.wait_for_record("token-refused")


def test_a_login_is_good_for_tokens_for_backends(scene: Scene) -> None:
    """RFC 6749 section 6: two refreshes, each with what came of the one before."""
    seen = scene.seen("user")
    claims = read_claims(_value(seen, "Bearer"))
    [cookie] = seen.values("Cookie")
    other = read_claims(cookie.partition("s=")[2])
    assert claims["aud"] == ORDERS
    assert claims["sub"] == other["sub"]
    assert claims["jti"] != other["jti"]
    again = scene.seen("user")
    assert again.values("Authorization") == seen.values("Authorization")
