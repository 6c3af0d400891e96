"""The proxy registers itself with npm oidc-provider, and says so when it changes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.login_proxy import HOST, LoginProxy, Site, login_proxy, write_secret
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import free_port
from tests.support.running import eventually

TOKEN: Final = "an-initial-access-token"
_PEOPLE: Final = """
[authenticator.people]
type = "oidc_discovery"
providers = "providers"
origins = ["https://{host}:{port}"]
"""
_FILE: Final = """
issuer = "{issuer}"
register = true
scope = ["openid"]
initial_access_token_file = "../initial"
client_name = "{name}"
"""


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, and the provider that it registers with."""

    gate: LoginProxy
    server: OidcProvider
    file: Path

    def log_in(self) -> None:
        """Log somebody in."""
        browser: Browser = self.gate.browser()
        page = browser.go(self.gate.url("many"))
        story = self.gate.story(browser, page) + self.server.log()[-2000:]
        assert page.url.startswith(f"{self.server.issuer}/interaction/"), story
        page = browser.submit(page, login="alice")
        while page.url.startswith(self.server.issuer) and page.forms:
            page = browser.submit(page)
        story = self.gate.story(browser, page) + self.server.log()[-2000:]
        assert (page.status, page.url) == (200, self.gate.url("many")), story


@pytest.fixture
def scene(pki: Pki, tmp_path: Path) -> Iterator[Scene]:
    """Run both."""
    port = free_port()
    write_secret(tmp_path, "initial", TOKEN)
    file = tmp_path / "providers" / "op.toml"
    file.parent.mkdir()
    with OidcProvider(pki, [], registration_token=TOKEN) as server:
        file.write_text(_FILE.format(issuer=server.issuer, name="First"))
        site = Site(
            issuer=server.issuer,
            options="auth = 'none'",
            authenticate=["people"],
            route=_PEOPLE.format(host=HOST, port=port),
        )
        with login_proxy(tmp_path, pki, {"many": site}, port) as gate:
            yield Scene(gate=gate, server=server, file=file)


def test_it_registers_once_and_tells_what_changes(scene: Scene) -> None:
    """RFC 7591 and RFC 7592."""
    server = scene.server
    eventually(lambda: server.requests("POST /reg 201") == 1, server.log())
    scene.log_in()
    text = scene.file.read_text()
    scene.file.write_text(text.replace("First", "Second"))
    scene.gate.proxy.reload()
    scene.log_in()
    scene.log_in()
    assert server.requests("POST /reg 201") == 1
    assert server.requests("PUT /reg/") == 1, server.log()
