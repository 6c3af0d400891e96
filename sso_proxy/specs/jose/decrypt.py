"""Decrypt nested access tokens (RFC 7519 section 5.2) with keys of our own."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.ciphers import WRAPPING
from sso_proxy.specs.jose.compact import MAX_TOKEN
from sso_proxy.specs.jose.decryption_key import (
    DecryptionKey,
    key_of_pair,
    key_of_secret,
)
from sso_proxy.specs.jose.encrypted import (
    ENCRYPTIONS,
    KEY_ALGORITHMS,
    CompactJwe,
    JweHeader,
    split_jwe,
)
from sso_proxy.specs.jose.keys import MAX_JWKS, MAX_KEYS, KeyRefusedError
from sso_proxy.specs.jose.pem import pem_blocks
from sso_proxy.specs.jose.secret import SecretEncoding, decode_secret, derive_key
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object

_MEMBERS: Final[Mapping[object, tuple[str, ...]]] = {
    "RSA": ("n", "e", "d", "p", "q", "dp", "dq", "qi"),
    "EC": ("crv", "x", "y", "d"),
    "oct": ("k",),
}
_OPERATIONS: Final = frozenset({"decrypt", "unwrapKey", "deriveKey", "deriveBits"})
_PEM_LABELS: Final = (b"PRIVATE KEY", b"RSA PRIVATE KEY", b"EC PRIVATE KEY")


@attrs.frozen(eq=False)
class DecryptionKeys:
    """
    The keys that tokens may be encrypted to.

    Attributes:
        keys: All of them; no two have the same name.
    """

    keys: tuple[DecryptionKey, ...]

    def find(self, jwe: CompactJwe) -> DecryptionKey:
        """
        Give the one key that *jwe* means.

        Keys are found as by `sso_proxy.specs.jose.keys.KeySet.find`: a token never
        makes us try several.

        Raises:
            TokenError: There is no such key, or more than one.
        """
        kid = jwe.header.kid
        named = [
            key
            for key in self.keys
            if kid is not None and kid in {key.kid, key.thumbprint}
        ]
        fitting = [
            key
            for key in named or self.keys
            if key.fits(jwe) and (named or kid is None or key.kid is None)
        ]
        if len(fitting) != 1:
            raise TokenError("no one key fits", reason="token-decryption")
        return fitting[0]


def decrypt_compact(
    token: str,
    keys: DecryptionKeys,
    *,
    algorithms: Collection[str] = KEY_ALGORITHMS,
    encryptions: Collection[str] = tuple(ENCRYPTIONS),
    max_bytes: int = MAX_TOKEN,
) -> bytes:
    """
    Give the signed token that is inside an encrypted one.

    That it could be decrypted says nothing about who made it: whoever has the public
    key could.

    Args:
        token: JWE in compact serialization.
        keys: Ours.
        algorithms: Ways for a content encryption key that are allowed.
        encryptions: Content encryptions that are allowed.
        max_bytes: Octets of *token*, and so of what is inside.

    Raises:
        TokenError: It is malformed, not allowed, not encrypted to one of *keys*, or
            has something else inside (``cty``).
    """
    jwe = _split_allowed(token, algorithms, encryptions, max_bytes)
    content = jwe.header.cty or ""
    # Issuers that give tokens types of their own write "at+jwt" (RFC 8725 3.11).
    if content != "jwt" and not content.endswith("+jwt"):
        raise TokenError("cty is not JWT", reason="token-header")
    return keys.find(jwe).decrypt(jwe)


def decrypt_content_of(
    token: str,
    keys: DecryptionKeys,
    *,
    algorithms: Collection[str] = KEY_ALGORITHMS,
    encryptions: Collection[str] = tuple(ENCRYPTIONS),
    max_bytes: int = MAX_TOKEN,
) -> tuple[JweHeader, bytes]:
    """
    Give the header of an encrypted token, and what is inside, whatever it is.

    Arguments and errors are those of `decrypt_compact`, apart from ``cty``, which the
    caller has to look at.
    """
    jwe = _split_allowed(token, algorithms, encryptions, max_bytes)
    return jwe.header, keys.find(jwe).decrypt(jwe)


def read_decryption_keys(data: bytes) -> DecryptionKeys:
    """
    Read private keys of ours: a JWK, a JWK Set, or PEM.

    A symmetric key has to have ``alg``, as one key is for one algorithm.

    Args:
        data: What the file has.

    Raises:
        KeyRefusedError: There is none, or one cannot be used; says nothing of it.
    """
    if data.lstrip().startswith(b"{"):
        keys = [_read_jwk(item) for item in _read_items(data)]
    else:
        try:
            blocks = pem_blocks(data)
        except ValueError as e:
            raise KeyRefusedError(f"neither JSON nor PEM: {e}") from None
        keys = [_read_pem_block(label, block) for label, block in blocks]
    names = [key.kid for key in keys if key.kid is not None]
    if len(names) != len(set(names)):
        raise KeyRefusedError("several keys have the same kid")
    return DecryptionKeys(tuple(keys))


def read_decryption_secret(
    text: str, encoding: SecretEncoding, alg: str, *, kid: str | None = None
) -> DecryptionKeys:
    """
    Read a secret that the operator and the issuer share.

    Args:
        text: The secret.
        encoding: How it is written.
        alg: Its one algorithm: ``A128KW`` and the like, or the content encryption that
            it is the key of (``dir``).
        kid: What tokens call it, or None.

    Raises:
        KeyRefusedError: It is not written like this, or has another length.
    """
    try:
        secret = decode_secret(text, encoding)
    except ValueError as e:
        raise KeyRefusedError(str(e)) from None
    return DecryptionKeys((key_of_secret(secret, alg, kid),))


def derive_decryption_keys(client_secret: str) -> DecryptionKeys:
    """
    Derive the keys that a provider may use out of a client secret.

    There is one for each of ``A128KW``, ``A192KW``, ``A256KW`` and each content
    encryption with ``dir`` (`derive_key`).

    Args:
        client_secret: Ours at that provider.
    """
    sizes = WRAPPING | {name: enc.key for name, enc in ENCRYPTIONS.items()}
    return DecryptionKeys(
        tuple(
            key_of_secret(derive_key(client_secret, size), alg, None)
            for alg, size in sizes.items()
        )
    )


def _split_allowed(
    token: str,
    algorithms: Collection[str],
    encryptions: Collection[str],
    max_bytes: int,
) -> CompactJwe:
    """Take *token* apart if its algorithms are allowed."""
    jwe = split_jwe(token, max_bytes=max_bytes)
    if jwe.header.alg not in algorithms or jwe.header.enc not in encryptions:
        raise TokenError("alg or enc is not allowed", reason="token-alg")
    return jwe


def _read_items(data: bytes) -> list[Any]:
    """Give the keys of a JWK Set, or the one JWK."""
    if len(data) > MAX_JWKS:
        raise KeyRefusedError(f"the set has more than {MAX_JWKS} octets")
    try:
        members = read_json_object(data)
    except TokenError as e:
        raise KeyRefusedError(e.detail) from None
    items = members.get("keys", [members])
    if not isinstance(items, list) or not 0 < len(items) <= MAX_KEYS:
        raise KeyRefusedError(f"the set needs a list of 1 to {MAX_KEYS} keys")
    return items


def _read_jwk(item: object) -> DecryptionKey:
    """Read a private or symmetric JWK (RFC 7517 section 4)."""
    if not isinstance(item, dict) or not isinstance(item.get("kty"), str):
        raise KeyRefusedError("no JWK")
    names = _MEMBERS.get(item["kty"])
    if names is None:
        raise KeyRefusedError("kty is none of RSA, EC and oct")
    kid, alg = item.get("kid"), item.get("alg")
    if not isinstance(kid, str | None) or not isinstance(alg, str | None):
        raise KeyRefusedError("kid or alg is no string")
    if item.get("use", "enc") != "enc":
        raise KeyRefusedError("use is not enc")
    operations = item.get("key_ops", ["decrypt"])
    if not isinstance(operations, list) or not _OPERATIONS.intersection(operations):
        raise KeyRefusedError("key_ops has nothing for decryption")
    members = {name: item[name] for name in names if name in item}
    octets = {name: _decode(name, members[name]) for name in members if name != "crv"}
    if item["kty"] == "oct":
        return key_of_secret(octets.get("k", b""), alg, kid)
    if "d" not in octets:
        raise KeyRefusedError("public: it decrypts nothing")
    try:
        key = JWK(kty=item["kty"], **members).get_op_key("decrypt")
    except (JWException, ValueError, TypeError, UnsupportedAlgorithm) as e:
        # Not chained: the exception may hold the key.
        raise KeyRefusedError(f"malformed: {type(e).__name__}") from None
    return key_of_pair(key, alg, kid)


def _read_pem_block(label: bytes, block: bytes) -> DecryptionKey:
    """Read one PEM block."""
    if label not in _PEM_LABELS:
        raise KeyRefusedError("PEM that is no private key without a passphrase")
    try:
        key = load_pem_private_key(block, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as e:
        raise KeyRefusedError(f"malformed PEM: {type(e).__name__}") from None
    return key_of_pair(key, None, None)


def _decode(name: str, value: object) -> bytes:
    """Decode a member that is a number or octets."""
    if not isinstance(value, str) or not value.isascii():
        raise KeyRefusedError(f"{name} is no string")
    try:
        return decode_base64url(value.encode("ascii"))
    except TokenError:
        raise KeyRefusedError(f"{name} is no canonical base64url") from None
