"""
DPoP proofs: the caller holds the key that a token is bound to (RFC 9449 section 4).

A proof is a JWS that brings its own key.  That is no reason to believe anything in it:
it says who made the request only because the token, which its issuer signed, names the
same key by its thumbprint.
"""

import hmac
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from typing import Any, ClassVar, Final, final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.http.uri import normal_uri
from sso_proxy.specs.jose.compact import (
    ALGORITHMS,
    read_parameters,
    read_type,
    split_segments,
)
from sso_proxy.specs.jose.keys import KeyRefusedError, VerificationKey, read_jwk
from sso_proxy.specs.jose.strict import (
    decode_base64url,
    encode_base64url,
    read_json_object,
)
from sso_proxy.specs.oauth.confirmation import is_thumbprint

MAX_PROOF: Final = 8192
"""Octets of a proof."""

MAX_JTI: Final = 256
"""Characters of a proof's identifier; a UUID has 36."""

PROOF_ALGORITHMS: Final = ALGORITHMS
"""What proofs may ever be signed with: never ``none``, never a MAC (section 11.6)."""


@attrs.frozen
class ProofError(TokenError):
    """The proof does not show that the caller holds the key (RFC 9449 section 4.3)."""

    error: ClassVar[str] = "invalid_dpop_proof"


@attrs.frozen
class NonceError(ProofError):
    """The proof has no nonce of ours, or one that is too old (RFC 9449 section 9)."""

    error: ClassVar[str] = "use_dpop_nonce"


@final
class Proof:
    """
    A proof taken apart.  Nothing in it is proven.

    No attrs class, as `sso_proxy.specs.jose.compact.CompactJws` is none.

    Attributes:
        alg: One of `PROOF_ALGORITHMS`.
        key: The public key that it brings.
        claims: What it says, of whatever type.
        signing_input: What the signature is over.
        signature: The signature.
    """

    __slots__ = ("alg", "claims", "key", "signature", "signing_input")

    def __init__(
        self,
        *,
        alg: str,
        key: VerificationKey,
        claims: Mapping[str, Any],
        signing_input: bytes,
        signature: bytes,
    ) -> None:
        self.alg: Final = alg
        self.key: Final = key
        self.claims: Final = claims
        self.signing_input: Final = signing_input
        self.signature: Final = signature


@attrs.frozen(kw_only=True)
class ProofRules:
    """
    What a proof has to keep to.

    Attributes:
        algorithms: Those that it may be signed with.
        max_age: Seconds after ``iat`` that it is good for.
        leeway: Seconds that the caller's clock may differ from ours.
        nonce_lifetime: Seconds that a nonce is good for.
    """

    algorithms: frozenset[str] = PROOF_ALGORITHMS
    max_age: float = 60.0
    leeway: float = 10.0
    nonce_lifetime: float = 300.0


@final
class Accepted:
    """
    What is left to do with a good proof: see to it that it is used once.

    Attributes:
        mark: Names the proof among all others (section 11.1).
        until: Seconds since the epoch; afterwards it is refused anyway.
        nonce_age: Seconds since its nonce was made; None without nonces.
    """

    __slots__ = ("mark", "nonce_age", "until")

    def __init__(
        self, *, mark: bytes, until: float, nonce_age: float | None = None
    ) -> None:
        self.mark: Final = mark
        self.until: Final = until
        self.nonce_age: Final = nonce_age


NonceTime = Callable[[str], float | None]
"""Gives when a nonce was made, in seconds since the epoch; None if not by us."""


def read_proof(values: Sequence[str]) -> Proof:
    """
    Take the proof of a request apart.

    Args:
        values: The values of its ``DPoP`` fields, all that there are.

    Raises:
        ProofError: There is not exactly one, or it is no JWS in compact serialization
            of the type ``dpop+jwt`` that brings one public key fit for signatures, and
            whose payload is a JSON object (section 4.2).  Header parameters that are
            not known are ignored, ``crit`` refuses.
    """
    if not values:
        raise ProofError("there is no DPoP field", reason="dpop-missing")
    if len(values) != 1:
        raise ProofError("there are several DPoP fields", reason="dpop-repeated")
    try:
        segments = split_segments(values[0], max_bytes=MAX_PROOF)
        alg, key = _read_header(segments.header)
        return Proof(
            alg=alg,
            key=key,
            claims=read_json_object(decode_base64url(segments.payload)),
            signing_input=segments.signing_input,
            signature=decode_base64url(segments.signature),
        )
    except ProofError:
        raise
    except TokenError as e:
        raise ProofError(e.detail, reason="dpop-malformed") from None


@lru_cache(
    maxsize=1024
)  # a caller's proofs all have the same, and reading keys is slow
def _read_header(encoded: bytes) -> tuple[str, VerificationKey]:
    """Give the algorithm and the key that the header of a proof names."""
    members = read_parameters(encoded)
    if read_type(members) != "dpop+jwt":
        raise ProofError("typ is not dpop+jwt", reason="dpop-type")
    alg = members.get("alg")
    if not isinstance(alg, str) or alg not in PROOF_ALGORITHMS:
        raise ProofError("alg is not supported", reason="dpop-alg")
    jwk = members.get("jwk")
    if not isinstance(jwk, dict):
        raise ProofError("jwk is no object", reason="dpop-jwk")
    try:
        key = read_jwk(jwk)
    except KeyRefusedError as e:
        raise ProofError(f"jwk: {e.detail}", reason="dpop-jwk") from None
    if alg not in key.algs:
        raise ProofError("alg is not for this key", reason="dpop-alg")
    return alg, key


def check_proof(  # noqa: PLR0913 - one keyword for each thing to compare with
    proof: Proof,
    *,
    method: str,
    uri: str,
    token: str,
    jkt: object,
    now: float,
    rules: ProofRules,
    nonce_time: NonceTime | None = None,
) -> Accepted:
    """
    Check that the holder of a token's key made this request (section 4.3).

    All but that the proof was not used before, which is the caller's to find out,
    afterwards: whoever could mark what is not proven could use up others' proofs.

    Args:
        proof: The proof.
        method: The request's method; compared exactly, as methods are.
        uri: What the client asked for, in the form of `normal_uri`.
        token: The access token.
        jkt: The thumbprint that the token names (section 6.1).
        now: Seconds since the epoch.
        rules: What the proof has to keep to.
        nonce_time: Tells the age of nonces; then a proof needs one of ours, which
            stands for ``iat``, whatever the caller's clock says.  None ignores nonces.

    Raises:
        NonceError: All is well but the nonce.
        ProofError: Anything else does not hold.
        TokenError: *jkt* is no thumbprint.
    """
    if not is_thumbprint(jkt):
        raise TokenError("jkt is no SHA-256 hash", reason="cnf-malformed")
    if proof.alg not in rules.algorithms:
        raise ProofError("alg is not allowed", reason="dpop-alg")
    if not hmac.compare_digest(proof.key.thumbprint, jkt):
        raise ProofError("another key than the token's", reason="dpop-key")
    mark = _check_claims(proof.claims, method, uri, token)
    issued = _issue_time(proof.claims)
    try:
        proof.key.verify(proof.alg, proof.signing_input, proof.signature)
    except TokenError:
        raise ProofError("wrong signature", reason="dpop-signature") from None
    name = sha256(f"{jkt}\n{mark}".encode()).digest()
    if nonce_time is not None:
        made = _check_nonce(proof.claims, nonce_time, now, rules)
        until = made + rules.nonce_lifetime
        return Accepted(mark=name, until=until, nonce_age=now - made)
    if issued > now + rules.leeway:
        raise ProofError("iat is to come", reason="dpop-iat")
    until = issued + rules.max_age + rules.leeway
    if now > until:
        raise ProofError("iat is too long ago", reason="dpop-iat")
    return Accepted(mark=name, until=until)


def _check_claims(claims: Mapping[str, Any], method: str, uri: str, token: str) -> str:
    """Check what a proof says about the request, and give what names the proof."""
    jti = claims.get("jti")
    if not isinstance(jti, str):
        raise _no_text("jti")
    if not jti or len(jti) > MAX_JTI:
        raise ProofError("jti is empty or too long", reason="dpop-jti")
    htm = claims.get("htm")
    if not isinstance(htm, str):
        raise _no_text("htm")
    if htm != method:
        raise ProofError("htm is another method", reason="dpop-htm")
    htu = claims.get("htu")
    if not isinstance(htu, str):
        raise _no_text("htu")
    if htu != uri and _normal(htu) != uri:
        raise ProofError("htu is another URI", reason="dpop-htu")
    ath = claims.get("ath")
    if not isinstance(ath, str):
        raise _no_text("ath")
    if not hmac.compare_digest(ath.encode(), token_hash(token).encode()):
        raise ProofError("ath is another token's", reason="dpop-ath")
    return f"{uri}\n{jti}"


def _normal(htu: str) -> str:
    """Give the form of ``htu`` that URIs are compared in (section 4.3)."""
    try:
        return normal_uri(htu)
    except ValueError as e:
        raise ProofError(f"htu: {e}", reason="dpop-htu") from None


def token_hash(token: str) -> str:
    """Give the ``ath`` of an access token (section 4.2)."""
    return encode_base64url(sha256(token.encode()).digest())


def _issue_time(claims: Mapping[str, Any]) -> float:
    """Give ``iat``, which has to be there even where it decides nothing."""
    value: Any = claims.get("iat")
    if type(value) not in (int, float):  # bool is neither
        raise ProofError("iat is missing or no number", reason="dpop-iat")
    seconds: float = value
    return seconds


def _check_nonce(
    claims: Mapping[str, Any], nonce_time: NonceTime, now: float, rules: ProofRules
) -> float:
    """Check that a proof has a nonce of ours, and give when it was made."""
    nonce = claims.get("nonce")
    if nonce is None:
        raise NonceError("nonce is missing", reason="dpop-nonce-missing")
    made = nonce_time(nonce) if isinstance(nonce, str) else None
    if made is None:
        raise NonceError("nonce is none of ours", reason="dpop-nonce")
    # Another machine of ours may have made it, whose clock is ahead.
    if not -rules.leeway <= now - made <= rules.nonce_lifetime:
        raise NonceError("nonce is too old", reason="dpop-nonce-expired")
    return made


def _no_text(name: str) -> ProofError:
    """Say that a claim is not the string that it has to be."""
    return ProofError(f"{name} is missing or no string", reason=f"dpop-{name}")
