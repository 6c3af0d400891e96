"""Say which RSA keys can be broken or cost too much."""

from typing import Final

MIN_BITS: Final = 2048
MAX_BITS: Final = 8192
MAX_EXPONENT: Final = 2**33

_PRIMES: Final = tuple(
    n for n in range(3, 168) if all(n % divisor for divisor in range(2, n))
)
_POWERS: Final = {
    prime: frozenset(pow(65537, exponent, prime) for exponent in range(prime - 1))
    for prime in _PRIMES
}


def rsa_weakness(modulus: int, exponent: int) -> str | None:
    """Say why no RSA key with these numbers may be used, or None if it may."""
    bits = modulus.bit_length()
    if not MIN_BITS <= bits <= MAX_BITS:
        return f"RSA with {bits} bits; {MIN_BITS} to {MAX_BITS} are allowed"
    if not 3 <= exponent < MAX_EXPONENT or not exponent & 1:
        return "RSA with an unsafe exponent"
    if not modulus & 1:
        return "RSA with an even modulus"
    if is_roca(modulus):
        return "RSA made by a broken generator (CVE-2017-15361)"
    return None


def is_roca(modulus: int) -> bool:
    """
    Say whether *modulus* has the mark of Infineon's library (CVE-2017-15361).

    Its primes are ``k * M + 65537**a mod M`` for a product M of small primes, so the
    modulus is a power of 65537 modulo each of these.  A good modulus looks so once in
    more than 2**27.
    """
    return all(modulus % prime in powers for prime, powers in _POWERS.items())
