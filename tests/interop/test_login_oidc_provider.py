"""People log in at npm oidc-provider, in every way that it and the proxy know."""

import re
from collections.abc import Iterator
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser, Page
from tests.support.login_proxy import LoginProxy, login_proxy
from tests.support.logins_at_op import LOGIN_CLIENTS, LoginKeys
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import free_port

DENIED: Final = 403


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, and the provider that all log in at."""

    gate: LoginProxy
    server: OidcProvider

    def log_in(self, name: str, user: str = "alice") -> tuple[Browser, Page]:
        """Log *user* in at the provider's form; gives browser and last page."""
        browser = self.gate.browser()
        page = browser.go(self.gate.url(name, "page?a=b"))
        story = self.gate.story(browser, page) + self.server.log()[-2000:]
        assert page.status == 200, story
        assert page.url.startswith(f"{self.server.issuer}/interaction/"), story
        return browser, browser.submit(page, login=user)


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run both."""
    directory, keys, port = (
        tmp_path_factory.mktemp("logins"),
        LoginKeys(pki),
        free_port(),
    )
    registrations = [
        keys.registration(name, client, port) for name, client in LOGIN_CLIENTS.items()
    ]
    keys.write(directory)
    with OidcProvider(pki, registrations) as server:
        sites = {
            name: client.site(name, server.issuer)
            for name, client in LOGIN_CLIENTS.items()
        }
        with login_proxy(directory, pki, sites, port) as gate:
            yield Scene(gate=gate, server=server)


@pytest.mark.parametrize("name", LOGIN_CLIENTS)
def test_people_log_in(scene: Scene, name: str) -> None:
    browser, page = scene.log_in(name)
    story = scene.gate.story(browser, page) + scene.server.log()[-2000:]
    assert page.status == 200, story
    assert page.url == scene.gate.url(name, "page?a=b"), story
    seen = scene.gate.arrived(name)
    assert [each.target for each in seen] == [f"/{name}/page?a=b"], story
    assert seen[0].values("X-Remote-User") == ["alice"]
    assert seen[0].values("X-Claim-Email") == ["alice@example.com"]
    assert browser.fetch(scene.gate.url(name)).status == 200


def test_who_is_denied_is_told_so(scene: Scene) -> None:
    before = len(scene.gate.arrived("basic"))
    browser, page = scene.log_in("basic", user="mallory")
    assert page.status == DENIED, scene.gate.story(browser, page)
    assert browser.fetch(scene.gate.url("basic")).status == 401
    assert len(scene.gate.arrived("basic")) == before


def test_a_second_login_needs_no_form(scene: Scene) -> None:
    """The provider knows the browser; each of its clients has a login of its own."""
    browser, _ = scene.log_in("basic")
    page = browser.go(scene.gate.url("post"))
    assert page.url == scene.gate.url("post"), scene.gate.story(browser, page)


def test_what_goes_through_the_browser_says_no_more_than_it_must(scene: Scene) -> None:
    browser, _ = scene.log_in("fapi")
    asked = next(url for _, url, _ in browser.trail if "/auth?" in url)
    names = re.findall(r"[?&]([a-z_]+)=", asked)
    assert sorted(names) == ["client_id", "request_uri"]


def test_a_signed_answer_may_be_encrypted_besides(scene: Scene) -> None:
    browser, _ = scene.log_in("jarm-encrypted")
    answers = [url for _, url, _ in browser.trail if "?response=" in url]
    assert [url.partition("?response=")[2].count(".") for url in answers] == [4]
