"""Sign with a key of ours (RFC 7515 section 5.1)."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.jose.weak import rsa_weakness

Sign: TypeAlias = Callable[[bytes], bytes]
"""Takes the signing input, gives the signature as JWS has it."""

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})
_HASHES: Final[Mapping[str, hashes.HashAlgorithm]] = {
    "256": hashes.SHA256(),
    "384": hashes.SHA384(),
    "512": hashes.SHA512(),
}
_CURVES: Final = {"secp256r1": "ES256", "secp384r1": "ES384", "secp521r1": "ES512"}
_MACS: Final[Mapping[str, Callable[..., Any]]] = {
    "HS256": hashlib.sha256,
    "HS384": hashlib.sha384,
    "HS512": hashlib.sha512,
}


@attrs.frozen(kw_only=True, eq=False)
class SigningKey:
    """
    A key of ours, for one algorithm.

    Attributes:
        alg: The algorithm.
        kid: What the other side calls the key, or None.
    """

    alg: str
    kid: str | None = None
    _sign: Sign = attrs.field(repr=False, alias="sign")

    def sign(self, signing_input: bytes) -> bytes:
        """Give the signature over *signing_input*."""
        return self._sign(signing_input)


def read_signing_key(
    data: bytes, *, alg: str | None = None, kid: str | None = None
) -> SigningKey:
    """
    Read a private key: PEM without a passphrase, or one JWK.

    Args:
        data: The file's content.
        alg: What to sign with; None takes the JWK's ``alg``, or else RS256 for RSA and
            the only one there is for others.
        kid: What to call it; None takes the JWK's ``kid``.

    Raises:
        KeyRefusedError: It is no private key, a weak one, or not for *alg*.
    """
    if data.lstrip().startswith(b"{"):
        key, members = _read_jwk(data)
        if alg is not None and members.get("alg", alg) != alg:
            raise KeyRefusedError("the JWK is for another alg")
        alg = members.get("alg") if alg is None else alg
        kid = members.get("kid") if kid is None else kid
    else:
        key = _read_pem(data)
    signers = _signers(key)
    alg = next(iter(signers)) if alg is None else alg
    if alg not in signers:
        raise KeyRefusedError(f"the key signs with {', '.join(signers)}")
    return SigningKey(alg=alg, kid=kid, sign=signers[alg])


def read_mac_key(secret: bytes, *, alg: str = "HS256") -> SigningKey:
    """
    Take *secret* for a key shared with whoever checks the signature.

    Raises:
        KeyRefusedError: It is shorter than the hash, and could be found by trying
            (RFC 7518 section 3.2), or *alg* is no MAC.
    """
    digest = _MACS.get(alg)
    if digest is None:
        raise KeyRefusedError(f"the key signs with {', '.join(_MACS)}")
    size: int = digest().digest_size
    if len(secret) < size:
        raise KeyRefusedError(f"{alg} needs a secret of {size} octets or more")
    return SigningKey(alg=alg, sign=lambda text: hmac.digest(secret, text, digest))


def sign_compact(
    claims: Mapping[str, Any],
    key: SigningKey,
    *,
    typ: str | None = "JWT",
    header: Mapping[str, Any] = _NOTHING,
) -> str:
    """
    Sign *claims* in the compact serialization (RFC 7515 section 7.1).

    Args:
        claims: What JSON can say.
        key: Ours; its ``kid`` stands in the header if it has one.
        typ: The header parameter; None leaves it out.
        header: Further parameters; those above stay as they are.
    """
    ours = {"alg": key.alg, "kid": key.kid, "typ": typ}
    kept = {name: value for name, value in ours.items() if value is not None}
    kept = {**header, **kept}
    signing_input = _encode(_json(kept)) + b"." + _encode(_json(claims))
    signature = key.sign(signing_input)
    return (signing_input + b"." + _encode(signature)).decode("ascii")


def _read_jwk(data: bytes) -> tuple[object, dict[str, Any]]:
    """Read a private JWK (RFC 7517); give the key and the members."""
    try:
        members = read_json_object(data.strip())
    except TokenError as e:
        raise KeyRefusedError(f"the JWK is {e.detail}") from None
    if members.get("kty") not in {"RSA", "EC", "OKP"} or "d" not in members:
        raise KeyRefusedError("no private JWK of kty RSA, EC or OKP")
    for name in ("alg", "kid"):
        if not isinstance(members.get(name, ""), str):
            raise KeyRefusedError(f"{name} is no string")
    if members.get("use", "sig") != "sig":
        raise KeyRefusedError("use is not sig")
    try:
        # Not chained below: the exceptions may hold what is private.
        return JWK(**members).get_op_key("sign"), members
    except (JWException, ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise KeyRefusedError(f"malformed: {type(e).__name__}") from None


def _read_pem(data: bytes) -> object:
    """Read a private key in PEM."""
    try:
        return load_pem_private_key(data, password=None)
    except TypeError:
        raise KeyRefusedError("has a passphrase; give the key without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise KeyRefusedError("neither a private key in PEM nor a JWK") from None


def _signers(key: object) -> dict[str, Sign]:
    """Give what *key* can sign with, the usual algorithm first."""
    if isinstance(key, RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        weakness = rsa_weakness(numbers.n, numbers.e)
        if weakness is not None:
            raise KeyRefusedError(weakness)
        plain = {f"RS{bits}": _pkcs1(key, hash_) for bits, hash_ in _HASHES.items()}
        return plain | {f"PS{bits}": _pss(key, h) for bits, h in _HASHES.items()}
    if isinstance(key, Ed25519PrivateKey):
        return {"EdDSA": key.sign, "Ed25519": key.sign}
    alg = ""
    if isinstance(key, ec.EllipticCurvePrivateKey):
        alg = _CURVES.get(key.curve.name, "")
        if alg:
            return {alg: _ecdsa(key, _HASHES[alg[2:]])}
    raise KeyRefusedError("no key for signatures that are supported here")


def _pkcs1(key: RSAPrivateKey, hash_: hashes.HashAlgorithm) -> Sign:
    """Sign with RSASSA-PKCS1-v1_5 (RFC 7518 section 3.3)."""
    return lambda text: key.sign(text, padding.PKCS1v15(), hash_)


def _pss(key: RSAPrivateKey, hash_: hashes.HashAlgorithm) -> Sign:
    """Sign with RSASSA-PSS; the salt is as long as the hash (section 3.5)."""
    scheme = padding.PSS(padding.MGF1(hash_), hash_.digest_size)
    return lambda text: key.sign(text, scheme, hash_)


def _ecdsa(key: ec.EllipticCurvePrivateKey, hash_: hashes.HashAlgorithm) -> Sign:
    """Sign with ECDSA; R and S have full length (RFC 7518 section 3.4)."""
    size = (key.curve.key_size + 7) // 8

    def sign(text: bytes) -> bytes:
        pair = decode_dss_signature(key.sign(text, ec.ECDSA(hash_)))
        return b"".join(number.to_bytes(size, "big") for number in pair)

    return sign


def _json(members: Mapping[str, Any]) -> bytes:
    """Write JSON without blanks."""
    return json.dumps(members, separators=(",", ":"), allow_nan=False).encode()


def _encode(octets: bytes) -> bytes:
    """Encode base64url without padding (RFC 7515 section 2)."""
    return urlsafe_b64encode(octets).rstrip(b"=")
