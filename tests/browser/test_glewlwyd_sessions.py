"""Pages learn in Chromium what becomes of somebody's session at Debian's glewlwyd."""

import json
from collections.abc import Iterator
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.glewlwyd import PASSWORD, SCOPES, Glewlwyd
from tests.support.login_proxy import LoginProxy, Site, login_proxy, write_secret
from tests.support.programs import take_port
from tests.support.recorder import BODY, answer

NAME: Final = "basic"
SECRET: Final = "0123456789abcdef0123456789abcdef"
_OPTIONS: Final = """
client_secret_file = "client.secret"
scope = ["openid", "email"]
check_session_interval = 1.0
"""
_INFO: Final = '[route.session_info]\nshow = ["id_token"]'
PAGE: Final = f"""<!DOCTYPE html><title>Reports</title><p>Welcome
<iframe src="/.sso/iframe/rp/{NAME}" hidden></iframe>
<script>
addEventListener("message", function (event) {{
  if (event.origin === location.origin && event.data.type === "sso-proxy-session")
    document.title = event.data.status;
}});
</script>""".encode()


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, the provider on the same site, and a browser."""

    gate: LoginProxy
    server: Glewlwyd
    chromium: Chromium

    def log_in(self, tab: Tab, page: str = "page") -> None:
        """Open a page of the application as Alice, who has allowed that before."""
        tab.go(f"{self.server.origin}/login.html")
        said = {"username": "alice", "password": PASSWORD}
        assert self.ask(tab, "POST", "/api/auth/", said) == 200
        scope = {"scope": " ".join(SCOPES)}
        assert self.ask(tab, "PUT", f"/api/auth/grant/{NAME}", scope) == 200
        tab.go(self.gate.url(NAME, page))
        tab.wait("location.pathname == '/login.html' && document.readyState")
        tab.run(
            "location.href = new URLSearchParams(location.search)"
            ".get('callback_url') + '&g_continue'"
        )
        tab.wait(f"location.pathname == '/{NAME}/{page}'")

    def ask(self, tab: Tab, method: str, path: str, value: object | None = None) -> int:
        """Send a request as a script; gives the status of the answer."""
        options: dict[str, object] = {"method": method}
        if value is not None:
            options["headers"] = {"content-type": "application/json"}
            options["body"] = json.dumps(value)
        asked = f"fetch({json.dumps(path)}, {json.dumps(options)})"
        return int(tab.value(f"{asked}.then(r => r.status)"))

    def is_in(self, tab: Tab) -> bool:
        """Say whether the browser still has its session."""
        return self.ask(tab, "GET", f"/{NAME}/x") == 200


def _ports() -> tuple[int, int]:
    """
    Find a port for the provider, and one for us that begins with the same digits.

    The provider's frame answers pages only whose origin has the text of its host and
    port somewhere in it.
    """
    for place in range(2100, 3200):
        if take_port(place) and take_port(place * 10 + 3):
            return place, place * 10 + 3
    raise AssertionError("no two ports are free")


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run all of them."""
    pki, directory = Pki.create("Browser CA"), tmp_path_factory.mktemp("glewlwyd")
    write_secret(directory, "client.secret", SECRET)
    theirs, ours = _ports()
    site = f"https://localhost:{ours}/.sso"
    known: dict[str, Any] = {
        "client_id": NAME,
        "name": NAME,
        "enabled": True,
        "confidential": True,
        "password": SECRET,
        "redirect_uri": [f"{site}/callback/{NAME}"],
        "authorization_type": ["code", "refresh_token"],
        "token_endpoint_auth_method": ["client_secret_basic"],
        "frontchannel_logout_uri": f"{site}/logout/frontchannel/{NAME}",
        "frontchannel_logout_session_required": "yes",
        "scope": [],
    }
    with Glewlwyd(pki, [known], port=theirs, framed=True) as server:
        options = {"issuer": server.issuer, "client_id": NAME, "options": _OPTIONS}
        sites = {NAME: Site(**options, route=_INFO)}
        keys = [key_hash(server.certificate.cert_pem)]
        with login_proxy(directory, pki, sites, ours, "localhost") as gate:
            gate.backend.scripts[f"/{NAME}/page"] = (
                BODY,
                answer(PAGE, "200 OK", b"Content-Type: text/html"),
            )
            keys.append(key_hash((directory / "server.crt").read_bytes()))
            with Chromium(*keys) as chromium:
                yield Scene(gate=gate, server=server, chromium=chromium)


def test_its_frame_says_that_somebody_has_logged_out(scene: Scene) -> None:
    with scene.chromium.tab() as tab:
        scene.log_in(tab)
        tab.wait("document.title == 'unchanged'")
        other = tab.sibling()
        other.go(f"{scene.server.origin}/login.html")
        assert scene.ask(other, "DELETE", "/api/auth/") == 200
        tab.wait("document.title == 'ended'")
        assert not scene.is_in(tab)


def test_its_page_for_logouts_ends_the_session_by_a_frame(scene: Scene) -> None:
    """It names the session there; no page of ours watches it."""
    with scene.chromium.tab() as tab:
        scene.log_in(tab, "unwatched")
        sid = tab.value("fetch('/.sso/session').then(r => r.json())")["id_token"]["sid"]
        assert scene.is_in(tab)
        other = tab.sibling()
        query = f"prompt=end_session&plugin=oidc&client_id={NAME}&sid={sid}"
        other.go(f"{scene.server.origin}/login.html?{query}")
        # It can be clicked before the page knows whom to tell, and breaks then.
        other.wait(f"document.body.innerText.includes('client {NAME} wishes')")
        other.follow("Logout")
        other.wait("document.body.innerText.includes('Session closed')")
        assert not scene.is_in(tab)
