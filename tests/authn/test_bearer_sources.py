"""What others say of bearer tokens: issuers that are asked, keys that come and go."""

from typing import Any

from twisted.internet.defer import Deferred

from sso_proxy.authn.bearer import BearerAuthenticator
from sso_proxy.authn.bearer_config import BearerConfig
from sso_proxy.authn.introspection_config import IntrospectionConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Authenticated, NotPresented
from sso_proxy.net.http_client import HttpReply, NoReplyError, Trouble
from sso_proxy.net.published import DEFAULT_TTL, RETRY_AFTER, UNKNOWN_AFTER
from sso_proxy.testing.tokens import TokenSigner
from tests.support.bearer_scene import (
    ISSUER,
    SECOND,
    SIGNER,
    BearerTestCase,
    Issuer,
    request,
)


class BearerSourcesTests(BearerTestCase):
    # asking the issuer

    def with_issuer(self, **options: Any) -> Issuer:  # noqa: ANN401
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
