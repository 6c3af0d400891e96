"""Only public keys that are fit for checking signatures are used."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa, x25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.keys import (
    MAX_JWKS,
    MAX_KEYS,
    KeyRefusedError,
    KeySet,
    UnknownKeyError,
    read_jwk,
    read_jwks,
    read_pem,
    read_secret,
)
from sso_proxy.specs.jose.secret import SecretEncoding
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner, jwks

EC = TokenSigner.create("ES256", "ec")
RSA = TokenSigner.create("RS256", "rsa")
ED = TokenSigner.create("EdDSA", "ed")


def private_jwk(**members: object) -> dict[str, Any]:
    key = JWK.generate(**members)
    return dict(json.loads(key.export_private()))


def small_rsa_jwk() -> dict[str, Any]:
    key = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505
    return dict(json.loads(JWK.from_pyca(key).export_public()))


def other_curve_jwk() -> dict[str, Any]:
    key = JWK.generate(kty="EC", crv="secp256k1")
    return dict(json.loads(key.export_public()))


@pytest.mark.parametrize("signer", [EC, RSA, ED], ids=lambda s: s.alg)
def test_a_public_key_is_read(signer: TokenSigner) -> None:
    key = read_jwk(signer.public_jwk())
    assert key.kid == signer.kid
    assert key.algs == {signer.alg}
    key.verify(signer.alg, b"input", signer.signature(b"input"))


def test_the_thumbprint_is_that_of_rfc_7638() -> None:
    """RFC 7638 3.1 has this key and this thumbprint."""
    key = read_jwk(
        {
            "kty": "RSA",
            "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86"
            "zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4"
            "Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs"
            "8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQ"
            "Fh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
            "nqDKgw",
            "e": "AQAB",
            "alg": "RS256",
            "kid": "2011-04-29",
        }
    )
    assert key.thumbprint == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_key_bound_to_an_algorithm_checks_no_other() -> None:
    key = read_jwk(RSA.public_jwk(alg="PS256"))
    with pytest.raises(TokenError, match="not for this key"):
        key.verify("RS256", b"input", RSA.signature(b"input"))


def test_a_key_bound_to_no_algorithm_checks_all_that_fit() -> None:
    assert read_jwk(EC.public_jwk(alg=None)).algs == {"ES256"}
    assert read_jwk(ED.public_jwk(alg=None)).algs == {"EdDSA", "Ed25519"}
    assert len(read_jwk(RSA.public_jwk(alg=None)).algs) == 6


@pytest.mark.parametrize(
    ("members", "problem"),
    [
        ({"kty": "oct", "k": "c2VjcmV0", "kid": "ec"}, "kty"),
        ({}, "kty"),
        ({"kty": ["EC"]}, "kty"),
        (private_jwk(kty="EC", crv="P-256"), "private"),
        (private_jwk(kty="RSA", size=2048), "private"),
        (private_jwk(kty="OKP", crv="Ed25519"), "private"),
        (EC.public_jwk(d="AA"), "private"),
        (EC.public_jwk(d=""), "private"),
        (EC.public_jwk(use="enc"), "use"),
        (EC.public_jwk(use=["sig"]), "use"),
        (EC.public_jwk(key_ops=["encrypt"]), "key_ops"),
        (EC.public_jwk(key_ops=[]), "key_ops"),
        (EC.public_jwk(key_ops="verify"), "key_ops"),
        (EC.public_jwk(alg="ES384"), "algorithm"),
        (EC.public_jwk(alg="ES521"), "algorithm"),
        (EC.public_jwk(alg="RS256"), "algorithm"),
        (EC.public_jwk(alg="none"), "algorithm"),
        (EC.public_jwk(alg=["ES256"]), "algorithm"),
        (EC.public_jwk(crv="P-384"), "malformed"),
        (EC.public_jwk(crv="P-255"), "malformed"),
        (EC.public_jwk(x=None), "x is missing"),
        (EC.public_jwk(x=1), "x is missing"),
        (EC.public_jwk(x="é"), "x is missing"),
        (EC.public_jwk(x=EC.public_jwk()["x"] + "=="), "base64url"),
        (EC.public_jwk(x=EC.public_jwk()["y"]), "malformed"),
        (EC.public_jwk(x=""), "malformed"),
        (EC.public_jwk(kid=7), "kid"),
        (EC.public_jwk(issuer=7), "issuer"),
        (RSA.public_jwk(e="AQ"), "malformed"),
        (RSA.public_jwk(e="AgAAAAE"), "exponent"),
        (RSA.public_jwk(alg="RSA-OAEP"), "algorithm"),
        (small_rsa_jwk(), "1024"),
        (ED.public_jwk(crv="X25519"), "no key for signatures"),
        (ED.public_jwk(crv="Ed448"), "malformed"),
        (ED.public_jwk(x="AAAA"), "malformed"),
        (other_curve_jwk(), "algorithm"),
    ],
    ids=lambda v: v if isinstance(v, str) else str(v.get("kty")),
)
def test_unfit_keys_are_refused(members: dict[str, Any], problem: str) -> None:
    with pytest.raises(KeyRefusedError, match=problem):
        read_jwk(members)


def test_a_refusal_holds_no_key_material() -> None:
    members = private_jwk(kty="EC", crv="P-256")
    with pytest.raises(KeyRefusedError) as caught:
        read_jwk(members)
    assert members["d"] not in repr(caught.value)


def test_unfit_keys_of_others_are_left_out_with_a_reason() -> None:
    keys = read_jwks(jwks(EC, {"kty": "oct", "k": "AA"}, small_rsa_jwk()))
    assert [key.kid for key in keys.keys] == ["ec"]
    assert [line.partition(":")[0] for line in keys.ignored] == ["key 1", "key 2"]


def test_an_unfit_key_of_our_own_refuses_the_set() -> None:
    with pytest.raises(KeyRefusedError, match="kty"):
        read_jwks(jwks(EC, {"kty": "oct", "k": "AA"}), remote=False)


def test_keys_with_the_same_name_are_all_left_out() -> None:
    keys = read_jwks(jwks(EC, RSA.renamed("ec"), ED))
    assert [key.kid for key in keys.keys] == ["ed"]
    assert len(keys.ignored) == 1


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"<html>",
        b"{}",
        b'{"keys":{}}',
        b'{"keys":[],"keys":[]}',
        jwks(EC)[:-2] + b',{"kty":"EC","kty":"oct"}]}',
        jwks(*([EC] * (MAX_KEYS + 1))),
        b'{"keys":[]}' + b" " * MAX_JWKS,
    ],
    ids=[
        "empty",
        "list",
        "html",
        "no keys",
        "keys is no list",
        "keys twice",
        "a member twice",
        "too many",
        "too long",
    ],
)
def test_what_is_no_set_is_refused(document: bytes) -> None:
    with pytest.raises(KeyRefusedError):
        read_jwks(document)


def test_elements_that_are_no_keys_are_left_out() -> None:
    assert read_jwks(b'{"keys":[1,null,"a",[]]}').keys == ()


def test_a_set_may_be_as_large_as_the_limit() -> None:
    many = [EC.renamed(str(n)) for n in range(MAX_KEYS)]
    assert len(read_jwks(jwks(*many)).keys) == MAX_KEYS


@pytest.mark.parametrize("signer", [EC, RSA, ED], ids=lambda s: s.alg)
def test_a_public_key_in_pem_is_read(signer: TokenSigner) -> None:
    (key,) = read_pem(b"a comment\n" + signer.public_pem()).keys
    assert key.kid is None
    key.verify(signer.alg, b"input", signer.signature(b"input"))


def test_the_key_of_a_certificate_is_read() -> None:
    issued = Pki.create().issue("issuer", expired=True)
    (key,) = read_pem(issued.cert_pem).keys
    assert key.algs == {"ES256"}


def test_several_keys_in_one_file_are_read() -> None:
    assert len(read_pem(EC.public_pem() + RSA.public_pem()).keys) == 2


def private_pem() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def exchange_pem() -> bytes:
    key = x25519.X25519PrivateKey.generate().public_key()
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def small_pem() -> bytes:
    key = rsa.generate_private_key(65537, 1024).public_key()  # noqa: S505
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"no pem",
        private_pem(),
        EC.public_pem() + private_pem(),
        exchange_pem(),
        small_pem(),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        EC.public_pem() * (MAX_KEYS + 1),
    ],
    ids=[
        "empty",
        "text",
        "private",
        "a private one among them",
        "key exchange",
        "weak",
        "broken key",
        "broken certificate",
        "too many",
    ],
)
def test_unfit_pem_is_refused(data: bytes) -> None:
    with pytest.raises(KeyRefusedError):
        read_pem(data)


def key_set(*signers: TokenSigner) -> KeySet:
    return KeySet(tuple(read_jwk(signer.public_jwk()) for signer in signers))


def test_a_name_finds_its_key() -> None:
    assert key_set(EC, RSA).find("rsa", "RS256").kid == "rsa"


def test_a_name_that_no_key_has_finds_none() -> None:
    """Not even the only one: the name may be that of a key published since."""
    with pytest.raises(UnknownKeyError):
        key_set(EC).find("other", "ES256")


def test_a_name_that_is_a_path_is_only_looked_up() -> None:
    with pytest.raises(UnknownKeyError):
        key_set(EC).find("../../dev/null", "ES256")


def test_without_a_name_the_only_key_that_fits_is_found() -> None:
    assert key_set(EC, RSA).find(None, "ES256").kid == "ec"


def test_without_a_name_several_keys_that_fit_are_none() -> None:
    with pytest.raises(UnknownKeyError, match="more than one"):
        key_set(EC, TokenSigner.create("ES256", "ec2")).find(None, "ES256")


def test_a_key_without_a_name_is_meant_by_any_name() -> None:
    """A PEM file has no names; tokens of its issuer usually have."""
    key = read_pem(EC.public_pem()).find("whatever", "ES256")
    assert key.algs == {"ES256"}


def test_several_keys_without_names_are_not_tried_in_turn() -> None:
    keys = read_pem(EC.public_pem() + TokenSigner.create("ES256").public_pem())
    with pytest.raises(UnknownKeyError):
        keys.find("whatever", "ES256")


def test_a_named_key_is_not_found_under_another_algorithm_by_guess() -> None:
    with pytest.raises(TokenError):
        key_set(EC).find("ec", "ES384").verify("ES384", b"", b"")


def test_abilities_tell_keys_and_algorithms_apart() -> None:
    both = key_set(EC, RSA).abilities
    assert key_set(EC).abilities < both
    assert key_set(RSA.using("PS256")).abilities.isdisjoint(both)


def test_keys_are_not_shown_whole() -> None:
    assert EC.public_jwk()["x"] not in repr(key_set(EC))


ED448 = TokenSigner.create("Ed448", "ed448")
SECRET = "correct horse battery staple and some more"


def test_a_key_of_ed448_is_read() -> None:
    key = read_jwk(ED448.public_jwk(alg=None))
    assert key.algs == {"EdDSA", "Ed448"}
    (same,) = read_pem(ED448.public_pem()).keys
    same.verify("Ed448", b"input", ED448.signature(b"input"))
    assert same.thumbprint == key.thumbprint


def test_the_one_key_of_a_file_may_be_given_a_name() -> None:
    (key,) = read_pem(EC.public_pem(), kid="mine").keys
    assert key.kid == "mine"
    with pytest.raises(KeyRefusedError, match="several"):
        read_pem(EC.public_pem() + RSA.public_pem(), kid="mine")


def test_a_public_key_of_pkcs_1_is_read() -> None:
    key = rsa.generate_private_key(65537, 2048).public_key()
    (read,) = read_pem(key.public_bytes(Encoding.PEM, PublicFormat.PKCS1)).keys
    assert "RS256" in read.algs


@pytest.mark.parametrize(
    "extra",
    [
        b"-----BEGIN RSA PRIVATE KEY-----\nDEK-Info: X,00\n\nAA\n-----END RSA PRIVATE",
        b"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----",
        b"-----BEGIN EC PRIVATE KEY-----\nAAAA\n",
        b"-----BEGIN PUBLIC KEY-----\nAA AA!\n-----END PUBLIC KEY-----\n",
    ],
    ids=["with header lines", "of OpenSSH", "cut off", "not base64"],
)
def test_what_is_not_understood_beside_a_key_refuses_the_file(extra: bytes) -> None:
    """It could be a private key that was put into the wrong file."""
    with pytest.raises(KeyRefusedError):
        read_pem(EC.public_pem() + extra)


def test_a_secret_checks_macs_that_it_is_long_enough_for() -> None:
    (key,) = read_secret(SECRET).keys
    assert key.algs == {"HS256"}
    signer = TokenSigner.of_secret(SECRET.encode())
    key.verify("HS256", b"input", signer.signature(b"input"))
    with pytest.raises(TokenError, match="wrong signature"):
        key.verify("HS256", b"inpuT", signer.signature(b"input"))


@pytest.mark.parametrize("encoding", ["plain", "hex", "base64", "base64url"])
def test_a_secret_that_is_too_short_is_refused_and_told_how_long(
    encoding: SecretEncoding,
) -> None:
    """RFC 7518 3.2; what counts are the octets, not the characters."""
    text = {"plain": "x" * 31, "hex": "00" * 31}.get(encoding, "A" * 41 + "A")
    with pytest.raises(KeyRefusedError, match="31 octets are too short for HS256"):
        read_secret(text, encoding)


def test_a_secret_is_long_enough_for_every_algorithm_that_is_wanted() -> None:
    with pytest.raises(KeyRefusedError, match="HS512, which needs 64"):
        read_secret(SECRET, algorithms=("HS256", "HS512"))
    (key,) = read_secret("x" * 64, algorithms=("HS512",), kid="s").keys
    assert key.kid == "s"
    assert key.algs == {"HS512"}


@pytest.mark.parametrize("alg", ["RS256", "ES256", "none"])
def test_a_secret_is_for_nothing_but_macs(alg: str) -> None:
    with pytest.raises(KeyRefusedError, match=f"not for {alg}"):
        read_secret(SECRET, algorithms=(alg,))


def test_a_secret_in_another_encoding_is_refused() -> None:
    with pytest.raises(KeyRefusedError, match="no hexadecimal"):
        read_secret(SECRET, "hex")


def test_a_secret_is_never_shown() -> None:
    keys = read_secret(SECRET)
    assert SECRET not in repr(keys)
    with pytest.raises(KeyRefusedError) as caught:
        read_secret("tooshort")
    assert "tooshort" not in repr(caught.value)


def test_secrets_are_told_apart() -> None:
    assert read_secret(SECRET).abilities.isdisjoint(read_secret(SECRET + "x").abilities)
    assert read_secret(SECRET).abilities == read_secret(SECRET).abilities


@pytest.mark.parametrize("remote", [True, False])
def test_a_secret_in_a_set_is_never_a_key(*, remote: bool) -> None:
    """Somebody who publishes a secret has none; a set is for public keys."""
    document = jwks({"kty": "oct", "k": "A" * 43, "kid": "s", "alg": "HS256"})
    if remote:
        assert read_jwks(document).keys == ()
    else:
        with pytest.raises(KeyRefusedError, match="kty"):
            read_jwks(document, remote=False)


def test_key_says_whose_tokens_it_signs() -> None:
    """Microsoft Entra has keys for one of its issuers among those for all."""
    assert read_jwk(EC.public_jwk()).issuer is None
    issuer = "https://login.example/{tenantid}/v2.0"
    assert read_jwk(EC.public_jwk(issuer=issuer)).issuer == issuer
