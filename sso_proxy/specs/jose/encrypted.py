"""The JWE compact serialization (RFC 7516 section 7.1), as strict as it can be read."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import MAX_HEADER
from sso_proxy.specs.jose.strict import decode_base64url, read_json_object

AGREEMENTS: Final = frozenset(
    {"ECDH-ES", "ECDH-ES+A128KW", "ECDH-ES+A192KW", "ECDH-ES+A256KW"}
)
"""Algorithms with an ephemeral key (RFC 7518 section 4.6)."""

KEY_ALGORITHMS: Final = AGREEMENTS | {
    *("RSA-OAEP", "RSA-OAEP-256"),
    *("A128KW", "A192KW", "A256KW", "dir"),
}
"""
How a content encryption key may get here (RFC 7518 section 4).

Not ``RSA1_5``, whose padding tells (Bleichenbacher), and not ``PBES2``, where a token
says how long we compute.
"""

WITHOUT_KEY: Final = frozenset({"dir", "ECDH-ES"})
"""Algorithms where no encrypted key is sent along (RFC 7518 sections 4.5 and 4.6)."""


@attrs.frozen
class Encryption:
    """
    The sizes of a content encryption (RFC 7518 section 5), in octets.

    Attributes:
        key: Of the key.
        iv: Of the initialization vector.
        tag: Of the authentication tag.
        mac: The hash of AES-CBC with HMAC; None for AES-GCM.
    """

    key: int
    iv: int
    tag: int
    mac: str | None = None


ENCRYPTIONS: Final[Mapping[str, Encryption]] = {
    "A128GCM": Encryption(16, 12, 16),
    "A192GCM": Encryption(24, 12, 16),
    "A256GCM": Encryption(32, 12, 16),
    "A128CBC-HS256": Encryption(32, 16, 16, "sha256"),
    "A192CBC-HS384": Encryption(48, 16, 24, "sha384"),
    "A256CBC-HS512": Encryption(64, 16, 32, "sha512"),
}
"""The content encryptions known here."""

_REFUSED: Final = ("crit", "zip", "b64", "p2c", "p2s", "iv", "tag")


@attrs.frozen(kw_only=True)
class JweHeader:
    """
    What a JWE header says, as far as anything here depends on it.

    Attributes:
        alg: One of `KEY_ALGORITHMS`.
        enc: One of `ENCRYPTIONS`.
        kid: Which key is meant, or None.
        cty: What is inside: lower-case, without ``application/``, or None.
        epk: The ephemeral public key (JWK), of algorithms that need one.
        apu: Who sent it (PartyUInfo).
        apv: Who receives it (PartyVInfo).
    """

    alg: str
    enc: str
    kid: str | None
    cty: str | None
    epk: Mapping[str, Any] | None = None
    apu: bytes = b""
    apv: bytes = b""


@attrs.frozen(kw_only=True)
class CompactJwe:
    """
    An encrypted token taken apart.  Nothing in it is proven.

    Attributes:
        header: Its header.
        encrypted_key: The content encryption key, encrypted; may be empty.
        iv: The initialization vector.
        ciphertext: What is encrypted.
        tag: The authentication tag.
        aad: What is authenticated besides: the encoded header.
    """

    header: JweHeader
    encrypted_key: bytes = attrs.field(repr=False)
    iv: bytes = attrs.field(repr=False)
    ciphertext: bytes = attrs.field(repr=False)
    tag: bytes = attrs.field(repr=False)
    aad: bytes = attrs.field(repr=False)


def is_encrypted(token: str) -> bool:
    """Say whether *token* has as many parts as an encrypted one."""
    return token.count(".") == 4


def split_jwe(token: str, *, max_bytes: int) -> CompactJwe:
    """
    Take *token* apart without believing any of it.

    What is inside is never longer than the token, as nothing is decompressed.

    Raises:
        TokenError: It is longer than *max_bytes*, can be written in another way, has
            parts of a length that its algorithms do not have, or `read_jwe_header`
            refuses its header.
    """
    if len(token) > max_bytes:
        raise TokenError(f"more than {max_bytes} octets", reason="token-too-long")
    if not token.isascii() or not is_encrypted(token):
        raise TokenError("no JWE in compact serialization", reason="token-malformed")
    parts = token.encode("ascii").split(b".")
    header = read_jwe_header(parts[0])
    encrypted_key, iv, ciphertext, tag = map(decode_base64url, parts[1:])
    sizes = ENCRYPTIONS[header.enc]
    if (
        len(iv) != sizes.iv
        or len(tag) != sizes.tag
        or not ciphertext
        or (not encrypted_key) != (header.alg in WITHOUT_KEY)
    ):
        raise TokenError("a part has the wrong length", reason="token-malformed")
    return CompactJwe(
        header=header,
        encrypted_key=encrypted_key,
        iv=iv,
        ciphertext=ciphertext,
        tag=tag,
        aad=parts[0],
    )


def read_jwe_header(encoded: bytes) -> JweHeader:
    """
    Read an encoded JWE header (RFC 7516 section 4).

    Raises:
        TokenError: It is no strict JSON object in canonical base64url, is longer than
            a header may be, names an algorithm that is not known, has parameters of
            others or ones of the wrong kind, ``crit``, or ``zip``: a small token that
            is decompressed could fill the memory (CVE-2024-28102).
    """
    if len(encoded) > MAX_HEADER:
        raise TokenError("the header is too long", reason="token-too-long")
    members = read_json_object(decode_base64url(encoded))
    alg, enc = members.get("alg"), members.get("enc")
    if not isinstance(alg, str) or alg not in KEY_ALGORITHMS:
        raise TokenError("alg is not supported", reason="token-alg")
    if not isinstance(enc, str) or enc not in ENCRYPTIONS:
        raise TokenError("enc is not supported", reason="token-alg")
    for name in _REFUSED:
        if name in members:
            raise TokenError(f"{name} is not supported", reason="token-header")
    epk = members.get("epk")
    if isinstance(epk, dict) != (alg in AGREEMENTS):
        raise TokenError("epk does not go with alg", reason="token-header")
    cty = _string(members, "cty")
    return JweHeader(
        alg=alg,
        enc=enc,
        kid=_string(members, "kid"),
        cty=None if cty is None else cty.lower().removeprefix("application/"),
        epk=epk,
        apu=_octets(members, "apu"),
        apv=_octets(members, "apv"),
    )


def _string(members: Mapping[str, Any], name: str) -> str | None:
    """Give the header parameter *name*, which may be missing."""
    value = members.get(name)
    if name in members and not isinstance(value, str):
        raise TokenError(f"{name} is no string", reason="token-header")
    return value


def _octets(members: Mapping[str, Any], name: str) -> bytes:
    """Give what the header parameter *name*, which may be missing, encodes."""
    value = _string(members, name) or ""
    if not value.isascii():
        raise TokenError(f"{name} is no base64url", reason="token-header")
    return decode_base64url(value.encode("ascii"))
