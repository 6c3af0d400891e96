"""
Keys of Token Binding (RFC 8471 section 3.2), and what is signed with them (3.3).

Each key has one way to be written: sessions and tokens are bound to the octets.
"""

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.tls_presentation import Octets, PresentationError, vector
from sso_proxy.tls_facts import TokenBindingId

RSA2048_PKCS1_5: Final = 0
RSA2048_PSS: Final = 1
ECDSAP256: Final = 2

KEY_PARAMETERS: Final = (ECDSAP256, RSA2048_PSS, RSA2048_PKCS1_5)
"""Those that we can check, the shortest messages first."""

EKM_LENGTH: Final = 32
"""Octets of exported keying material (RFC 8471 section 3.3)."""

_RSA_OCTETS: Final = 256
_EXPONENT_OCTETS: Final = 8
"""Octets of a public exponent at most; 65537 has three.  What a long one costs would be
for a client to choose."""
_HALF: Final = 32
_SHA256: Final = SHA256()
_ECDSA: Final = ec.ECDSA(_SHA256)
_PSS: Final = padding.PSS(mgf=padding.MGF1(_SHA256), salt_length=32)
_PKCS1: Final = padding.PKCS1v15()


class TokenBindingError(BadMessageError):
    """
    What a client says about its keys cannot be believed.

    Attributes:
        reason: A short code: ``token-binding-`` and what is wrong.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(400, reason)


def read_id(octets: Octets) -> TokenBindingId:
    """
    Read a ``TokenBindingID``, of whatever key parameters.

    Raises:
        PresentationError: It is none.
    """
    begin = octets.at
    octets.number(1)
    octets.vector(2, 1)
    return TokenBindingId(octets.data[begin : octets.at])


def check_signature(
    key_id: TokenBindingId, kind: int, signature: bytes, ekm: bytes
) -> None:
    """
    Check that who holds the key of *key_id* has signed for one connection.

    Args:
        key_id: The key.
        kind: The type of the binding.
        signature: As it stands in the message.
        ekm: Keying material of that connection, 32 octets.

    Raises:
        TokenBindingError: They have not, or it is no key that can be checked.
    """
    signed = bytes((kind, key_id.key_parameters)) + ekm
    try:
        if key_id.key_parameters == ECDSAP256:
            _check_ec(key_id, signature, signed)
        else:
            _check_rsa(key_id, signature, signed)
    except InvalidSignature:
        raise TokenBindingError("token-binding-signature") from None


def check_id(key_id: TokenBindingId) -> None:
    """
    Check that *key_id* is a key that could be checked.

    Raises:
        TokenBindingError: It is none, or of a kind that we do not know.
    """
    if key_id.key_parameters == ECDSAP256:
        _ec_key(key_id)
    else:
        _rsa_key(key_id)


def _check_ec(key_id: TokenBindingId, signature: bytes, signed: bytes) -> None:
    key = _ec_key(key_id)
    if len(signature) != 2 * _HALF:
        raise InvalidSignature
    r, s = (int.from_bytes(half, "big") for half in _halves(signature))
    key.verify(encode_dss_signature(r, s), signed, _ECDSA)


def _check_rsa(key_id: TokenBindingId, signature: bytes, signed: bytes) -> None:
    key = _rsa_key(key_id)
    pad = _PSS if key_id.key_parameters == RSA2048_PSS else _PKCS1
    key.verify(signature, signed, pad, _SHA256)


def _ec_key(key_id: TokenBindingId) -> ec.EllipticCurvePublicKey:
    try:
        octets = _key_of(key_id)
        point = octets.vector(1, 2 * _HALF, 2 * _HALF)
        octets.end()
        x, y = (int.from_bytes(half, "big") for half in _halves(point))
        return ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key()
    except ValueError:  # no point of the curve
        raise TokenBindingError("token-binding-key") from None


def _rsa_key(key_id: TokenBindingId) -> rsa.RSAPublicKey:
    if key_id.key_parameters not in (RSA2048_PSS, RSA2048_PKCS1_5):
        raise TokenBindingError("token-binding-key-parameters")
    try:
        octets = _key_of(key_id)
        modulus = octets.vector(2, _RSA_OCTETS, _RSA_OCTETS)
        exponent = octets.vector(1, 1, _EXPONENT_OCTETS)
        octets.end()
        # Octets before the first that counts would be another name of the same key.
        if modulus[0] < 0x80 or exponent[0] == 0:
            raise PresentationError("is not written as it has to be")
        e, n = (int.from_bytes(number, "big") for number in (exponent, modulus))
        return rsa.RSAPublicNumbers(e, n).public_key()
    except ValueError:
        raise TokenBindingError("token-binding-key") from None


def _key_of(key_id: TokenBindingId) -> Octets:
    octets = Octets(key_id.raw, 1)
    key = octets.vector(2, 1)
    octets.end()
    return Octets(key)


def _halves(octets: bytes) -> tuple[bytes, bytes]:
    return octets[:_HALF], octets[_HALF:]


def build_ec_id(key: ec.EllipticCurvePublicKey) -> TokenBindingId:
    """Name a key on P-256: ``TB_ECPoint``."""
    numbers = key.public_numbers()
    point = b"".join(n.to_bytes(_HALF, "big") for n in (numbers.x, numbers.y))
    return TokenBindingId(bytes((ECDSAP256,)) + vector(2, vector(1, point)))


def build_rsa_id(key: rsa.RSAPublicKey, key_parameters: int) -> TokenBindingId:
    """Name an RSA key, whose kind does not say how it signs: ``RSAPublicKey``."""
    n, e = key.public_numbers().n, key.public_numbers().e
    written = vector(2, _minimal(n)) + vector(1, _minimal(e))
    return TokenBindingId(bytes((key_parameters,)) + vector(2, written))


def _minimal(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")
