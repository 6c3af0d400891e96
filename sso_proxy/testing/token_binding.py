"""
A client's keys for Token Binding (RFC 8471), for tests.

They sign whatever they are told to, malformed and contradictory things included.
"""

from collections.abc import Sequence
from typing import Self

import attrs
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sso_proxy.specs.jose.strict import encode_base64url
from sso_proxy.specs.tls_presentation import vector
from sso_proxy.specs.token_binding import PROVIDED, REFERRED
from sso_proxy.specs.token_binding_keys import (
    ECDSAP256,
    RSA2048_PSS,
    build_ec_id,
    build_rsa_id,
)
from sso_proxy.tls_facts import TokenBindingId


@attrs.frozen
class BindingKey:
    """
    A client's key for one site.

    Attributes:
        id: What a server knows it by.
    """

    id: TokenBindingId
    _private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey = attrs.field(repr=False)

    @classmethod
    def create(cls, key_parameters: int = ECDSAP256) -> Self:
        """Make a new key."""
        if key_parameters == ECDSAP256:
            return cls.from_private(ec.generate_private_key(ec.SECP256R1()))
        made = rsa.generate_private_key(65537, 2048)
        return cls(build_rsa_id(made.public_key(), key_parameters), made)

    @classmethod
    def from_private(cls, private: ec.EllipticCurvePrivateKey) -> Self:
        """Take a key on P-256 that there is."""
        return cls(build_ec_id(private.public_key()), private)

    def sign(self, ekm: bytes, kind: int = PROVIDED) -> bytes:
        """
        Sign for one connection, as a binding has it.

        Args:
            ekm: Keying material of the connection, 32 octets.
            kind: The type of the binding.
        """
        signed = bytes((kind, self.id.key_parameters)) + ekm
        if isinstance(self._private, ec.EllipticCurvePrivateKey):
            der = self._private.sign(signed, ec.ECDSA(SHA256()))
            return b"".join(n.to_bytes(32, "big") for n in decode_dss_signature(der))
        pad: padding.PSS | padding.PKCS1v15 = padding.PKCS1v15()
        if self.id.key_parameters == RSA2048_PSS:
            pad = padding.PSS(mgf=padding.MGF1(SHA256()), salt_length=32)
        return self._private.sign(signed, pad, SHA256())


def make_binding(
    key: BindingKey,
    ekm: bytes,
    kind: int = PROVIDED,
    extensions: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """
    Make one ``TokenBinding``.

    Args:
        key: The key that is proved.
        ekm: Keying material of the connection, 32 octets.
        kind: The type of the binding.
        extensions: Types and data of extensions.
    """
    return build_binding(kind, key.id.raw, key.sign(ekm, kind), extensions)


def build_binding(
    kind: int,
    id_: bytes,
    signature: bytes,
    extensions: Sequence[tuple[int, bytes]] = (),
) -> bytes:
    """Put one ``TokenBinding`` together, whatever its parts are."""
    more = b"".join(bytes((each,)) + vector(2, data) for each, data in extensions)
    return bytes((kind,)) + id_ + vector(2, signature) + vector(2, more)


def make_header(*bindings: bytes) -> str:
    """Make the value of a ``Sec-Token-Binding`` field of several bindings."""
    return encode_base64url(vector(2, b"".join(bindings)))


def prove(key: BindingKey, ekm: bytes, referred: BindingKey | None = None) -> str:
    """
    Make the value of the field that a client sends with a request.

    Args:
        key: Its key for the site.
        ekm: Keying material of the connection, 32 octets.
        referred: Its key for another site, if it was asked to tell that.
    """
    bindings = [make_binding(key, ekm)]
    if referred is not None:
        bindings.append(make_binding(referred, ekm, REFERRED))
    return make_header(*bindings)
