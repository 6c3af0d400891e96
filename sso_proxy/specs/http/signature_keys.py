"""Keys and algorithms of HTTP Message Signatures (RFC 9421 section 3.3)."""

from base64 import b64encode
from collections.abc import Callable, Mapping
from typing import Final, Literal, TypeAlias, get_args

import attrs

from sso_proxy.specs.jose.keys import (
    KeyRefusedError,
    VerificationKey,
    read_jwks,
    read_pem,
    read_secret,
)
from sso_proxy.specs.jose.public_jwk import public_members, thumbprint
from sso_proxy.specs.jose.sign import read_mac_key, read_signing_key

SignatureAlgorithm = Literal[
    "rsa-pss-sha512",
    "rsa-v1_5-sha256",
    "hmac-sha256",
    "ecdsa-p256-sha256",
    "ecdsa-p384-sha384",
    "ed25519",
]
"""The names in the registry (section 6.2)."""

ALGORITHMS: Final[tuple[SignatureAlgorithm, ...]] = get_args(SignatureAlgorithm)

_SAME: Final[Mapping[SignatureAlgorithm, str]] = {
    "rsa-pss-sha512": "PS512",
    "rsa-v1_5-sha256": "RS256",
    "hmac-sha256": "HS256",
    "ecdsa-p256-sha256": "ES256",
    "ecdsa-p384-sha384": "ES384",
    "ed25519": "EdDSA",
}
"""The same computation in JOSE, octet for octet (RFC 7518 section 3, RFC 8037)."""

_USUAL: Final[Mapping[str, SignatureAlgorithm]] = {
    "RS256": "rsa-pss-sha512",  # what an RSA key signs with if nobody says
    "PS512": "rsa-pss-sha512",
    "ES256": "ecdsa-p256-sha256",
    "ES384": "ecdsa-p384-sha384",
    "EdDSA": "ed25519",
    "Ed25519": "ed25519",
}

Check: TypeAlias = Callable[[bytes, bytes], None]


@attrs.frozen(kw_only=True, eq=False)
class RequestSigningKey:
    """
    A key of ours, for one algorithm.

    Attributes:
        alg: The algorithm.
        keyid: What verifiers call the key.
        public: The public half as JWK with ``kid``; None if the key is a secret.
    """

    alg: SignatureAlgorithm
    keyid: str
    public: Mapping[str, str] | None = None
    _sign: Callable[[bytes], bytes] = attrs.field(repr=False, alias="sign")

    def sign(self, base: bytes) -> bytes:
        """Give the signature over *base*."""
        return self._sign(base)


@attrs.frozen(kw_only=True, eq=False)
class RequestCheckKey:
    """
    A key to check signatures with, by one algorithm alone.

    Attributes:
        alg: The algorithm.
    """

    alg: SignatureAlgorithm
    _key: VerificationKey = attrs.field(repr=False, alias="key")

    def check(self, base: bytes, signature: bytes) -> None:
        """
        Check *signature* over *base*.

        Raises:
            TokenError: It is not this key's.
        """
        self._key.verify(_SAME[self.alg], base, signature)


def read_request_key(
    data: bytes, *, alg: SignatureAlgorithm | None = None, keyid: str | None = None
) -> RequestSigningKey:
    """
    Read a private key to sign requests with: PEM without a passphrase, or one JWK.

    Args:
        data: The file's content.
        alg: What to sign with; None takes what fits the key, for RSA the PSS scheme.
        keyid: What verifiers call it; None takes the JWK's ``kid``, or else the
            thumbprint (RFC 7638).

    Raises:
        KeyRefusedError: It is no private key, a weak one, or not for *alg*.
    """
    if alg is None:
        usual = read_signing_key(data).alg
        if usual not in _USUAL:
            raise KeyRefusedError(f"no algorithm for signed requests fits its {usual}")
        alg = _USUAL[usual]
    if alg == "hmac-sha256":
        raise KeyRefusedError("hmac-sha256 needs a secret, and no private key")
    key = read_signing_key(data, alg=_jose(data, alg))
    members = public_members(data)
    name = keyid or key.kid or thumbprint(members)
    public = {**members, "kid": name, "use": "sig"}
    return RequestSigningKey(alg=alg, keyid=name, public=public, sign=key.sign)


def read_request_secret(secret: bytes, *, keyid: str) -> RequestSigningKey:
    """
    Take a secret that verifiers share, to make MACs with (section 3.3.3).

    Raises:
        KeyRefusedError: It is shorter than 32 octets and could be found by trying.
    """
    key = read_mac_key(secret)
    return RequestSigningKey(alg="hmac-sha256", keyid=keyid, sign=key.sign)


def read_check_key(data: bytes, alg: SignatureAlgorithm) -> RequestCheckKey:
    """
    Read the one public key in *data*, PEM or a JWK Set, to check *alg* with.

    Raises:
        KeyRefusedError: It is none, or not for *alg*.
    """
    if data.lstrip().startswith(b"{"):
        keys = read_jwks(data, remote=False).keys
    else:
        keys = read_pem(data).keys
    if len(keys) != 1 or _SAME[alg] not in keys[0].algs:
        raise KeyRefusedError(f"has not exactly one key for {alg}")
    return RequestCheckKey(alg=alg, key=keys[0])


def read_check_secret(secret: bytes) -> RequestCheckKey:
    """
    Take the secret that MACs are checked with.

    Raises:
        KeyRefusedError: It is shorter than 32 octets.
    """
    text = b64encode(secret).decode("ascii")
    keys = read_secret(text, "base64", algorithms=("HS256",)).keys
    return RequestCheckKey(alg="hmac-sha256", key=keys[0])


def _jose(data: bytes, alg: SignatureAlgorithm) -> str:
    """Give the name that *alg* has where a JWK may have said another one for it."""
    if alg == "ed25519":  # EdDSA (RFC 8037) and Ed25519 (RFC 9864) are one thing
        usual = read_signing_key(data).alg
        return usual if usual == "Ed25519" else "EdDSA"
    return _SAME[alg]
