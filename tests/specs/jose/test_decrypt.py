"""Encrypted tokens become signed ones, with keys of ours alone."""

import hashlib
import json
from base64 import urlsafe_b64encode
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.decrypt import (
    DecryptionKeys,
    decrypt_compact,
    decrypt_content_of,
    derive_decryption_keys,
    read_decryption_keys,
    read_decryption_secret,
)
from sso_proxy.specs.jose.encrypted import ENCRYPTIONS, KEY_ALGORITHMS
from sso_proxy.specs.jose.keys import MAX_JWKS, MAX_KEYS, KeyRefusedError, read_jwks
from sso_proxy.specs.jose.secret import SecretEncoding
from sso_proxy.specs.jose.verify import verify
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.rsa_key import RSA_KEY as RSA

EC = ec.generate_private_key(ec.SECP256R1())
SIGNER = TokenSigner.create()
INNER = SIGNER.sign({"sub": "alice"})
SECRET = bytes(range(32))


def encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def jwk_of(key: Any, **members: object) -> dict[str, Any]:  # noqa: ANN401
    """Write a private key as a JWK."""
    written: dict[str, Any] = json.loads(JWK.from_pyca(key).export_private())
    written.pop("kid", None)
    return {**written, **members}


def oct_of(secret: bytes, **members: object) -> dict[str, Any]:
    return {"kty": "oct", "k": encode(secret), **members}


def keys_of(*items: dict[str, Any]) -> DecryptionKeys:
    return read_decryption_keys(json.dumps({"keys": items}).encode())


def encrypted(key: dict[str, Any], content: str = INNER, **header: object) -> str:
    """Have jwcrypto encrypt *content* to *key*."""
    given = {"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT", **header}
    kept = {name: value for name, value in given.items() if value is not ...}
    public = {n: v for n, v in key.items() if n not in {"use", "key_ops", "alg"}}
    jwe = JWE(content.encode(), json.dumps(kept), recipient=JWK(**public))
    token: str = jwe.serialize(compact=True)
    return token


OURS = jwk_of(RSA, kid="ours")
KEYS = keys_of(OURS)
TOKEN = encrypted(OURS, kid="ours")


def reason_of(token: str, keys: DecryptionKeys = KEYS, **options: Any) -> str:  # noqa: ANN401
    with pytest.raises(TokenError) as caught:
        decrypt_compact(token, keys, **options)
    return caught.value.reason


def test_the_signed_token_inside_is_given() -> None:
    inner = decrypt_compact(TOKEN, KEYS)
    assert inner.decode() == INNER
    assert verify(inner, read_jwks(jwks(SIGNER)))[1] == b'{"sub": "alice"}'


def test_an_encrypted_token_is_no_signed_one() -> None:
    """Whoever has our public key can encrypt; that proves nothing."""
    inner = decrypt_compact(encrypted(OURS, TOKEN), KEYS)
    with pytest.raises(TokenError):
        split_compact(inner)


@pytest.mark.parametrize("cty", ["JWT", "jwt", "application/jwt", "at+jwt"])
def test_the_content_says_that_it_is_a_token(cty: str) -> None:
    assert decrypt_compact(encrypted(OURS, cty=cty), KEYS)


@pytest.mark.parametrize("cty", [..., "", "text/plain", "jwk+json", "at+jwt+json"])
def test_other_content_is_refused(cty: object) -> None:
    """RFC 7519 5.2: cty MUST be present, with the value JWT."""
    assert reason_of(encrypted(OURS, cty=cty)) == "token-header"


def test_a_token_that_unpacks_to_megabytes_is_refused() -> None:
    bomb = encrypted(OURS, "A" * 200_000, zip="DEF")
    assert len(bomb) < 2000
    assert reason_of(bomb) == "token-header"


def test_a_long_token_is_refused_before_anything_is_decrypted() -> None:
    assert reason_of(encrypted(OURS, "A" * 17000)) == "token-too-long"
    assert reason_of(TOKEN, max_bytes=len(TOKEN) - 1) == "token-too-long"
    assert decrypt_compact(TOKEN, KEYS, max_bytes=len(TOKEN))


def test_algorithms_can_be_allowed_by_name() -> None:
    algorithms = KEY_ALGORITHMS - {"RSA-OAEP"}
    assert reason_of(TOKEN, algorithms=algorithms) == "token-alg"
    encryptions = ENCRYPTIONS.keys() - {"A256GCM"}
    assert reason_of(TOKEN, encryptions=encryptions) == "token-alg"


def test_a_token_to_somebody_else_is_refused() -> None:
    other = jwk_of(rsa.generate_private_key(65537, 2048))
    for kid in ("ours", ...):
        assert reason_of(encrypted(other, kid=kid)) == "token-decryption"


def test_every_change_is_refused() -> None:
    for place in range(0, len(TOKEN), 7):
        changed = "A" if TOKEN[place] != "A" else "B"
        reason_of(TOKEN[:place] + changed + TOKEN[place + 1 :])


class TestChoosingTheKey:
    """A token means one key, or is refused."""

    def test_the_name_decides(self) -> None:
        other = jwk_of(rsa.generate_private_key(65537, 2048), kid="other")
        assert decrypt_compact(TOKEN, keys_of(other, OURS))

    def test_a_name_that_is_not_there_means_no_other_key(self) -> None:
        assert reason_of(encrypted(OURS, kid="new")) == "token-decryption"

    def test_a_key_without_a_name_is_meant_by_any(self) -> None:
        keys = keys_of(jwk_of(RSA))
        for kid in ("whatever", ...):
            assert decrypt_compact(encrypted(OURS, kid=kid), keys)

    def test_without_a_name_the_one_that_fits_is_meant(self) -> None:
        keys = keys_of(OURS, jwk_of(EC, kid="ec"))
        assert decrypt_compact(encrypted(OURS), keys)
        both = keys_of(OURS, jwk_of(rsa.generate_private_key(65537, 2048)))
        assert reason_of(encrypted(OURS), both) == "token-decryption"

    def test_a_named_key_is_used_for_its_own_algorithms_only(self) -> None:
        keys = keys_of({**OURS, "alg": "RSA-OAEP-256"})
        assert reason_of(TOKEN, keys) == "token-decryption"
        ec_key = keys_of(jwk_of(EC, kid="ours"))
        assert reason_of(TOKEN, ec_key) == "token-decryption"


class TestSecrets:
    """Keys that the operator shares with the issuer."""

    @pytest.mark.parametrize(
        ("alg", "enc", "bound"),
        [
            ("A256KW", "A128GCM", "A256KW"),
            ("dir", "A256GCM", "dir"),
            ("dir", "A128CBC-HS256", "A128CBC-HS256"),
        ],
    )
    def test_a_secret_decrypts(self, alg: str, enc: str, bound: str) -> None:
        token = encrypted(oct_of(SECRET), alg=alg, enc=enc)
        keys = read_decryption_secret(encode(SECRET), "base64url", bound)
        assert decrypt_compact(token, keys).decode() == INNER
        in_file = keys_of(oct_of(SECRET, alg=bound))
        assert decrypt_compact(token, in_file).decode() == INNER

    def test_a_secret_for_one_algorithm_is_not_used_with_another(self) -> None:
        token = encrypted(oct_of(SECRET), alg="dir")
        keys = read_decryption_secret(SECRET.hex(), "hex", "A256KW")
        assert reason_of(token, keys) == "token-decryption"

    @pytest.mark.parametrize(
        ("text", "encoding", "alg"),
        [
            ("too short", "plain", "A256KW"),
            ("xyz", "hex", "A256KW"),
            ("00" * 32, "hex", "HS256"),
        ],
    )
    def test_other_secrets_are_refused_and_not_shown(
        self,
        text: str,
        encoding: SecretEncoding,
        alg: str,
    ) -> None:
        with pytest.raises(KeyRefusedError) as caught:
            read_decryption_secret(text, encoding, alg)
        assert text not in repr(caught.value)


def pem_of(
    key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey,
    form: PrivateFormat = PrivateFormat.PKCS8,
    encryption: KeySerializationEncryption | None = None,
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, encryption or NoEncryption())


class TestReadingKeys:
    """What may stand in a file."""

    @pytest.mark.parametrize(
        "data",
        [
            json.dumps(OURS).encode(),
            b"\n " + json.dumps({"keys": [OURS]}, indent=1).encode(),
            json.dumps({**OURS, "use": "enc", "key_ops": ["unwrapKey"]}).encode(),
            pem_of(RSA),
            pem_of(RSA, PrivateFormat.TraditionalOpenSSL),
            pem_of(RSA) + pem_of(EC, PrivateFormat.TraditionalOpenSSL),
        ],
        ids=["JWK", "set", "use", "PEM", "PKCS 1", "several"],
    )
    def test_keys_are_read(self, data: bytes) -> None:
        assert decrypt_compact(TOKEN, read_decryption_keys(data))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"key",
            b"{}",
            b"[]",
            b'{"keys":[]}',
            b'{"keys":{}}',
            b'{"keys":[1]}',
            b'{"kty":"oct","kty":"RSA"}',
            b'{"keys":[' + b" " * MAX_JWKS + b"]}",
            json.dumps({"keys": [OURS] * (MAX_KEYS + 1)}).encode(),
            json.dumps({"keys": [OURS, jwk_of(EC, kid="ours")]}).encode(),
            json.dumps({"keys": [OURS, oct_of(SECRET)]}).encode(),
            json.dumps({**OURS, "use": "sig"}).encode(),
            json.dumps({**OURS, "key_ops": ["sign"]}).encode(),
            json.dumps({**OURS, "key_ops": "decrypt"}).encode(),
            json.dumps({**OURS, "alg": "RSA1_5"}).encode(),
            json.dumps({**OURS, "alg": ["RSA-OAEP"]}).encode(),
            json.dumps({**OURS, "kid": 1}).encode(),
            json.dumps({**OURS, "d": OURS["d"] + "="}).encode(),
            json.dumps({**OURS, "d": OURS["e"]}).encode(),
            json.dumps({**jwk_of(EC), "d": encode(b"x" * 32)}).encode(),
            json.dumps({**jwk_of(EC), "y": 1}).encode(),
            json.dumps({n: OURS[n] for n in ("kty", "n", "e")}).encode(),
            json.dumps({"kty": "OKP", "crv": "X25519", "d": "AA", "x": "AA"}).encode(),
            pem_of(RSA, encryption=BestAvailableEncryption(b"pass")),
            SIGNER.public_pem(),
            Pki.create().issue("a").cert_pem,
            pem_of(rsa.generate_private_key(65537, 1024)),  # noqa: S505
            b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        ],
    )
    def test_other_files_are_refused(self, data: bytes) -> None:
        with pytest.raises(KeyRefusedError) as caught:
            read_decryption_keys(data)
        assert caught.value.__cause__ is None
        assert OURS["d"] not in repr(caught.value)

    def test_keys_are_never_shown(self) -> None:
        assert OURS["d"] not in repr(KEYS)
        assert str(RSA.private_numbers().d) not in repr(KEYS)


class TestDerivedKeys:
    """Keys out of a client secret (OpenID Connect Core section 10.2)."""

    def test_there_is_one_for_each_algorithm(self) -> None:
        keys = derive_decryption_keys("secret").keys
        named = {(alg, enc) for key in keys for alg in key.algs for enc in key.encs}
        wrapping = {"A128KW", "A192KW", "A256KW"}
        assert named == {
            (alg, enc) for alg in (*wrapping, "dir") for enc in ENCRYPTIONS
        }
        assert len(keys) == len(wrapping) + len(ENCRYPTIONS)

    def test_key_is_the_left_of_the_shortest_hash(self) -> None:
        secret = "secret"
        octets = hashlib.sha512(secret.encode()).digest()
        text = encrypted(oct_of(octets), alg="dir", enc="A256CBC-HS512")
        keys = derive_decryption_keys(secret)
        assert decrypt_compact(text, keys) == INNER.encode()
        half = hashlib.sha384(secret.encode()).digest()[:24]
        text = encrypted(oct_of(half), alg="A192KW", enc="A256GCM")
        with pytest.raises(TokenError):
            decrypt_compact(text, keys)

    def test_secret_does_not_show(self) -> None:
        assert "hunter2" not in repr(derive_decryption_keys("hunter2"))


def test_content_of_any_type_is_given_with_its_header() -> None:
    text = encrypted(OURS, "{}", cty="json", kid="ours")
    header, content = decrypt_content_of(text, KEYS)
    assert header.cty == "json"
    assert content == b"{}"
    with pytest.raises(TokenError):
        decrypt_content_of(text, KEYS, algorithms=())
