"""Tests for `sso_proxy.testing.proofs`."""

import pytest

from sso_proxy.specs.oauth.dpop import ProofRules, check_proof, read_proof
from sso_proxy.testing.proofs import ProofSigner

URI = "https://api.example.com/orders"


@pytest.mark.parametrize("alg", ["ES256", "ES384", "PS256", "EdDSA"])
def test_a_proof_is_good_for_what_it_was_made_for(alg: str) -> None:
    signer = ProofSigner.create(alg)
    proof = read_proof([signer.prove("GET", URI, "token", 1000.0)])
    check_proof(
        proof,
        method="GET",
        uri=URI,
        token="token",
        jkt=signer.confirmation["jkt"],
        now=1000.0,
        rules=ProofRules(),
    )


def test_no_two_proofs_are_the_same() -> None:
    signer = ProofSigner.create()
    one, other = (signer.claims("GET", URI, "token", 1000.0) for _ in range(2))
    assert one["jti"] != other["jti"]


def test_claims_can_be_changed_and_left_out() -> None:
    claims = ProofSigner.create().claims("GET", URI, "token", 1.0, jti=None, htm="PUT")
    assert "jti" not in claims
    assert claims["htm"] == "PUT"
