"""The authorization server that the other tests ask for tokens: npm oidc-provider."""

import pytest

from sso_proxy.testing.pki import Pki
from tests.support.oidc_provider import SIGNED_BY, OidcProvider
from tests.support.running import eventually
from tests.support.tokens_from_op import (
    AUDIENCE,
    INTROSPECTION_JWT,
    SCOPE,
    ProofKey,
    TokenDesk,
    clients,
    read_claims,
    read_header,
    resource,
)

RESOURCE_SERVERS = ("rs-basic", "rs-post", "rs-secret-jwt", "rs-key-jwt", "rs-tls")


@pytest.mark.parametrize("alg", SIGNED_BY)
def test_it_signs_access_tokens_with_every_algorithm(desk: TokenDesk, alg: str) -> None:
    token = desk.token("service", resource(alg=alg))
    header, claims = read_header(token), read_claims(token)
    assert (header["alg"], header["typ"]) == (alg, "at+jwt")
    assert (claims["iss"], claims["aud"]) == (desk.server.issuer, AUDIENCE)
    assert (claims["sub"], claims["scope"]) == ("service", SCOPE)


@pytest.mark.parametrize("resource_server", RESOURCE_SERVERS)
def test_it_tells_every_resource_server_what_an_opaque_token_is(
    desk: TokenDesk, resource_server: str
) -> None:
    token = desk.token("service", resource())
    found = desk.introspect(resource_server, token).json()
    assert (found["active"], found["sub"], found["aud"]) == (True, "service", AUDIENCE)


def test_it_signs_what_it_says_about_a_token(desk: TokenDesk) -> None:
    token = desk.token("service", resource())
    reply = desk.introspect("rs-signed", token, INTROSPECTION_JWT)
    assert read_header(reply.text)["typ"] == "token-introspection+jwt"
    claims = read_claims(reply.text)
    assert (claims["aud"], claims["token_introspection"]["active"]) == (
        "rs-signed",
        True,
    )


@pytest.mark.parametrize("client", ["mtls", "self-signed"])
def test_it_binds_tokens_to_the_certificate_of_their_client(
    desk: TokenDesk, client: str
) -> None:
    certificate = desk.clients[client].certificate
    assert certificate is not None
    jwt = desk.token(client, resource(alg="ES256"))
    found = desk.introspect("rs-basic", desk.token(client, resource())).json()
    bound = {"x5t#S256": certificate.thumbprint}
    assert read_claims(jwt)["cnf"] == found["cnf"] == bound


@pytest.mark.parametrize("client", ["dpop", "nonce"])
@pytest.mark.parametrize("alg", ["ES256", "EdDSA", "RS256", "PS256"])
def test_it_binds_tokens_to_the_key_of_a_proof(
    desk: TokenDesk, client: str, alg: str
) -> None:
    key = ProofKey.create(alg)
    jwt = desk.token(client, resource(alg="ES256"), key=key)
    assert read_claims(jwt)["cnf"] == {"jkt": key.thumbprint}


def test_it_encrypts_tokens(desk: TokenDesk) -> None:
    token = desk.token("service", resource(alg="RS256", enc="RSA-OAEP-256"))
    assert read_header(token)["alg"] == "RSA-OAEP-256"


def test_it_takes_tokens_back(desk: TokenDesk) -> None:
    token = desk.token("service", resource())
    desk.revoke("service", token)
    assert desk.introspect("rs-basic", token).json() == {"active": False}


def test_it_stays_on_its_port_and_can_change_its_keys(pki: Pki) -> None:
    known = clients(pki)
    with OidcProvider(pki, [known["service"].registration()]) as server:
        desk = TokenDesk(server=server, clients=known)
        issuer = server.issuer
        before = server.rotate("ES256")
        after = read_header(desk.token("service", resource(alg="ES256")))
        server.stop()
        server.start()
        assert before.signer.kid != after["kid"] == server.keys["ES256"].signer.kid
        assert server.issuer == issuer
        desk.token("service", resource(alg="ES256"))
        eventually(lambda: server.requests("POST /token 200") == 2, "two tokens")
