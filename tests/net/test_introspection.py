"""An endpoint is asked about tokens, and whatever it does is a verdict or a failure."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from cryptography.x509.oid import NameOID
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from OpenSSL import crypto
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet import ssl
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.introspection import (
    CHECK_AFTER,
    IntrospectionEndpoint,
    Introspector,
    SignedAnswers,
)
from sso_proxy.net.jwks import FixedKeys
from sso_proxy.specs.jose.decrypt import decrypt_compact, read_decryption_keys
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.jose.sign import read_signing_key
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks

reactor: Any = installed

SIGNER = TokenSigner.create()
STRANGER = TokenSigner.create()
ISSUER = "https://as.example.com"
TOKEN = "t"
SECRET = "0123456789abcdef0123456789abcdef"
NONE = ClientAuth(method="none")
ACTIVE = {"active": True, "sub": "alice", "scope": "read"}

WHOLE = json.dumps(ACTIVE).encode()
JSON = {"content-type": "application/json"}
JWT = {"content-type": "application/token-introspection+jwt"}


class Endpoint(Resource):
    """Writes down what it is asked, and answers as it is told."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[dict[str, Any]] = []
        self.status = 200
        self.headers: Mapping[str, str] = JSON
        self.body: bytes | Callable[[dict[str, Any]], bytes] = json.dumps(
            ACTIVE
        ).encode()
        self.held: list[Request] | None = None

    def render_GET(self, request: Request) -> Any:  # noqa: ANN401
        return self.render_POST(request)

    def render_POST(self, request: Request) -> Any:  # noqa: ANN401
        headers = request.requestHeaders
        body = b"" if request.content is None else request.content.read()
        peer = getattr(request.transport, "getPeerCertificate", lambda: None)()
        question = body or request.uri.partition(b"?")[2]
        told = {
            "method": request.method.decode(),
            "fields": parse_qsl(question.decode(), keep_blank_values=True),
            "accept": headers.getRawHeaders("accept", [None])[0],
            "authorization": headers.getRawHeaders("authorization", [None])[0],
            "client": None if peer is None else common_name(peer),
        }
        self.asked.append(told)
        if self.held is not None:
            self.held.append(request)
            request.notifyFinish().addErrback(lambda _: None)
            return NOT_DONE_YET
        return self.answer(request, told)

    def answer(self, request: Request, told: dict[str, Any]) -> bytes:
        request.setResponseCode(self.status)
        for name, value in self.headers.items():
            request.setHeader(name.encode(), value.encode())
        return self.body if isinstance(self.body, bytes) else self.body(told)

    def release(self) -> None:
        """Answer those that wait."""
        held, self.held = self.held or [], None
        for request in held:
            request.write(self.answer(request, {}))
            request.finish()


def common_name(certificate: crypto.X509) -> str:
    subject = certificate.to_cryptography().subject
    return str(subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


class IntrospectionTestCase(TestCase):
    def setUp(self) -> None:
        parent = Path(self.mktemp())
        parent.mkdir(parents=True)
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.pki = Pki.create()
        self.clock = SettableClock()
        self.resource = Endpoint()
        self.askers: list[Introspector] = []
        self.client = HttpClient(
            reactor, OutboundConfig(ca=str(self.pki.write(self.directory)))
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        while any(asker._check.running for asker in self.askers):  # noqa: SLF001
            await pause(0.01)
        await self.client.close()
        await pause(0.02)  # what was cut is reported a moment later

    def listening(self, port: Any) -> int:  # noqa: ANN401
        self.addCleanup(port.stopListening)
        number: int = port.getHost().port
        return number

    def serve(self) -> str:
        """Serve over TLS, asking for certificates; give the endpoint's URL."""
        issued = self.pki.issue("as", ips=["127.0.0.1"], server=True)
        mine: dict[str, Any] = {  # pyOpenSSL warns about what Twisted's types ask for
            "privateKey": load_pem_private_key(issued.key_pem, None),
            "certificate": load_pem_x509_certificate(issued.cert_pem),
            "caCerts": [crypto.X509.from_cryptography(self.pki.certificate)],
            "verify": True,
            "requireCertificate": False,
        }
        site = Site(self.resource, reactor=reactor)
        port = reactor.listenSSL(
            0, site, ssl.CertificateOptions(**mine), interface="127.0.0.1"
        )
        return f"https://127.0.0.1:{self.listening(port)}/introspect"

    def serve_octets(self, answer: bytes, *, close: bool = True) -> str:
        """Answer everybody with *answer*; give the endpoint's URL."""

        class Scripted(Protocol):
            def dataReceived(self, data: bytes) -> None:  # noqa: ARG002
                assert self.transport is not None
                self.transport.write(answer)
                if close:
                    self.transport.loseConnection()

        factory = Factory.forProtocol(Scripted)
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        return f"http://127.0.0.1:{self.listening(port)}/introspect"

    def introspector(self, url: str = "", **options: Any) -> Introspector:  # noqa: ANN401
        url = url or self.serve()

        async def find() -> str:
            return url

        options = {"client": NONE, "within": 5.0, **options}
        endpoint = IntrospectionEndpoint(name="the AS", find=find, **options)
        asker = Introspector(endpoint, self.client, self.clock, lambda: "unique-1")
        self.askers.append(asker)
        return asker

    def signed(self, **options: Any) -> SignedAnswers:  # noqa: ANN401
        keys = FixedKeys(read_jwks(jwks(SIGNER)))
        options = {"keys": keys, "issuer": ISSUER, "audience": "rs", **options}
        return SignedAnswers(**options)

    async def failure(self, asker: Introspector, token: str = TOKEN) -> Any:  # noqa: ANN401
        with pytest.raises(UnavailableError) as caught:
            await asker.ask(token)
        return caught.value


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


class ManyTests(IntrospectionTestCase):
    async def held(self, count: int) -> None:
        """Wait until *count* questions have arrived."""
        for _ in range(500):
            if len(self.resource.asked) >= count:
                return
            await pause(0.01)
        raise AssertionError(f"{len(self.resource.asked)} questions")

    async def test_a_token_is_asked_about_once_at_a_time(self) -> None:
        self.resource.held = []
        asker = self.introspector()
        waiting = [Deferred.fromCoroutine(asker.ask("t")) for _ in range(20)]
        await self.held(1)
        self.resource.release()
        assert await gatherResults(waiting) == [ACTIVE] * 20
        assert len(self.resource.asked) == 1
        await asker.ask("t")
        assert len(self.resource.asked) == 2

    async def test_who_leaves_takes_nobody_along(self) -> None:
        self.resource.held = []
        asker = self.introspector()
        first, second = (Deferred.fromCoroutine(asker.ask("t")) for _ in range(2))
        await self.held(1)
        first.addErrback(lambda _: None)
        first.cancel()
        self.resource.release()
        assert await second == ACTIVE

    async def test_different_tokens_never_share_an_answer(self) -> None:
        self.resource.body = lambda told: json.dumps(
            {"active": True, "sub": dict(told["fields"])["token"]}
        ).encode()
        asker = self.introspector()
        tokens = [f"token-{n}" for n in range(50)]
        answers = await gatherResults(
            [Deferred.fromCoroutine(asker.ask(token)) for token in tokens]
        )
        assert [answer["sub"] for answer in answers] == tokens

    async def test_no_more_than_allowed_are_asked_about_at_once(self) -> None:
        self.resource.held = []
        asker = self.introspector(at_once=3)
        waiting = [Deferred.fromCoroutine(asker.ask(token)) for token in "abcc"]
        error = await self.failure(asker, "d")
        assert error.status == 503
        assert "too many" in error.what
        await self.held(3)
        self.resource.release()
        await gatherResults(waiting)
        assert await asker.ask("d") == ACTIVE

    async def test_a_dead_endpoint_is_not_waited_for_by_everybody(self) -> None:
        self.resource.held = []
        asker = self.introspector(within=0.1)
        for _ in range(3):
            assert (await self.failure(asker)).status == 504
        for _ in range(50):
            error = await self.failure(asker)
            assert error.status == 503
            assert "no answer in 0.1 s" in error.what
        assert len(self.resource.asked) == 3
        (line,) = await asker.probe()
        assert line == "introspection at the AS: no answer in 0.1 s"

    async def test_an_endpoint_that_is_back_is_asked_within_a_second(self) -> None:
        self.resource.held = []
        asker = self.introspector(within=0.1)
        for _ in range(4):
            await self.failure(asker)
        self.resource.held = None
        self.clock.advance(1.0)
        assert await asker.ask("t") == ACTIVE
        assert await asker.ask("u") == ACTIVE
        assert await asker.probe() == ()

    async def test_a_failure_or_two_keep_nobody_out(self) -> None:
        asker = self.introspector(within=0.1)
        for _ in range(3):
            self.resource.held = []
            await self.failure(asker)
            await self.failure(asker)
            self.resource.held = None
            assert await asker.ask("t") == ACTIVE

    async def test_tokens_that_upset_the_endpoint_keep_nobody_out(self) -> None:
        """Or anybody could keep everybody out, with a token made for it."""
        asker = self.introspector()
        self.resource.status = 500
        for _ in range(10):
            assert (await self.failure(asker)).status == 502
        self.resource.status = 200
        assert await asker.ask("t") == ACTIVE

    async def test_wrong_credentials_are_not_shown_again_and_again(self) -> None:
        """Some servers lock out who does."""
        asker = self.introspector()
        self.resource.status = 401
        statuses = [(await self.failure(asker)).status for _ in range(10)]
        assert statuses == [502] * 3 + [503] * 7


class HealthTests(IntrospectionTestCase):
    async def test_a_start_asks_about_no_token(self) -> None:
        self.resource.body = b'{"active":false}'
        asker = self.introspector()
        await asker.warm()
        assert len(self.resource.asked) == 1
        assert await asker.probe() == ()

    async def test_wrong_credentials_are_known_at_the_start(self) -> None:
        self.resource.status = 401
        asker = self.introspector()
        await asker.warm()
        (line,) = await asker.probe()
        assert "refuses our credentials" in line

    async def test_an_endpoint_may_dislike_what_is_no_token(self) -> None:
        self.resource.status, self.resource.body = 400, b'{"error":"invalid_request"}'
        asker = self.introspector()
        await asker.warm()
        assert await asker.probe() == ()
        await self.failure(asker)
        (line,) = await asker.probe()
        assert line == "warning: introspection at the AS: status 400 invalid_request"

    async def test_who_asks_for_health_has_the_endpoint_asked(self) -> None:
        """A proxy without requests would otherwise never be ready again."""
        self.resource.status = 401
        asker = self.introspector()
        await asker.warm()
        self.resource.status = 200
        assert len(await asker.probe()) == 1
        assert len(self.resource.asked) == 1
        self.clock.advance(CHECK_AFTER)
        assert len(await asker.probe()) == 1
        for _ in range(200):
            if not await asker.probe():
                break
            await pause(0.01)
        assert await asker.probe() == ()
        assert len(self.resource.asked) == 2

    async def test_an_endpoint_that_is_not_known_yet_is_no_verdict(self) -> None:
        async def find() -> str:
            raise UnavailableError("metadata")

        endpoint = IntrospectionEndpoint(name="the AS", find=find, client=NONE)
        asker = Introspector(endpoint, self.client, self.clock, lambda: "")
        await asker.warm()
        assert (await self.failure(asker)).status == 503


def pause(seconds: float = 0.0) -> Deferred[None]:
    """Let the reactor run."""
    paused: Deferred[None] = Deferred()
    reactor.callLater(seconds, paused.callback, None)
    return paused
