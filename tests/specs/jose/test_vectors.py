"""Tokens and keys that others have published: see tests/data/jose."""

import json
from base64 import b64decode, urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.algorithms import mac_check
from sso_proxy.specs.jose.compact import ALGORITHMS, MAC_ALGORITHMS, split_compact
from sso_proxy.specs.jose.decrypt import decrypt_compact, read_decryption_keys
from sso_proxy.specs.jose.encrypted import split_jwe
from sso_proxy.specs.jose.keys import (
    KeyRefusedError,
    KeySet,
    read_jwk,
    read_jwks,
    read_pem,
    read_secret,
)
from sso_proxy.specs.jose.secret import decode_secret
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object
from sso_proxy.specs.jose.verify import verify

DATA = Path(__file__).parents[2] / "data/jose"
BOTH = ALGORITHMS | MAC_ALGORITHMS


def vectors(name: str) -> dict[str, dict[str, Any]]:
    """Give the vectors of a file, by section or name."""
    document = json.loads((DATA / f"{name}.json").read_text())
    return {v.get("section", v.get("name")): v for v in document["vectors"]}


RFC7515 = vectors("rfc7515")
RFC7516 = vectors("rfc7516")
RFC7519 = vectors("rfc7519")
RFC7520_JWS = vectors("rfc7520-jws")
RFC7520_JWE = vectors("rfc7520-jwe")
RFC8037 = vectors("rfc8037")
LIBOAUTH2 = vectors("liboauth2")


def key_set(jwk: dict[str, Any]) -> KeySet:
    if jwk["kty"] == "oct":
        return read_secret(jwk["k"], "base64url", kid=jwk.get("kid"))
    return KeySet((read_jwk(jwk),))


def decrypted(vector: dict[str, Any], **members: str) -> str:
    """Decrypt a vector, whatever it says that is inside."""
    keys = read_decryption_keys(json.dumps({**vector["key"], **members}).encode())
    jwe = split_jwe(vector["token"], max_bytes=16384)
    return keys.find(jwe).decrypt(jwe).decode()


@pytest.mark.parametrize(
    "vector",
    [
        *(RFC7515[section] for section in ("A.1", "A.2", "A.3", "A.4")),
        *RFC7520_JWS.values(),
        *RFC8037.values(),
    ],
    ids=lambda v: f"{v['section']} {v['alg']}",
)
def test_signatures_and_macs_of_the_rfcs(vector: dict[str, Any]) -> None:
    header, payload = verify(vector["token"], key_set(vector["key"]), algorithms=BOTH)
    assert header.alg == vector["alg"]
    assert payload.decode() == vector["payload"]


@pytest.mark.parametrize("section", ["A.5", "A.6", "A.7"])
def test_rfc_7515_unsecured_and_json_serializations_are_refused(section: str) -> None:
    with pytest.raises(TokenError):
        split_compact(RFC7515[section]["token"])


@pytest.mark.parametrize("section", ["5.2", "5.4", "5.5", "5.6", "5.8"])
def test_rfc_7520_encryption(section: str) -> None:
    vector = RFC7520_JWE[section]
    assert decrypted(vector) == vector["plaintext"]


@pytest.mark.parametrize(
    ("section", "detail"),
    [
        ("5.1", "alg"),  # RSA1_5
        ("5.3", "alg"),  # PBES2
        ("5.7", "alg"),  # A256GCMKW
        ("5.9", "zip"),
    ],
)
def test_rfc_7520_encryption_that_is_refused(section: str, detail: str) -> None:
    with pytest.raises(TokenError, match=f"{detail} is not supported"):
        split_jwe(RFC7520_JWE[section]["token"], max_bytes=16384)


def test_rfc_7520_nested_token() -> None:
    (vector,) = vectors("rfc7520-nested").values()
    keys = read_decryption_keys(json.dumps(vector["key"]).encode())
    inner = decrypt_compact(vector["token"], keys)
    _, payload = verify(inner, KeySet((read_jwk(vector["signing_key"]),)))
    assert payload.decode() == vector["payload"]


def test_rfc_7516_examples() -> None:
    for section, alg in (("A.1", "RSA-OAEP"), ("A.3", "A128KW")):
        vector = RFC7516[section]
        assert decrypted(vector, alg=alg) == vector["plaintext"]
    with pytest.raises(TokenError, match="alg is not supported"):
        split_jwe(RFC7516["A.2"]["token"], max_bytes=16384)


@pytest.mark.parametrize("vector", RFC7519.values(), ids=RFC7519)
def test_rfc_7519_examples_are_refused(vector: dict[str, Any]) -> None:
    """They use RSAES-PKCS1-v1_5, the nested one too."""
    keys = read_decryption_keys(json.dumps(vector["key"]).encode())
    with pytest.raises(TokenError, match="alg is not supported"):
        decrypt_compact(vector["token"], keys)


def test_rfc_8037_thumbprint() -> None:
    vector = RFC8037["A.4"]
    assert read_jwk(vector["key"]).thumbprint == vector["thumbprint"]


def liboauth2_keys(vector: dict[str, Any]) -> KeySet:
    if "jwks" in vector:
        return read_jwks(json.dumps(vector["jwks"]).encode())
    if "pem" in vector:
        return read_pem(vector["pem"].encode())
    if "secret" in vector:
        return read_secret(vector["secret"], vector["encoding"])
    return KeySet((read_jwk(vector["jwk"]),))


# One of the certificates has the serial number 0, which cryptography will not read one
# day.
@pytest.mark.filterwarnings("ignore:Parsed a serial number")
@pytest.mark.parametrize(
    "name", ["jwk", "jwks_uri", "base64url", "pem", "pubkey", "dpop", "mtls"]
)
def test_liboauth2_tokens(name: str) -> None:
    vector = LIBOAUTH2[name]
    header, payload = verify(vector["token"], liboauth2_keys(vector), algorithms=BOTH)
    assert header.alg == vector["alg"]
    assert read_json_object(payload)


@pytest.mark.parametrize("name", ["plain", "base64", "hex"])
def test_liboauth2_secrets_are_read_but_too_short(name: str) -> None:
    """The MACs are right; the secrets have 8 to 13 octets (RFC 7518 3.2)."""
    vector = LIBOAUTH2[name]
    jws = split_compact(vector["token"])
    secret = decode_secret(vector["secret"], vector["encoding"])
    mac_check(secret, jws.header.alg)(jws.signing_input, jws.signature)
    with pytest.raises(KeyRefusedError, match="too short"):
        read_secret(vector["secret"], vector["encoding"])


def test_rfc_8705_example_names_its_certificate() -> None:
    vector = LIBOAUTH2["mtls"]
    digest = sha256(b64decode(vector["certificate"])).digest()
    thumbprint = urlsafe_b64encode(digest).rstrip(b"=").decode()
    claims = read_json_object(split_compact(vector["token"]).payload)
    assert claims["cnf"] == {"x5t#S256": thumbprint}
    assert thumbprint == vector["thumbprint"]


def test_rfc_9449_example_names_its_key() -> None:
    vector = LIBOAUTH2["dpop"]
    header = read_json_object(
        decode_base64url(vector["proof"].partition(".")[0].encode())
    )
    key = read_jwk(header["jwk"])
    claims = read_json_object(split_compact(vector["token"]).payload)
    assert claims["cnf"] == {"jkt": key.thumbprint}
    assert key.thumbprint == "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"
    verify(vector["proof"], KeySet((key,)))
