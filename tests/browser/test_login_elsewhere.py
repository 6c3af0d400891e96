"""People log in with Chromium at the providers of others."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Issued, Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.glewlwyd import PASSWORD, Glewlwyd
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.logins_at_op import LOGIN_CLIENTS, SECRET, LoginKeys
from tests.support.oidc_provider import OidcProvider
from tests.support.page_checks import check_page
from tests.support.programs import free_port
from tests.support.recorder import BODY, answer

SCREENSHOTS: Final = os.environ.get("SCREENSHOTS")
PHONE: Final = {"width": 360, "height": 740}
WAYS: Final = (
    "basic",
    "form-post",
    "jarm",
    "jarm-form",
    "fapi-signed",
    "hybrid",
    "implicit",
)
PAGE: Final = b"<!DOCTYPE html><title>Reports</title><p>Welcome"


@attrs.frozen(kw_only=True)
class Scene:
    """
    The proxy, and a browser that trusts its certificate and the provider's.

    Attributes:
        gate: The proxy.
        chromium: The browser.
        told: Gives what the provider printed.
    """

    gate: LoginProxy
    chromium: Chromium
    told: Callable[[], str]

    @contextlib.contextmanager
    def tab(self, **look: int) -> Iterator[Tab]:
        """Open a tab; what fails in it says what both servers printed."""
        with self.chromium.tab(**look) as tab:
            try:
                yield tab
            except Exception as error:
                error.add_note(f"the provider: {self.told()[-3000:]}")
                error.add_note(f"the proxy: {self.gate.proxy.log()[-3000:]}")
                raise

    def expect(self, tab: Tab, name: str, user: str) -> None:
        """Wait until the application's page is there, and see whom it knows."""
        tab.wait("document.title == 'Reports'")
        assert tab.url == self.gate.url(name, "page?a=b")
        assert tab.problems() == []
        claims = [seen.values("X-Claim-Email") for seen in self.gate.arrived(name)]
        assert claims[-1] == [f"{user}@example.com"]
        _keep(tab, f"application-{name}")

    def open(self, tab: Tab, name: str) -> None:
        """Go to a page of the application."""
        script = (BODY, answer(PAGE, "200 OK", b"Content-Type: text/html"))
        self.gate.backend.scripts[f"/{name}/page"] = script
        tab.go(self.gate.url(name, "page?a=b"))


def _keep(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        tab.screenshot(Path(SCREENSHOTS, f"{name}.png"))


def _type(tab: Tab, field: str, text: str) -> None:
    """Type into the field that a selector finds."""
    tab.wait(f"document.querySelector({field!r})")
    tab.run(f"document.querySelector({field!r}).focus()")
    tab.call("Input.insertText", text=text)


def _browser(directory: Path, provider: Issued) -> Chromium:
    proxy = (directory / "server.crt").read_bytes()
    return Chromium(key_hash(provider.cert_pem), key_hash(proxy))


@pytest.fixture(scope="module")
def pki() -> Pki:
    """Give an authority."""
    return Pki.create("Browser CA")


@pytest.fixture(scope="module")
def at_op(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Log in at npm oidc-provider."""
    directory, keys, port = tmp_path_factory.mktemp("op"), LoginKeys(pki), free_port()
    keys.write(directory)
    clients = {name: LOGIN_CLIENTS[name] for name in WAYS}
    known = [keys.registration(name, client, port) for name, client in clients.items()]
    with OidcProvider(pki, known) as server:
        sites = {
            name: client.site(name, server.issuer) for name, client in clients.items()
        }
        with (
            login_proxy(directory, pki, sites, port) as gate,
            _browser(directory, server.certificate) as chromium,
        ):
            yield Scene(gate=gate, chromium=chromium, told=server.log)


@pytest.fixture(scope="module")
def at_glewlwyd(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Log in at glewlwyd."""
    directory, port = tmp_path_factory.mktemp("glewlwyd"), free_port()
    write_secret(directory, "client.secret", SECRET)
    known = {
        "client_id": "basic",
        "name": "Reports",
        "enabled": True,
        "confidential": True,
        "password": SECRET,
        "redirect_uri": [f"https://{HOST}:{port}/.sso/callback/basic"],
        "authorization_type": ["code", "refresh_token"],
        "token_endpoint_auth_method": ["client_secret_basic"],
        "scope": [],
    }
    options = 'client_secret_file = "client.secret"\nscope = ["openid", "email"]'
    with Glewlwyd(pki, [known]) as server:
        site = Site(issuer=server.issuer, client_id="basic", options=options)
        with (
            login_proxy(directory, pki, {"basic": site}, port) as gate,
            _browser(directory, server.certificate) as chromium,
        ):
            yield Scene(gate=gate, chromium=chromium, told=server.log)


@pytest.mark.parametrize("name", WAYS)
def test_alice_logs_in_at_oidc_provider(at_op: Scene, name: str) -> None:
    """Also where the answer is a form of another site, which takes its own cookie."""
    with at_op.tab() as tab:
        at_op.open(tab, name)
        _type(tab, "[name=login]", "alice")
        tab.follow("Log in")
        at_op.expect(tab, name, "alice")


@pytest.mark.parametrize("name", ["hybrid", "implicit"])
def test_no_token_stays_in_the_history(at_op: Scene, name: str) -> None:
    """The page that reads the fragment leaves nothing behind, nor can it be framed."""
    with at_op.tab() as tab:
        at_op.open(tab, name)
        _type(tab, "[name=login]", "alice")
        tab.follow("Log in")
        at_op.expect(tab, name, "alice")
        entries = tab.call("Page.getNavigationHistory")["entries"]
        seen = [entry["url"] for entry in entries]
        assert at_op.gate.url(name, "page?a=b") in seen
        assert not [url for url in seen if "token" in url or "#" in url]


def test_who_is_denied_reads_why_on_a_phone(at_op: Scene) -> None:
    with at_op.tab(**PHONE) as tab:
        at_op.open(tab, "basic")
        _type(tab, "[name=login]", "mallory")
        tab.follow("Log in")
        tab.wait("location.pathname == '/.sso/callback/basic'")
        _keep(tab, "denied")
        check_page(tab)
        assert tab.problems() == []


def test_alice_logs_in_at_glewlwyd(at_glewlwyd: Scene) -> None:
    """
    She says what the proxy may know before she continues.

    Its page has "Continue" beside "Grant access".  Who takes both has the server write
    a consent and a code at once; over its one connection to SQLite, it may then take
    the row of the consent for that of the code, and answers "server_error".
    """
    with at_glewlwyd.tab() as tab:
        at_glewlwyd.open(tab, "basic")
        _type(tab, "#username", "alice")
        _type(tab, "#password", PASSWORD)
        _keep(tab, "glewlwyd")
        tab.run("document.getElementById('loginbut').click()")
        tab.wait("document.getElementById('grant-email')")
        checked = "document.getElementById('grant-email').checked"
        tab.run(f"{checked} || document.getElementById('grant-email').click()")
        tab.wait(checked)
        tab.follow("Grant access")
        tab.wait("!document.getElementById('grant-email')")  # its server has answered
        tab.follow("Continue")
        at_glewlwyd.expect(tab, "basic", "alice")


SEND_FORM: Final = """(() => {
  const form = document.createElement('form');
  Object.assign(form, {method: 'post', action: '?sent', acceptCharset: 'utf-8'});
  form.innerHTML = '<textarea name=submit>one\\n\\u00fc</textarea>';
  document.body.append(form);
  HTMLFormElement.prototype.submit.call(form);
})()"""


def test_a_form_that_was_sent_without_a_session_arrives(at_op: Scene) -> None:
    """It is kept while its sender logs in, and arrives octet by octet."""
    with at_op.tab() as tab:
        at_op.open(tab, "basic")
        _type(tab, "[name=login]", "alice")
        tab.follow("Log in")
        at_op.expect(tab, "basic", "alice")
        tab.call("Network.clearBrowserCookies")
        tab.run(SEND_FORM)
        _type(tab, "[name=login]", "alice")
        tab.follow("Log in")
        tab.wait("location.search == '?sent' && document.title == 'Reports'")
    arrived = at_op.gate.arrived("basic")[-1]
    assert (arrived.method, arrived.target) == ("POST", "/basic/page?sent")
    assert arrived.body == b"submit=one%0D%0A%C3%BC"
    assert arrived.values("Content-Type") == ["application/x-www-form-urlencoded"]
    assert arrived.values("X-Claim-Email") == ["alice@example.com"]
