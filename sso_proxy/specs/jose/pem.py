"""Find the blocks of a PEM file (RFC 7468)."""

import re
from typing import Final

MAX_BLOCKS: Final = 50
"""Blocks in a file."""

_BLOCK = re.compile(
    rb"-----BEGIN ([A-Z0-9 ]+)-----[A-Za-z0-9+/=\s]+-----END \1-----", re.ASCII
)


def pem_blocks(data: bytes) -> list[tuple[bytes, bytes]]:
    """
    Give the label and the text of each block; what stands around them is left out.

    A block that does not look like one is not left out: it could be a key that belongs
    elsewhere, such as a private key with header lines.

    Raises:
        ValueError: There is no block, a malformed one, or more than `MAX_BLOCKS`.
    """
    blocks = [(match[1], match[0]) for match in _BLOCK.finditer(data)]
    if len(blocks) != data.count(b"-----BEGIN "):
        raise ValueError("malformed PEM")
    if not blocks:
        raise ValueError("no PEM")
    if len(blocks) > MAX_BLOCKS:
        raise ValueError(f"more than {MAX_BLOCKS} keys")
    return blocks
