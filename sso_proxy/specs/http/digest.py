"""``Content-Digest`` (RFC 9530): a hash of a message's content."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from typing import Final, Literal

from sso_proxy.specs.http.structured import Item, read_dictionary, write_dictionary

DigestAlgorithm = Literal["sha-256", "sha-512"]

_HASHES: Final[Mapping[str, str]] = {"sha-256": "sha256", "sha-512": "sha512"}
"""The algorithms that are no longer broken (section 5, table 1)."""


def build_content_digest(
    content: bytes, algorithms: Iterable[DigestAlgorithm] = ("sha-256",)
) -> str:
    """Write the field for *content*, which is hashed as it is sent (section 2)."""
    return write_dictionary({name: Item(_hash(name, content)) for name in algorithms})


def check_content_digest(value: str, content: bytes) -> None:
    """
    Check that a ``Content-Digest`` is that of *content*, whatever hashes it has.

    Args:
        value: The field's value; those of several lines joined by commas.
        content: The message's content.

    Raises:
        ValueError: It is malformed, a hash of it is another one, or it has none that
            can be relied on.
    """
    checked = 0
    for name, member in read_dictionary(value).items():
        if name not in _HASHES:
            continue  # such as md5: says nothing (section 5)
        told = member.value if isinstance(member, Item) else None
        if not isinstance(told, bytes):
            raise ValueError(f"the digest {name} is no byte sequence")  # noqa: TRY004
        if not hmac.compare_digest(told, _hash(name, content)):
            raise ValueError(f"the content has another {name} digest")
        checked += 1
    if not checked:
        raise ValueError("there is no digest by sha-256 or sha-512")


def _hash(name: str, content: bytes) -> bytes:
    return hashlib.new(_HASHES[name], content).digest()
