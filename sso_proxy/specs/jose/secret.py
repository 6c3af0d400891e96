"""Read the secrets that an operator shares with an issuer."""

import hashlib
import re
from binascii import Error, a2b_base64, b2a_base64, unhexlify
from typing import Final, Literal, get_args

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.strict import decode_base64url

SecretEncoding = Literal["plain", "base64", "base64url", "hex"]
"""How a secret is written down.  ``plain`` is the UTF-8 of the text itself."""

ENCODINGS: Final[tuple[str, ...]] = get_args(SecretEncoding)

_HEX = re.compile(r"(?:[0-9A-Fa-f]{2})+")


def decode_secret(text: str, encoding: SecretEncoding) -> bytes:
    """
    Give the octets that *text* writes down.

    Base64 may have its padding or not; in every encoding, what is not canonical is
    taken for a mistake: another encoding, or something lost on the way.

    Raises:
        ValueError: *text* is not written like this.  Says nothing of *text*.
    """
    if encoding == "plain":
        return text.encode("utf-8")
    if encoding == "hex":
        if _HEX.fullmatch(text) is None:
            raise ValueError("no hexadecimal: pairs of 0-9 and a-f")
        return unhexlify(text)
    if not text.isascii():
        raise ValueError(f"no {encoding}")
    octets = text.encode("ascii")
    secret = _base64(octets) if encoding == "base64" else _base64url(octets)
    if secret is None:
        raise ValueError(f"no canonical {encoding}")
    return secret


def derive_key(client_secret: str, size: int) -> bytes:
    """
    Derive a symmetric key from a client secret (OpenID Connect Core section 10.2).

    It is the left part of the shortest SHA-2 hash that is long enough.

    Args:
        client_secret: Known to the provider and us.
        size: Octets of the key, 64 at most.
    """
    name = "sha256" if size <= 32 else "sha384" if size <= 48 else "sha512"
    return hashlib.new(name, client_secret.encode()).digest()[:size]


def _base64(octets: bytes) -> bytes | None:
    """Decode base64 (RFC 4648 section 4), or give None."""
    bare = octets.rstrip(b"=")
    padded = bare + b"=" * (-len(bare) % 4)
    if octets not in {bare, padded}:
        return None
    try:
        secret = a2b_base64(padded, strict_mode=True)
    except Error:
        return None
    return secret if b2a_base64(secret, newline=False) == padded else None


def _base64url(octets: bytes) -> bytes | None:
    """Decode base64url (RFC 4648 section 5), or give None."""
    bare = octets.rstrip(b"=")
    if octets not in {bare, bare + b"=" * (-len(bare) % 4)}:
        return None
    try:
        return decode_base64url(bare)
    except TokenError:
        return None
