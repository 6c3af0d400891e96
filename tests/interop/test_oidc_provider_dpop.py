"""Tokens of npm oidc-provider that are bound to a key (DPoP, RFC 9449)."""

import os
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from tests.support.calling import Told, bearer
from tests.support.gateway import Gateway
from tests.support.gateway import gateway as run_gateway
from tests.support.tokens_from_op import ProofKey, TokenDesk, resource

if TYPE_CHECKING:
    from tests.interop.conftest import Files

PROOF = "401 DPoP invalid_dpop_proof"
NONCE = "401 DPoP use_dpop_nonce"
ALGORITHMS = ("ES256", "EdDSA", "PS256", "RS256")


def show(
    gateway: Gateway,
    token: str,
    *proofs: str,
    path: str = "/dpop/",
    scheme: str = "DPoP",
) -> Told:
    fields = [bearer(token, scheme), *(("DPoP", proof) for proof in proofs)]
    return gateway.ask(path, *fields)


@pytest.mark.parametrize("client", ["dpop", "nonce"])
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_a_token_with_a_proof_is_taken(
    desk: TokenDesk, gateway: Gateway, alg: str, client: str
) -> None:
    """Whether the server wanted a nonce of its own when it gave the token, or not."""
    key = ProofKey.create(alg)
    token = desk.token(client, resource(alg="ES256"), key=key)
    proof = key.proof("GET", f"{gateway.origin}/dpop/", token=token)
    seen = gateway.arrived("/dpop/", bearer(token, "DPoP"), ("DPoP", proof))
    assert seen.values("X-Remote-User") == [client]
    assert not {"authorization", "dpop"} & seen.names


def test_an_opaque_token_with_a_proof_is_taken(
    desk: TokenDesk, gateway: Gateway
) -> None:
    key, other = ProofKey.create(), ProofKey.create()
    token = desk.token("dpop", resource(), key=key)
    uri = f"{gateway.origin}/opaque-dpop/"
    verdicts = [
        show(gateway, token, k.proof("GET", uri, token=token), path="/opaque-dpop/")
        for k in (key, other)
    ]
    assert [told.verdict for told in verdicts] == ["200", PROOF]


def test_a_proof_is_good_once(desk: TokenDesk, gateway: Gateway) -> None:
    key = ProofKey.create()
    token = desk.token("dpop", resource(alg="ES256"), key=key)
    proof = key.proof("GET", f"{gateway.origin}/dpop/", token=token)
    told = [show(gateway, token, proof).verdict for _ in range(3)]
    assert told == ["200", PROOF, PROOF]


@pytest.mark.parametrize("path", ["/dpop/", "/jwt/"])
def test_a_bound_token_is_no_bearer_token(
    desk: TokenDesk, gateway: Gateway, path: str
) -> None:
    """With a good proof as well as without (RFC 9449 7.2)."""
    key = ProofKey.create()
    token = desk.token("dpop", resource(alg="ES256"), key=key)
    proof = key.proof("GET", f"{gateway.origin}{path}", token=token)
    for proofs in ([], [proof]):
        told = show(gateway, token, *proofs, path=path, scheme="Bearer")
        assert told.status == 401
        assert "invalid_token" in told.verdict


def test_a_token_that_is_not_bound_is_refused(
    desk: TokenDesk, gateway: Gateway
) -> None:
    key = ProofKey.create()
    token = desk.token("service", resource(alg="ES256"))
    proof = key.proof("GET", f"{gateway.origin}/dpop/", token=token)
    told = show(gateway, token, proof)
    assert told.status == 401
    assert "invalid_token" in told.verdict


NONCES = """
[binding.dpop]
nonce = "required"

[key_ring]
file = "keys.json"
"""


@pytest.fixture(scope="module")
def wanting(files: "Files", desk: TokenDesk) -> Iterator[Gateway]:
    """Give a proxy that wants a nonce of its own in every proof."""
    place = files.place()
    ring = KeyRing((make_key(time.time(), os.urandom),))
    write_key_ring(place / "keys.json", ring, replace=False)
    with run_gateway(place, desk, NONCES) as running:
        yield running


def test_the_proxys_nonce_has_to_be_in_the_proof(
    desk: TokenDesk, wanting: Gateway
) -> None:
    """Then the client's clock does not matter."""
    key = ProofKey.create()
    token = desk.token("nonce", resource(alg="ES256"), key=key)
    uri = f"{wanting.origin}/dpop/"
    first = show(wanting, token, key.proof("GET", uri, token=token))
    assert first.verdict == NONCE
    (nonce,) = first.values("dpop-nonce")
    for offset in (0, -3600, 3600):
        proof = key.proof(
            "GET", uri, token=token, nonce=nonce, iat=int(time.time()) + offset
        )
        assert show(wanting, token, proof).status == 200
    made_up = key.proof("GET", uri, token=token, nonce="made-up")
    assert show(wanting, token, made_up).verdict == NONCE
