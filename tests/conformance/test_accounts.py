"""Accounts at the usual port, and answers that say nothing before they are opened."""

import contextlib
import select
import socket
import socketserver
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.specs.oidc.webfinger import ISSUER_REL
from sso_proxy.testing.pki import Pki
from tests.conformance.faults import client_key
from tests.conformance.parts import Asked, Client, Reply, json_reply
from tests.conformance.provider import Provider
from tests.conformance.serving import Host, now
from tests.conformance.tokens import Encryption, private_half
from tests.support.login_proxy import LoginProxy, Site, login_proxy, write_secret

ACCOUNT: Final = "joe@localhost"
NAMES: Final = ("first", "second")
_PEOPLE: Final = """
[authenticator.people]
type = "oidc_discovery"
providers = "providers"
lookup_hosts = ["localhost"]
networks = ["127.0.0.0/8", "::1/128"]
"""
_FILE: Final = """
issuer = "{issuer}"
client_id = "proxy"
client_secret_file = "../client.secret"
id_token_algorithms = ["RS256"]
decryption_keys = ["../client-enc.pem"]
response_mode = "jwt"
"""


@attrs.frozen(kw_only=True)
class Scene:
    """The proxy, two providers that encrypt their answers, and who was asked."""

    gate: LoginProxy
    providers: dict[str, Provider]
    looked_up: list[str]
    tunnels: list[str]


@contextlib.contextmanager
def tunnelling(port: int, tunnels: list[str]) -> Iterator[int]:
    """Open tunnels to this machine, for port 443 to *port*; notes whereto."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            authority = self.rfile.readline().split()[1].decode()
            while self.rfile.readline().strip():
                pass
            tunnels.append(authority)
            wanted = int(authority.rpartition(":")[2])
            place = ("127.0.0.1", port if wanted == 443 else wanted)
            with socket.create_connection(place) as far:
                self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                _relay(self.request, far)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


def _relay(one: socket.socket, other: socket.socket) -> None:
    """Carry octets until one of the two has no more."""
    to = {one: other, other: one}
    while True:
        for ready in select.select([one, other], [], [])[0]:
            data = ready.recv(65536)
            if not data:
                return
            to[ready].sendall(data)


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("accounts")
    ca = pki.write(directory)
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    write_secret(directory, "client.secret", Client().secret)
    write_secret(directory, "client-enc.pem", private_half("RS256", "client-enc"))
    (directory / "providers").mkdir()
    looked_up: list[str] = []
    tunnels: list[str] = []
    with Host(issued, ca, directory) as host:
        providers = {n: _provider(host, n, directory) for n in NAMES}

        def webfinger(asked: Asked) -> Reply:
            looked_up.append(dict(asked.query)["resource"])
            links = [{"rel": ISSUER_REL, "href": providers["second"].issuer}]
            return json_reply({"subject": looked_up[-1], "links": links})

        host.answers[""] = webfinger
        with tunnelling(int(host.origin.rpartition(":")[2]), tunnels) as port:
            outbound = {"ca": str(ca), "proxy": f"http://127.0.0.1:{port}"}
            site = Site(
                issuer=providers["first"].issuer,
                options="auth = 'none'",
                authenticate=["people"],
                route=_PEOPLE,
            )
            with login_proxy(directory, pki, {"many": site}, outbound=outbound) as gate:
                yield Scene(
                    gate=gate,
                    providers=providers,
                    looked_up=looked_up,
                    tunnels=tunnels,
                )


def _provider(host: Host, name: str, directory: Path) -> Provider:
    """Make a provider whose answers are encrypted to us, and the file for it."""
    provider = Provider(f"{host.origin}/{name}")
    encryption = Encryption(key=client_key(), alg="RSA-OAEP-256")
    provider.changes.add("jarm", lambda text, _: encryption.encrypt(text))
    host.answers[name] = provider.answer
    text = _FILE.format(issuer=provider.issuer)
    (directory / "providers" / f"{name}.toml").write_text(text)
    return provider


def test_an_account_is_looked_up_at_the_usual_port_of_its_host(scene: Scene) -> None:
    """As ``acct:``, and at the address that was found for the name."""
    browser = scene.gate.browser()
    page = browser.go(scene.gate.url("many", "page"))
    (form,) = page.forms
    page = browser.submit(page, form, who=ACCOUNT)
    story = scene.gate.story(browser, page)
    assert page.url == scene.gate.url("many", "page"), story
    assert scene.looked_up == [f"acct:{ACCOUNT}"]
    assert scene.tunnels[0] in {"127.0.0.1:443", "[::1]:443"}
    asked = scene.providers["second"].grants[-1].asked
    assert asked["login_hint"] == ACCOUNT
    assert asked["response_mode"] == "jwt"


def test_an_encrypted_answer_goes_to_the_provider_that_signed_it(scene: Scene) -> None:
    """Only opened does it say whose it is; the same key of ours opens all."""
    browser = scene.gate.browser()
    at = {}
    for name in NAMES:  # in two tabs, the first of which comes back last
        page = browser.go(scene.gate.url("many", name))
        link = next(link for link in page.links if link.endswith(name))
        at[name] = browser.go(link, stop=f"{scene.gate.origin}/.sso/callback/").location
    for name in NAMES[::-1]:
        url = at[name]
        assert url is not None
        page = browser.go(url)
        story = scene.gate.story(browser, page)
        assert page.url == scene.gate.url("many", name), story


def test_back_to_an_encrypted_answer_that_is_over_leads_to_the_page_once(
    scene: Scene,
) -> None:
    """It is known at which provider that login was, though none of its logins waits."""
    browser, provider = scene.gate.browser(), scene.providers["second"]
    page = browser.go(scene.gate.url("many", "page"))
    link = next(link for link in page.links if link.endswith("second"))
    page = browser.go(link)
    assert page.url == scene.gate.url("many", "page"), scene.gate.story(browser, page)
    asked = provider.grants[-1].asked
    claims = {"iss": provider.issuer, "aud": "proxy", "exp": now() - 60}
    claims |= {"state": asked["state"], "code": "used"}
    signed = provider.signer("RS256").sign(claims, typ="JWT")
    ended = Encryption(key=client_key(), alg="RSA-OAEP-256").encrypt(signed)
    old = f"{asked['redirect_uri']}?response={ended}"
    stranger = scene.gate.browser().go(old)
    assert stranger.status == 400
    browser.cookies[:] = [c for c in browser.cookies if c.name != "__Host-sso"]
    page = browser.go(old)
    assert page.url == scene.gate.url("many", "page"), scene.gate.story(browser, page)
    assert any(link.endswith("second") for link in page.links)
    page = browser.go(old)
    assert page.status == 400, scene.gate.story(browser, page)
    assert provider.complaints == []


def test_an_encrypted_answer_that_nobody_began_is_none(scene: Scene) -> None:
    browser = scene.gate.browser()
    link = _link(scene, "first")
    url = browser.go(link, stop=f"{scene.gate.origin}/.sso/callback/").location
    assert url is not None
    other = scene.gate.browser()
    page = other.go(url)
    assert page.status == 400, scene.gate.story(other, page)
    assert scene.providers["first"].complaints == []


def _link(scene: Scene, name: str) -> str:
    page = scene.gate.browser().go(scene.gate.url("many", "page"))
    return next(link for link in page.links if link.endswith(name))
