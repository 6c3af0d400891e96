"""A bearer token is believed if, and for as long as, everything about it is right."""

from base64 import b64encode
from typing import Any

import attrs
import pytest
from zope.interface.verify import verifyObject

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
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.bearer_scene import (
    ISSUER,
    SECOND,
    SIGNER,
    BearerTestCase,
    authenticator,
    request,
)


class FakeBody:
    """A body that is here."""

    def __init__(self, content: bytes) -> None:
        self.content: bytes | None = content

    async def read(self, limit: int) -> bytes:
        assert limit == 65536
        assert self.content is not None
        return self.content


class BearerTests(BearerTestCase):
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
