"""
Octets that only we can make and read, wherever they were in the meantime.

The form, the same for every kind of record::

    version (1 octet, 1) | length of kid (1) | kid | nonce (12) | ciphertext | tag (16)

AES-256-GCM (NIST SP 800-38D).  Each kind has a key of its own, derived from the ring's
by HKDF (RFC 5869, SHA-256), and so a space of nonces of its own: drawn at random, 2**32
of them, which is what the standard allows under one key, are 500 a second for 99 days.
What goes before the nonce, the kind and the caller's context are authenticated, each
with its length before it, so that no two of them run into each other.
"""

from collections.abc import Callable, Mapping
from typing import Final

import attrs
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

VERSION: Final = 1
_LABEL: Final = b"sso-proxy seal"
_KEY: Final = 32
_NONCE: Final = 12
_TAG: Final = 16


@attrs.frozen
class _Key:
    """
    One key of the ring, for one kind.

    Attributes:
        header: What begins everything it seals.
        bound: What is authenticated besides, up to the context.
        cipher: Encrypts and decrypts.
    """

    header: bytes
    bound: bytes
    cipher: AESGCM = attrs.field(repr=False)


class Sealer:
    """
    Seals and opens records of one kind.

    Args:
        kind: What the records are: ``session``.  What was sealed as one kind never
            opens as another.
        secrets: 32 octets each, by kid; the first seals unless `use` says otherwise,
            all of them open.
        random: Gives so many random octets.

    Raises:
        ValueError: There is no key, or one is not of its form.
    """

    def __init__(
        self, kind: str, secrets: Mapping[str, bytes], random: Callable[[int], bytes]
    ) -> None:
        if not kind or not secrets:
            raise ValueError("sealing needs a kind and a key")
        keys = [_derive(kind, kid, secret) for kid, secret in secrets.items()]
        self._first = keys[0]
        self._keys = {key.header: key for key in keys}
        self._kids = dict(zip(secrets, keys, strict=True))
        self._random = random

    def use(self, kid: str) -> None:
        """Seal with the key called *kid* from now on."""
        self._first = self._kids[kid]

    def seal(self, data: bytes, context: bytes = b"") -> bytes:
        """Seal *data*; it opens only with the same *context*."""
        key = self._first
        nonce = self._random(_NONCE)
        bound = key.bound + _counted(context)
        return key.header + nonce + key.cipher.encrypt(nonce, data, bound)

    def open(self, sealed: bytes, context: bytes = b"") -> bytes | None:
        """Give what was sealed with *context*, or None if it was not, or not by us."""
        start = 2 + sealed[1] if len(sealed) > 2 else 0
        key = self._keys.get(sealed[:start])
        end = start + _NONCE
        if key is None or len(sealed) < end + _TAG:
            return None
        bound = key.bound + _counted(context)
        try:
            return key.cipher.decrypt(sealed[start:end], sealed[end:], bound)
        except InvalidTag:
            return None


def _derive(kind: str, kid: str, secret: bytes) -> _Key:
    """Make the key of *kind* out of the ring's."""
    name = kid.encode("ascii")
    if len(secret) != _KEY or not 1 <= len(name) <= 255:
        raise ValueError(f"a key needs {_KEY} octets, and a kid of 1 to 255")
    header = bytes((VERSION, len(name))) + name
    info = _counted(_LABEL) + _counted(bytes((VERSION,))) + _counted(kind.encode())
    key = HKDF(SHA256(), _KEY, salt=None, info=info).derive(secret)
    return _Key(header=header, bound=info + _counted(header), cipher=AESGCM(key))


def _counted(octets: bytes) -> bytes:
    return len(octets).to_bytes(8, "big") + octets
