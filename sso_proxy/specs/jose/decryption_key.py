"""A key of ours that tokens are encrypted to (RFC 7518 section 4)."""

from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.ciphers import (
    WRAPPING,
    agree,
    decrypt_content,
    decrypt_with_rsa,
    unwrap,
)
from sso_proxy.specs.jose.encrypted import AGREEMENTS, ENCRYPTIONS, CompactJwe
from sso_proxy.specs.jose.keys import KeyRefusedError
from sso_proxy.specs.jose.strict import decode_base64url
from sso_proxy.specs.jose.weak import rsa_weakness

PrivateKey: TypeAlias = RSAPrivateKey | ec.EllipticCurvePrivateKey | bytes

_CURVES: Final[Mapping[str, ec.EllipticCurve]] = {
    "P-256": ec.SECP256R1(),
    "P-384": ec.SECP384R1(),
    "P-521": ec.SECP521R1(),
}
_CURVE_NAMES: Final = frozenset(curve.name for curve in _CURVES.values())
_RSA: Final = frozenset({"RSA-OAEP", "RSA-OAEP-256"})


@attrs.frozen(kw_only=True, eq=False)
class DecryptionKey:
    """
    A key of ours, and what it may be used for.

    Attributes:
        kid: What tokens call it, or None.
        algs: The algorithms it may be used with.
        encs: The content encryptions it may be used with.
        thumbprint: A second name, for a key that we publish under what it is (RFC
            7638), or None.
    """

    kid: str | None
    algs: frozenset[str]
    encs: frozenset[str] = frozenset(ENCRYPTIONS)
    thumbprint: str | None = None
    _key: PrivateKey = attrs.field(repr=False, alias="key")

    def fits(self, jwe: CompactJwe) -> bool:
        """Say whether the key may be used for *jwe*."""
        return jwe.header.alg in self.algs and jwe.header.enc in self.encs

    def decrypt(self, jwe: CompactJwe) -> bytes:
        """
        Decrypt *jwe*, which the key fits.

        Raises:
            TokenError: It was not encrypted to this key, or has been changed; which of
                these is not said (RFC 7516 section 11.5).
        """
        try:
            return decrypt_content(self._content_key(jwe), jwe)
        except ValueError:
            raise TokenError("cannot be decrypted", reason="token-decryption") from None

    def _content_key(self, jwe: CompactJwe) -> bytes:
        """Give the content encryption key, or raise ValueError."""
        key, alg = self._key, jwe.header.alg
        if isinstance(key, RSAPrivateKey):
            return decrypt_with_rsa(key, alg, jwe.encrypted_key)
        if isinstance(key, ec.EllipticCurvePrivateKey):
            key = agree(key, _read_ephemeral(jwe, key.curve), jwe)
            alg = alg.partition("+")[2]
        return unwrap(key, jwe.encrypted_key) if alg in WRAPPING else key


def key_of_pair(key: object, alg: str | None, kid: str | None) -> DecryptionKey:
    """
    Decide what *key*, that may be bound to *alg*, is for.

    Raises:
        KeyRefusedError: It is weak, or not for *alg* or anything else here.
    """
    if isinstance(key, RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        weakness = rsa_weakness(numbers.n, numbers.e)
        if weakness is not None:
            raise KeyRefusedError(weakness)
        algs = _RSA
    elif isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in _CURVE_NAMES:
        algs = AGREEMENTS
    else:
        raise KeyRefusedError("neither RSA nor EC with P-256, P-384 or P-521")
    if alg is not None:
        algs &= {alg}
    if not algs:
        raise KeyRefusedError("the key is not for its alg")
    return DecryptionKey(kid=kid, algs=algs, key=key)


def key_of_secret(secret: bytes, alg: str | None, kid: str | None) -> DecryptionKey:
    """
    Make a symmetric key for *alg*, which may be the content encryption of ``dir``.

    One key is for one algorithm (RFC 8725 section 3.1).

    Raises:
        KeyRefusedError: There is no *alg*, or *secret* has not the length of its keys.
    """
    if alg in WRAPPING:
        algs, fit = frozenset({alg}), WRAPPING[alg] == len(secret)
        encs = frozenset(ENCRYPTIONS)
    elif alg == "dir" or alg in ENCRYPTIONS:
        algs = frozenset({"dir"})
        encs = frozenset(
            name
            for name, encryption in ENCRYPTIONS.items()
            if encryption.key == len(secret) and alg in {"dir", name}
        )
        fit = bool(encs)
    else:
        known = ", ".join([*WRAPPING, "dir", *ENCRYPTIONS])
        raise KeyRefusedError(f"a symmetric key needs an alg: {known}")
    if not fit:
        raise KeyRefusedError(f"{len(secret)} octets are no key for {alg}")
    return DecryptionKey(kid=kid, algs=algs, encs=encs, key=secret)


def _read_ephemeral(
    jwe: CompactJwe, curve: ec.EllipticCurve
) -> ec.EllipticCurvePublicKey:
    """
    Read ``epk`` (RFC 7518 section 4.6.1.1); ValueError unless it is on *curve*.

    A point of another curve would tell something about our key with every answer.
    """
    epk = jwe.header.epk or {}
    size = (curve.key_size + 7) // 8
    named = _CURVES.get(str(epk.get("crv")))
    if epk.get("kty") != "EC" or named is None or named.name != curve.name:
        raise ValueError("epk is of another curve")
    if "d" in epk:
        raise ValueError("epk is private")
    x, y = (str(epk.get(name)).encode() for name in ("x", "y"))
    try:
        coordinates = [decode_base64url(x), decode_base64url(y)]
    except TokenError:
        raise ValueError("epk is malformed") from None
    if any(len(coordinate) != size for coordinate in coordinates):
        raise ValueError("epk is malformed")
    numbers = [int.from_bytes(coordinate, "big") for coordinate in coordinates]
    return ec.EllipticCurvePublicNumbers(numbers[0], numbers[1], curve).public_key()
