"""The examples about tokens by grants run with nothing but names and ports replaced."""

import json
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.conformance.parts import Asked, Client
from tests.support.login_proxy import write_secret
from tests.support.oidc_provider import private_pem
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import Recorder, Seen
from tests.support.sts import TokenServer
from tests.support.sts_faults import Said, say
from tests.support.sts_serving import listen
from tests.support.tokens_from_op import read_claims

ETC = Path(__file__).parent.parent / "etc"
HOST = "app.example.com"


class Login(TokenServer):
    """A token server that has given tokens to those who call, too."""

    key = TokenSigner.create()

    def answer(self, asked: Asked) -> Said:
        if asked.method != "GET":
            return super().answer(asked)
        if asked.path == "/jwks":
            return say(json.loads(jwks(self.key)))
        urls = {"jwks_uri": f"{self.origin}/jwks", "token_endpoint": self.url}
        return say({"issuer": self.origin, **urls})

    def token(self, **claims: object) -> str:
        known = {"iss": self.origin, "sub": "alice", "exp": 2_000_000_000}
        return self.key.sign(known | claims, typ="at+jwt")


@attrs.frozen
class Scene:
    """
    What is around the proxy.

    Attributes:
        directory: Its files.
        pki: Whom everybody trusts.
        server: Gives tokens.
        backend: Is behind it.
    """

    directory: Path
    pki: Pki
    server: Login
    backend: Recorder

    def proxy(self, example: str, changes: dict[str, str]) -> RealProxy:
        """Give the proxy of an example, in which *changes* are made."""
        text = (ETC / example).read_text()
        known = {'"0.0.0.0"': '"127.0.0.1"', "8443": "0"}
        backend = {"127.0.0.1:9000": f"127.0.0.1:{self.backend.port}"}
        for old, new in {**known, **backend, **changes}.items():
            assert old in text, old
            text = text.replace(old, new)
        server: dict[str, Any] = {
            "outbound": {"ca": str(self.directory / "ca.crt")},
            "state_dir": str(self.directory / "state"),
        }
        return RealProxy(self.directory, text, **server)

    def ask(
        self, proxy: RealProxy, *options: str | Path, path: str = "/page"
    ) -> CurlAnswer:
        """Ask as a client with the options of curl."""
        resolve = f"{HOST}:{proxy.port}:127.0.0.1"
        ca, url = self.directory / "ca.crt", f"https://{HOST}:{proxy.port}{path}"
        return curl("--cacert", ca, "--resolve", resolve, *options, url)

    def passed(
        self, proxy: RealProxy, *options: str | Path, path: str = "/page"
    ) -> Seen:
        """Ask, and give what the backend saw."""
        answer = self.ask(proxy, *options, path=path)
        assert answer.status == 200, (answer, proxy.log()[-3000:])
        return self.backend.seen[-1]


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """Give a scene."""
    client = attrs.evolve(Client(), client_id="app")
    monkeypatch.setenv("CLIENT_SECRET", client.secret)
    pki, tls = Pki.create(), tmp_path / "tls"
    tls.mkdir()
    pki.write(tmp_path)
    pki.write(tls, "staff-ca")
    pki.issue(HOST, dns=[HOST], server=True).write(tls, "app")
    token_key = rsa.generate_private_key(65537, 2048)
    write_secret(tls, "token.pem", private_pem(token_key))
    server = Login(client)
    with listen(server, tmp_path, pki), Recorder() as backend:
        yield Scene(tmp_path, pki, server, backend)


def test_a_legacy_backend(scene: Scene) -> None:
    """etc/legacy-backend.toml"""
    alice = scene.pki.issue("alice", client=True).write(scene.directory, "alice")
    as_alice = ("--cert", alice[0], "--key", alice[1])
    changes = {"https://login.example.com": scene.server.origin}
    with scene.proxy("legacy-backend.toml", changes).serve() as proxy:
        cookie = ("-H", "Cookie: a=1; portal=legacy")
        for _ in range(2):
            seen = scene.passed(proxy, *as_alice, *cookie)
        [value] = seen.values("Authorization")
        user, _, token = b64decode(value.removeprefix("Basic ")).decode().partition(":")
        assert (user, [token]) == ("alice", scene.server.issued)
        assert seen.values("Cookie") == ["a=1"]
        sent = scene.server.last
        assert (sent["username"], sent["password"]) == ("alice", "legacy")

        assert scene.ask(proxy, *as_alice).status == 403
        assert len(scene.backend.seen) == 2
        assert scene.server.complaints == []


def test_a_third_partys_api(scene: Scene) -> None:
    """etc/third-party-api.toml"""
    origin = scene.server.origin
    changes = {
        "https://login.example.com": origin,
        "https://login.partner.example.net": origin,
    }
    with scene.proxy("third-party-api.toml", changes).serve() as proxy:
        token = scene.server.token(aud=f"https://{HOST}")
        seen = scene.passed(proxy, "-H", f"Authorization: Bearer {token}")
        [own] = seen.values("Authorization")
        claims = read_claims(own.removeprefix("Bearer "))
        assert (claims["sub"], claims["aud"]) == ("alice", "https://orders.example.com")
        [other] = seen.values("X-Calendar-Token")
        assert [other] == scene.server.issued
        assert read_claims(other)["sub"] == "alice"
        sent = scene.server.last
        assert sent["resource"] == "https://calendar.partner.example.net"
        assert read_claims(sent["assertion"])["aud"] == origin
        assert token not in {own, other, sent["assertion"]}
        assert scene.server.complaints == []

        scene.server.always("reset")
        for name in ("bob", "carol"):
            token = scene.server.token(aud=f"https://{HOST}", sub=name)
            seen = scene.passed(proxy, "-H", f"Authorization: Bearer {token}")
            assert seen.values("X-Calendar-Token") == []


def test_tokens_are_exchanged(scene: Scene) -> None:
    """etc/token-exchange.toml"""
    origin, port = scene.server.origin, scene.backend.port
    changes = {
        "https://login.example.com": origin,
        "https://login.partner.example.net": origin,
        "127.0.0.1:9001": f"127.0.0.1:{port}",
    }
    with scene.proxy("token-exchange.toml", changes).serve() as proxy:
        theirs = scene.server.token(aud=f"https://{HOST}")
        as_alice = ("-H", f"Authorization: Bearer {theirs}")
        for _ in range(2):
            orders = scene.passed(proxy, *as_alice, path="/orders/")
        stock = scene.passed(proxy, *as_alice, path="/stock/")
        assert scene.server.complaints == []
        assert scene.server.count == 4

        [first], [second] = (
            orders.values("Authorization"),
            stock.values("Authorization"),
        )
        [partners] = orders.values("X-Tax-Token")
        tokens = [first.removeprefix("Bearer "), second.removeprefix("Bearer ")]
        assert [(read_claims(t)["sub"], read_claims(t)["aud"]) for t in tokens] == [
            ("alice", "https://orders.example.com"),
            ("alice", "https://stock.example.com"),
        ]
        assert read_claims(partners)["aud"] == "https://tax.partner.example.net"
        assert theirs not in str(orders) + str(stock)

        scene.server.always("access_denied")
        bobs = ("-H", f"Authorization: Bearer {scene.server.token(sub='bob')}")
        assert scene.ask(proxy, *bobs, path="/stock/").status == 401  # another audience
        carol = scene.server.token(sub="carol", aud=f"https://{HOST}")
        as_carol = ("-H", f"Authorization: Bearer {carol}")
        assert scene.ask(proxy, *as_carol, path="/stock/").status == 403
