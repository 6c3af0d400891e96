"""Our client at npm oidc-provider: every authentication, at every endpoint."""

import base64
import hashlib
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs
import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.authn.oidc_client_config import ClientConfig
from sso_proxy.authn.oidc_client_parts import build_provider
from sso_proxy.config.model import OutboundConfig
from sso_proxy.config.structure import structure
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.provider import ProviderClient, ProviderError
from sso_proxy.specs.oidc.token_response import TokenResponse
from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.login_proxy import HOST, write_secret
from tests.support.logins_at_op import BOUND, DPOP, LoginClient, LoginKeys
from tests.support.oidc_provider import OidcProvider

reactor: Any = installed

PORT: Final = 8443
VERIFIER: Final = "verifier-0123456789-0123456789-0123456789-0123456789"
PROVING: Final = 'dpop = "required"\ndpop_key = "dpop.pem"'


def with_key(alg: str) -> LoginClient:
    return LoginClient(auth="private_key_jwt", key_alg=alg)


CLIENTS: Final = {
    "basic": LoginClient(),
    "post": LoginClient(auth="client_secret_post"),
    "secret-jwt": LoginClient(auth="client_secret_jwt"),
    "public": LoginClient(auth="none"),
    "key-rs256": with_key("RS256"),
    "key-ps256": with_key("PS256"),
    "key-es256": with_key("ES256"),
    "key-eddsa": with_key("EdDSA"),
    "tls": LoginClient(auth="tls_client_auth", certificate="tls", more=BOUND),
    "self-signed": LoginClient(
        auth="self_signed_tls_client_auth", certificate="self-signed", more=BOUND
    ),
    "body": LoginClient(options='userinfo_method = "body"'),
    "dpop": LoginClient(more=DPOP, options=PROVING),
    "nonce": LoginClient(more=DPOP, options=PROVING),
    "nonce-key": attrs.evolve(with_key("ES256"), more=DPOP, options=PROVING),
}


@attrs.frozen(kw_only=True)
class Scene:
    """The provider, and a directory with the files of its clients."""

    server: OidcProvider
    directory: Path


@pytest.fixture(scope="module")
def scene(pki: Pki) -> Iterator[Scene]:
    """Run the provider."""
    with tempfile.TemporaryDirectory() as name:
        directory, keys = Path(name), LoginKeys(pki)
        keys.write(directory)
        pki.write(directory)
        write_secret(directory, "wrong.secret", "wrong" * 10)
        registrations = [
            keys.registration(name, client, PORT) for name, client in CLIENTS.items()
        ]
        with OidcProvider(pki, registrations) as server:
            yield Scene(server=server, directory=directory)


class ClientTests(TestCase):
    scene: Scene

    @pytest.fixture(autouse=True)
    def _place(self, scene: Scene) -> None:
        self.scene = scene

    def setUp(self) -> None:
        self.http = HttpClient(reactor, OutboundConfig())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        await self.http.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    def client(self, name: str, **changes: object) -> ProviderClient:
        """Build a client as the configuration says."""
        issuer = self.scene.server.issuer
        options = tomllib.loads(CLIENTS[name].site(name, issuer).options)
        raw = {"client_id": name, "ca": "ca.crt", **options, **changes}
        kept = {option: value for option, value in raw.items() if value is not None}
        config = structure(kept, ClientConfig, path="", directory=self.scene.directory)
        return build_provider(
            config, issuer=issuer, http_client=self.http, clock=SystemClock()
        ).client

    async def code(
        self, name: str, client: ProviderClient
    ) -> tuple[tuple[str, str], ...]:
        """Push a request and log in; give what is redeemed."""
        redirect_uri = f"https://{HOST}:{PORT}/.sso/callback/{name}"
        digest = hashlib.sha256(VERIFIER.encode()).digest()
        fields = {
            "client_id": name,
            "redirect_uri": redirect_uri,
            "response_type": "code",
            "scope": "openid email",
            "state": "s",
            "login_hint": "alice",
            "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
            "code_challenge_method": "S256",
        }
        pushed = await client.push(tuple(fields.items()))
        front = {"client_id": name, "request_uri": pushed}
        endpoint = (await client.endpoints()).authorization
        browser = Browser(self.scene.server.ca)
        page = browser.go(f"{endpoint}?{urlencode(front)}", stop=redirect_uri)
        assert page.location is not None, browser.trail
        answer = parse_qs(urlsplit(page.location).query)
        assert answer["state"] == ["s"], answer
        return (
            ("code", answer["code"][0]),
            ("redirect_uri", redirect_uri),
            ("code_verifier", VERIFIER),
        )

    async def whole(self, name: str, **changes: object) -> TokenResponse:
        """Do all that a client does; give the last tokens."""
        client = self.client(name, **changes)
        await client.warm()
        tokens = await client.redeem(await self.code(name, client))
        assert tokens.id_token
        for _ in range(2):
            answer = await client.userinfo(tokens.access_token, tokens.token_type)
            assert answer[0] == 200, answer
            assert b'"email":"alice@example.com"' in answer[2]
            assert tokens.refresh_token
            before = tokens
            tokens = await client.refresh(str(before.refresh_token))
            assert tokens.refresh_token != before.refresh_token
        assert await client.probe() == ()
        return tokens

    def asked(self) -> list[int]:
        """Say how often each endpoint was asked."""
        server = self.scene.server
        starts = ("POST /request", "POST /token", "GET /me")
        return [server.requests(start) for start in starts]

    async def since(self, before: list[int], expected: list[int]) -> None:
        """Check how often each was asked; the last line of its log may take a while."""
        wanted = [then + more for then, more in zip(before, expected, strict=True)]
        for _ in range(100):
            if self.asked() == wanted:
                return
            await deferLater(reactor, 0.02)
        assert self.asked() == wanted

    async def check(self, name: str) -> None:
        before = self.asked()
        tokens = await self.whole(name)
        assert tokens.token_type == "Bearer"
        await self.since(before, [1, 3, 2])

    async def test_client_secret_basic(self) -> None:
        await self.check("basic")

    async def test_client_secret_post(self) -> None:
        await self.check("post")

    async def test_client_secret_jwt(self) -> None:
        await self.check("secret-jwt")

    async def test_none(self) -> None:
        await self.check("public")

    async def test_private_key_jwt_rs256(self) -> None:
        await self.check("key-rs256")

    async def test_private_key_jwt_ps256(self) -> None:
        await self.check("key-ps256")

    async def test_private_key_jwt_es256(self) -> None:
        await self.check("key-es256")

    async def test_private_key_jwt_eddsa(self) -> None:
        await self.check("key-eddsa")

    async def test_tls_client_auth(self) -> None:
        await self.check("tls")

    async def test_self_signed_tls_client_auth(self) -> None:
        await self.check("self-signed")

    async def test_userinfo_with_a_form(self) -> None:
        before = self.asked()
        await self.whole("body")
        await self.since(before, [1, 3, 0])

    async def test_dpop(self) -> None:
        before = self.asked()
        tokens = await self.whole("dpop")
        assert tokens.token_type == "DPoP"
        await self.since(before, [1, 3, 2])

    async def test_dpop_with_a_nonce_of_the_server(self) -> None:
        """Asked for once, and remembered."""
        for name in ("nonce", "nonce-key"):
            before = self.asked()
            tokens = await self.whole(name)
            assert tokens.token_type == "DPoP"
            await self.since(before, [2, 3, 2])

    async def test_a_token_that_is_bound_is_good_with_the_certificate_alone(
        self,
    ) -> None:
        client = self.client("tls")
        tokens = await client.redeem(await self.code("tls", client))
        good = await client.userinfo(tokens.access_token, tokens.token_type)
        other = self.client("basic")
        bad = await other.userinfo(tokens.access_token, tokens.token_type)
        assert (good[0], bad[0]) == (200, 401)

    async def test_a_token_that_is_bound_is_good_with_the_key_alone(self) -> None:
        client = self.client("dpop")
        tokens = await client.redeem(await self.code("dpop", client))
        other = self.client("basic")
        bad = await other.userinfo(tokens.access_token, "Bearer")
        assert bad[0] == 401

    async def test_a_secret_may_be_changed(self) -> None:
        """The new one is found when the old one is refused, and is used from then."""
        before = self.asked()
        secrets: dict[str, object] = {
            "client_secret_file": "wrong.secret",
            "client_secret_next_file": "client.secret",
        }
        await self.whole("basic", **secrets)
        await self.since(before, [2, 3, 2])
        await self.whole("secret-jwt", **secrets)

    async def test_a_wrong_secret_is_said(self) -> None:
        client = self.client("basic", client_secret_file="wrong.secret")
        await client.warm()
        with pytest.raises(ProviderError) as caught:
            await client.push((("client_id", "basic"),))
        assert caught.value.error == "invalid_client"
        assert "credentials" in (await client.probe())[-1]

    async def test_a_code_is_good_once(self) -> None:
        client = self.client("basic")
        fields = await self.code("basic", client)
        await client.redeem(fields)
        with pytest.raises(ProviderError) as caught:
            await client.redeem(fields)
        assert caught.value.error == "invalid_grant"

    async def test_a_refused_request_is_said(self) -> None:
        client = self.client("basic")
        with pytest.raises(ProviderError) as caught:
            await client.push((("client_id", "basic"), ("response_type", "bad")))
        assert caught.value.error in {"unsupported_response_type", "invalid_request"}
