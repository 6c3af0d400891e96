"""Whatever a provider does, a login gets an answer, a refusal or a failure in time."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site
from zope.interface.verify import verifyObject

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IHealth
from sso_proxy.net.http_client import ClientTls, HttpClient
from sso_proxy.net.jwks import FixedKeys
from sso_proxy.net.provider import ProviderAccess, ProviderClient, ProviderError
from sso_proxy.net.provider_link import ClientIdentity
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oauth.client_auth import ClientAuth
from sso_proxy.specs.oauth.dpop_proof import read_proof_key
from sso_proxy.specs.oauth.metadata import ServerMetadata
from sso_proxy.specs.oidc.metadata import EndpointOverrides
from sso_proxy.testing.clock import SettableClock

reactor: Any = installed

ISSUER = "https://op.example.com"
NAME = "urn:ietf:params:oauth:request_uri:1"
RP = ClientAuth(method="client_secret_basic", client_id="rp", secret="s")
KEY = read_proof_key(
    ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
)
TOKENS: Mapping[str, object] = {"access_token": "at", "token_type": "bearer"}
BOUND = {**TOKENS, "token_type": "dpop"}
CODE = (("code", "c"), ("redirect_uri", "https://app.example.com/cb"))
BEARER, DPOP = "Bearer", "DPoP"

Told = dict[str, Any]


@attrs.frozen(kw_only=True)
class Answer:
    """What an endpoint says."""

    members: object = attrs.field(factory=dict)
    status: int = 200
    headers: Sequence[tuple[str, str]] = (("content-type", "application/json"),)
    body: bytes | None = None


class Endpoint(Resource):
    """Answers one after the other; the last again and again."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[Told] = []
        self.answers: list[Answer] = []

    def render_GET(self, request: Request) -> bytes:
        return self.render_POST(request)

    def render_POST(self, request: Request) -> bytes:
        body = b"" if request.content is None else request.content.read()
        names = ("authorization", "dpop", "accept")
        headers = {n: request.requestHeaders.getRawHeaders(n, [None])[0] for n in names}
        fields = parse_qsl(body.decode(), keep_blank_values=True)
        path = request.path.decode()
        self.asked.append({"path": path, "fields": fields, **headers})
        answer = self.answers[0] if len(self.answers) == 1 else self.answers.pop(0)
        request.setResponseCode(answer.status)
        for name, value in answer.headers:
            request.responseHeaders.addRawHeader(name.encode(), value.encode())
        if answer.body is not None:
            return answer.body
        return json.dumps(answer.members).encode()


@attrs.frozen(eq=False)
class Publishing:
    """A provider's metadata, or that it cannot be had."""

    documents: list[ServerMetadata | str]

    async def metadata(self) -> ServerMetadata:
        document = self.documents[0]
        if isinstance(document, str):
            raise UnavailableError(document)
        return document

    async def warm(self) -> None:
        """Do nothing."""

    async def probe(self) -> tuple[str, ...]:
        return tuple(d for d in self.documents[:1] if isinstance(d, str))


class ProviderTestCase(TestCase):
    def setUp(self) -> None:
        self.resource = Endpoint()
        self.http = HttpClient(reactor, OutboundConfig(timeout=5.0))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))
        self.origin = self.listen(Site(self.resource, reactor=reactor))

    async def close(self) -> None:
        await self.http.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    def listen(self, factory: Any) -> str:  # noqa: ANN401
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"http://127.0.0.1:{port.getHost().port}"

    def octets(self, octets: bytes, *, close: bool = True) -> str:
        """Answer everybody with *octets*; count those who ask."""
        self.connections = 0

        class Scripted(Protocol):
            def dataReceived(inner, data: bytes) -> None:  # noqa: ARG002, N805
                self.connections += 1
                assert inner.transport is not None
                inner.transport.write(octets)
                if close:
                    inner.transport.loseConnection()

        return self.listen(Factory.forProtocol(Scripted))

    def provider(self, origin: str = "", **options: Any) -> ProviderClient:  # noqa: ANN401
        origin = origin or self.origin
        who: dict[str, Any] = {"clients": [RP], "within": 3.0}
        who |= {n: options.pop(n) for n in ("proof_key", "within") if n in options}
        overrides = EndpointOverrides(
            authorization=f"{origin}/auth",
            token=f"{origin}/token",
            userinfo=f"{origin}/me",
            pushed_authorization=f"{origin}/par",
            revocation=f"{origin}/revoke",
        )
        given = {"overrides": overrides, "keys": FixedKeys(KeySet(())), **options}
        access = ProviderAccess(issuer=ISSUER, identity=ClientIdentity(**who), **given)
        numbers = iter(range(1000))
        return ProviderClient(
            access, self.http, SettableClock(), lambda: f"u{next(numbers)}"
        )

    def says(self, *answers: Answer) -> None:
        self.resource.answers = [*answers]

    async def refused(self, asking: Any) -> tuple[str, str]:  # noqa: ANN401
        """Give the code and the description of a refusal."""
        with pytest.raises(ProviderError) as caught:
            await asking
        return caught.value.error, caught.value.description

    async def down(self, asking: Any) -> str:  # noqa: ANN401
        with pytest.raises(UnavailableError) as caught:
            await asking
        assert caught.value.status == 503
        return caught.value.what


class RequestTests(ProviderTestCase):
    async def test_a_code_becomes_tokens(self) -> None:
        self.says(Answer(members={**TOKENS, "expires_in": 60, "id_token": "a.b.c"}))
        tokens = await self.provider().redeem(CODE)
        assert (tokens.access_token, tokens.token_type) == ("at", "Bearer")
        assert (tokens.expires_in, tokens.id_token) == (60, "a.b.c")
        (asked,) = self.resource.asked
        assert asked["path"] == "/token"
        assert asked["fields"] == [("grant_type", "authorization_code"), *CODE]
        assert asked["accept"] == "application/json"
        assert asked["authorization"].startswith("Basic ")

    async def test_a_refresh_token_becomes_others(self) -> None:
        self.says(Answer(members={**TOKENS, "refresh_token": "r2"}))
        tokens = await self.provider().refresh("r1", (("scope", "openid"),))
        assert tokens.refresh_token == "r2"
        assert self.resource.asked[0]["fields"] == [
            ("grant_type", "refresh_token"),
            ("refresh_token", "r1"),
            ("scope", "openid"),
        ]

    async def test_configured_fields_are_added_and_replace_none(self) -> None:
        self.says(Answer(members=TOKENS))
        params = {"resource": "https://other.example.com/", "audience": "x"}
        provider = self.provider(token_params=params)
        await provider.redeem((*CODE, ("resource", "https://api.example.com/")))
        assert self.resource.asked[0]["fields"] == [
            ("grant_type", "authorization_code"),
            *CODE,
            ("resource", "https://api.example.com/"),
            ("audience", "x"),
        ]

    async def test_a_request_is_pushed(self) -> None:
        self.says(Answer(status=201, members={"request_uri": NAME, "expires_in": 60}))
        fields = (("client_id", "rp"), ("response_type", "code"))
        assert await self.provider().push(fields) == NAME
        (asked,) = self.resource.asked
        assert (asked["path"], asked["fields"]) == ("/par", [*fields])

    async def test_a_token_is_given_back(self) -> None:
        self.says(Answer(body=b""))
        assert await self.provider().revoke("r1", "refresh_token", 2.0)
        (asked,) = self.resource.asked
        assert asked["path"] == "/revoke"
        assert asked["fields"] == [
            ("token", "r1"),
            ("token_type_hint", "refresh_token"),
        ]
        assert asked["authorization"].startswith("Basic ")

    async def test_a_provider_may_not_take_tokens_of_a_kind_back(self) -> None:
        self.says(Answer(status=400, members={"error": "unsupported_token_type"}))
        assert not await self.provider().revoke("a1", "access_token", 2.0)

    async def test_userinfo_is_asked_for_and_given_as_it_is(self) -> None:
        self.says(Answer(members={"sub": "alice"}))
        answer = await self.provider().userinfo("at", BEARER)
        assert answer == (200, "application/json", b'{"sub": "alice"}')
        (asked,) = self.resource.asked
        assert (asked["path"], asked["authorization"]) == ("/me", "Bearer at")

    async def test_userinfo_may_be_asked_for_with_a_form(self) -> None:
        self.says(Answer(members={"sub": "alice"}))
        await self.provider(userinfo_in_body=True).userinfo("at", BEARER)
        assert self.resource.asked[0]["fields"] == [("access_token", "at")]

    async def test_tokens_are_bound_to_our_key(self) -> None:
        nonce = ("dpop-nonce", "n1")
        json_type = ("content-type", "application/json")
        self.says(
            Answer(
                status=400,
                members={"error": "use_dpop_nonce"},
                headers=(json_type, nonce),
            ),
            Answer(members=BOUND),
        )
        provider = self.provider(proof_key=KEY, bound=True)
        assert provider.proof_thumbprint == KEY.thumbprint
        tokens = await provider.redeem(CODE)
        assert tokens.token_type == DPOP
        self.says(
            Answer(
                status=401,
                headers=(("www-authenticate", 'DPoP error="use_dpop_nonce"'), nonce),
            ),
            Answer(members={"sub": "alice"}),
        )
        assert (await provider.userinfo("at", DPOP))[0] == 200
        assert len(self.resource.asked) == 4
        assert self.resource.asked[3]["authorization"] == "DPoP at"

    async def test_without_a_key_there_is_no_thumbprint(self) -> None:
        assert self.provider().proof_thumbprint is None

    async def test_connections_are_kept(self) -> None:
        self.says(Answer(members=TOKENS))
        provider = self.provider()
        peers = set()
        render = self.resource.render_POST

        def noting(request: Request) -> bytes:
            peers.add(request.getClientAddress().port)
            return render(request)

        self.resource.render_POST = noting  # type: ignore[method-assign]
        for _ in range(3):
            await provider.redeem(CODE)
        assert len(peers) == 1


class RefusalTests(ProviderTestCase):
    async def test_a_refusal_has_the_providers_words(self) -> None:
        words = {"error": "invalid_grant", "error_description": "used\nbefore"}
        self.says(Answer(status=400, members=words))
        provider = self.provider()
        expected = ("invalid_grant", "used before")
        assert await self.refused(provider.redeem(CODE)) == expected
        assert await self.refused(provider.refresh("r")) == expected
        assert await self.refused(provider.push(CODE)) == expected
        assert await provider.probe() == ()

    async def test_a_provider_that_does_not_believe_us_is_a_matter_for_health(
        self,
    ) -> None:
        self.says(Answer(status=401, members={"error": "invalid_client"}))
        provider = self.provider()
        assert (await self.refused(provider.redeem(CODE)))[0] == "invalid_client"
        (line,) = await provider.probe()
        assert line == f"provider {ISSUER}: does not believe our credentials"
        self.says(Answer(members=TOKENS))
        await provider.redeem(CODE)
        assert await provider.probe() == ()

    async def test_redirects_are_not_followed(self) -> None:
        elsewhere = (("location", f"{self.origin}/elsewhere"),)
        for status in (301, 302, 303, 307, 308):
            self.resource.asked.clear()
            self.says(Answer(status=status, headers=elsewhere))
            provider = self.provider()
            for asking in (provider.redeem(CODE), provider.push(CODE)):
                assert await self.refused(asking) == ("", f"status {status}")
            assert (await provider.userinfo("at", BEARER))[0] == status
            assert {told["path"] for told in self.resource.asked} == {
                "/token",
                "/par",
                "/me",
            }

    async def test_nonces_without_end_are_a_refusal(self) -> None:
        numbers = iter(range(100))
        render = self.resource.render_POST

        def endless(request: Request) -> bytes:
            json_type = ("content-type", "application/json")
            self.says(
                Answer(
                    status=400,
                    members={"error": "use_dpop_nonce"},
                    headers=(json_type, ("dpop-nonce", f"n{next(numbers)}")),
                )
            )
            return render(request)

        self.resource.render_POST = endless  # type: ignore[method-assign]
        error, _ = await self.refused(self.provider(proof_key=KEY).redeem(CODE))
        assert error == "use_dpop_nonce"
        assert len(self.resource.asked) == 2

    async def test_answers_that_are_none_are_refused(self) -> None:
        html = (("content-type", "text/html"),)
        both = (("content-type", "application/json"), ("content-type", "text/html"))
        for answer in (
            Answer(members=TOKENS, headers=html),
            Answer(members=TOKENS, headers=both),
            Answer(members=TOKENS, headers=()),
            Answer(body=b"{"),
            Answer(body=b'{"access_token":"a","access_token":"b"}'),
            Answer(members=[]),
            Answer(members={}),
            Answer(members={**TOKENS, "token_type": "mac"}),
            Answer(members={**TOKENS, "error": "invalid_grant"}),
            Answer(status=204),
        ):
            self.says(answer)
            await self.refused(self.provider().redeem(CODE))

    async def test_a_token_that_is_not_bound_is_refused_where_it_has_to_be(
        self,
    ) -> None:
        self.says(Answer(members=TOKENS))
        strict = self.provider(proof_key=KEY, bound=True)
        for asking in (strict.redeem(CODE), strict.refresh("r")):
            assert "not bound" in (await self.refused(asking))[1]
        tokens = await self.provider(proof_key=KEY).redeem(CODE)
        assert tokens.token_type == BEARER

    async def test_a_token_that_is_bound_to_a_key_we_do_not_have_is_refused(
        self,
    ) -> None:
        self.says(Answer(members=BOUND))
        provider = self.provider()
        _, description = await self.refused(provider.redeem(CODE))
        assert "bound to a key" in description
        self.resource.asked.clear()
        await self.refused(provider.userinfo("at", DPOP))
        assert self.resource.asked == []

    async def test_what_the_provider_does_not_have_is_not_asked_for(self) -> None:
        overrides = EndpointOverrides(
            authorization=f"{self.origin}/auth", token=f"{self.origin}/token"
        )
        provider = self.provider(overrides=overrides)
        await self.refused(provider.push(()))
        await self.refused(provider.userinfo("at", BEARER))
        await self.refused(provider.revoke("at", "access_token", 1.0))
        assert self.resource.asked == []


class FailureTests(ProviderTestCase):
    def everything(self, provider: ProviderClient) -> list[Callable[[], Any]]:
        return [
            lambda: provider.redeem(CODE),
            lambda: provider.refresh("r"),
            lambda: provider.push(()),
            lambda: provider.userinfo("at", BEARER),
            lambda: provider.revoke("r", "refresh_token", 9.0),
        ]

    async def test_a_busy_provider_is_tried_another_time(self) -> None:
        for status in (408, 425, 429, 500, 502, 503, 504):
            self.says(Answer(status=status, members={"error": "server_error"}))
            for ask in self.everything(self.provider()):
                assert ISSUER in await self.down(ask())
        self.says(Answer(status=400, members={"error": "temporarily_unavailable"}))
        assert "temporarily" in await self.down(self.provider().redeem(CODE))

    async def test_a_slow_provider_is_given_up(self) -> None:
        origin = self.octets(b"HTTP/1.1 200 OK\r\nContent-Le", close=False)
        provider = self.provider(origin, within=0.2)
        for ask in self.everything(provider):
            assert "no answer in 0.2 s" in await self.down(ask())

    async def test_tokens_are_given_back_in_less_time_than_others_have(self) -> None:
        origin = self.octets(b"", close=False)
        provider = self.provider(origin, within=60.0)
        await self.down(provider.revoke("r1", "refresh_token", 0.1))

    async def test_a_truncated_answer_is_none_and_is_not_asked_for_again(self) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
        origin = self.octets(head + b'Content-Length: 99\r\n\r\n{"access_to')
        provider = self.provider(origin)
        await self.down(provider.redeem(CODE))
        assert self.connections == 1

    async def test_a_broken_connection_is_no_reason_to_send_a_code_again(self) -> None:
        provider = self.provider(self.octets(b""))
        for number, ask in enumerate(self.everything(provider)[:3], start=1):
            await self.down(ask())
            assert self.connections == number

    async def test_an_answer_without_end_is_cut(self) -> None:
        self.says(Answer(body=b" " * 10_000_000))
        for ask in self.everything(self.provider()):
            assert "too long" in await self.down(ask())

    async def test_nobody_there_is_a_failure(self) -> None:
        provider = self.provider("http://127.0.0.1:9")
        for ask in self.everything(provider):
            await self.down(ask())

    async def test_messages_have_no_secrets(self) -> None:
        self.says(Answer(status=500, body=b"code=c secret at"))
        provider = self.provider()
        texts = [await self.down(ask()) for ask in self.everything(provider)]
        self.says(Answer(status=400, body=b"secret"))
        texts.append(repr(await self.refused(provider.redeem(CODE))))
        assert not [text for text in texts if "secret" in text]


class MetadataTests(ProviderTestCase):
    def publishing(
        self,
        *documents: ServerMetadata | str,
        **options: Any,  # noqa: ANN401
    ) -> ProviderClient:
        options = {"overrides": EndpointOverrides(), **options}
        return self.provider(metadata=Publishing([*documents]), **options)

    def document(self, **members: Any) -> ServerMetadata:  # noqa: ANN401
        given = {
            "issuer": ISSUER,
            "authorization_endpoint": f"{self.origin}/found/auth",
            "token_endpoint": f"{self.origin}/found/token",
            **members,
        }
        return ServerMetadata(**given)

    def test_it_tells_its_health(self) -> None:
        assert verifyObject(IHealth, self.provider())

    async def test_endpoints_are_found(self) -> None:
        self.says(Answer(members=TOKENS))
        provider = self.publishing(self.document())
        await provider.redeem(CODE)
        assert self.resource.asked[0]["path"] == "/found/token"
        assert await provider.endpoints() is await provider.endpoints()

    async def test_endpoints_follow_the_metadata(self) -> None:
        source = Publishing([self.document()])
        provider = self.provider(metadata=source, overrides=EndpointOverrides())
        await provider.endpoints()
        source.documents[0] = self.document(token_endpoint=f"{self.origin}/moved")
        assert (await provider.endpoints()).token == f"{self.origin}/moved"

    async def test_a_provider_without_metadata_is_down(self) -> None:
        provider = self.publishing("metadata: gone")
        assert await self.down(provider.redeem(CODE)) == "metadata: gone"
        assert await provider.probe() == ("metadata: gone",)
        await provider.warm()

    async def test_metadata_that_is_no_good_for_logins_is_none(self) -> None:
        what = await self.down(
            self.publishing(self.document(token_endpoint=None)).endpoints()
        )
        assert what == f"provider {ISSUER}: the provider has no token_endpoint"

    async def test_metadata_that_is_no_good_for_logins_is_a_matter_for_health(
        self,
    ) -> None:
        provider = self.publishing(self.document(token_endpoint=None))
        await provider.warm()
        what = f"provider {ISSUER}: the provider has no token_endpoint"
        assert await provider.probe() == (what,)

    async def test_without_codes_it_may_have_no_token_endpoint(self) -> None:
        provider = self.publishing(self.document(token_endpoint=None), codes=False)
        assert (await provider.endpoints()).token is None
        with pytest.raises(ProviderError) as caught:
            await provider.redeem(CODE)
        assert caught.value.description == "there is no token_endpoint"

    async def test_with_a_certificate_its_aliases_are_asked(self) -> None:
        """RFC 8705 section 5: elsewhere, tokens would not be bound to it."""
        aliases = {
            "token_endpoint": "https://mtls.example.com/token",
            "userinfo_endpoint": "https://mtls.example.com/me",
        }
        document = self.document(mtls_endpoint_aliases=aliases)
        plain = await self.publishing(document).endpoints()
        assert plain.token == f"{self.origin}/found/token"
        identity = ClientIdentity(
            clients=[RP], tls=ClientTls(certificate=b"c", key=b"k")
        )
        access = ProviderAccess(
            issuer=ISSUER,
            identity=identity,
            keys=FixedKeys(KeySet(())),
            metadata=Publishing([document]),
        )
        provider = ProviderClient(access, self.http, SettableClock(), lambda: "u")
        found = await provider.endpoints()
        assert found.token == aliases["token_endpoint"]
        assert found.userinfo == aliases["userinfo_endpoint"]
        assert found.authorization == plain.authorization

    async def test_keys_come_from_where_they_are(self) -> None:
        keys = KeySet(())
        provider = self.provider(keys=FixedKeys(keys))
        assert await provider.key_set() is keys
        assert await provider.key_set_for_unknown() is keys
