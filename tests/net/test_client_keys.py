"""Our keys are read, named and published; what is private stays with us."""

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.errors import ConfigError
from sso_proxy.net.client_keys import ClientKeys, read_client_keys
from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.decrypt import decrypt_compact
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.jose.public_jwk import jwks_document
from sso_proxy.specs.jose.sign import sign_compact
from sso_proxy.specs.jose.verify import check_signature
from tests.support.rsa_key import RSA_KEY

RSA = JWK.from_pyca(RSA_KEY)
EC = JWK.from_pyca(ec.generate_private_key(ec.SECP256R1()))
ED = JWK.from_pyca(ed25519.Ed25519PrivateKey.generate())
PRIVATE = {"d", "p", "q", "dp", "dq", "qi", "k"}


def pem(path: Path, key: JWK) -> str:
    path.write_bytes(key.export_to_pem(private_key=True, password=None))
    return str(path)


def jwk(path: Path, key: JWK, **members: str) -> str:
    path.write_text(json.dumps({**key.export_private(as_dict=True), **members}))
    return str(path)


def test_the_first_key_signs_and_all_are_published(tmp_path: Path) -> None:
    keys = read_client_keys(
        signing=[
            pem(tmp_path / "1.pem", ED),
            jwk(tmp_path / "2.jwk", RSA, kid="old", alg="PS256"),
        ]
    )
    assert [(key.kid, key.alg) for key in keys.signing] == [
        (ED.thumbprint(), "EdDSA"),
        ("old", "PS256"),
    ]
    published = read_jwks(jwks_document(keys.public))
    assert published.ignored == ()
    for key in keys.signing:
        check_signature(split_compact(sign_compact({"a": 1}, key)), published)


def test_nothing_private_is_published(tmp_path: Path) -> None:
    keys = read_client_keys(
        signing=[
            jwk(tmp_path / "1", EC, kid="s"),
            pem(tmp_path / "2", ED),
        ],
        decryption=[jwk(tmp_path / "3", RSA, kid="e")],
    )
    for key in json.loads(jwks_document(keys.public))["keys"]:
        assert not PRIVATE & set(key)
    assert '"d"' not in repr(keys)


def test_options_say_how_to_sign_and_what_the_first_key_is_called(
    tmp_path: Path,
) -> None:
    other = JWK.from_pyca(rsa.generate_private_key(65537, 2048))
    keys = read_client_keys(
        signing=[pem(tmp_path / "1", RSA), pem(tmp_path / "2", other)],
        alg="PS256",
        kid="registered",
    )
    assert [(key["kid"], key["alg"]) for key in keys.public] == [
        ("registered", "PS256"),
        (other.thumbprint(), "PS256"),
    ]


def test_what_is_encrypted_to_any_of_our_keys_is_opened(tmp_path: Path) -> None:
    new = JWK.from_pyca(rsa.generate_private_key(65537, 2048))
    keys = read_client_keys(
        decryption=[
            pem(tmp_path / "1", new),
            pem(tmp_path / "2", RSA),
            jwk(tmp_path / "3", EC, kid="agree", alg="ECDH-ES"),
        ]
    )
    assert [set(key) - {"n", "e"} for key in keys.public[:2]] == [
        {"kty", "kid", "use"}
    ] * 2
    assert keys.public[2]["alg"] == "ECDH-ES"
    for public in keys.public:
        header = {
            "alg": public.get("alg", "RSA-OAEP-256"),
            "enc": "A256GCM",
            "kid": public["kid"],
            "cty": "JWT",
        }
        token = JWE(b"a.b.c", protected=json.dumps(header))
        token.add_recipient(JWK(**public))
        assert decrypt_compact(token.serialize(True), keys.decryption) == b"a.b.c"


def test_a_key_without_a_name_is_found_by_whatever_the_provider_calls_it(
    tmp_path: Path,
) -> None:
    keys = read_client_keys(
        decryption=[pem(tmp_path / "1", RSA), pem(tmp_path / "2", EC)]
    )
    for kid in ({"kid": "registered by hand"}, {}):
        header = {"alg": "RSA-OAEP", "enc": "A256GCM", "cty": "JWT", **kid}
        token = JWE(b"a.b.c", protected=json.dumps(header))
        token.add_recipient(RSA)
        assert decrypt_compact(token.serialize(True), keys.decryption) == b"a.b.c"


def test_no_keys_are_an_empty_set() -> None:
    assert read_client_keys().public == ClientKeys().public == ()


def test_two_keys_with_one_name_are_a_mistake(tmp_path: Path) -> None:
    one, two = jwk(tmp_path / "1", EC, kid="k"), jwk(tmp_path / "2", ED, kid="k")
    with pytest.raises(ConfigError, match=r"^a\.b: several keys .* 'k'"):
        read_client_keys(signing=[one, two], path="a.b")


def test_a_key_is_for_one_purpose(tmp_path: Path) -> None:
    file = pem(tmp_path / "1", EC)
    with pytest.raises(ConfigError, match="several keys"):
        read_client_keys(signing=[file], decryption=[file])


def test_mistakes_name_the_file_of_the_list(tmp_path: Path) -> None:
    good = pem(tmp_path / "good", EC)
    none = tmp_path / "none"
    none.write_bytes(b"none")
    several = tmp_path / "several"
    several.write_text(
        json.dumps({"keys": [key.export(as_dict=True) for key in (RSA, EC)]})
    )
    secret = tmp_path / "secret"
    secret.write_text('{"kty":"oct","k":"AAAAAAAAAAAAAAAAAAAAAA","alg":"A128KW"}')
    for option, file, problem in (
        ("signing", none, "a.signing_keys[1]: cannot be used: neither"),
        ("signing", tmp_path / "missing", "a.signing_keys[1]: cannot be read"),
        ("decryption", none, "a.decryption_keys[1]: cannot be used"),
        ("decryption", several, "a.decryption_keys[1]: has several keys"),
        ("decryption", secret, "a.decryption_keys[1]: cannot be used"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_client_keys(**{option: [good, str(file)]}, path="a")  # type: ignore[arg-type]
        assert str(caught.value).startswith(problem)
