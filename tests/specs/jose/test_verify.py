"""Only a token that one of the issuer's keys signed is believed."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jwt import JWT

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import ALGORITHMS, JoseHeader
from sso_proxy.specs.jose.keys import (
    KeySet,
    UnknownKeyError,
    read_jwk,
    read_jwks,
    read_pem,
    read_secret,
)
from sso_proxy.specs.jose.verify import verify
from sso_proxy.testing.tokens import TokenSigner, jwks

EC = TokenSigner.create("ES256", "ec")
RSA = TokenSigner.create("RS256", "rsa")
KEYS = read_jwks(jwks(EC, RSA))
CLAIMS = {"sub": "alice"}
TOKEN = EC.sign(CLAIMS)


def encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def refused(token: str | bytes, keys: KeySet = KEYS) -> str:
    with pytest.raises(TokenError) as caught:
        verify(token, keys)
    return caught.value.reason


def macced(header: dict[str, object], key: bytes) -> str:
    """Make a token with HS256."""
    parts = [encode(json.dumps(part).encode()) for part in (header, CLAIMS)]
    mac = hmac.digest(key, ".".join(parts).encode(), hashlib.sha256)
    return ".".join([*parts, encode(mac)])


def test_a_token_of_the_issuer_is_believed() -> None:
    header = JoseHeader(alg="ES256", kid="ec", typ="at+jwt")
    assert verify(TOKEN, KEYS) == (header, json.dumps(CLAIMS).encode())


@pytest.mark.parametrize("alg", sorted(ALGORITHMS))
def test_every_algorithm_is_supported(alg: str) -> None:
    signer = TokenSigner.create(alg) if alg[:2] not in {"RS", "PS"} else RSA.using(alg)
    keys = read_jwks(jwks(signer))
    assert verify(signer.sign(CLAIMS), keys)[0].alg == alg


@pytest.mark.parametrize("alg", ["RS256", "PS256", "ES256", "ES512", "EdDSA"])
def test_tokens_of_another_implementation_are_believed(alg: str) -> None:
    kinds = {"R": {"kty": "RSA", "size": 2048}, "P": {"kty": "RSA", "size": 2048}}
    kinds["Ed"] = {"kty": "OKP", "crv": "Ed25519"}
    curves = {"ES256": "P-256", "ES512": "P-521"}
    kind = kinds.get(alg[:2]) or kinds.get(alg[0]) or {"kty": "EC", "crv": curves[alg]}
    key = JWK.generate(kid="k", **kind)
    token = JWT(header={"alg": alg, "kid": "k"}, claims=CLAIMS)
    token.make_signed_token(key)
    keys = KeySet((read_jwk(json.loads(key.export_public())),))
    assert json.loads(verify(token.serialize(), keys)[1]) == CLAIMS


def test_a_token_of_somebody_else_is_refused() -> None:
    other = TokenSigner.create("ES256", "ec")
    assert refused(other.sign(CLAIMS)) == "token-signature"


def test_an_algorithm_that_the_issuer_may_not_use_is_refused() -> None:
    with pytest.raises(TokenError, match="not allowed"):
        verify(TOKEN, KEYS, algorithms=("RS256",))


def test_a_mac_with_a_shared_secret_is_believed_where_it_is_asked_for() -> None:
    keys = read_secret("s" * 32)
    token = macced({"alg": "HS256", "kid": "whatever"}, b"s" * 32)
    assert verify(token, keys, algorithms=("HS256",))[0].alg == "HS256"
    assert refused(token, keys) == "token-alg"
    with pytest.raises(TokenError):
        verify(macced({"alg": "HS256"}, b"t" * 32), keys, algorithms=("HS256",))


def test_a_secret_checks_no_signature() -> None:
    with pytest.raises(TokenError):
        verify(TOKEN, read_secret("s" * 64), algorithms=("ES256", "HS256"))


@given(place=st.integers(0, len(TOKEN) - 1), character=st.characters(codec="ascii"))
def test_a_changed_token_is_refused(place: int, character: str) -> None:
    changed = TOKEN[:place] + character + TOKEN[place + 1 :]
    if changed == TOKEN:
        return
    refused(changed)


class TestProbedAttacks:
    """Each has worked against somebody."""

    @pytest.mark.parametrize("alg", ["none", "None", "nOnE", "NONE", ""])
    @pytest.mark.parametrize("signature", ["", encode(b"x")])
    def test_no_algorithm(self, alg: str, signature: str) -> None:
        header = encode(json.dumps({"alg": alg}).encode())
        refused(f"{header}.{TOKEN.split('.')[1]}.{signature}")

    def test_psychic_signature(self) -> None:
        """CVE-2022-21449: r = s = 0 is a signature of everything."""
        refused(TOKEN.rpartition(".")[0] + "." + encode(bytes(64)))

    def test_signature_in_der(self) -> None:
        der = b"\x30\x44\x02\x20" + b"\1" * 32 + b"\x02\x20" + b"\1" * 32
        refused(TOKEN.rpartition(".")[0] + "." + encode(der))

    @pytest.mark.parametrize("strip", [False, True])
    def test_public_key_as_mac_key(self, strip: bool) -> None:  # noqa: FBT001
        pem = RSA.public_pem().strip() if strip else RSA.public_pem()
        assert refused(macced({"alg": "HS256", "kid": "rsa"}, pem)) == "token-alg"

    def test_mac_with_a_symmetric_key_of_the_set(self) -> None:
        oct_key = {"kty": "oct", "k": encode(b"k" * 32), "kid": "o", "alg": "HS256"}
        keys = read_jwks(jwks(EC, oct_key))
        assert refused(macced({"alg": "HS256", "kid": "o"}, b"k" * 32), keys)

    def test_public_key_as_mac_key_where_macs_are_allowed(self) -> None:
        """The key decides, not the list: a public key has no MAC to check."""
        pem = RSA.public_pem()
        token = macced({"alg": "HS256", "kid": "rsa"}, pem)
        both = ("RS256", "HS256")
        for keys in (KEYS, read_pem(pem), read_pem(pem, kid="rsa")):
            with pytest.raises(TokenError):
                verify(token, keys, algorithms=both)

    def test_unknown_critical_extension(self) -> None:
        assert refused(EC.sign(CLAIMS, crit=["x"], x=1)) == "token-header"

    def test_unencoded_payload(self) -> None:
        assert refused(EC.sign(CLAIMS, b64=False, crit=["b64"])) == "token-header"

    def test_compressed_payload(self) -> None:
        assert refused(EC.sign(CLAIMS, zip="DEF")) == "token-header"

    def test_key_in_the_header(self) -> None:
        """CVE-2018-0114: the attacker's own key, sent along."""
        attacker = TokenSigner.create("ES256", "ec")
        refused(attacker.sign(CLAIMS, jwk=attacker.public_jwk()))
        refused(attacker.sign(CLAIMS, jwk=attacker.public_jwk(), kid=None))

    @pytest.mark.parametrize("name", ["jku", "x5u"])
    def test_url_of_a_key_in_the_header(self, name: str) -> None:
        attacker = TokenSigner.create("ES256", "ec")
        refused(attacker.sign(CLAIMS, **{name: "https://attacker.example/jwks"}))

    def test_certificate_in_the_header(self) -> None:
        refused(TokenSigner.create("ES256", "ec").sign(CLAIMS, x5c=["MIIB"]))

    def test_algorithm_twice(self) -> None:
        header = b'{"alg":"ES256","kid":"ec","alg":"ES256"}'
        assert refused(EC.sign_octets(header, b"{}")) == "token-malformed"

    @pytest.mark.parametrize(
        "around", ["\n{}", " {}", "{}\n", "{} ", "{}\0", "\ufeff{}"]
    )
    def test_blanks_around(self, around: str) -> None:
        assert refused(around.format(TOKEN)) == "token-malformed"

    @pytest.mark.parametrize("end", ["=", "=="])
    def test_padding(self, end: str) -> None:
        assert refused(TOKEN + end) == "token-malformed"

    def test_last_character_with_unused_bits(self) -> None:
        """Another spelling of the same token has another hash."""
        spelled = TOKEN[:-1] + chr(ord(TOKEN[-1]) + 1)
        assert refused(spelled) == "token-malformed"

    def test_deep_header(self) -> None:
        header = b'{"alg":"ES256","x":' + b"[" * 1000 + b"]" * 1000 + b"}"
        assert refused(EC.sign_octets(header, b"{}")) == "token-malformed"

    def test_long_number(self) -> None:
        header = b'{"alg":"ES256","x":' + b"9" * 2500 + b"}"
        assert refused(EC.sign_octets(header, b"{}")) == "token-malformed"

    def test_password_based_encryption(self) -> None:
        """CVE-2023-6681: ten million rounds for one token."""
        header = encode(b'{"alg":"PBES2-HS256+A128KW","enc":"A128GCM","p2c":10000000}')
        assert refused(f"{header}.AA.AA.AA.AA") == "token-encrypted"

    def test_zipped_encryption(self) -> None:
        """CVE-2024-28102: 65 kB that become 50 MB."""
        header = encode(b'{"alg":"dir","enc":"A128GCM","zip":"DEF"}')
        assert refused(f"{header}..AA.AA.AA") == "token-encrypted"

    def test_json_serialization(self) -> None:
        header, payload, signature = TOKEN.split(".")
        members = {"protected": header, "payload": payload, "signature": signature}
        assert refused(json.dumps(members)) == "token-malformed"
        general = {"payload": payload, "signatures": [members]}
        assert refused(json.dumps(general)) == "token-malformed"

    def test_small_rsa_key(self) -> None:
        weak = json.loads(JWK.generate(kty="RSA", size=1024, kid="w").export_public())
        assert read_jwks(jwks(weak)).keys == ()

    def test_unknown_name_with_a_single_key(self) -> None:
        keys = read_jwks(jwks(EC))
        with pytest.raises(UnknownKeyError):
            verify(EC.sign(CLAIMS, kid="other"), keys)

    @pytest.mark.parametrize(
        "kid", ["../../../dev/null", "' OR 1=1 --", "x" * 1000, "", "\0"]
    )
    def test_name_that_is_a_path_or_a_statement(self, kid: str) -> None:
        assert refused(EC.sign(CLAIMS, kid=kid)) == "token-key-unknown"

    def test_key_used_with_another_algorithm(self) -> None:
        """A key for PS256 is none for RS256: RFC 8725 3.1."""
        signer = RSA.using("PS256")
        keys = read_jwks(jwks(signer))
        assert refused(RSA.sign(CLAIMS), keys) == "token-alg"
