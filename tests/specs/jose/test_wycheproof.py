"""Project Wycheproof's vectors for JOSE: see tests/data/wycheproof."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.keys import KeyRefusedError, KeySet, read_jwk, read_jwks
from sso_proxy.specs.jose.verify import verify

DATA = Path(__file__).parents[2] / "data/wycheproof"
COUNTS = {"signature": 401, "encryption": 139, "key": 26, "crypto": 83}

REFUSED_ON_PURPOSE = {
    # keys for PS256 that signed with PS384: a key has one algorithm (RFC 8725 3.1)
    ("signature", 346),
    ("signature", 350),
    # keys for "ES521", which is no algorithm (RFC 7518 3.1)
    ("signature", 347),
    ("signature", 351),
}
"""Valid vectors with an asymmetric signature that are refused all the same."""


def vectors(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give the groups and vectors of a file."""
    document = json.loads((DATA / f"json_web_{name}_test.json").read_text())
    for group in document["testGroups"]:
        for vector in group["tests"]:
            yield group, vector


def key_set(group: dict[str, Any]) -> KeySet:
    """Read a group's keys as if its issuer had published them."""
    published = group.get("public") or group["private"]
    if "keys" in published:
        return read_jwks(json.dumps(published).encode())
    try:
        return KeySet((read_jwk(published),))
    except KeyRefusedError:
        return KeySet(())


def accepted(group: dict[str, Any], vector: dict[str, Any]) -> bool:
    """Say whether we believe a vector's token."""
    token = vector["jws"] if "jws" in vector else vector["jwe"]
    if not isinstance(token, str):
        token = json.dumps(token)
    try:
        verify(token, key_set(group))
    except TokenError:
        return False
    return True


def is_signed_with_a_key_pair(group: dict[str, Any], vector: dict[str, Any]) -> bool:
    """Say whether a vector has a signature; neither MACs nor JWE are supported."""
    return "jws" in vector and "public" in group


@pytest.mark.parametrize("name", COUNTS)
def test_no_vector_is_left_out(name: str) -> None:
    assert len(list(vectors(name))) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_no_invalid_vector_is_accepted(name: str) -> None:
    wrong = [
        v["tcId"] for g, v in vectors(name) if v["result"] != "valid" and accepted(g, v)
    ]
    assert wrong == []


@pytest.mark.parametrize("name", COUNTS)
def test_valid_signatures_are_accepted_but_for_those_refused_on_purpose(
    name: str,
) -> None:
    valid = {
        (name, v["tcId"]): accepted(g, v)
        for g, v in vectors(name)
        if v["result"] == "valid" and is_signed_with_a_key_pair(g, v)
    }
    refused = {vector for vector, good in valid.items() if not good}
    assert refused == {vector for vector in REFUSED_ON_PURPOSE if vector[0] == name}
    assert name == "encryption" or any(valid.values())


@pytest.mark.parametrize("name", COUNTS)
def test_macs_and_encrypted_tokens_are_not_supported(name: str) -> None:
    """Valid or not: a resource server shares no secret with its issuer here."""
    others = [v for v in vectors(name) if not is_signed_with_a_key_pair(*v)]
    assert others
    assert not any(accepted(*v) for v in others)
