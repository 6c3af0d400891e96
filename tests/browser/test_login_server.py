"""Sites of mod_auth_pubtkt move to OpenID Connect by the URL of their login server."""

from collections.abc import Iterator
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.login_proxy import LoginProxy, Site, login_proxy
from tests.support.logins_at_op import LOGIN_CLIENTS, LoginKeys
from tests.support.oidc_provider import OidcProvider
from tests.support.page_checks import check_page
from tests.support.programs import free_port
from tests.support.pubtkt_keys import private_pem, public_pem
from tests.support.pubtkt_site import HOST, pubtkt_site
from tests.support.recorder import BODY, answer

LOGIN: Final = "login.example.com"
PAGE: Final = b"<!DOCTYPE html><title>Reports</title><p>Welcome"
ROUTE: Final = """
[token.pubtkt]
type = "pubtkt"
key = "ticket.pem"
digest = "sha256"
cip = true
tokens_always = ["staff"]

[[route]]
host = "login.example.com"
path = "/login"
authenticate = ["basic"]
backend = "ticket:pubtkt"
ticket = {{ domain = "example.com", back = ["https://{site}"] }}
"""


@attrs.frozen(kw_only=True)
class Estate:
    """A site, its login server, and a browser that trusts both."""

    gate: LoginProxy
    chromium: Chromium
    site: str

    def cookies(self, tab: Tab) -> list[dict[str, Any]]:
        """Give the tickets that a browser sends to the site."""
        urls = [f"{self.site}/"]
        found: list[dict[str, Any]] = tab.call("Network.getCookies", urls=urls)[
            "cookies"
        ]
        return [cookie for cookie in found if cookie["name"] == "auth_pubtkt"]

    def log_in(self, tab: Tab, path: str) -> None:
        """Go to the site, and log in at the provider."""
        tab.go(self.site + path)
        tab.wait("document.querySelector('[name=login]')")
        tab.run("document.querySelector('[name=login]').focus()")
        tab.call("Input.insertText", text="alice")
        tab.follow("Log in")


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Run everything that there is in such a place."""
    pki, directory = Pki.create("Estate CA"), tmp_path_factory.mktemp("estate")
    port, site_port, keys = free_port(), free_port(), LoginKeys(pki)
    keys.write(directory)
    (directory / "ticket.pem").write_bytes(private_pem("rsa"))
    (directory / "ticket.pub").write_bytes(public_pem("rsa"))
    client = LOGIN_CLIENTS["basic"]
    back = f"https://{LOGIN}:{port}/.sso/callback/basic"
    known = {**keys.registration("basic", client, port), "redirect_uris": [back]}
    site = f"{HOST}:{site_port}"
    with OidcProvider(pki, [known]) as server:
        route = ROUTE.format(site=site)
        ours = attrs.evolve(client.site("basic", server.issuer), route=route)
        sites: dict[str, Site] = {"basic": ours}
        with (
            login_proxy(directory, pki, sites, port, LOGIN) as gate,
            pubtkt_site(
                directory, pki, site_port, gate.backend.port, f"{gate.origin}/login"
            ),
            Chromium(
                key_hash(server.certificate.cert_pem),
                key_hash((directory / "server.crt").read_bytes()),
                key_hash((directory / "site.crt").read_bytes()),
            ) as chromium,
        ):
            for path in ("/reports", "/silent/x"):
                gate.backend.scripts[path] = (
                    BODY,
                    answer(PAGE, "200 OK", b"Content-Type: text/html"),
                )
            yield Estate(gate=gate, chromium=chromium, site=f"https://{site}")


def test_alice_logs_in_at_the_provider_and_is_known_at_the_site(estate: Estate) -> None:
    """The site's module has the public key and the URL, and knows of nothing else."""
    with estate.chromium.tab() as tab:
        estate.log_in(tab, "/reports?a=b%26c&d=1+2")
        tab.wait("document.title == 'Reports'")
        assert tab.url == f"{estate.site}/reports?a=b%26c&d=1+2"
        (cookie,) = estate.cookies(tab)
        assert (cookie["domain"], cookie["path"]) == (".example.com", "/")
        assert cookie["secure"]
        assert cookie["httpOnly"]
        assert cookie["sameSite"] == "Lax"
        seen = estate.gate.backend.seen[-1]
        assert seen.values("X-Env-User") == ["alice"]
        assert seen.values("X-Env-Tokens") == ["staff"]


def test_who_may_not_use_a_part_of_the_site_is_told(estate: Estate) -> None:
    """Whether the site says why it sends them, or sends them again and again."""
    with estate.chromium.tab() as tab:
        estate.log_in(tab, "/admin/")
        tab.wait("document.title == 'You are not allowed there'")
        assert "alice" in tab.text
        check_page(tab)
        tab.go(f"{estate.site}/silent/x")
        tab.wait("document.title == 'You are sent here again and again'")
        tab.go(f"{estate.site}/reports")
        assert tab.run("document.title") == "Reports"


def test_a_logout_takes_the_ticket_away(estate: Estate) -> None:
    with estate.chromium.tab() as tab:
        estate.log_in(tab, "/reports")
        tab.wait("document.title == 'Reports'")
        tab.go(f"{estate.gate.origin}/login")
        assert "You are logged in as alice" in tab.text
        check_page(tab)
        tab.follow("Log out")
        tab.wait("!document.title.includes('You are logged in')")
        tab.wait("document.body")
        assert estate.cookies(tab) == []
