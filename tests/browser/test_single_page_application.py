"""The single-page application of the documentation, in a browser: etc/ and all."""

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Client
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.support.chromium import Chromium, key_hash
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder

ETC = Path(__file__).parent.parent.parent / "etc"
HOST = "app.example.com"


@attrs.frozen
class Running:
    """
    The example, running.

    Attributes:
        site: Where browsers reach it.
        provider: Where people log in; its tokens last for two seconds.
        backend: The API.
        chromium: A browser that trusts both.
        proxy: The proxy.
    """

    site: str
    provider: Provider
    backend: Recorder
    chromium: Chromium
    proxy: RealProxy


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    pki = Pki.create()
    ca = pki.write(tmp_path)
    (tmp_path / "tls").mkdir()
    ours = pki.issue(HOST, dns=[HOST], server=True)
    ours.write(tmp_path / "tls", "app")
    theirs = pki.issue("localhost", dns=["localhost"], server=True)
    monkeypatch.setenv("CLIENT_SECRET", Client().secret)
    files = tmp_path / "files"
    shutil.copytree(ETC / "single-page-application", files)
    page = files / "index.html"
    assert 'data-seconds="60"' in page.read_text()
    page.write_text(page.read_text().replace('"60"', '"1"'))
    with Host(theirs, ca, tmp_path) as host, Recorder() as backend:
        client = attrs.evolve(Client(), client_id="app")
        provider = Provider(f"{host.origin}/corp", client)
        provider.ttl = 2
        host.answers["corp"] = provider.answer
        text = (ETC / "single-page-application.toml").read_text()
        for old, new in {
            '"0.0.0.0"': '"127.0.0.1"',
            "port = 8443": "port = 0",
            "https://login.example.com": provider.issuer,
            "/srv/single-page-application": str(files),
            "127.0.0.1:9000": f"127.0.0.1:{backend.port}",
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        server = {"outbound": {"ca": str(ca)}, "state_dir": str(tmp_path / "state")}
        keys = [
            key_hash((tmp_path / name).read_bytes())
            for name in ("tls/app.crt", "provider.crt")
        ]
        with (
            RealProxy(tmp_path, text, **server).serve() as proxy,
            Chromium(*keys) as chromium,
        ):
            site = f"https://{HOST}:{proxy.port}"
            yield Running(site, provider, backend, chromium, proxy)


def refreshes(provider: Provider) -> int:
    forms = [dict(asked.form) for name, asked in provider.asked if name == "token"]
    return sum(form.get("grant_type") == "refresh_token" for form in forms)


def test_it_shows_the_user_through_ten_expiries_and_that_nobody_is_there(
    running: Running,
) -> None:
    with running.chromium.tab() as tab:
        tab.go(f"{running.site}/")
        tab.wait("document.body.innerText.includes('You are logged out.')")
        assert running.provider.asked == []  # no script begins a login
        tab.follow("Log in")
        tab.wait("document.body.innerText.includes('You are Alice.')")

        deadline = time.monotonic() + 60
        while refreshes(running.provider) < 10 and time.monotonic() < deadline:
            time.sleep(0.1)
            assert "You are Alice." in tab.text, running.proxy.log()
        assert refreshes(running.provider) >= 10
        assert len(running.provider.grants) == 1
        assert running.provider.complaints == []

        tab.follow("Load orders")
        tab.wait("document.getElementById('orders').textContent !== ''")
        assert running.backend.seen[-1].values("X-Remote-User") == ["alice"]
        assert tab.problems() == []

        tab.call("Network.clearBrowserCookies")
        tab.wait("document.body.innerText.includes('You are logged out.')")
        tab.wait("!document.getElementById('login').hidden")
