"""The real proxy, with tokens of npm oidc-provider."""

import time

import pytest

from sso_proxy.testing.pki import Issued, self_signed
from tests.support.calling import bearer
from tests.support.gateway import Gateway
from tests.support.oidc_provider import SIGNED_BY
from tests.support.tokens_from_op import (
    SCOPE,
    TokenDesk,
    read_claims,
    read_header,
    resource,
    sign_with_secret,
)

OTHER_AUDIENCE = "https://other.example.com"


def held_by(desk: TokenDesk, client: str) -> Issued:
    certificate = desk.clients[client].certificate
    assert certificate is not None
    return certificate


@pytest.mark.parametrize("alg", SIGNED_BY)
def test_tokens_of_every_algorithm_are_taken(
    desk: TokenDesk, gateway: Gateway, alg: str
) -> None:
    token = desk.token("service", resource(alg=alg))
    seen = gateway.arrived("/jwt/", bearer(token))
    assert seen.values("X-Remote-User") == ["service"]
    assert seen.values("X-Claim-Scope") == [SCOPE]
    assert seen.values("X-Claim-Tenant") == ["acme"]
    assert "authorization" not in seen.names


def test_encrypted_tokens_are_taken_where_their_key_is(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource(alg="ES256", enc="RSA-OAEP-256"))
    seen = gateway.arrived("/encrypted/", bearer(token))
    assert seen.values("X-Remote-User") == ["service"]
    assert gateway.ask("/jwt/", bearer(token)).verdict == "401 Bearer invalid_token"


def test_a_token_for_another_audience_is_refused(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource(OTHER_AUDIENCE, alg="ES256"))
    assert gateway.ask("/jwt/", bearer(token)).verdict == "401 Bearer invalid_token"


def test_a_token_is_refused_once_it_has_expired(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource(alg="ES256", ttl=2))
    first = gateway.ask("/strict/", bearer(token))
    time.sleep(max(0.0, read_claims(token)["exp"] - time.time()))
    second = gateway.ask("/strict/", bearer(token))
    assert first.status == 200
    assert second.verdict == "401 Bearer invalid_token"


def test_without_a_token_no_error_is_told(gateway: Gateway) -> None:
    assert gateway.ask("/jwt/").verdict == "401 Bearer"


def test_a_token_of_too_small_a_scope_is_forbidden(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource(alg="ES256"))
    answer = gateway.ask("/write/", bearer(token))
    assert answer.verdict == "403 Bearer insufficient_scope"
    assert answer.challenges[0][1]["scope"] == "orders.write"


def test_the_servers_public_key_is_no_secret_that_signs(
    desk: TokenDesk, gateway: Gateway
) -> None:
    """A MAC whose key everybody knows, under the name of a key that there is."""
    good = desk.token("service", resource(alg="RS256"))
    signer = desk.server.keys["RS256"].signer
    header = {"typ": "at+jwt", "kid": read_header(good)["kid"]}
    forged = sign_with_secret(read_claims(good), signer.public_pem(), **header)
    assert gateway.ask("/jwt/", bearer(forged)).verdict == "401 Bearer invalid_token"


@pytest.mark.parametrize("client", ["mtls", "self-signed"])
def test_a_bound_token_is_good_with_its_certificate_alone(
    desk: TokenDesk, gateway: Gateway, client: str
) -> None:
    token = desk.token(client, resource(alg="PS256"))
    seen = gateway.arrived("/bound/", bearer(token), certificate=held_by(desk, client))
    assert seen.values("X-Remote-User") == [client]
    for certificate in (None, self_signed(client), held_by(desk, "rs-tls")):
        answer = gateway.ask("/bound/", bearer(token), certificate=certificate)
        assert answer.verdict == "401 Bearer invalid_token"


def test_a_bound_token_is_not_good_without_its_certificate_anywhere(
    desk: TokenDesk, gateway: Gateway
) -> None:
    """Also where the route says nothing of certificates."""
    token = desk.token("mtls", resource(alg="ES256"))
    assert gateway.ask("/jwt/", bearer(token)).verdict == "401 Bearer invalid_token"


def test_a_token_that_is_not_bound_is_refused_where_it_must_be(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource(alg="ES256"))
    answer = gateway.ask("/bound/", bearer(token), certificate=held_by(desk, "mtls"))
    assert answer.verdict == "401 Bearer invalid_token"
