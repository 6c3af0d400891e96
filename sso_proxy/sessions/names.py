"""How sessions are named in caches, cookies and lists."""

import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

OCTETS: Final = 32
"""Octets of a name, and of the random number in a cookie."""


def digest(*texts: str) -> bytes:
    """Give one digest of *texts*, each counted, so that no two lists have the same."""
    octets = [text.encode("utf-8", "surrogatepass") for text in texts]
    return hashlib.sha256(
        b"".join(len(each).to_bytes(8, "big") + each for each in octets)
    ).digest()


def encode(octets: bytes) -> str:
    """Write *octets* in base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes | None:
    """Read what `encode` writes; None if *text* is not exactly that."""
    try:
        octets = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError:
        return None
    # The module skips what is not in the alphabet, and takes two forms of one value.
    return octets if encode(octets) == text else None


def read_name(text: str) -> bytes | None:
    """Read 32 octets; None if *text* is not exactly that."""
    octets = decode(text) if len(text) == 43 else None
    return octets if octets is not None and len(octets) == OCTETS else None
