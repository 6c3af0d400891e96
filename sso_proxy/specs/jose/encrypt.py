"""Encrypt what we have signed, to a provider (RFC 7516 section 5.1)."""

import json
from collections.abc import Mapping
from typing import Any, Final

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.ciphers import WRAPPING
from sso_proxy.specs.jose.encrypted import AGREEMENTS, ENCRYPTIONS, KEY_ALGORITHMS
from sso_proxy.specs.jose.keys import MAX_JWKS, MAX_KEYS, KeyRefusedError
from sso_proxy.specs.jose.secret import derive_key
from sso_proxy.specs.jose.strict import (
    decode_base64url,
    encode_base64url,
    read_json_object,
)
from sso_proxy.specs.jose.weak import rsa_weakness

_MEMBERS: Final = {"RSA": ("n", "e"), "EC": ("crv", "x", "y")}
_CURVES: Final = frozenset({"P-256", "P-384", "P-521"})
_PRIVATE: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
_OPERATIONS: Final = frozenset({"encrypt", "wrapKey", "deriveKey", "deriveBits"})


@attrs.frozen(kw_only=True, eq=False)
class EncryptionKey:
    """
    A key that we encrypt to, and how.

    Attributes:
        alg: How the content encryption key gets there.
        enc: How the content is encrypted.
        kid: What the other side calls the key, or None.
    """

    alg: str
    enc: str
    kid: str | None = None
    _key: JWK = attrs.field(repr=False, alias="key")

    def encrypt(self, content: bytes, header: Mapping[str, str]) -> str:
        """Encrypt *content*; *header* says more than ``alg``, ``enc`` and ``kid``."""
        named = {} if self.kid is None else {"kid": self.kid}
        protected = {"alg": self.alg, "enc": self.enc, **named, **header}
        jwe = JWE(
            content,
            json.dumps(protected, separators=(",", ":")),
            algs=[self.alg, self.enc],
        )
        jwe.add_recipient(self._key)
        token: str = jwe.serialize(compact=True)
        return token


def encrypt_compact(signed: str, key: EncryptionKey) -> str:
    """
    Encrypt a signed token, in compact serialization (RFC 7519 section 5.2).

    Args:
        signed: JWS in compact serialization.  Never encrypted alone: whoever has the
            other side's public key could have made it.
        key: The other side's.
    """
    return key.encrypt(signed.encode("ascii"), {"cty": "JWT"})


def read_encryption_key(
    document: bytes, *, alg: str, enc: str = "A256GCM"
) -> EncryptionKey:
    """
    Choose the key of a JWK Set that is encrypted to.

    Of those that fit, one with ``use`` ``enc`` comes first, then the order of the set.

    Args:
        document: The provider's JWK Set (RFC 7517 section 5), or one JWK.
        alg: One of `KEY_ALGORITHMS` with a public key: RSA-OAEP, RSA-OAEP-256, or
            ECDH-ES alone or with AES Key Wrap.
        enc: One of `ENCRYPTIONS`.

    Raises:
        KeyRefusedError: It is no set, no key fits, or *alg* or *enc* is not known.
    """
    _check_algorithms(alg, enc)
    kty = "EC" if alg in AGREEMENTS else "RSA"
    if alg not in AGREEMENTS and not alg.startswith("RSA-"):
        raise KeyRefusedError(f"{alg} has no public key")
    items = [item for item in _read_items(document) if _may_fit(item, kty, alg)]
    for item in sorted(items, key=lambda item: item.get("use") != "enc"):
        key = _read_public(item, kty)
        if key is not None:
            return EncryptionKey(alg=alg, enc=enc, kid=item.get("kid"), key=key)
    raise KeyRefusedError(f"there is no key to encrypt to with {alg}")


def derive_encryption_key(
    client_secret: str, *, alg: str, enc: str = "A256GCM"
) -> EncryptionKey:
    """
    Derive a symmetric key of a client secret (OpenID Connect Core section 10.2).

    Args:
        client_secret: Known to the provider and us.
        alg: ``dir`` or one of AES Key Wrap.
        enc: One of `ENCRYPTIONS`.

    Raises:
        KeyRefusedError: *alg* or *enc* is none of these, or there is no secret.
    """
    _check_algorithms(alg, enc)
    if not client_secret:
        raise KeyRefusedError("there is no client secret")
    size = ENCRYPTIONS[enc].key if alg == "dir" else WRAPPING.get(alg)
    if size is None:
        raise KeyRefusedError(f"{alg} has no symmetric key")
    octets = encode_base64url(derive_key(client_secret, size))
    return EncryptionKey(alg=alg, enc=enc, key=JWK(kty="oct", k=octets))


def _check_algorithms(alg: str, enc: str) -> None:
    """Refuse algorithms that are not known."""
    if alg not in KEY_ALGORITHMS:
        raise KeyRefusedError("alg is not supported")
    if enc not in ENCRYPTIONS:
        raise KeyRefusedError("enc is not supported")


def _read_items(document: bytes) -> list[dict[str, Any]]:
    """Give the keys of a JWK Set, or the one JWK; what is none is left out."""
    if len(document) > MAX_JWKS:
        raise KeyRefusedError(f"the set has more than {MAX_JWKS} octets")
    try:
        members = read_json_object(document)
    except TokenError as e:
        raise KeyRefusedError(f"the set is {e.detail}") from None
    items = members.get("keys", [members])
    if not isinstance(items, list) or len(items) > MAX_KEYS:
        raise KeyRefusedError(f"the set has no list of at most {MAX_KEYS} keys")
    return [item for item in items if isinstance(item, dict)]


def _may_fit(item: Mapping[str, Any], kty: str, alg: str) -> bool:
    """Say whether a JWK says that it is for *alg*, and nothing else."""
    operations = item.get("key_ops", ["encrypt"])
    return (
        item.get("kty") == kty
        and item.get("use", "enc") == "enc"
        and item.get("alg", alg) == alg
        and isinstance(item.get("kid", ""), str)
        and isinstance(operations, list)
        and any(name in operations for name in _OPERATIONS)
        and not any(name in item for name in _PRIVATE)
    )


def _read_public(item: Mapping[str, Any], kty: str) -> JWK | None:
    """Read a public JWK; None if it is malformed, weak, or on another curve."""
    members = {name: item.get(name) for name in _MEMBERS[kty]}
    try:
        for name, value in members.items():
            if not isinstance(value, str):
                return None
            if name != "crv":
                decode_base64url(value.encode("ascii"))
        if kty == "EC" and members["crv"] not in _CURVES:
            return None
        jwk = JWK(kty=kty, **members)
        key = jwk.get_op_key("verify")
    except (TokenError, JWException, ValueError, TypeError, UnsupportedAlgorithm):
        return None
    if isinstance(key, RSAPublicKey):
        numbers = key.public_numbers()
        if rsa_weakness(numbers.n, numbers.e) is not None:
            return None
    return jwk
