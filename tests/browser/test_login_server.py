"""
Sites that go by tickets move to OpenID Connect by the URL of their login server.

etc/login-server.toml and etc/login-server-auth-tkt.toml are run here.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.login_proxy import write_secret
from tests.support.logins_at_op import SECRET
from tests.support.oidc_provider import OidcProvider
from tests.support.page_checks import check_page
from tests.support.programs import RealProxy, free_port
from tests.support.pubtkt_keys import private_pem, public_pem
from tests.support.recorder import BODY, Recorder, answer
from tests.support.ticket_estate import (
    AUTH_TKT_KIND,
    PUBTKT,
    TICKET_SECRET,
    ticket_site,
)

LOGIN: Final = "login.example.com"
PAGE: Final = b"<!DOCTYPE html><title>Reports</title><p>Welcome"
FRAME: Final = """new Promise(done => {
  var frame = document.createElement("iframe");
  frame.onload = () => done(true);
  frame.src = "URL";
  document.body.append(frame);
})"""
_INFO: Final = '[route.session_info]\nshow = ["id_token"]'
ETC: Final = Path(__file__).parents[2] / "etc"
EXAMPLE: Final = ETC / "login-server.toml"
OTHER: Final = ETC / "login-server-auth-tkt.toml"


@attrs.frozen(kw_only=True)
class Estate:
    """Sites, their login server, and a browser that trusts them all."""

    ours: str
    provider: str
    backend: Recorder
    chromium: Chromium
    site: str
    other: str

    def cookies(self, tab: Tab) -> list[dict[str, Any]]:
        """Give the tickets that a browser sends to the sites."""
        urls = [f"{self.site}/"]
        found: list[dict[str, Any]] = tab.call("Network.getCookies", urls=urls)[
            "cookies"
        ]
        names = {"auth_pubtkt", "auth_tkt"}
        return [cookie for cookie in found if cookie["name"] in names]

    def log_in(self, tab: Tab, path: str, site: str = "") -> None:
        """Go to the site, or another one, and log in at the provider."""
        tab.go((site or self.site) + path)
        tab.wait("document.querySelector('[name=login]')")
        tab.run("document.querySelector('[name=login]').focus()")
        tab.call("Input.insertText", text="alice")
        tab.follow("Log in")


def _configure(issuer: str, port: int, site: int) -> str:
    """Give both examples as one, with the names and ports of this place."""
    texts = (each.read_text().partition("[[listener]]")[2] for each in (EXAMPLE, OTHER))
    (head, _, one), (again, _, two) = (text.partition("[token.") for text in texts)
    assert again == head, "they differ in their tickets alone"
    one = _replaced(one, {'["*.example.com"]': f'["https://*.example.com:{site}"]'})
    told = {
        '"0.0.0.0"': '"127.0.0.1"',
        "port = 8443": f"port = {port}",
        "tls/login": "server",
        "https://idp.example.com": issuer,
        'client_secret = "env:CLIENT_SECRET"': 'client_secret_file = "client.secret"',
        'secret = "env:TICKET_SECRET"': 'secret_file = "tickets.secret"',
    }
    return _replaced("[token.".join([f"[[listener]]{head}", one, two]), told) + _INFO


def _replaced(text: str, told: dict[str, str]) -> str:
    for old, new in told.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    """Run everything that there is in such a place."""
    pki, directory = Pki.create("Estate CA"), tmp_path_factory.mktemp("estate")
    beside = tmp_path_factory.mktemp("beside")
    port, site_port, other_port = free_port(), free_port(), free_port()
    ca = pki.write(directory)
    pki.issue(LOGIN, dns=[LOGIN], server=True).write(directory, "server")
    write_secret(directory, "client.secret", SECRET)
    write_secret(directory, "tickets.secret", TICKET_SECRET)
    write_secret(directory, "ticket.pem", private_pem("rsa").decode())
    (directory / "ticket.pub").write_bytes(public_pem("rsa"))
    client = {
        "client_id": "login-server",
        "client_secret": SECRET,
        "redirect_uris": [f"https://{LOGIN}:{port}/.sso/callback/corp"],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        # Nobody listens there; but ID tokens name sessions for that.
        "backchannel_logout_uri": "https://127.0.0.1:1/",
        "backchannel_logout_session_required": True,
    }
    with OidcProvider(pki, [client]) as server, Recorder() as backend:
        proxy = RealProxy(
            directory,
            _configure(server.issuer, port, site_port),
            outbound={"ca": str(ca)},
            state_dir=str(directory / "state"),
        )
        ours = f"https://{LOGIN}:{port}"

        def there(name: str) -> Any:  # noqa: ANN401
            return {"backend": backend.port, "login": f"{ours}/{name}"}

        with (
            proxy.serve(),
            ticket_site(PUBTKT, directory, pki, site_port, **there("login")),
            ticket_site(AUTH_TKT_KIND, beside, pki, other_port, **there("tkt")),
            Chromium(
                key_hash(server.certificate.cert_pem),
                key_hash((directory / "server.crt").read_bytes()),
                key_hash((directory / "site.crt").read_bytes()),
                key_hash((beside / "site.crt").read_bytes()),
                third_party=True,
                ports={AUTH_TKT_KIND.host: other_port},
            ) as chromium,
        ):
            for path in ("/reports", "/silent/x"):
                page = answer(PAGE, "200 OK", b"Content-Type: text/html")
                backend.scripts[path] = (BODY, page)
            yield Estate(
                ours=ours,
                provider=server.issuer,
                backend=backend,
                chromium=chromium,
                site=f"https://{PUBTKT.host}:{site_port}",
                other=f"https://{AUTH_TKT_KIND.host}",
            )


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
        seen = estate.backend.seen[-1]
        assert seen.values("X-Env-User") == ["alice"]
        assert seen.values("X-Env-Tokens") == ["employee"]


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
        tab.go(f"{estate.ours}/login")
        assert "You are logged in as alice" in tab.text
        check_page(tab)
        tab.follow("Log out")
        tab.wait("!document.title.includes('You are logged in')")
        tab.wait("document.body")
        assert estate.cookies(tab) == []


def test_sites_of_another_module_go_by_tickets_of_its_own(estate: Estate) -> None:
    """One login is for both, and one logout."""
    with estate.chromium.tab() as tab:
        estate.log_in(tab, "/reports?a=b%26c;d&e=1+2", estate.other)
        tab.wait("document.title == 'Reports'")
        # The module takes the query apart, and puts it together in its own way.
        assert tab.url == f"{estate.other}/reports?a=b%26c&d=&e=1+2"
        seen = estate.backend.seen[-1]
        assert seen.values("X-Env-User") == ["alice"]
        assert seen.values("X-Env-Tokens") == ["employee"]
        tab.go(f"{estate.site}/reports")
        names = sorted(cookie["name"] for cookie in estate.cookies(tab))
        assert names == ["auth_pubtkt", "auth_tkt"]

        tab.go(f"{estate.other}/admin/")
        assert "You are not allowed there" in tab.text
        tab.follow("Log out")
        tab.wait("!document.title.includes('You are')")
        tab.wait("document.body")
        assert estate.cookies(tab) == []


def test_so_does_a_logout_at_the_provider_by_a_frame(estate: Estate) -> None:
    """The provider is another site: no cookie comes with its frame."""
    with estate.chromium.tab() as tab:
        estate.log_in(tab, "/reports")
        tab.wait("document.title == 'Reports'")
        tab.go(f"{estate.ours}/.sso/session")
        sid = json.loads(tab.text)["id_token"]["sid"]
        said = urlencode({"iss": estate.provider, "sid": sid})
        frame = f"{estate.ours}/.sso/logout/frontchannel/corp?{said}"
        tab.go(f"{estate.provider}/.well-known/openid-configuration")
        assert estate.cookies(tab)
        tab.value(FRAME.replace("URL", frame))
        assert estate.cookies(tab) == []
