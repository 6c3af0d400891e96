"""
Hashes of passwords as Unix and Apache write them: SHA-crypt, and ``$apr1$``.

SHA-crypt as its author specifies it (Drepper, "Unix crypt using SHA-256 and SHA-512",
version 0.6); ``$apr1$`` as Apache's ``htpasswd -m`` makes it: MD5-crypt with another
magic.  Python has neither since 3.13.
"""

import hashlib
from collections.abc import Sequence
from typing import Final, Literal

DEFAULT_ROUNDS: Final = 5000
"""Rounds of SHA-crypt where a hash does not name any."""

_ALPHABET: Final = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_APR1: Final = b"$apr1$"
_APR1_ROUNDS: Final = 1000
_APR1_ORDER: Final = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))


def _order(octets: int, turned: bool) -> tuple[tuple[int, int, int], ...]:  # noqa: FBT001
    """Give the order in which the octets of a digest are written, three by three."""
    third, groups = octets // 3, []
    a, b, c = 0, third, 2 * third
    for _ in range(third):
        groups.append((a, b, c))
        step = (c + 1, a + 1, b + 1) if turned else (b + 1, c + 1, a + 1)
        a, b, c = step
    return tuple(groups)


_SHA256_ORDER: Final = _order(32, turned=True)
_SHA512_ORDER: Final = _order(64, turned=False)


def sha_crypt(
    kind: Literal["5", "6"], password: bytes, salt: bytes, rounds: int
) -> str:
    """
    Give the last part of a SHA-crypt hash.

    Args:
        kind: ``5`` for SHA-256, ``6`` for SHA-512.
        password: The password.
        salt: At most 16 octets.
        rounds: 1,000 at least.
    """
    new = hashlib.sha256 if kind == "5" else hashlib.sha512
    size = len(password)
    inner = new(password + salt + password).digest()
    outer = new(password + salt + _stretch(inner, size))
    bits = size
    while bits:
        outer.update(inner if bits & 1 else password)
        bits >>= 1
    result = outer.digest()
    p = _stretch(new(password * size).digest(), size)
    s = _stretch(new(salt * (16 + result[0])).digest(), len(salt))
    for number in range(rounds):
        odd = number & 1
        parts = [p if odd else result]
        if number % 3:
            parts.append(s)
        if number % 7:
            parts.append(p)
        parts.append(result if odd else p)
        result = new(b"".join(parts)).digest()
    if kind == "5":
        return _write(result, _SHA256_ORDER) + _sextets(result[31] << 8 | result[30], 3)
    return _write(result, _SHA512_ORDER) + _sextets(result[63], 2)


def apr1_crypt(password: bytes, salt: bytes) -> str:
    """Give the last part of an ``$apr1$`` hash; *salt* has at most 8 octets."""
    size = len(password)
    inner = _md5(password + salt + password)
    text = password + _APR1 + salt + _stretch(inner, size)
    bits = size
    while bits:
        text += b"\0" if bits & 1 else password[:1]
        bits >>= 1
    result = _md5(text)
    for number in range(_APR1_ROUNDS):
        odd = number & 1
        parts = [password if odd else result]
        if number % 3:
            parts.append(salt)
        if number % 7:
            parts.append(password)
        parts.append(result if odd else password)
        result = _md5(b"".join(parts))
    return _write(result, _APR1_ORDER) + _sextets(result[11], 2)


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()


def _stretch(digest: bytes, size: int) -> bytes:
    """Repeat *digest* until there are *size* octets."""
    return (digest * (size // len(digest) + 1))[:size]


def _write(digest: bytes, order: Sequence[tuple[int, int, int]]) -> str:
    return "".join(
        _sextets(digest[a] << 16 | digest[b] << 8 | digest[c], 4) for a, b, c in order
    )


def _sextets(number: int, count: int) -> str:
    """Write *number* in an alphabet of its own, the lowest six bits first."""
    return "".join(_ALPHABET[number >> 6 * n & 63] for n in range(count))
