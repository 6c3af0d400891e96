"""People log in at Debian's glewlwyd."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser, Page
from tests.support.glewlwyd import Glewlwyd
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.oidc_provider import KnownKey
from tests.support.programs import free_port

SECRET: Final = "0123456789abcdef0123456789abcdef"
_SCOPE: Final = 'scope = ["openid", "email"]\n'
_SECRET: Final = 'client_secret_file = "client.secret"\n'
_KEY: Final = 'signing_keys = ["client.pem"]\nsigning_kid = "ours"\n'
_AUDIENCE: Final = 'assertion_audience = "{token_endpoint}"\n'
_CLIENTS: Final[Mapping[str, tuple[str, str]]] = {
    "basic": ("client_secret_basic", _SECRET),
    "post": ("client_secret_post", _SECRET),
    "secret-jwt": ("client_secret_jwt", f"{_SECRET}{_AUDIENCE}"),
    "key-jwt": ("private_key_jwt", f"{_KEY}{_AUDIENCE}"),
    "pushed": ("client_secret_basic", f'{_SECRET}par = "on"'),
    "object": ("client_secret_basic", f'{_SECRET}{_KEY}request_object = "value"'),
}
_FORM: Final = "form-post"
_ALL: Final = {
    **_CLIENTS,
    _FORM: ("client_secret_basic", f'{_SECRET}response_mode = "form_post"'),
}


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, and the provider."""

    gate: LoginProxy
    server: Glewlwyd

    def log_in(self, name: str, user: str) -> tuple[Browser, Page]:
        """Log *user* in; gives browser and last page."""
        browser = self.gate.browser()
        page = browser.go(self.gate.url(name, "page?a=b"))
        story = self.gate.story(browser, page) + self.server.log()[-2000:]
        assert page.url.startswith(f"{self.server.origin}/login.html"), story
        return browser, self.server.log_in(browser, page, name, user)


def _known(name: str, auth: str, key: KnownKey, port: int) -> dict[str, Any]:
    """Give what the provider knows of a client."""
    return {
        "client_id": name,
        "name": name,
        "enabled": True,
        "confidential": True,
        "password": SECRET,
        "client_secret": SECRET,
        "redirect_uri": [f"https://{HOST}:{port}/.sso/callback/{name}"],
        "authorization_type": ["code", "refresh_token"],
        "token_endpoint_auth_method": [auth],
        "jwks": {"keys": [key.signer.public_jwk()]},
        "scope": [],
    }


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run both."""
    directory, port = tmp_path_factory.mktemp("glewlwyd"), free_port()
    key = KnownKey.create("RS256", "ours")
    write_secret(directory, "client.secret", SECRET)
    write_secret(directory, "client.pem", key.pem)
    known = [_known(name, auth, key, port) for name, (auth, _) in _ALL.items()]
    with Glewlwyd(pki, known) as server:
        sites = {
            name: Site(
                issuer=server.issuer,
                client_id=name,
                options=f'auth = "{auth}"\n{_SCOPE}'
                + more.replace("{token_endpoint}", f"{server.issuer}/token"),
            )
            for name, (auth, more) in _ALL.items()
        }
        with login_proxy(directory, pki, sites, port) as gate:
            yield Scene(gate=gate, server=server)


@pytest.mark.parametrize("name", _CLIENTS)
def test_people_log_in(scene: Scene, name: str) -> None:
    browser, page = scene.log_in(name, "alice")
    story = scene.gate.story(browser, page) + scene.server.log()[-2000:]
    assert page.url == scene.gate.url(name, "page?a=b"), story
    assert page.status == 200, story
    [seen] = scene.gate.arrived(name)
    assert seen.values("X-Claim-Email") == ["alice@example.com"]
    assert seen.values("X-Remote-User") != []
    assert browser.fetch(scene.gate.url(name)).status == 200


def test_two_people_are_two(scene: Scene) -> None:
    _, page = scene.log_in("basic", "bob")
    assert page.status == 200
    seen = scene.gate.arrived("basic")[-1]
    assert seen.values("X-Claim-Email") == ["bob@example.com"]


def test_an_issuer_that_it_escapes_in_forms_is_another(scene: Scene) -> None:
    """It writes ``https%3A%2F%2F…`` there, which is not its name (RFC 9207)."""
    browser, page = scene.log_in(_FORM, "alice")
    assert page.url == scene.gate.callback(_FORM)
    assert page.status == 400, scene.gate.story(browser, page)
    assert scene.gate.arrived(_FORM) == []
