"""Project Wycheproof's vectors for JOSE: see tests/data/wycheproof."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import ALGORITHMS, MAC_ALGORITHMS
from sso_proxy.specs.jose.decrypt import DecryptionKeys, read_decryption_keys
from sso_proxy.specs.jose.encrypted import ENCRYPTIONS, KEY_ALGORITHMS, split_jwe
from sso_proxy.specs.jose.keys import (
    KeyRefusedError,
    KeySet,
    VerificationKey,
    read_jwk,
    read_jwks,
    read_secret,
)
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
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
    # a question mark in base64url
    ("signature", 372),
    ("signature", 373),
}
"""Valid vectors with a signature or MAC that are refused all the same."""

SAME_AS_A_VALID_ONE = {("signature", 367), ("signature", 370)}
"""Vectors that say that they are invalid, octet by octet the same as a valid one."""


def vectors(name: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Give the groups and vectors of a file."""
    document = json.loads((DATA / f"json_web_{name}_test.json").read_text())
    for group in document["testGroups"]:
        for vector in group["tests"]:
            yield group, vector


def key_set(group: dict[str, Any]) -> KeySet:
    """Read a group's keys: as its issuer publishes them, or as secrets are given."""
    given = group.get("public") or group["private"]
    items = given.get("keys", [given])
    try:
        if all(item["kty"] == "oct" for item in items):
            return KeySet(tuple(secret for item in items for secret in secrets(item)))
        if "keys" in given:
            return read_jwks(json.dumps(given).encode())
        return KeySet((read_jwk(given),))
    except KeyRefusedError:
        return KeySet(())


def secrets(item: dict[str, Any]) -> tuple[VerificationKey, ...]:
    """Read a symmetric key as the operator's."""
    algorithms = (item["alg"],)
    return read_secret(
        item["k"], "base64url", algorithms=algorithms, kid=item["kid"]
    ).keys


def accepted(group: dict[str, Any], vector: dict[str, Any]) -> bool:
    """Say whether we believe a vector's token."""
    token = vector["jws"] if "jws" in vector else vector["jwe"]
    if not isinstance(token, str):
        token = json.dumps(token)
    try:
        verify(token, key_set(group), algorithms=ALGORITHMS | MAC_ALGORITHMS)
    except TokenError:
        return False
    return True


@pytest.mark.parametrize("name", COUNTS)
def test_no_vector_is_left_out(name: str) -> None:
    assert len(list(vectors(name))) == COUNTS[name]


@pytest.mark.parametrize("name", COUNTS)
def test_no_invalid_vector_is_accepted(name: str) -> None:
    wrong = {
        (name, v["tcId"])
        for g, v in vectors(name)
        if v["result"] != "valid" and accepted(g, v)
    }
    assert wrong == {v for v in SAME_AS_A_VALID_ONE if v[0] == name}


def test_exceptions_are_the_same_as_a_valid_vector() -> None:
    tokens = {v["tcId"]: (v["jws"], v["result"]) for _, v in vectors("signature")}
    for _, number in SAME_AS_A_VALID_ONE:
        assert (tokens[number][0], "valid") in tokens.values()


@pytest.mark.parametrize("name", COUNTS)
def test_valid_vectors_are_accepted_but_for_those_refused_on_purpose(name: str) -> None:
    valid = {
        (name, v["tcId"]): accepted(g, v)
        for g, v in vectors(name)
        if v["result"] == "valid" and "jws" in v
    }
    refused = {vector for vector, good in valid.items() if not good}
    assert refused == {vector for vector in REFUSED_ON_PURPOSE if vector[0] == name}
    assert name == "encryption" or any(valid.values())


@pytest.mark.parametrize("name", COUNTS)
def test_no_mac_is_believed_that_nobody_asked_for(name: str) -> None:
    """Not even with the right secret: the caller has to allow it."""
    for group, vector in vectors(name):
        if "jws" in vector and "public" not in group:
            with pytest.raises(TokenError):
                verify(json.dumps(vector["jws"]).strip('"'), key_set(group))


SUPPORTED = {(alg, enc) for alg in KEY_ALGORITHMS for enc in ENCRYPTIONS}


def decryption_keys(group: dict[str, Any]) -> DecryptionKeys:
    """Read a group's private key, if it is one that we would use."""
    try:
        return read_decryption_keys(json.dumps(group["private"]).encode())
    except KeyRefusedError:
        return DecryptionKeys(())


def decrypted(group: dict[str, Any], vector: dict[str, Any]) -> bytes | None:
    """Give what is inside a vector, if we decrypt it."""
    if not isinstance(vector["jwe"], str):
        return None  # the JSON serialization is no text of a token
    try:
        jwe = split_jwe(vector["jwe"], max_bytes=16384)
        return decryption_keys(group).find(jwe).decrypt(jwe)
    except TokenError:
        return None


def encrypted_vectors() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    """Give all vectors that are encrypted."""
    named = [(name, *vector) for name in COUNTS for vector in vectors(name)]
    return [vector for vector in named if "jwe" in vector[2]]


def algorithms(vector: dict[str, Any]) -> tuple[str, str]:
    """Give the algorithms that a valid vector has in its header."""
    header = read_json_object(
        decode_base64url(vector["jwe"].partition(".")[0].encode())
    )
    if "zip" in header:
        return header["alg"], "compressed"
    return header["alg"], header["enc"]


def test_no_invalid_encrypted_vector_is_decrypted() -> None:
    wrong = [
        (name, v["tcId"])
        for name, g, v in encrypted_vectors()
        if v["result"] != "valid" and decrypted(g, v) is not None
    ]
    assert wrong == []


def test_valid_encrypted_vectors_are_decrypted_if_their_algorithms_are_supported() -> (
    None
):
    seen = set()
    for name, group, vector in encrypted_vectors():
        if vector["result"] == "valid":
            plaintext = decrypted(group, vector)
            if algorithms(vector) in SUPPORTED:
                assert plaintext is not None, (name, vector["tcId"])
                assert plaintext.hex() == vector.get("pt", plaintext.hex())
                seen.add(algorithms(vector))
            else:
                assert plaintext is None, (name, vector["tcId"])
    assert len(seen) > 15
