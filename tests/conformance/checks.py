"""What a good provider checks of its client: who it is, and what it proves."""

import base64
import hmac
import json
import time
from collections.abc import Iterable, Mapping
from typing import Any, Final
from urllib.parse import unquote_plus

from jwcrypto.common import JWException
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS

from tests.conformance.parts import (
    Asked,
    AskedWronglyError,
    Client,
    b64,
    sha256,
    thumbprint,
    unb64,
)

ASSERTION: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ALGORITHMS: Final = [
    f"{family}{size}" for family in ("RS", "PS", "ES", "HS") for size in (256, 384, 512)
] + ["EdDSA"]


def check_client(asked: Asked, client: Client, issuer: str, seen: set[str]) -> None:
    """
    Check that *asked* says who it is from in the one way that is agreed.

    Raises:
        AskedWronglyError: It does not.
    """
    basic = asked.headers.get("authorization", "")
    names = {name for name, _ in asked.form}
    given = [
        method
        for method, there in (
            ("client_secret_basic", basic.lower().startswith("basic ")),
            ("client_secret_post", "client_secret" in names),
            ("assertion", "client_assertion" in names),
        )
        if there
    ]
    by_assertion = client.auth in {"client_secret_jwt", "private_key_jwt"}
    wanted = "assertion" if by_assertion else client.auth
    without = client.auth in {"none", "tls_client_auth"}
    if given != ([] if without else [wanted]):
        raise AskedWronglyError("invalid_client", f"came with {given}")
    if client.auth == "client_secret_basic":
        pair = base64.b64decode(basic[6:]).decode().split(":")
        _same([*map(unquote_plus, pair)], [client.client_id, client.secret], "pair")
    elif client.auth == "client_secret_post":
        _same(asked.one("client_secret"), client.secret, "client_secret")
    elif by_assertion:
        _check_assertion(asked, client, issuer, seen)
    elif client.auth == "tls_client_auth":
        shown = thumbprint(asked.certificate) if asked.certificate else ""
        _same(shown, client.thumbprint, "certificate")
    if client.auth != "client_secret_basic" and not by_assertion:
        _same(asked.one("client_id"), client.client_id, "client_id")


def _check_assertion(asked: Asked, client: Client, issuer: str, seen: set[str]) -> None:
    _same(asked.one("client_assertion_type"), ASSERTION, "client_assertion_type")
    text = asked.one("client_assertion")
    keys: Iterable[Mapping[str, Any]] = client.keys
    if client.auth == "client_secret_jwt":
        keys = ({"kty": "oct", "k": b64(client.secret.encode())},)
    header, claims = verify(text, keys)
    is_mac = header["alg"].startswith("HS")
    _same(is_mac, client.auth == "client_secret_jwt", "kind of assertion")
    _same(claims.get("iss"), client.client_id, "iss of the assertion")
    _same(claims.get("sub"), client.client_id, "sub of the assertion")
    _same(claims.get("aud"), issuer, "aud of the assertion")
    if claims["exp"] < time.time() or claims["jti"] in seen:
        raise AskedWronglyError("invalid_client", "an assertion used twice or late")
    seen.add(claims["jti"])


def check_proof(
    asked: Asked, nonce: str | None, seen: set[str], token: str | None = None
) -> str | None:
    """
    Check the DPoP proof of *asked*; gives the thumbprint of its key, if there is one.

    Args:
        asked: The request.
        nonce: What the proof has to say, if anything.
        seen: The identifiers of proofs before this one.
        token: The access token that goes with it.

    Raises:
        AskedWronglyError: It is not good, or has another nonce.
    """
    proof = asked.headers.get("dpop")
    if proof is None:
        return None
    header = json.loads(unb64(proof.split(".")[0]))
    _, claims = verify(proof, [header["jwk"]], "invalid_dpop_proof")
    wrong = "invalid_dpop_proof"
    _same(header.get("typ"), "dpop+jwt", "typ of the proof", wrong)
    _same("d" in header["jwk"], False, "a private key in the proof", wrong)
    _same(claims.get("htm"), asked.method, "htm", wrong)
    _same(claims.get("htu"), asked.url, "htu", wrong)
    if token is not None:
        _same(claims.get("ath"), sha256(token), "ath", wrong)
    if abs(claims["iat"] - time.time()) > 60 or claims["jti"] in seen:
        raise AskedWronglyError(wrong, "a proof used twice or late")
    seen.add(claims["jti"])
    if nonce is not None and claims.get("nonce") != nonce:
        raise AskedWronglyError("use_dpop_nonce", "a nonce", ("DPoP-Nonce", nonce))
    key: str = JWK(**header["jwk"]).thumbprint()
    return key


def verify(
    text: str, keys: Iterable[Mapping[str, Any]], error: str = "invalid_client"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Give header and claims of a JWS that one of *keys* signed.

    Raises:
        AskedWronglyError: None of them did.
    """
    for key in keys:
        signed = JWS()
        signed.allowed_algs = ALGORITHMS
        try:
            signed.deserialize(text)
            signed.verify(JWK(**key))
        except JWException:
            continue
        return signed.jose_header, json.loads(signed.payload)
    raise AskedWronglyError(error, "no key of the client signed this")


def _same(
    given: object, right: object, what: str, error: str = "invalid_client"
) -> None:
    if not hmac.compare_digest(repr(given), repr(right)):
        raise AskedWronglyError(error, f"{what}: {given!r}")
