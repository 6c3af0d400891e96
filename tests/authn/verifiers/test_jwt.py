"""A JWT is told from an opaque token, and meets the keys of its issuer only."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Coroutine
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.authn.verifiers import Verified
from sso_proxy.authn.verifiers.jwt import JwtVerifier, is_jwt
from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.specs.jose.decrypt import read_decryption_keys
from sso_proxy.specs.jose.keys import KeySet, read_jwks
from sso_proxy.specs.oauth.claims import ClaimRules
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.tokens import TokenSigner, jwks

ISSUER = "https://login.example.com"
SIGNER = TokenSigner.create()


class Source:
    """Has keys, or is down; counts how often it is asked."""

    def __init__(self, *signers: TokenSigner) -> None:
        self.keys = read_jwks(jwks(*signers))
        self.later = self.keys
        self.down = False
        self.known = True
        self.asked = 0

    def current(self) -> KeySet | None:
        return self.keys if self.known else None

    async def key_set(self) -> KeySet:
        self.asked += 1
        if self.down:
            raise UnavailableError("keys")
        return self.keys

    async def key_set_for_unknown(self) -> KeySet:
        self.asked += 1
        return self.later


def verifier(source: Source, **changes: Any) -> JwtVerifier:  # noqa: ANN401
    given = {
        "rules": ClaimRules(issuer=ISSUER, audiences=frozenset({"api"})),
        "types": {"at+jwt"},
        "algorithms": {"ES256"},
        "max_bytes": 4096,
        "keep": float("inf"),
        "source": source,
        "clock": SettableClock(),
        "adopt": lambda _: None,
    }
    return JwtVerifier(**{**given, **changes})


def claims(**changes: object) -> dict[str, Any]:
    now = SettableClock().time()
    return {"iss": ISSUER, "aud": "api", "sub": "alice", "exp": now + 300, **changes}


def result(coroutine: Coroutine[Any, Any, Verified]) -> Verified:
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    verified: Verified = end.value.value
    return verified


def encoded(text: bytes) -> str:
    return urlsafe_b64encode(text).decode()


@pytest.mark.parametrize(
    "token",
    [
        SIGNER.sign(claims()),
        "e30.e30.",
        "e30.e30.e30.e30.e30",
        encoded(b' \n{"alg"}\t') + ".x",
        encoded(b'{"alg": "ES256"}') + "==.x.y",
        "eyJhbGciOiJub25lIn0.",
        encoded('{"kid":"ü"}'.encode()) + ".e30.e30",
        encoded(b"{" + b"x" * 6000) + ".e30.e30",
    ],
)
def test_what_looks_like_a_jwt_is_taken_as_one(token: str) -> None:
    """What fails as a JWT must not get a second try as an opaque token."""
    assert is_jwt(token)


@pytest.mark.parametrize(
    "token",
    [
        "",
        "x",
        "eyJhbGciOiJub25lIn0",
        "ya29.a0Af",
        "ory_at_abc.def",
        "a.b.c",
        ".a.b",
        "..",
        "e_.x",
    ],
)
def test_the_rest_is_opaque(token: str) -> None:
    assert not is_jwt(token)


@given(st.text())
def test_any_text_is_one_or_the_other(token: str) -> None:
    assert is_jwt(token) in (True, False)


def test_a_token_is_verified() -> None:
    said = claims()
    verified = result(verifier(Source(SIGNER)).verify(SIGNER.sign(said)))
    assert verified == Verified(claims=said, expires=said["exp"], until=said["exp"])


def test_it_is_looked_at_again_after_a_time() -> None:
    made = verifier(Source(SIGNER), keep=60.0)
    said = claims()
    assert result(made.verify(SIGNER.sign(said))).until == SettableClock().time() + 60
    soon = said["exp"] - 290
    assert result(made.verify(SIGNER.sign({**said, "exp": soon}))).until == soon


@pytest.mark.parametrize("iss", ["https://other.example.com", None, [ISSUER]])
def test_another_issuers_token_meets_none_of_our_keys(iss: object) -> None:
    """It is refused before the signature is looked at, and before keys are fetched."""
    source = Source(SIGNER)
    source.down = True
    with pytest.raises(TokenError) as caught:
        verifier(source).verify(SIGNER.sign(claims(iss=iss))).send(None)
    assert caught.value.reason == "token-issuer"
    assert source.asked == 0


def test_keys_are_told_before_they_are_used() -> None:
    told: list[KeySet] = []
    source = Source(SIGNER)
    result(verifier(source, adopt=told.append).verify(SIGNER.sign(claims())))
    assert told == [source.keys]


def test_newer_keys_are_looked_for_if_one_is_missing() -> None:
    source = Source()
    source.later = read_jwks(jwks(SIGNER))
    told: list[KeySet] = []
    result(verifier(source, adopt=told.append).verify(SIGNER.sign(claims())))
    assert told == [source.keys, source.later]


def test_a_key_without_name_may_have_been_replaced() -> None:
    old = TokenSigner.create("ES256", None)
    source = Source(old)
    source.later = read_jwks(jwks(SIGNER.renamed(None)))
    token = SIGNER.sign(claims(), kid=None)
    with pytest.raises(TokenError):
        verifier(source).verify(token).send(None)
    verified = result(verifier(source, unnamed=True).verify(token))
    assert verified.claims["sub"] == "alice"
    forged = TokenSigner.create("ES256", None).sign(claims())
    with pytest.raises(TokenError):
        verifier(source, unnamed=True).verify(forged).send(None)


def test_an_encrypted_token_is_opened_and_then_verified() -> None:
    key = JWK.generate(kty="EC", crv="P-256", alg="ECDH-ES")
    keys = read_decryption_keys(key.export(as_dict=False).encode())

    def encrypted(signed: str) -> str:
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT"}
        jwe = JWE(signed.encode(), json.dumps(header))
        jwe.add_recipient(key)
        token: str = jwe.serialize(compact=True)
        return token

    made = verifier(Source(SIGNER), decryption=keys)
    assert result(made.verify(encrypted(SIGNER.sign(claims())))).claims == claims()
    assert result(made.verify(SIGNER.sign(claims()))).claims == claims()
    stranger = TokenSigner.create()
    with pytest.raises(TokenError):
        made.verify(encrypted(stranger.sign(claims()))).send(None)
    with pytest.raises(TokenError) as caught:
        verifier(Source(SIGNER)).verify(encrypted("x")).send(None)
    assert caught.value.reason == "token-encrypted"


def test_keys_that_cannot_be_had_are_no_fault_of_the_token() -> None:
    source = Source(SIGNER)
    source.down = True
    with pytest.raises(UnavailableError):
        verifier(source).verify(SIGNER.sign(claims())).send(None)


def test_keys_that_came_after_the_token_are_not_asked_for_again() -> None:
    """A thousand unknown keys at a cold start cause one fetch."""
    source = Source(SIGNER)
    source.known = False
    stranger = TokenSigner.create("ES256", "unknown")
    with pytest.raises(TokenError) as caught:
        verifier(source).verify(stranger.sign(claims())).send(None)
    assert caught.value.reason == "token-key-unknown"
    assert source.asked == 1
