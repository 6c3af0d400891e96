"""at_hash, c_hash and s_hash (OpenID Connect Core 3.1.3.6, FAPI 1.0 Advanced 5.1)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oidc.hashes import half_hashes, is_hash_of


def test_example_of_the_standard() -> None:
    """OpenID Connect Core A.3 and A.4 have these."""
    token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y"
    code = "Qcb0Orv1zh30vL1MPRsbm-diHiMwcLyZvn1arpZv-Jxf_11jnpEX3Tgfvk"
    assert half_hashes(token, "RS256") == ("77QmUPtjPfzWtF2AnpK9RQ",)
    assert half_hashes(code, "RS256") == ("LDktKdoQak3Pk0cnXxCltA",)


@pytest.mark.parametrize(
    ("alg", "octets"),
    [
        *(("RS256", 16), ("PS384", 24), ("ES512", 32), ("HS256", 16), ("none", 16)),
        *(("Ed25519", 32), ("Ed448", 57)),
    ],
)
def test_half_of_the_hash_of_the_algorithm_is_taken(alg: str, octets: int) -> None:
    (encoded,) = half_hashes("value", alg)
    assert len(encoded) == (octets * 8 + 5) // 6


def test_name_for_both_curves_takes_the_hash_of_either() -> None:
    both = half_hashes("value", "EdDSA")
    assert both == half_hashes("value", "Ed25519") + half_hashes("value", "Ed448")
    assert all(is_hash_of(one, "value", "EdDSA") for one in both)


def test_unknown_algorithm_has_no_hash() -> None:
    assert half_hashes("value", "XX") == ()
    assert half_hashes("value", "") == ()


@given(
    claim=st.none() | st.text() | st.integers() | st.lists(st.text()),
    alg=st.sampled_from(["RS256", "ES384", "EdDSA", "none", "?"]),
)
def test_nothing_else_is_a_hash(claim: object, alg: str) -> None:
    assert not is_hash_of(claim, "value", alg)


def test_hash_of_another_algorithm_is_none() -> None:
    (of_256,) = half_hashes("value", "RS256")
    assert is_hash_of(of_256, "value", "ES256")
    assert not is_hash_of(of_256, "value", "RS384")
    assert not is_hash_of(of_256, "other", "RS256")
