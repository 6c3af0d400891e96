"""A bearer token is believed if, and for as long as, everything about it is right."""

import json
from base64 import b64encode
from collections.abc import Coroutine, Mapping
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.authn.bearer import BearerAuthenticator
from sso_proxy.authn.bearer_config import BearerConfig
from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator, IHealth
from sso_proxy.model import (
    Authenticated,
    Client,
    HeaderChallenge,
    Identity,
    NotPresented,
    Outcome,
    Rejected,
    Request,
    RequestHead,
)
from sso_proxy.net.http_client import ClientTls, HttpReply, NoReplyError, Trouble
from sso_proxy.net.published import DEFAULT_TTL, RETRY_AFTER, UNKNOWN_AFTER
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://login.example.com"
SIGNER = TokenSigner.create("ES256", "first")
SECOND = TokenSigner.create("ES256", "second")


class Provider:
    """Publishes keys; counts how often it is asked."""

    def __init__(self, *signers: TokenSigner) -> None:
        self.signers = signers
        self.down = False
        self.asked = 0

    async def get(
        self,
        _url: str,
        _headers: Mapping[str, str],
        *,
        max_bytes: int,  # noqa: ARG002
        tls: ClientTls | None = None,
    ) -> HttpReply:
        assert tls is None
        self.asked += 1
        if self.down:
            raise UnavailableError("login.example.com")
        return HttpReply(status=200, body=jwks(*self.signers))


class Issuer(Provider):
    """Publishes metadata, too, and answers questions about tokens."""

    def __init__(self, *signers: TokenSigner) -> None:
        super().__init__(*signers)
        self.questions = 0
        self.reply: HttpReply | Exception | None = None
        self.answer: dict[str, object] = {
            "active": True,
            "aud": ["api"],
            "sub": "alice",
        }

    async def get(
        self,
        url: str,
        headers: Mapping[str, str],
        *,
        max_bytes: int,
        tls: ClientTls | None = None,
    ) -> HttpReply:
        if "/.well-known/" not in url:
            return await super().get(url, headers, max_bytes=max_bytes, tls=tls)
        members = {
            "issuer": ISSUER,
            "jwks_uri": ISSUER + "/jwks",
            "introspection_endpoint": ISSUER + "/introspect",
        }
        return HttpReply(status=200, body=json.dumps(members).encode())

    async def post_form(self, url: str, *_: Any, **_options: Any) -> HttpReply:  # noqa: ANN401
        assert url == ISSUER + "/introspect"
        self.questions += 1
        if isinstance(self.reply, Exception):
            raise self.reply
        if self.reply is not None:
            return self.reply
        fields = (("content-type", "application/json"),)
        body = json.dumps(self.answer).encode()
        return HttpReply(status=200, headers=fields, body=body)


class FakeBody:
    """A body that is here."""

    def __init__(self, content: bytes) -> None:
        self.content: bytes | None = content

    async def read(self, limit: int) -> bytes:
        assert limit == 65536
        assert self.content is not None
        return self.content


def authenticator(tools: FakeTools, **options: Any) -> BearerAuthenticator:  # noqa: ANN401
    given = {"jwk": jwks(SIGNER).decode(), **options}
    if tools.http_client is not None:
        given = {"jwks_uri": ISSUER + "/jwks", **options}
    config = BearerConfig(issuer=ISSUER, audience=("api",), **given)
    return BearerAuthenticator.from_config(config, tools)


def request(*values: str) -> Request:
    headers = (("accept", "*/*"), *(("authorization", value) for value in values))
    head = RequestHead(
        method="GET", scheme="https", host="a", port=443, path="/", headers=headers
    )
    client = Client(address="192.0.2.1", peer="192.0.2.1")
    return Request(id="1", head=head, tls=None, client=client)


class BearerTests(TestCase):
    def setUp(self) -> None:
        self.tools = FakeTools(name="api")
        self.bearer = authenticator(self.tools)

    def with_provider(self, *signers: TokenSigner) -> Provider:
        """Have the keys come from a provider instead."""
        provider = Provider(*signers)
        self.tools.http_client = provider
        self.bearer = authenticator(self.tools)
        return provider

    def claims(self, **changes: object) -> dict[str, object]:
        now = self.tools.clock.time()
        claims = {"iss": ISSUER, "aud": "api", "sub": "alice", "exp": now + 300}
        claims = {**claims, **changes}
        return {name: value for name, value in claims.items() if value is not ...}

    def token(self, signer: TokenSigner = SIGNER, **changes: object) -> str:
        return signer.sign(self.claims(**changes))

    def now(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401
        """Give what *coroutine* gives without ever waiting."""
        with pytest.raises(StopIteration) as end:
            coroutine.send(None)
        return end.value.value

    def ask(self, *values: str) -> Outcome:
        outcome: Outcome = self.successResultOf(
            Deferred.fromCoroutine(self.bearer.authenticate(request(*values)))
        )
        return outcome

    def identity(self, token: str) -> Identity:
        outcome = self.ask(f"Bearer {token}")
        assert isinstance(outcome, Authenticated), outcome
        return outcome.identity

    def rejected(self, *values: str) -> Rejected:
        outcome = self.ask(*values)
        assert isinstance(outcome, Rejected), outcome
        return outcome

    def reason(self, token: str) -> str:
        """Give why *token* is refused, with 401."""
        rejected = self.rejected(f"Bearer {token}")
        assert rejected.status == 401
        assert 'error="invalid_token"' in str(rejected.challenge)
        return rejected.reason

    def test_it_is_an_authenticator_and_tells_its_health(self) -> None:
        assert verifyObject(IAuthenticator, self.bearer)
        assert verifyObject(IHealth, self.bearer)
        assert self.bearer.consumes == ("authorization", "dpop")

    def test_a_token_becomes_an_identity(self) -> None:
        claims = self.claims(
            scope="orders.read a", cnf={"x5t#S256": "x"}, groups=["staff"]
        )
        token = SIGNER.sign(claims)
        assert self.identity(token) == Identity(
            issuer=ISSUER,
            subject="alice",
            authenticator="api",
            claims=claims,
            scopes=frozenset({"orders.read", "a"}),
            confirmation={"x5t#S256": "x"},
            expires=self.tools.clock.time() + 300,
            sources={"token": claims},
        )
        assert self.identity(token).token == token

    def test_with_keys_at_hand_nothing_is_waited_for(self) -> None:
        values = request(f"Bearer {self.token()}")
        assert isinstance(self.now(self.bearer.authenticate(values)), Authenticated)

    def test_without_a_token_nothing_is_presented(self) -> None:
        for values in ((), ("",), ("Basic dXNlcjpwYXNz",)):
            assert self.ask(*values) == NotPresented()

    def test_the_challenge_without_a_token_names_no_error(self) -> None:
        assert self.bearer.challenge(request()) == HeaderChallenge(
            ('Bearer realm="sso-proxy"',)
        )

    def test_a_malformed_credential_is_a_bad_request(self) -> None:
        token = self.token()
        for values in (("Bearer",), (f"Bearer  {token}",), (f"Bearer {token}",) * 2):
            rejected = self.rejected(*values)
            assert rejected.status == 400
            assert 'error="invalid_request"' in str(rejected.challenge)

    def test_a_token_beside_basic_is_a_bad_request(self) -> None:
        assert self.rejected("Basic a", f"Bearer {self.token()}").status == 400

    def test_claims_cannot_be_changed_by_who_gets_them(self) -> None:
        """They are shared by all requests with this token."""
        claims: Any = self.identity(self.token()).claims
        with pytest.raises(TypeError):
            claims["sub"] = "root"

    def test_wrong_tokens_are_refused(self) -> None:
        stranger = TokenSigner.create("ES256", "first")
        header, payload, signature = self.token().split(".")
        wrong = {
            "token-signature": stranger.sign(self.claims()),
            "token-malformed": f"{header}.{payload}.{signature}==",
            "token-encrypted": "e30.e30.e30.e30.e30",
            "token-issuer": self.token(iss="https://other.example.com"),
            "token-audience": self.token(aud="another"),
            "token-subject": self.token(sub=...),
            "token-expired": self.token(exp=self.tools.clock.time() - 10),
            "token-date": self.token(exp=...),
            "token-early": self.token(nbf=self.tools.clock.time() + 60),
            "token-scope": self.token(scope=1),
            "cnf-malformed": self.token(cnf="x"),
            "token-type": SIGNER.sign(self.claims(), typ="JWT"),
            "token-key-unknown": SECOND.sign(self.claims()),
        }
        for reason, token in wrong.items():
            for _ in range(2):  # remembered or not, the answer is the same
                assert self.reason(token) == reason

    def test_a_payload_that_is_no_object_is_refused(self) -> None:
        header = b'{"alg":"ES256","kid":"first","typ":"at+jwt"}'
        for payload in (b"", b"[]", b'"alice"', b'{"a":1,"a":2}'):
            token = SIGNER.sign_octets(header, payload)
            assert self.reason(token) == "token-malformed"

    def test_an_expired_token_is_told_to_the_client(self) -> None:
        token = self.token(exp=self.tools.clock.time() - 10)
        assert "has expired" in str(self.rejected(f"Bearer {token}").challenge)

    def test_nothing_of_a_token_gets_into_an_answer(self) -> None:
        token = self.token(sub=..., name="secret-name")
        shown = repr(self.rejected(f"Bearer {token}"))
        assert token not in shown
        assert "secret-name" not in shown

    def test_other_types_pass_where_all_are_allowed(self) -> None:
        self.bearer = authenticator(self.tools, typ="any")
        token = SIGNER.sign(self.claims(), typ=None)
        assert self.identity(token).subject == "alice"

    def test_a_missing_required_claim_is_refused(self) -> None:
        self.bearer = authenticator(self.tools, required_claims=("client_id",))
        assert self.reason(self.token()) == "token-claim"
        assert self.identity(self.token(client_id="c")).subject == "alice"

    def test_an_algorithm_that_is_not_allowed_is_refused(self) -> None:
        both = jwks(SIGNER, TokenSigner.create("EdDSA", "ed")).decode()
        self.bearer = authenticator(self.tools, jwk=both, algorithms=("EdDSA",))
        assert self.reason(self.token()) == "token-alg"

    def test_a_token_that_is_too_long_is_refused(self) -> None:
        self.bearer = authenticator(self.tools, max_token_bytes=256)
        assert self.reason(self.token(x="a" * 300)) == "token-too-long"

    # where it stands, and as what

    def outcome(self, head: RequestHead) -> Outcome:
        client = Client(address="192.0.2.1", peer="192.0.2.1")
        asked = Request(id="1", head=head, tls=None, client=client)
        outcome: Outcome = self.now(self.bearer.authenticate(asked))
        return outcome

    def test_a_second_token_in_the_query_is_a_bad_request(self) -> None:
        """Remembered or not: a backend might take the other one."""
        value = f"Bearer {self.token()}"
        self.ask(value)
        head = request(value).head
        for query in ("access_token=x", "a=1&access%5Ftoken=x"):
            outcome = self.outcome(attrs.evolve(head, query=query))
            assert isinstance(outcome, Rejected)
            assert (outcome.status, outcome.reason) == (400, "token-twice")
        outcome = self.outcome(attrs.evolve(head, query="a=access_token"))
        assert isinstance(outcome, Authenticated)

    def test_tokens_are_taken_from_where_they_may_stand(self) -> None:
        places = ("query", "cookie", "header:X-Token")
        self.bearer = authenticator(self.tools, token_in=places)
        assert self.bearer.consumes == (
            "?access_token",
            "cookie:access_token",
            "x-token",
            "dpop",
        )
        assert self.bearer.reads_query
        token = self.token()
        head = request().head
        for given in (
            attrs.evolve(head, query=f"access_token={token}"),
            attrs.evolve(head, headers=(("cookie", f"access_token={token}"),)),
            attrs.evolve(head, headers=(("x-token", token),)),
        ):
            for _ in range(2):
                outcome = self.outcome(given)
                assert isinstance(outcome, Authenticated), outcome
                assert outcome.headers == (("cache-control", "private"),)
                assert outcome.identity.token == token
        assert self.ask(f"Bearer {token}") == NotPresented()

    def test_nothing_but_authorization_is_looked_at_unless_asked(self) -> None:
        token = self.token()
        pair = b64encode(f"anybody:{token}".encode()).decode()
        fields = (("cookie", f"access_token={token}"), ("x-token", token))
        basic = ("authorization", f"Basic {pair}")
        form = ("content-type", "application/x-www-form-urlencoded")
        head = attrs.evolve(request().head, headers=(*fields, basic, form))
        assert self.outcome(head) == NotPresented()
        head = attrs.evolve(head, method="POST", query=f"access_token={token}")
        assert self.outcome(head) == NotPresented()

    def test_a_token_may_stand_in_a_form(self) -> None:
        self.bearer = authenticator(self.tools, token_in=("form", "header"))
        assert self.bearer.reads_form
        assert self.bearer.consumes == ("form:access_token", "authorization", "dpop")
        assert self.bearer.bearer_methods == ("header", "body")
        content = f"a=1&access_token={self.token()}"

        def ask(method: str, kind: str, *fields: tuple[str, str]) -> Outcome:
            form = ("content-type", f"application/{kind}")
            body = FakeBody(content.encode())
            head = request().head
            head = attrs.evolve(head, method=method, headers=(form, *fields))
            asked = attrs.evolve(request(), head=head, body=body)
            outcome: Outcome = self.now(self.bearer.authenticate(asked))
            return outcome

        outcome = ask("POST", "x-www-form-urlencoded")
        assert isinstance(outcome, Authenticated)
        assert outcome.headers == (("cache-control", "private"),)
        assert ask("POST", "json") == NotPresented()
        assert ask("PUT", "x-www-form-urlencoded") == NotPresented()
        bearer = ("authorization", f"Bearer {self.token()}")
        twice = ask("POST", "x-www-form-urlencoded", bearer)
        assert isinstance(twice, Rejected)
        assert twice.reason == "token-twice"
        assert isinstance(ask("POST", "json", bearer), Authenticated)

    def test_a_token_may_be_the_password_of_basic(self) -> None:
        self.bearer = authenticator(self.tools, token_in=("header", "basic"))
        token = self.token()
        pair = b64encode(f"anybody:{token}".encode()).decode()
        outcome = self.ask(f"Basic {pair}")
        assert isinstance(outcome, Authenticated)
        assert outcome.headers == ()
        assert outcome == self.ask(f"Bearer {token}")
        assert self.bearer.challenge(request()) == HeaderChallenge(
            ('Bearer realm="sso-proxy"', 'Basic realm="sso-proxy"')
        )

    def test_the_backend_may_get_the_token(self) -> None:
        self.bearer = authenticator(self.tools, token_in=("query",), forward_token=True)
        assert self.bearer.consumes == ()
        assert self.bearer.reads_query

    def test_a_token_bound_by_dpop_is_no_bearer_token(self) -> None:
        """RFC 9449 7.2: a downgrade to Bearer must be refused."""
        token = self.token(cnf={"jkt": "x"})
        for _ in range(2):
            outcome = self.ask(f"DPoP {token}")
            assert isinstance(outcome, Authenticated)
            assert outcome.identity.confirmation == {"jkt": "x"}
            assert self.reason(token) == "token-dpop-bound"

    def test_a_bearer_token_is_none_of_dpop(self) -> None:
        token = self.token()
        for _ in range(2):
            assert self.identity(token).token == token
            rejected = self.rejected(f"DPoP {token}")
            assert (rejected.status, rejected.reason) == (401, "token-not-dpop")
            assert str(rejected.challenge).count("'DPoP realm") == 1

    # whose it is

    def test_what_others_may_know_is_left_to_them(self) -> None:
        stranger = TokenSigner.create("ES256", "first")
        for token in (
            "opaque",
            self.token(iss="https://other.example.com"),
            self.token(aud="another"),
            SECOND.sign(self.claims()),
            stranger.sign(self.claims()),
        ):
            for _ in range(2):
                assert not self.rejected(f"Bearer {token}").final
        assert self.rejected(f"Bearer {self.token(exp=0)}").final
        assert self.rejected(f"Bearer {SIGNER.sign(self.claims(), typ='JWT')}").final

    def test_clients_and_ages_may_be_limited(self) -> None:
        self.bearer = authenticator(self.tools, clients=("portal",), max_age=60.0)
        now = self.tools.clock.time()
        assert self.identity(self.token(client_id="portal", iat=now)).subject == "alice"
        assert self.reason(self.token(client_id="other", iat=now)) == "token-client"
        assert self.reason(self.token(azp="portal", iat=now - 71)) == "token-old"

    def test_another_claim_may_name_the_subject(self) -> None:
        self.bearer = authenticator(self.tools, subject=("sub", "client_id"))
        assert self.identity(self.token(sub=..., client_id="batch")).subject == "batch"

    # what is remembered

    def test_a_token_is_looked_at_again_after_a_time(self) -> None:
        self.bearer = authenticator(self.tools, cache_seconds=60.0)
        token = self.token()
        outcome = self.ask(f"Bearer {token}")
        assert isinstance(outcome, Authenticated)
        assert outcome.until == self.tools.clock.time() + 60
        self.tools.clock.advance(59)
        assert self.ask(f"Bearer {token}") is outcome
        self.tools.clock.advance(1)
        assert self.ask(f"Bearer {token}") is not outcome

    def test_a_verified_token_is_remembered(self) -> None:
        token = self.token()
        first = self.identity(token)
        assert self.identity(token) is first

    def test_a_remembered_token_is_looked_at_again_after_it_expires(self) -> None:
        token = self.token()
        first = self.identity(token)
        self.tools.clock.advance(299.9)
        assert self.identity(token) is first
        self.tools.clock.advance(0.1)
        assert self.identity(token) is not first  # within the leeway
        self.tools.clock.advance(10)
        assert self.reason(token) == "token-expired"

    def test_the_same_token_in_another_spelling_is_not_remembered(self) -> None:
        token = self.token()
        self.identity(token)
        assert self.reason(token + "=") == "token-malformed"
        assert self.rejected(f"Bearer  {token}").status == 400

    def test_a_token_verified_elsewhere_is_unknown_here(self) -> None:
        """Another authenticator has other rules: nothing is shared."""
        token = self.token()
        self.identity(token)
        other = authenticator(self.tools, required_claims=("x",))
        outcome = self.now(other.authenticate(request(f"Bearer {token}")))
        assert isinstance(outcome, Rejected)

    def test_what_is_remembered_is_bounded(self) -> None:
        self.bearer = authenticator(self.tools, cache_entries=2)
        tokens = [self.token(jti=str(n)) for n in range(3)]
        first, second, _ = (self.identity(token) for token in tokens)
        assert self.identity(tokens[1]) is second
        assert self.identity(tokens[0]) is not first

    def test_what_was_used_last_stays_longest(self) -> None:
        self.bearer = authenticator(self.tools, cache_entries=2)
        tokens = [self.token(jti=str(n)) for n in range(3)]
        first = self.identity(tokens[0])
        second = self.identity(tokens[1])
        assert self.identity(tokens[0]) is first
        self.identity(tokens[2])
        assert self.identity(tokens[0]) is first
        assert self.identity(tokens[1]) is not second

    def test_nothing_need_be_remembered(self) -> None:
        self.bearer = authenticator(self.tools, cache_entries=0)
        token = self.token()
        assert self.identity(token) is not self.identity(token)

    def test_a_flood_of_bad_tokens_forgets_no_good_one(self) -> None:
        self.bearer = authenticator(self.tools, cache_entries=2)
        token = self.token()
        first = self.identity(token)
        stranger = TokenSigner.create("ES256", "first")
        for n in range(5):
            self.reason(stranger.sign(self.claims(jti=str(n))))
        assert self.identity(token) is first

    def test_a_bad_token_is_remembered_for_a_moment(self) -> None:
        value = f"Bearer {TokenSigner.create('ES256', 'first').sign(self.claims())}"
        first = self.ask(value)
        assert self.ask(value) is first
        self.tools.clock.advance(10)
        assert self.ask(value) is not first

    def test_a_token_of_the_future_is_not_remembered_as_bad(self) -> None:
        token = self.token(nbf=self.tools.clock.time() + 11)
        assert self.reason(token) == "token-early"
        self.tools.clock.advance(1)
        assert self.identity(token).subject == "alice"

    # asking the issuer

    def with_issuer(self, **options: Any) -> "Issuer":  # noqa: ANN401
        """Have the issuer asked about opaque tokens; its metadata says where."""
        issuer = Issuer(SIGNER)
        self.tools.http_client = issuer
        asking = IntrospectionConfig(client_id="proxy", client_secret=Secret("s"))
        config = BearerConfig(
            issuer=ISSUER,
            audience=("api",),
            **{"introspection": asking, **options},
        )
        self.bearer = BearerAuthenticator.from_config(config, self.tools)
        return issuer

    def test_an_issuer_is_asked_about_an_opaque_token_and_remembered(self) -> None:
        issuer = self.with_issuer()
        first = self.identity("opaque")
        assert first.subject == "alice"
        assert first.token == "opaque"
        assert self.identity("opaque") is first
        assert issuer.questions == 1
        self.tools.clock.advance(60)
        assert self.identity("opaque") is not first
        assert issuer.questions == 2

    def test_an_issuer_is_not_asked_about_a_signed_token(self) -> None:
        """What fails as a signed token does not get a second try as an opaque one."""
        issuer = self.with_issuer()
        assert self.identity(self.token()).subject == "alice"
        wrong = TokenSigner.create("ES256", "first").sign(self.claims())
        assert self.reason(wrong) == "token-signature"
        assert self.reason(self.token(aud="other")) == "token-audience"
        assert self.reason(f"{wrong}=") == "token-malformed"
        assert issuer.questions == 0

    def test_an_inactive_token_is_asked_about_again_soon(self) -> None:
        issuer = self.with_issuer()
        issuer.answer = {"active": False}
        assert self.reason("opaque") == "token-inactive"
        assert not self.rejected("Bearer opaque").final
        assert issuer.questions == 1
        self.tools.clock.advance(5)
        issuer.answer = {"active": True, "aud": "api", "sub": "alice"}
        assert self.identity("opaque").subject == "alice"

    def test_an_active_token_for_somebody_else_is_refused(self) -> None:
        """Active alone says nothing about whom it is for."""
        issuer = self.with_issuer()
        issuer.answer = {"active": True, "sub": "alice"}
        assert self.reason("opaque") == "token-audience"
        issuer.answer = {"active": True, "sub": "alice", "aud": "another"}
        assert self.reason("opaque2") == "token-audience"

    def test_an_issuer_that_does_not_answer_is_no_fault_of_the_token(self) -> None:
        issuer = self.with_issuer()
        for reply, status in (
            (HttpReply(status=500), 502),
            (NoReplyError("it", problem="late", trouble=Trouble.TIMEOUT), 504),
        ):
            issuer.reply = reply
            asking = Deferred.fromCoroutine(
                self.bearer.authenticate(request("Bearer opaque"))
            )
            error = self.failureResultOf(asking, UnavailableError).value
            assert error.status == status
            self.tools.clock.advance(60)
        issuer.reply = None
        assert self.identity("opaque").subject == "alice"

    def test_the_issuer_may_be_asked_about_signed_tokens_too(self) -> None:
        issuer = self.with_issuer(introspect="all")
        token = self.token()
        assert self.identity(token).subject == "alice"
        assert self.identity(token).subject == "alice"
        assert issuer.questions == 1
        issuer.answer = {"active": False}
        self.tools.clock.advance(60)
        assert self.reason(token) == "token-inactive"

    def test_the_issuer_may_be_asked_about_all_tokens(self) -> None:
        asking = IntrospectionConfig(
            client_id="proxy",
            client_secret=Secret("s"),
            endpoint=ISSUER + "/introspect",
        )
        issuer = self.with_issuer(introspection=asking)
        assert self.identity(self.token()).subject == "alice"
        assert self.identity("opaque").subject == "alice"
        assert (issuer.questions, issuer.asked) == (2, 0)

    def test_a_token_may_have_to_be_asked_about_every_time(self) -> None:
        issuer = self.with_issuer(cache_seconds=0.0)
        outcome = self.ask("Bearer opaque")
        assert isinstance(outcome, Authenticated)
        assert outcome.until == self.tools.clock.time()
        self.ask("Bearer opaque")
        assert issuer.questions == 2

    def test_a_dpop_token_that_was_asked_about_needs_a_proof(self) -> None:
        issuer = self.with_issuer()
        issuer.answer |= {"token_type": "DPoP", "cnf": {"jkt": "x"}}
        assert self.reason("opaque") == "token-dpop-bound"
        outcome = self.ask("DPoP opaque")
        assert isinstance(outcome, Authenticated)
        assert outcome.identity.confirmation == {"jkt": "x"}

    # keys that come and go

    def test_keys_are_fetched_for_the_first_token(self) -> None:
        provider = self.with_provider(SIGNER)
        assert provider.asked == 0
        self.identity(self.token())
        self.identity(self.token(jti="2"))
        assert provider.asked == 1

    def test_keys_may_be_fetched_ahead(self) -> None:
        provider = self.with_provider(SIGNER)
        self.successResultOf(Deferred.fromCoroutine(self.bearer.warm()))
        assert provider.asked == 1
        assert self.now(self.bearer.probe()) == ()

    def test_a_bad_credential_needs_no_keys(self) -> None:
        provider = self.with_provider(SIGNER)
        self.reason("e30.e30.e30")
        self.rejected("Bearer")
        assert self.ask("Basic a") == NotPresented()
        assert provider.asked == 0

    def test_a_provider_that_is_down_is_no_fault_of_the_token(self) -> None:
        provider = self.with_provider(SIGNER)
        provider.down = True
        token = self.token()
        asking = Deferred.fromCoroutine(
            self.bearer.authenticate(request(f"Bearer {token}"))
        )
        self.failureResultOf(asking, UnavailableError)
        assert len(self.now(self.bearer.probe())) == 1
        provider.down = False
        self.tools.clock.advance(RETRY_AFTER)
        assert self.identity(token).subject == "alice"

    def test_whose_token_it_is_is_known_without_keys(self) -> None:
        """Also the second time, when that is remembered."""
        provider = self.with_provider(SIGNER)
        provider.down = True
        token = self.token(iss="https://other.example.com")
        for _ in range(2):
            assert self.reason(token) == "token-issuer"
        assert provider.asked == 0

    def test_a_new_key_is_fetched_when_a_token_names_it(self) -> None:
        provider = self.with_provider(SIGNER)
        token = self.token()
        first = self.identity(token)
        provider.signers = (SIGNER, SECOND)
        assert self.identity(self.token(SECOND)).subject == "alice"
        assert provider.asked == 2
        assert self.identity(token) is first

    def test_forged_names_of_keys_fetch_once_a_minute(self) -> None:
        provider = self.with_provider(SIGNER)
        self.identity(self.token())
        for n in range(20):
            forged = TokenSigner.create("ES256", f"forged-{n}")
            assert self.reason(self.token(forged)) == "token-key-unknown"
        assert provider.asked == 2
        self.tools.clock.advance(UNKNOWN_AFTER)
        self.reason(self.token(SECOND))
        assert provider.asked == 3

    def test_an_unknown_key_is_not_remembered_as_bad(self) -> None:
        provider = self.with_provider(SIGNER)
        token = self.token(SECOND)
        assert self.reason(token) == "token-key-unknown"
        provider.signers = (SIGNER, SECOND)
        self.tools.clock.advance(UNKNOWN_AFTER)
        assert self.identity(token).subject == "alice"

    def test_tokens_of_a_withdrawn_key_are_forgotten(self) -> None:
        provider = self.with_provider(SIGNER)
        token = self.token(exp=self.tools.clock.time() + 10 * DEFAULT_TTL)
        first = self.identity(token)
        provider.signers = (SECOND,)
        self.tools.clock.advance(DEFAULT_TTL)
        assert self.identity(token) is first  # the refresh begins
        assert self.identity(self.token(SECOND)).subject == "alice"
        assert self.reason(token) == "token-key-unknown"

    def test_tokens_of_a_key_with_another_algorithm_are_forgotten(self) -> None:
        rsa = TokenSigner.create("RS256", "rsa")
        provider = self.with_provider(rsa)
        token = self.token(rsa, exp=self.tools.clock.time() + 10 * DEFAULT_TTL)
        self.identity(token)
        provider.signers = (rsa.using("PS256"),)
        self.tools.clock.advance(DEFAULT_TTL)
        self.identity(token)  # the refresh begins
        assert self.identity(self.token(rsa.using("PS256"))).subject == "alice"
        assert self.reason(token) == "token-alg"

    def test_tokens_survive_a_refresh_with_the_same_and_more_keys(self) -> None:
        provider = self.with_provider(SIGNER)
        token = self.token(exp=self.tools.clock.time() + 10 * DEFAULT_TTL)
        first = self.identity(token)
        provider.signers = (SECOND, SIGNER)
        self.tools.clock.advance(DEFAULT_TTL)
        self.identity(token)
        self.identity(self.token(SECOND))
        assert provider.asked == 2
        assert self.identity(token) == first

    def test_what_was_bad_with_old_keys_is_looked_at_with_new_ones(self) -> None:
        provider = self.with_provider(SIGNER)
        renewed = TokenSigner.create("ES256", "first")
        self.identity(self.token())
        token = self.token(renewed)
        assert self.reason(token) == "token-signature"
        provider.signers = (renewed,)
        self.tools.clock.advance(DEFAULT_TTL)
        token = self.token(renewed)
        self.ask(f"Bearer {token}")
        assert self.identity(token).subject == "alice"
