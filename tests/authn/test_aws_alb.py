"""Only what the one load balancer says, from where it stands, is believed."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.authn.aws_alb import HEADER, AwsAlbAuthenticator, AwsAlbConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import (
    Authenticated,
    Client,
    Identity,
    NotPresented,
    Outcome,
    Rejected,
    Request,
)
from sso_proxy.net.http_client import HttpReply
from sso_proxy.testing.checks import check_authenticator
from sso_proxy.testing.fakes import FakeTools, make_request
from sso_proxy.testing.tokens import TokenSigner

ARN = (
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:"
    "loadbalancer/app/a/0123456789abcdef"
)
KEYS = "https://public-keys.auth.elb.eu-west-1.amazonaws.com/"
SIGNER = TokenSigner.create("ES256", "k-1")


def encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).decode()


class Region:
    """Has the keys of all load balancers of a region."""

    def __init__(self) -> None:
        self.keys = {KEYS + "k-1": SIGNER.public_pem()}
        self.asked: list[str] = []
        self.down = False

    async def get(
        self,
        url: str,
        _headers: Mapping[str, str] | None = None,
        *,
        max_bytes: int,  # noqa: ARG002
    ) -> HttpReply:
        self.asked.append(url)
        if self.down:
            raise UnavailableError("keys")
        if url not in self.keys:
            return HttpReply(status=404)
        return HttpReply(status=200, body=self.keys[url])


class AwsAlbTests(TestCase):
    def setUp(self) -> None:
        self.region = Region()
        self.tools = FakeTools(name="alb", http_client=self.region)
        self.configure()

    def configure(self, **options: Any) -> None:  # noqa: ANN401
        config = AwsAlbConfig(**{"signer": ARN, **options})
        self.alb = AwsAlbAuthenticator.from_config(config, self.tools)

    def token(
        self,
        claims: Mapping[str, object] | None = None,
        key: TokenSigner = SIGNER,
        **header: object,
    ) -> str:
        members = {
            "typ": "JWT",
            "kid": "k-1",
            "alg": "ES256",
            "iss": "https://login.example.com",
            "client": "shop",
            "signer": ARN,
            "exp": self.tools.clock.time() + 120,
            **header,
        }
        payload = {"sub": "alice", "email": "a@b"} if claims is None else claims
        parts = [encode(json.dumps(part).encode()) for part in (members, payload)]
        signature = key.signature(".".join(parts).encode())
        return ".".join([*parts, encode(signature)])

    def request(self, *values: str, trusted: bool = True) -> Request:
        request = make_request()
        headers = tuple((HEADER, value) for value in values)
        return attrs.evolve(
            request,
            head=attrs.evolve(request.head, headers=headers),
            client=Client(address="192.0.2.1", peer="10.0.0.1", trusted=trusted),
        )

    def ask(self, *values: str, trusted: bool = True) -> Outcome:
        request = self.request(*values, trusted=trusted)
        outcome: Outcome = self.successResultOf(
            Deferred.fromCoroutine(self.alb.authenticate(request))
        )
        return outcome

    def identity(self, *values: str) -> Identity:
        outcome = self.ask(*values)
        assert isinstance(outcome, Authenticated), outcome
        return outcome.identity

    def rejected(self, *values: str, trusted: bool = True) -> Rejected:
        outcome = self.ask(*values, trusted=trusted)
        assert isinstance(outcome, Rejected), outcome
        return outcome

    def test_it_is_an_authenticator(self) -> None:
        assert verifyObject(IAuthenticator, self.alb)
        check_authenticator(self.alb, [self.request(self.token())])

    def test_a_user_of_the_load_balancer_is_an_identity_of_the_issuer(self) -> None:
        assert self.identity(self.token()) == Identity(
            issuer="https://login.example.com",
            subject="alice",
            authenticator="alb",
            claims={"sub": "alice", "email": "a@b"},
            expires=self.tools.clock.time() + 120,
        )

    def test_the_key_is_fetched_once_from_where_the_region_has_it(self) -> None:
        for _ in range(3):
            self.identity(self.token())
        assert self.region.asked == [KEYS + "k-1"]

    def test_keys_may_be_elsewhere(self) -> None:
        self.configure(keys="http://127.0.0.1:8000/keys/")
        self.region.keys["http://127.0.0.1:8000/keys/k-1"] = SIGNER.public_pem()
        self.identity(self.token())

    def test_without_the_header_nothing_was_presented(self) -> None:
        assert self.ask() == NotPresented()
        assert self.ask(trusted=False) == NotPresented()

    def test_the_header_of_anybody_else_is_refused(self) -> None:
        """ALBeast: who reaches us around the load balancer writes any header."""
        rejected = self.rejected(self.token(), trusted=False)
        assert rejected.reason == "alb-untrusted-peer"
        assert rejected.status == 401
        assert self.region.asked == []

    def test_other_peers_may_be_allowed(self) -> None:
        self.configure(trusted_peers_only=False)
        assert isinstance(self.ask(self.token(), trusted=False), Authenticated)

    def test_two_headers_are_refused(self) -> None:
        rejected = self.rejected(self.token(), self.token())
        assert (rejected.status, rejected.reason) == (400, "alb-repeated")

    def test_another_load_balancer_is_refused_before_its_key_is_fetched(self) -> None:
        """ALBeast: the attacker's own load balancer, in the same region."""
        other = ARN.replace("123456789012", "210987654321")
        rejected = self.rejected(self.token(signer=other))
        assert rejected.reason == "token-signer"
        assert not rejected.final
        assert self.region.asked == []

    def test_another_issuer_or_client_is_refused_where_it_is_known(self) -> None:
        self.configure(issuer="https://login.example.com", client="shop")
        self.identity(self.token())
        assert self.rejected(self.token(iss="https://other")).reason == "token-issuer"
        assert self.rejected(self.token(client="other")).reason == "token-client"

    def test_a_forged_token_is_refused(self) -> None:
        forged = self.token(key=TokenSigner.create("ES256"))
        rejected = self.rejected(forged)
        assert (rejected.reason, rejected.final) == ("token-signature", True)
        assert self.rejected("x.y.z").reason == "token-malformed"
        assert self.rejected("").reason == "token-malformed"

    def test_an_expired_token_is_refused(self) -> None:
        token = self.token()
        self.tools.clock.advance(129)
        self.identity(token)
        self.tools.clock.advance(1)
        assert self.rejected(token).reason == "token-expired"

    def test_an_expiry_in_the_payload_counts_too(self) -> None:
        now = self.tools.clock.time()
        assert (
            self.identity(self.token({"sub": "a", "exp": now + 5})).expires == now + 5
        )
        late = self.token({"sub": "a", "exp": now + 999})
        assert self.identity(late).expires == now + 120
        over = self.token({"sub": "a", "exp": now - 10})
        assert self.rejected(over).reason == "token-expired"
        assert (
            self.rejected(self.token({"sub": "a", "exp": "x"})).reason == "token-date"
        )

    def test_a_user_without_a_name_is_refused(self) -> None:
        for claims in ({}, {"sub": ""}, {"sub": 1}, {"sub": "a\nb"}):
            assert self.rejected(self.token(claims)).reason == "token-subject"

    def test_a_confirmation_is_kept_for_the_pipeline(self) -> None:
        bound = self.identity(self.token({"sub": "a", "cnf": {"jkt": "x"}}))
        assert bound.confirmation == {"jkt": "x"}

    def test_an_unknown_key_is_refused(self) -> None:
        assert self.rejected(self.token(kid="other")).reason == "token-key-unknown"

    def test_a_name_that_is_a_path_fetches_nothing(self) -> None:
        for kid in ("../x", "a/b", "a?b", "a%2fb", "."):
            assert self.rejected(self.token(kid=kid)).reason == "token-header"
        assert self.region.asked == []

    def test_a_flood_of_names_fetches_few_keys(self) -> None:
        """Our own failure to find out is no verdict about the token."""
        self.identity(self.token())
        unknown = 0
        for number in range(1000):
            request = self.request(self.token({}, kid=f"n{number}"))
            asking = Deferred.fromCoroutine(self.alb.authenticate(request))
            asking.addErrback(lambda failure: failure.trap(UnavailableError))
            unknown += isinstance(self.successResultOf(asking), Rejected)
        assert unknown < 10
        assert len(self.region.asked) <= 10
        self.identity(self.token())

    def test_keys_that_cannot_be_had_are_a_technical_failure(self) -> None:
        self.region.down = True
        request = self.request(self.token())
        asking = Deferred.fromCoroutine(self.alb.authenticate(request))
        self.failureResultOf(asking, UnavailableError)

    def test_all_fields_of_the_load_balancer_are_consumed(self) -> None:
        assert self.alb.consumes == (
            "x-amzn-oidc-data",
            "x-amzn-oidc-identity",
            "x-amzn-oidc-accesstoken",
        )


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"signer": ""}, "must"),
        ({"signer": "arn:aws:s3:::bucket"}, "must be the ARN"),
        ({"signer": ARN.replace("arn:aws:", "arn:aws-us-gov:")}, "needs keys"),
        ({"signer": ARN, "keys": "http://keys.example.com/"}, "https"),
        ({"signer": ARN, "keys": "https://keys.example.com"}, "slash"),
        ({"signer": ARN, "keys": "https://keys.example.com/?a=/"}, "slash"),
        ({"signer": ARN, "keys": "ftp://keys.example.com/"}, "https"),
        ({"signer": ARN, "leeway": 301}, "300"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        AwsAlbConfig(**options)


def test_govcloud_has_its_keys_where_the_operator_says() -> None:
    keys = "https://s3-us-gov-west-1.amazonaws.com/keys/"
    gov = ARN.replace("arn:aws:", "arn:aws-us-gov:")
    assert AwsAlbConfig(signer=gov, keys=keys).keys_url == keys
