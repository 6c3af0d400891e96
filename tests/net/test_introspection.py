"""An endpoint is asked about tokens, and whatever it does is a verdict or a failure."""

import json
from typing import Any

import pytest
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from twisted.internet.protocol import Factory

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.specs.jose.decrypt import decrypt_compact, read_decryption_keys
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.introspection_scene import (
    ACTIVE,
    ISSUER,
    JSON,
    JWT,
    SECRET,
    SIGNER,
    STRANGER,
    WHOLE,
    IntrospectionTestCase,
    reactor,
)


class QuestionTests(IntrospectionTestCase):
    async def test_the_question_is_as_in_rfc_7662(self) -> None:
        assert await self.introspector().ask("mF_9.B5f-4.1JqM") == ACTIVE
        assert self.resource.asked == [
            {
                "method": "POST",
                "fields": [
                    ("token", "mF_9.B5f-4.1JqM"),
                    ("token_type_hint", "access_token"),
                ],
                "accept": "application/json",
                "authorization": None,
                "client": None,
            }
        ]

    async def test_the_question_may_be_a_get_with_other_fields(self) -> None:
        asker = self.introspector(
            method="GET", token_param="access_token", hint="", params={"realm": "a b"}
        )
        assert await asker.ask("t/+=") == ACTIVE
        asked = self.resource.asked[0]
        assert asked["method"] == "GET"
        assert asked["fields"] == [("access_token", "t/+="), ("realm", "a b")]

    async def test_connections_are_kept(self) -> None:
        asker = self.introspector()
        for token in "abc":
            await asker.ask(token)
        pools = [agents.pool for agents in self.client._agents.values()]  # noqa: SLF001
        assert [len(kept) for kept in pools[0]._connections.values()] == [1]  # noqa: SLF001

    async def ask_as(self, **options: Any) -> dict[str, Any]:  # noqa: ANN401
        """Ask as a client with *options*; give what the endpoint saw."""
        tls = options.pop("tls", None)
        client = ClientAuth(client_id="rs", **options)
        assert await self.introspector(client=client, tls=tls).ask("t") == ACTIVE
        asked = self.resource.asked[0]
        asked["own"] = dict(asked["fields"][2:])
        return asked

    async def test_nothing_is_proven(self) -> None:
        asked = await self.ask_as(method="none")
        assert asked["own"] == {"client_id": "rs"}
        assert asked["authorization"] is None

    async def test_by_secret_in_authorization(self) -> None:
        asked = await self.ask_as(method="client_secret_basic", secret="a:b")
        assert asked["authorization"] == "Basic cnM6YSUzQWI="
        assert asked["own"] == {}

    async def test_by_secret_in_authorization_as_it_is(self) -> None:
        asked = await self.ask_as(method="basic", secret="a:b")
        assert asked["authorization"] == "Basic cnM6YTpi"

    async def test_by_secret_in_the_form(self) -> None:
        asked = await self.ask_as(method="client_secret_post", secret="a&b")
        assert asked["own"] == {"client_id": "rs", "client_secret": "a&b"}
        assert asked["authorization"] is None

    async def test_by_bearer_token(self) -> None:
        asked = await self.ask_as(method="bearer", secret="23410913-abewfq.123483")
        assert asked["authorization"] == "Bearer 23410913-abewfq.123483"

    def claims(self, asked: dict[str, Any], key: JWK) -> Any:  # noqa: ANN401
        own = asked["own"]
        assert own["client_id"] == "rs"
        assert own["client_assertion_type"].endswith(":jwt-bearer")
        jws = JWS()
        jws.allowed_algs = ["HS256", "ES256"]
        jws.deserialize(own["client_assertion"], key)
        return json.loads(jws.payload)

    async def test_by_what_the_secret_signs(self) -> None:
        asked = await self.ask_as(
            method="client_secret_jwt", secret=SECRET, audience=ISSUER
        )
        claims = self.claims(asked, JWK.from_password(SECRET))
        assert claims["aud"] == ISSUER
        assert claims["exp"] == self.clock.now + 60

    async def test_by_what_a_private_key_signs(self) -> None:
        key = self.pki.issue("signer").key_pem
        asked = await self.ask_as(
            method="private_key_jwt", key=read_signing_key(key), audience=ISSUER
        )
        claims = self.claims(asked, JWK.from_pem(key))
        assert (claims["iss"], claims["sub"], claims["jti"]) == ("rs", "rs", "unique-1")

    async def test_by_certificate(self) -> None:
        issued = self.pki.issue("the-rs", client=True)
        tls = ClientTls(certificate=issued.chain_pem, key=issued.key_pem)
        asked = await self.ask_as(method="tls_client_auth", tls=tls)
        assert asked["client"] == "the-rs"
        assert asked["own"] == {"client_id": "rs"}


class AnswerTests(IntrospectionTestCase):
    async def test_an_inactive_token_is_refused(self) -> None:
        asker = self.introspector()
        for active in (b"false", b'"true"', b"1", b"null"):
            self.resource.body = b'{"active":%b}' % active
            with pytest.raises(TokenError) as caught:
                await asker.ask("t")
            assert caught.value.reason == "token-inactive"
        assert await asker.probe() == ()

    async def test_what_is_no_answer_is_502(self) -> None:
        asker = self.introspector()
        for status, headers, body in (
            (200, {"content-type": "text/html"}, WHOLE),
            (200, {}, WHOLE),
            (200, JWT, WHOLE),
            (200, JSON, b'{"active":false,"active":true}'),
            (200, JSON, b"{}"),
            (200, JSON, b"[]"),
            (200, JSON, b""),
            (200, JSON, b'{"active":true,"x":"' + b"x" * 70_000 + b'"}'),
            (302, {"location": "/elsewhere", **JSON}, WHOLE),
            (307, {"location": "/elsewhere", **JSON}, WHOLE),
            (201, JSON, WHOLE),
            (206, JSON, WHOLE),
            (400, JSON, WHOLE),
            (401, JSON, WHOLE),
            (403, JSON, WHOLE),
            (404, JSON, WHOLE),
            (500, JSON, WHOLE),
            (503, JSON, WHOLE),
        ):
            asked = len(self.resource.asked)
            self.resource.status, self.resource.headers = status, headers
            self.resource.body = body
            error = await self.failure(asker)
            assert error.status == 502, (status, body[:40])
            assert len(self.resource.asked) == asked + 1

    async def test_lies_on_the_wire_are_502(self) -> None:
        good = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        for octets in (
            b"",
            b'{"active":true}',
            b"SSH-2.0-OpenSSH\r\n\r\n",
            good + b'Content-Length: 99\r\n\r\n{"active":true}',
            good + b'Content-Length: 1\r\nContent-Length: 15\r\n\r\n{"active":true}',
            good + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
            good + b'Transfer-Encoding: chunked\r\n\r\nf\r\n{"active":true}',
        ):
            asker = self.introspector(self.serve_octets(octets))
            error = await self.failure(asker)
            assert error.status == 502, octets

    async def test_nobody_there_is_502(self) -> None:
        port = reactor.listenTCP(0, Factory(), interface="127.0.0.1")
        number = port.getHost().port
        await port.stopListening()
        asker = self.introspector(f"http://127.0.0.1:{number}/")
        assert (await self.failure(asker)).status == 502

    async def test_a_stranger_gets_no_token(self) -> None:
        url = self.serve()
        self.client = HttpClient(reactor, OutboundConfig())
        error = await self.failure(self.introspector(url))
        assert error.status == 502
        assert "verify failed" in error.what
        assert self.resource.asked == []

    async def test_no_answer_in_time_is_504(self) -> None:
        self.resource.held = []
        error = await self.failure(self.introspector(within=0.2))
        assert error.status == 504
        assert "no answer in 0.2 s" in error.what

    async def test_half_an_answer_in_time_is_504(self) -> None:
        url = self.serve_octets(
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{", close=False
        )
        error = await self.failure(self.introspector(url, within=0.2))
        assert error.status == 504

    async def test_failures_do_not_tell_what_was_sent(self) -> None:
        client = ClientAuth(method="client_secret_post", client_id="i", secret=SECRET)
        for url in (
            self.serve_octets(f"token=sesame {SECRET}\r\n\r\n".encode()),
            self.serve_octets(f"HTTP/1.1 400 {SECRET} sesame\r\n\r\n".encode()),
            "http://127.0.0.1:1/",
        ):
            for method in ("GET", "POST"):
                asker = self.introspector(url, client=client, method=method)
                error = await self.failure(asker, "sesame")
                told = str(error) + " ".join(await asker.probe())
                assert "sesame" not in told
                assert SECRET not in told

    async def test_who_refuses_us_refuses_no_token(self) -> None:
        asker = self.introspector()
        for status in (401, 403):
            self.resource.status, self.resource.body = status, b""
            error = await self.failure(asker)
            assert error.status == 502
            assert "refuses our credentials" in error.what
            (line,) = await asker.probe()
            assert line.startswith("introspection at the AS: status")


class SignedAnswerTests(IntrospectionTestCase):
    def answer(self, signer: TokenSigner = SIGNER, **changes: Any) -> None:  # noqa: ANN401
        header = {"typ": changes.pop("typ", "token-introspection+jwt")}
        claims = {
            "iss": ISSUER,
            "aud": "rs",
            "iat": self.clock.now,
            "token_introspection": ACTIVE,
            **changes,
        }
        self.resource.headers = JWT
        self.resource.body = signer.sign(claims, **header).encode()

    async def test_a_signed_answer_is_believed(self) -> None:
        self.answer()
        assert await self.introspector(signed=self.signed()).ask("t") == ACTIVE
        accept = self.resource.asked[0]["accept"]
        assert accept == "application/token-introspection+jwt"

    async def test_others_are_failures(self) -> None:
        asker = self.introspector(signed=self.signed())
        for changes in (
            {"signer": STRANGER},
            {"signer": STRANGER.renamed("unknown")},
            {"iss": "https://other.example.com"},
            {"aud": "another-rs"},
            {"iat": self.clock.now - 3600},
            {"typ": "at+jwt"},
            {"token_introspection": None},
        ):
            self.answer(**changes)
            assert (await self.failure(asker)).status == 502, changes
        self.resource.headers = JSON
        self.resource.body = WHOLE
        assert (await self.failure(asker)).status == 502

    async def test_an_algorithm_that_is_not_allowed_is_a_failure(self) -> None:
        self.answer()
        signed = self.signed(algorithms=frozenset({"RS256"}))
        assert (await self.failure(self.introspector(signed=signed))).status == 502

    async def test_inactive_is_inactive(self) -> None:
        self.answer(token_introspection={"active": False})
        with pytest.raises(TokenError, match="inactive"):
            await self.introspector(signed=self.signed()).ask("t")

    async def test_an_encrypted_answer_is_decrypted(self) -> None:
        self.answer()
        inner, self.resource.body = self.resource.body, b"a.b.c.d.e"
        signed = self.signed(decrypt=lambda _: inner)
        assert await self.introspector(signed=signed).ask("t") == ACTIVE
        plain = self.introspector(signed=self.signed())
        assert (await self.failure(plain)).status == 502

    async def test_an_answer_encrypted_by_others_is_decrypted(self) -> None:
        """RFC 9701 5: a Nested JWT, signed then encrypted."""
        key = JWK.generate(kty="EC", crv="P-256", kid="ours")
        mine = read_decryption_keys(key.export_private().encode())
        self.answer()
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": "ours", "cty": "JWT"}
        jwe = JWE(self.resource.body, json.dumps(header), recipient=key)
        encrypted = jwe.serialize(compact=True).encode()
        self.resource.body = encrypted
        signed = self.signed(decrypt=lambda text: decrypt_compact(text, mine))
        assert await self.introspector(signed=signed).ask("t") == ACTIVE
        self.resource.body = encrypted + b"A"
        assert (await self.failure(self.introspector(signed=signed))).status == 502

    async def test_keys_that_cannot_be_had_are_the_key_servers_failure(self) -> None:
        class Down:
            async def key_set(self) -> Any:  # noqa: ANN401
                raise UnavailableError("jwks")

            key_set_for_unknown = key_set

        self.answer()
        asker = self.introspector(signed=self.signed(keys=Down()))
        assert (await self.failure(asker)).status == 503
        assert await asker.probe() == ()

    async def test_new_keys_are_fetched_with_and_without_names(self) -> None:
        class Renewed:
            name: str | None = "old"

            async def key_set(self) -> Any:  # noqa: ANN401
                return read_jwks(jwks(SIGNER.renamed(self.name)))

            async def key_set_for_unknown(self) -> Any:  # noqa: ANN401
                return read_jwks(jwks(STRANGER.renamed(self.name and "new")))

        keys = Renewed()
        asker = self.introspector(signed=self.signed(keys=keys))
        self.answer(STRANGER.renamed("new"))
        assert await asker.ask("t") == ACTIVE
        keys.name = None
        self.answer(STRANGER.renamed(None))
        assert await asker.ask("t") == ACTIVE
