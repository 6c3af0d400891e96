"""Another implementation of RFC 9421 signs and checks the same requests."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from http_message_signatures import (
    HTTPMessageSigner,
    HTTPMessageVerifier,
    InvalidSignature,
    MappingKeyResolver,
    algorithms,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.specs.http.signature import (
    SignatureParameters,
    SignedRequest,
    cover,
    sign_request,
)
from sso_proxy.specs.http.signature_check import (
    SignatureError,
    SignatureRules,
    check_signature,
)
from sso_proxy.specs.http.signature_keys import (
    SignatureAlgorithm,
    read_check_key,
    read_check_secret,
    read_request_key,
    read_request_secret,
)
from sso_proxy.specs.http.structured import InnerList
from tests.support.rsa_key import RSA_KEY

SECRET: Final = b"s" * 32
KEYS: Final[dict[SignatureAlgorithm, Any]] = {
    "rsa-pss-sha512": RSA_KEY,
    "rsa-v1_5-sha256": RSA_KEY,
    "ecdsa-p256-sha256": ec.generate_private_key(ec.SECP256R1()),
    "ecdsa-p384-sha384": ec.generate_private_key(ec.SECP384R1()),
    "ed25519": Ed25519PrivateKey.generate(),
}
THEIRS: Final[dict[SignatureAlgorithm, Any]] = {
    "rsa-pss-sha512": algorithms.RSA_PSS_SHA512,
    "rsa-v1_5-sha256": algorithms.RSA_V1_5_SHA256,
    "ecdsa-p256-sha256": algorithms.ECDSA_P256_SHA256,
    "ecdsa-p384-sha384": algorithms.ECDSA_P384_SHA384,
    "ed25519": algorithms.ED25519,
    "hmac-sha256": algorithms.HMAC_SHA256,
}
EVERY: Final = (
    *("@method", "@target-uri", "@authority", "@scheme", "@request-target", "@path"),
    *("@query", "accept", "x-name", "x-empty"),
)
REQUEST: Final = SignedRequest(
    method="GET",
    target="/a%20b/%C3%A9?x=1&x=%2F&y=~*'()",
    scheme="http",
    fields={
        "host": ("App.example.com:8080",),
        "accept": ("a/b;q=1", "c/d"),
        "x-name": ("Zo\xc3\xab", "x"),
        "x-empty": ("",),
    },
)


class Fields:
    """Field lines as the other implementation takes them."""

    def __init__(self, request: SignedRequest) -> None:
        self.lines = [
            (name, value) for name, values in request.fields.items() for value in values
        ]

    def items(self) -> list[tuple[str, str]]:
        return self.lines

    def __iter__(self) -> Iterator[str]:
        return iter([name for name, _ in self.lines])

    def __contains__(self, name: str) -> bool:
        return name.lower() in list(self)

    def __setitem__(self, name: str, value: str) -> None:
        self.lines.append((name.lower(), value))

    def __delitem__(self, name: str) -> None:
        self.lines = [line for line in self.lines if line[0] != name.lower()]


class Message:
    """A request as the other implementation takes it."""

    def __init__(self, request: SignedRequest) -> None:
        self.method = request.method
        host = request.fields["host"][0]
        self.url = f"{request.scheme}://{host}{request.target}"
        self.headers = Fields(request)


def pem_of(alg: SignatureAlgorithm) -> tuple[bytes, bytes]:
    """Give both halves of a key, or the secret twice."""
    if alg == "hmac-sha256":
        return SECRET, SECRET
    key = KEYS[alg]
    spki = PublicFormat.SubjectPublicKeyInfo
    return (
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        key.public_key().public_bytes(Encoding.PEM, spki),
    )


def theirs(alg: SignatureAlgorithm) -> dict[str, Any]:
    private, public = pem_of(alg)
    keys = MappingKeyResolver(public_keys={"k": public}, private_keys={"k": private})
    return {"signature_algorithm": THEIRS[alg], "key_resolver": keys}


@pytest.mark.parametrize("alg", THEIRS)
def test_what_we_sign_they_check(alg: SignatureAlgorithm) -> None:
    """Every algorithm and every component; and one changed octet is found."""
    private, _ = pem_of(alg)
    key = (
        read_request_secret(private, keyid="k")
        if alg == "hmac-sha256"
        else read_request_key(private, alg=alg, keyid="k")
    )
    now = int(datetime.now(tz=UTC).timestamp())
    told = SignatureParameters(
        created=now, expires=now + 60, nonce="n", alg=alg, keyid="k", tag="sso-proxy"
    )
    covered = InnerList(cover(EVERY, REQUEST), told.listed())
    made = sign_request(covered, REQUEST, label="sso", sign=key.sign)
    message = Message(REQUEST)
    message.headers["Signature-Input"], message.headers["Signature"] = made
    verifier = HTTPMessageVerifier(**theirs(alg))
    (found,) = verifier.verify(message, expect_tag="sso-proxy")
    assert len(found.covered_components) == len(EVERY) + 1
    message.url += "&z"
    with pytest.raises(InvalidSignature):
        verifier.verify(message, expect_tag="sso-proxy")


@pytest.mark.parametrize("alg", THEIRS)
def test_what_they_sign_we_check(alg: SignatureAlgorithm) -> None:
    """The same the other way round."""
    message = Message(REQUEST)
    components = [name for name in EVERY if name != "x-name"]
    now = datetime.now(tz=UTC)
    HTTPMessageSigner(**theirs(alg)).sign(
        message,
        key_id="k",
        created=now,
        expires=now + timedelta(seconds=60),
        nonce="n",
        tag="sso-proxy",
        covered_component_ids=(*components, '"x-name";bs', '"@query-param";name="y"'),
    )
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in message.headers.items():
        fields[name.lower()] = (*fields.get(name.lower(), ()), value)
    request = attrs.evolve(REQUEST, fields=fields)
    _, public = pem_of(alg)
    keys = {
        "k": read_check_secret(public)
        if alg == "hmac-sha256"
        else read_check_key(public, alg)
    }
    rules = SignatureRules(components=EVERY, nonce=True)
    found = check_signature(request, keys, rules, now=now.timestamp())
    assert set(found.values) == set(EVERY)
    changed = attrs.evolve(request, target=request.target + "&z")
    with pytest.raises(SignatureError):
        check_signature(changed, keys, rules, now=now.timestamp())


_parts = st.one_of(
    st.sampled_from(
        ["sso=", "(", ")", '"@path"', '"x"', ";", ",", " ", "=", ":", "?1", "created=1"]
    ),
    st.text(st.characters(max_codepoint=0xFF), max_size=3),
)


@settings(max_examples=200)
@given(told=st.lists(_parts, max_size=12), made=st.lists(_parts, max_size=6))
def test_nonsense_is_refused_and_nothing_else_happens(
    told: list[str], made: list[str]
) -> None:
    """Whatever somebody writes into the two fields."""
    fields = {"signature-input": ("".join(told),), "signature": ("".join(made),)}
    request = attrs.evolve(REQUEST, fields={**REQUEST.fields, **fields})
    keys = {"k": read_check_secret(SECRET)}
    with pytest.raises(SignatureError):
        check_signature(request, keys, SignatureRules(tag=""), now=0.0)
