"""What we encrypt, who it is for can read, and nobody else."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.specs.jose.decrypt import (
    decrypt_compact,
    derive_decryption_keys,
    read_decryption_keys,
)
from sso_proxy.specs.jose.encrypt import (
    derive_encryption_key,
    encrypt_compact,
    read_encryption_key,
)
from sso_proxy.specs.jose.encrypted import AGREEMENTS, ENCRYPTIONS, read_jwe_header
from sso_proxy.specs.jose.keys import (
    MAX_JWKS,
    MAX_KEYS,
    KeyRefusedError,
    read_jwks,
)
from sso_proxy.testing.tokens import TokenSigner
from tests.support.rsa_key import RSA_KEY as RSA

EC = ec.generate_private_key(ec.SECP256R1())
SIGNED = TokenSigner.create().sign({"sub": "alice"})
PAIRED = sorted(AGREEMENTS | {"RSA-OAEP", "RSA-OAEP-256"})
SHARED = ["A128KW", "A192KW", "A256KW", "dir"]
SECRET = "a client secret that is long enough for anything"


def public(key: Any, **members: object) -> dict[str, Any]:  # noqa: ANN401
    """Write the public half as a JWK; ``...`` takes a member out."""
    written: dict[str, Any] = json.loads(JWK.from_pyca(key).export_public())
    named = {**written, "kid": "theirs", "use": "enc", **members}
    return {name: value for name, value in named.items() if value is not ...}


def private(key: Any) -> bytes:  # noqa: ANN401
    written = json.loads(JWK.from_pyca(key).export_private())
    return json.dumps({**written, "kid": "theirs"}).encode()


def jwks(*items: object) -> bytes:
    return json.dumps({"keys": items}).encode()


DECOYS = [
    {"kty": "oct", "k": "AAAA", "kid": "secret"},
    public(RSA, use="sig", kid="signing"),
    public(RSA, alg="RS256", kid="signing-by-alg"),
    public(RSA, key_ops=["verify"], kid="signing-by-ops"),
    public(rsa.generate_private_key(65537, 1024), kid="weak"),  # noqa: S505
    public(ec.generate_private_key(ec.SECP256K1()), kid="another-curve"),
    public(ed25519.Ed25519PrivateKey.generate(), kid="edwards"),
    {**public(EC, kid="malformed"), "x": "!"},
    {**public(EC, kid="off-curve"), "x": "A" * 43},
    {"kty": "RSA", "kid": "empty"},
    {**public(RSA, kid="private"), "d": "AAAA"},
    public(RSA, kid=1),
    "no object",
]


@pytest.mark.parametrize("enc", ENCRYPTIONS)
@pytest.mark.parametrize("alg", PAIRED)
def test_who_has_the_private_key_can_read_it(alg: str, enc: str) -> None:
    """Both our own reader and jwcrypto's."""
    pair = EC if alg in AGREEMENTS else RSA
    key = read_encryption_key(jwks(*DECOYS, public(pair)), alg=alg, enc=enc)
    token = encrypt_compact(SIGNED, key)
    keys = read_decryption_keys(private(pair))
    assert decrypt_compact(token, keys, algorithms=[alg], encryptions=[enc]) == (
        SIGNED.encode()
    )
    jwe = JWE(algs=[alg, enc])
    jwe.deserialize(token, JWK.from_pyca(pair))
    assert jwe.payload == SIGNED.encode()


@pytest.mark.parametrize("enc", ENCRYPTIONS)
@pytest.mark.parametrize("alg", SHARED)
def test_who_has_the_client_secret_can_read_it(alg: str, enc: str) -> None:
    key = derive_encryption_key(SECRET, alg=alg, enc=enc)
    token = encrypt_compact(SIGNED, key)
    assert SECRET not in repr(key)
    keys = derive_decryption_keys(SECRET)
    assert decrypt_compact(token, keys, algorithms=[alg], encryptions=[enc]) == (
        SIGNED.encode()
    )


def test_the_header_says_what_is_inside_and_for_which_key() -> None:
    """RFC 7519 5.2: the value of ``cty`` "MUST be 'JWT'" in a nested JWT."""
    key = read_encryption_key(jwks(public(RSA)), alg="RSA-OAEP-256")
    header = read_jwe_header(encrypt_compact(SIGNED, key).partition(".")[0].encode())
    assert (header.alg, header.enc) == ("RSA-OAEP-256", "A256GCM")
    assert (header.cty, header.kid) == ("jwt", "theirs")


def test_no_two_tokens_are_the_same() -> None:
    key = read_encryption_key(jwks(public(EC)), alg="ECDH-ES")
    assert encrypt_compact(SIGNED, key) != encrypt_compact(SIGNED, key)


@pytest.mark.parametrize(
    ("items", "kid"),
    [
        ([public(RSA, kid="a", use=...), public(RSA, kid="b")], "b"),
        ([public(RSA, kid="a"), public(RSA, kid="b")], "a"),
        ([public(RSA, kid="a", alg="RSA-OAEP"), public(RSA, kid="b", use=...)], "b"),
        ([public(RSA, kid=..., use=..., key_ops=["wrapKey"])], None),
    ],
)
def test_a_key_for_encryption_comes_first(
    items: list[dict[str, Any]], kid: str | None
) -> None:
    assert read_encryption_key(jwks(*items), alg="RSA-OAEP-256").kid == kid


def test_what_signatures_are_checked_with_leads_to_the_key_for_encryption() -> None:
    """A provider publishes both in one set."""
    signer = TokenSigner.create()
    keys = read_jwks(jwks(signer.public_jwk(), public(RSA)))
    assert [key.kid for key in keys.keys] == ["key-1"]
    assert read_encryption_key(keys.document, alg="RSA-OAEP").kid == "theirs"


def test_one_jwk_is_enough() -> None:
    document = json.dumps(public(RSA)).encode()
    assert read_encryption_key(document, alg="RSA-OAEP").kid == "theirs"


@pytest.mark.parametrize(
    ("document", "alg", "enc"),
    [
        (jwks(*DECOYS), "RSA-OAEP", "A256GCM"),
        (jwks(*DECOYS), "ECDH-ES", "A256GCM"),
        (jwks(public(RSA)), "ECDH-ES", "A256GCM"),
        (jwks(public(RSA)), "RSA1_5", "A256GCM"),
        (jwks(public(RSA)), "none", "A256GCM"),
        (jwks(public(RSA)), "A128KW", "A256GCM"),
        (jwks(public(RSA)), "dir", "A256GCM"),
        (jwks(public(RSA)), "RSA-OAEP", "none"),
        (jwks(), "RSA-OAEP", "A256GCM"),
        (b"", "RSA-OAEP", "A256GCM"),
        (b"[]", "RSA-OAEP", "A256GCM"),
        (b'{"keys": {}}', "RSA-OAEP", "A256GCM"),
        (b'{"keys": [], "keys": []}', "RSA-OAEP", "A256GCM"),
        (jwks(*[public(RSA)] * (MAX_KEYS + 1)), "RSA-OAEP", "A256GCM"),
        (jwks(public(RSA)) + b" " * MAX_JWKS, "RSA-OAEP", "A256GCM"),
    ],
)
def test_without_a_fitting_key_nothing_is_encrypted(
    document: bytes, alg: str, enc: str
) -> None:
    with pytest.raises(KeyRefusedError):
        read_encryption_key(document, alg=alg, enc=enc)


@pytest.mark.parametrize(
    ("secret", "alg", "enc"),
    [
        ("", "dir", "A256GCM"),
        (SECRET, "RSA-OAEP", "A256GCM"),
        (SECRET, "ECDH-ES", "A256GCM"),
        (SECRET, "PBES2-HS256+A128KW", "A256GCM"),
        (SECRET, "dir", "A128CBC"),
    ],
)
def test_a_secret_is_for_symmetric_algorithms(secret: str, alg: str, enc: str) -> None:
    with pytest.raises(KeyRefusedError) as caught:
        derive_encryption_key(secret, alg=alg, enc=enc)
    assert SECRET not in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["keys", "kty", "n", "e", "crv", "x", "y", "use", "key_ops"]
            ),
            inner | st.sampled_from(["RSA", "EC", "P-256", "AQAB", "enc"]),
            max_size=6,
        )
    ),
    max_leaves=8,
)


@settings(deadline=None)
@given(JSON.map(json.dumps).map(str.encode) | st.binary(), st.sampled_from(PAIRED))
def test_no_other_error_is_raised(document: bytes, alg: str) -> None:
    with pytest.raises(KeyRefusedError):
        read_encryption_key(document, alg=alg)
