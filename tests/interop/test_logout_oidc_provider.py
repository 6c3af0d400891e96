"""People log out here and at npm oidc-provider, which takes their tokens back."""

from collections.abc import Iterator
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser, Page
from tests.support.login_proxy import HOST, LoginProxy, login_proxy
from tests.support.logins_at_op import LOGIN_CLIENTS, LoginKeys
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import free_port

CLIENTS: Final = ("basic", "enc-ecdh", "key-es256")
"""With a secret, with ID tokens that are encrypted for us, and with a key."""


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, and the provider."""

    gate: LoginProxy
    server: OidcProvider

    def log_in(self, name: str) -> Browser:
        browser = self.gate.browser()
        page = browser.submit(browser.go(self.gate.url(name)), login="alice")
        assert page.status == 200, self.story(browser, page)
        return browser

    def log_out(self, browser: Browser, name: str) -> Page:
        """Press the application's button, and go where that leads."""
        return browser.go(
            f"{self.gate.origin}/.sso/logout",
            post={},
            origin=self.gate.url(name),
            stop=f"{self.server.issuer}/session/end/confirm",
        )

    def story(self, browser: Browser, page: Page) -> str:
        return self.gate.story(browser, page) + self.server.log()[-2000:]


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run both."""
    directory, keys = tmp_path_factory.mktemp("logouts"), LoginKeys(pki)
    port = free_port()
    done = f"https://{HOST}:{port}/.sso/logout/done"
    registrations = [
        {
            **keys.registration(name, LOGIN_CLIENTS[name], port),
            "post_logout_redirect_uris": [done],
        }
        for name in CLIENTS
    ]
    keys.write(directory)
    with OidcProvider(pki, registrations) as server:
        sites = {
            name: LOGIN_CLIENTS[name].site(name, server.issuer) for name in CLIENTS
        }
        with login_proxy(directory, pki, sites, port) as gate:
            yield Scene(gate=gate, server=server)


@pytest.mark.parametrize("name", CLIENTS)
def test_people_log_out_everywhere(scene: Scene, name: str) -> None:
    browser = scene.log_in(name)
    revoked = scene.server.requests("POST /token/revocation 200")

    asked = scene.log_out(browser, name)
    assert asked.status == 200, scene.story(browser, asked)
    assert asked.url.startswith(f"{scene.server.issuer}/session/end?")
    assert browser.fetch(scene.gate.url(name)).status == 401
    page = browser.submit(asked, logout="yes")
    story = scene.story(browser, page)
    assert page.status == 200, story
    assert page.url.startswith(f"{scene.gate.origin}/.sso/logout/done?state="), story
    assert "Your session at this site has ended." in page.text
    assert f"{name} has dealt with your logout" in page.text, story
    assert f"{name} has taken back the access" in page.text, story
    assert "Not known" not in page.text
    assert scene.server.requests("POST /token/revocation 200") == revoked + 2

    again = browser.go(scene.gate.url(name))
    assert again.url.startswith(f"{scene.server.issuer}/interaction/")


def test_people_log_out_here_though_the_provider_is_down(scene: Scene) -> None:
    name = CLIENTS[0]
    browser = scene.log_in(name)
    scene.server.stop()

    away = scene.gate.url(name)
    page = browser.send(
        "POST", f"{scene.gate.origin}/.sso/logout", form={}, origin=away
    )
    story = scene.story(browser, page)
    assert page.status == 303, story
    assert browser.fetch(scene.gate.url(name)).status == 401, story
    page = browser.go(f"{scene.gate.origin}/.sso/logout/done")
    assert "Your session at this site has ended." in page.text, story
    assert "did not confirm that it has taken back" in page.text, story
    assert f"You may still be logged in at {name}" in page.text, story
