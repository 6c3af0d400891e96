"""etc/form-and-basic.toml runs: people log in with Chromium, programs with Basic."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.chromium import Chromium, Tab, key_hash
from tests.support.page_checks import begin_at_the_top, check_page
from tests.support.password_scene import htpasswd_line
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import BODY, Recorder, answer

EXAMPLE = Path(__file__).parents[2] / "etc" / "form-and-basic.toml"
HOST = "app.example.com"
CHALLENGE: Final = 'Basic realm="Example Ltd", charset="UTF-8"'
SCREENSHOTS: Final = os.environ.get("SCREENSHOTS")
PAGE: Final = b"<!DOCTYPE html><title>Orders</title><p>Welcome"


@attrs.frozen
class Site:
    """The running example, and who comes to it."""

    url: str
    users: Path
    ca: Path
    backend: Recorder
    chromium: Chromium

    def call(self, credential: str) -> CurlAnswer:
        """Come with a user and a password, as programs do."""
        port = self.url.rpartition(":")[2]
        resolve = f"{HOST}:{port}:127.0.0.1"
        url = f"{self.url}/orders"
        return curl("--cacert", self.ca, "--resolve", resolve, "-u", credential, url)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Run the example, with names and ports replaced."""
    pki = Pki.create()
    ca = pki.write(tmp_path)
    (tmp_path / "tls").mkdir()
    issued = pki.issue(HOST, dns=[HOST], server=True)
    issued.write(tmp_path / "tls", "app")
    users = tmp_path / "users"
    users.write_text(htpasswd_line("alice", "wonderland"))
    with Recorder() as backend:
        text = EXAMPLE.read_text()
        for old, new in (
            ('"0.0.0.0"', '"127.0.0.1"'),
            ("8443", "0"),
            ("127.0.0.1:9000", f"127.0.0.1:{backend.port}"),
        ):
            assert old in text
            text = text.replace(old, new)
        proxy = RealProxy(tmp_path, text, state_dir=str(tmp_path / "state"))
        with proxy.serve(), Chromium(key_hash(issued.cert_pem)) as chromium:
            url = f"https://{HOST}:{proxy.ports[0]}"
            yield Site(url, users, ca, backend, chromium)


def _type(tab: Tab, field: str, text: str) -> None:
    tab.run(f"document.getElementById({field!r}).select()")
    tab.call("Input.insertText", text=text)


def _look(tab: Tab, name: str) -> None:
    if SCREENSHOTS:
        tab.screenshot(Path(SCREENSHOTS, f"{name}.png"))
    # The name has the focus already; from the beginning, everything can be reached.
    begin_at_the_top(tab)
    check_page(tab)


def test_people_and_programs_get_through_with_their_passwords(site: Site) -> None:
    script = (BODY, answer(PAGE, "200 OK", b"Content-Type: text/html"))
    site.backend.scripts["/orders"] = script
    with site.chromium.tab(width=360, height=740, script=True) as tab:
        tab.go(f"{site.url}/orders")
        tab.wait("document.title == 'Log in'")
        _look(tab, "password-phone")
        _type(tab, "user", "alice")
        _type(tab, "password", "wrong")
        tab.press("Enter")
        tab.wait("document.getElementById('problem')")
        _look(tab, "password-wrong-phone")
        _type(tab, "password", "wonderland")
        tab.press("Enter")
        tab.wait("document.title == 'Orders'")
        assert tab.url == f"{site.url}/orders"
        assert tab.problems() == []
    assert site.call("alice:wonderland").status == 200
    assert not any(seen.values("Authorization") for seen in site.backend.seen)
    refused = site.call("alice:wonder")
    assert refused.status == 401
    assert refused.values("www-authenticate") == [CHALLENGE]
    _change(site.users)
    assert site.call("bob:builder").status == 200


def _change(users: Path) -> None:
    """Put another user there."""
    other = users.with_suffix(".new")
    other.write_text(htpasswd_line("bob", "builder"))
    other.replace(users)
