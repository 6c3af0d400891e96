"""Decrypt one thing with one key (RFC 7518 sections 4 and 5)."""

import hmac
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.keywrap import InvalidUnwrap, aes_key_unwrap
from cryptography.hazmat.primitives.padding import PKCS7

from sso_proxy.specs.jose.encrypted import ENCRYPTIONS, CompactJwe

WRAPPING: Final = {"A128KW": 16, "A192KW": 24, "A256KW": 32}
"""Octets of the keys that AES Key Wrap is used with (RFC 7518 section 4.4)."""

_OAEP: Final = {
    # The hash of RSA-OAEP is the standard's; no collision helps anybody here.
    "RSA-OAEP": padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None),  # noqa: S303
    "RSA-OAEP-256": padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None),
}


def decrypt_with_rsa(key: RSAPrivateKey, alg: str, encrypted: bytes) -> bytes:
    """
    Decrypt a content encryption key with RSA-OAEP (section 4.3).

    Raises:
        ValueError: It was not encrypted to *key* with *alg*.
    """
    return key.decrypt(encrypted, _OAEP[alg])


def unwrap(key: bytes, wrapped: bytes) -> bytes:
    """
    Unwrap a content encryption key with AES Key Wrap (section 4.4).

    Raises:
        ValueError: It was not wrapped with *key*.
    """
    try:
        return aes_key_unwrap(key, wrapped)
    except InvalidUnwrap:
        raise ValueError("the key cannot be unwrapped") from None


def agree(
    key: ec.EllipticCurvePrivateKey,
    ephemeral: ec.EllipticCurvePublicKey,
    jwe: CompactJwe,
) -> bytes:
    """
    Derive the content encryption key, or the one that wraps it (section 4.6.2).

    Raises:
        ValueError: The keys are of different curves.
    """
    header = jwe.header
    _, wrapped, wrapping = header.alg.partition("+")
    size = WRAPPING[wrapping] if wrapped else ENCRYPTIONS[header.enc].key
    name = (header.alg if wrapped else header.enc).encode("ascii")
    info = b"".join(
        len(part).to_bytes(4, "big") + part for part in (name, header.apu, header.apv)
    )
    info += (size * 8).to_bytes(4, "big")
    shared = key.exchange(ec.ECDH(), ephemeral)
    derived: bytes = ConcatKDFHash(hashes.SHA256(), size, info).derive(shared)
    return derived


def decrypt_content(key: bytes, jwe: CompactJwe) -> bytes:
    """
    Decrypt what is inside (section 5), once its tag has been found to be right.

    Raises:
        ValueError: The tag is wrong, or *key* has another size.
    """
    encryption = ENCRYPTIONS[jwe.header.enc]
    if len(key) != encryption.key:
        raise ValueError("the key has another size")
    if encryption.mac is not None:
        return _decrypt_cbc(key, jwe, encryption.mac)
    try:
        return AESGCM(key).decrypt(jwe.iv, jwe.ciphertext + jwe.tag, jwe.aad)
    except InvalidTag:
        raise ValueError("the tag is wrong") from None


def _decrypt_cbc(key: bytes, jwe: CompactJwe, mac: str) -> bytes:
    """
    Decrypt AES-CBC with HMAC (section 5.2.2.2).

    The padding is looked at after the tag only: it tells nothing (Vaudenay).
    """
    half = len(key) // 2
    length = (len(jwe.aad) * 8).to_bytes(8, "big")
    authenticated = jwe.aad + jwe.iv + jwe.ciphertext + length
    tag = hmac.digest(key[:half], authenticated, mac)[: len(jwe.tag)]
    if not hmac.compare_digest(tag, jwe.tag):
        raise ValueError("the tag is wrong")
    decryptor = Cipher(algorithms.AES(key[half:]), modes.CBC(jwe.iv)).decryptor()
    padded = decryptor.update(jwe.ciphertext) + decryptor.finalize()
    unpadder = PKCS7(128).unpadder()
    return unpadder.update(padded) + unpadder.finalize()
