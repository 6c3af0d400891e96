"""Each algorithm checks its own signatures and no others."""

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from hypothesis import example, given
from hypothesis import strategies as st

from sso_proxy.specs.jose.algorithms import (
    MACS,
    PublicKey,
    mac_check,
    mac_checks,
    short_der,
    signature_checks,
)
from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.testing.tokens import TokenSigner

KEYS = {
    alg: TokenSigner.create(alg)
    for alg in ("ES256", "ES384", "ES512", "EdDSA", "Ed448")
}
RSA = TokenSigner.create("RS256")
SIGNERS = {
    **KEYS,
    "Ed25519": KEYS["EdDSA"],
    **{alg: RSA.using(alg) for alg in sorted(ALGORITHMS) if alg[:2] in {"RS", "PS"}},
}


def public_key(signer: TokenSigner) -> PublicKey:
    key = load_pem_public_key(signer.public_pem())
    assert isinstance(key, PublicKey)
    return key


def test_every_algorithm_is_covered_here() -> None:
    assert set(SIGNERS) == ALGORITHMS


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_a_right_signature_passes(alg: str) -> None:
    signature = SIGNERS[alg].signature(b"input")
    signature_checks(public_key(SIGNERS[alg]))[alg](b"input", signature)


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_a_signature_of_something_else_fails(alg: str) -> None:
    signature = SIGNERS[alg].signature(b"input")
    with pytest.raises(InvalidSignature):
        signature_checks(public_key(SIGNERS[alg]))[alg](b"inpuT", signature)


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
@pytest.mark.parametrize("change", ["shorter", "longer", "empty", "zero"])
def test_a_signature_of_another_length_or_zero_fails(alg: str, change: str) -> None:
    signature = SIGNERS[alg].signature(b"input")
    changed = {
        "shorter": signature[:-1],
        "longer": signature + b"\0",
        "empty": b"",
        "zero": bytes(len(signature)),  # r = s = 0, CVE-2022-21449
    }[change]
    with pytest.raises(InvalidSignature):
        signature_checks(public_key(SIGNERS[alg]))[alg](b"input", changed)


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512"])
def test_leading_zeros_do_not_make_another_spelling(alg: str) -> None:
    """Another spelling of a signature is another token with the same meaning."""
    signature = SIGNERS[alg].signature(b"input")
    half = len(signature) // 2
    longer = signature[:half] + b"\0" + signature[half:]
    with pytest.raises(InvalidSignature):
        signature_checks(public_key(SIGNERS[alg]))[alg](b"input", longer)


@given(
    st.integers(1, 48).flatmap(
        lambda size: st.tuples(*[st.binary(min_size=size, max_size=size)] * 2)
    )
)
@example((b"\0" * 32, b"\0" * 32))
@example((b"\0\x80" + b"\1" * 30, b"\xff" * 32))
@example((b"\0\x7f" + b"\1" * 46, b"\xff" * 48))
def test_signatures_are_encoded_as_the_library_does(
    halves: tuple[bytes, bytes],
) -> None:
    r, s = (int.from_bytes(half, "big") for half in halves)
    assert short_der(*halves) == encode_dss_signature(r, s)


def test_a_der_signature_is_no_jws_signature() -> None:
    raw = SIGNERS["ES256"].signature(b"input")
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    with pytest.raises(InvalidSignature):
        signature_checks(public_key(SIGNERS["ES256"]))["ES256"](
            b"input", encode_dss_signature(r, s)
        )


def test_rsa_algorithms_do_not_check_each_others_signatures() -> None:
    checks = signature_checks(public_key(RSA))
    for made in checks:
        for checked in checks:
            if made != checked:
                with pytest.raises(InvalidSignature):
                    checks[checked](b"input", RSA.using(made).signature(b"input"))


def test_a_curve_has_one_algorithm() -> None:
    for alg in ("ES256", "ES384", "ES512"):
        assert set(signature_checks(public_key(SIGNERS[alg]))) == {alg}


def test_other_curves_have_none() -> None:
    key = ec.generate_private_key(ec.SECP256K1()).public_key()
    assert signature_checks(key) == {}


def test_rsa_has_both_schemes() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    algs = {f"{scheme}{bits}" for scheme in ("RS", "PS") for bits in (256, 384, 512)}
    assert set(signature_checks(key)) == algs


@pytest.mark.parametrize(
    ("octets", "alg"), [(32, "HS256"), (48, "HS384"), (64, "HS512")]
)
def test_a_secret_is_as_long_as_the_hash(octets: int, alg: str) -> None:
    """RFC 7518 3.2: as large as the hash output, or larger, it has to be."""
    assert alg in mac_checks(bytes(octets))
    assert alg not in mac_checks(bytes(octets - 1))


@pytest.mark.parametrize("alg", sorted(MACS))
def test_a_right_mac_passes_and_others_fail(alg: str) -> None:
    secret = bytes(range(64))
    mac = TokenSigner.of_secret(secret, alg).signature(b"input")
    check = mac_check(secret, alg)
    check(b"input", mac)
    other = TokenSigner.of_secret(secret[1:], alg).signature(b"input")
    for wrong in (b"", mac[:-1], mac + b"\0", bytes(len(mac)), other):
        with pytest.raises(InvalidSignature):
            check(b"input", wrong)
    with pytest.raises(InvalidSignature):
        check(b"inpuT", mac)


def test_no_key_pair_checks_macs_and_no_secret_checks_signatures() -> None:
    """What a public key is written as must never become the key of a MAC."""
    for signer in SIGNERS.values():
        assert not MACS.keys() & signature_checks(public_key(signer)).keys()
    assert mac_checks(bytes(64)).keys() == MACS.keys()
    assert not MACS.keys() & ALGORITHMS
