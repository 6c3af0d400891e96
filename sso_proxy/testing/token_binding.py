"""
A client with keys for Token Binding (RFC 8471), for tests.

Keys sign whatever they are told to, malformed and contradictory things included.
"""

import io
import socket
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection, HTTPResponse
from typing import Any, Self

import attrs
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from sso_proxy.net.tls.token_binding_client import (
    OFFER,
    BindingConnection,
    Trust,
    client_context,
)
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


class _Stream(io.RawIOBase):
    """What the standard library's HTTP client takes for a socket."""

    def __init__(self, connection: BindingConnection) -> None:
        self._connection = connection
        self._left = b""

    def sendall(self, data: bytes) -> None:
        """Send *data*."""
        self._connection.send(data)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """Give what answers are read from."""
        reader = _Stream(self._connection)
        return io.BufferedReader(reader)

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        """Read some."""
        self._left = self._left or self._connection.receive()
        count = min(len(self._left), len(buffer))
        buffer[:count], self._left = self._left[:count], self._left[count:]
        return count


class BoundConnection(HTTPConnection):
    """
    An HTTP client that proves its key with each request (RFC 8473), for tests.

    Its connection is agreed on Token Binding if the server does, else it is like any
    other, and its requests prove nothing.
    """

    def __init__(  # noqa: PLR0913
        self,
        host: str,
        port: int,
        *,
        key: BindingKey,
        server_name: str | None = None,
        trust: Trust | None = None,
        offer: bytes | None = OFFER,
        timeout: float = 20.0,
    ) -> None:
        """
        Take what it needs; it connects with the first request.

        Args:
            host: Where to connect to.
            port: Where to connect to.
            key: Its key.
            server_name: The name to ask for, and for ``Host``; None for no name.
            trust: Whom it believes, and its certificate.
            offer: What it offers; None for nothing.
            timeout: Seconds for each read.
        """
        super().__init__(host, port, timeout=timeout)
        self.key = key
        self._server_name = server_name
        self._trust = trust or Trust()
        self._offer = offer
        self._stream: BindingConnection | None = None

    def connect(self) -> None:
        """Connect, and shake hands."""
        sock = socket.create_connection((self.host, self.port), self.timeout)
        self._stream = BindingConnection(
            client_context(self._trust),
            sock,
            server_name=self._server_name,
            offer=self._offer,
        )
        self.sock: Any = _Stream(self._stream)

    @property
    def agreed(self) -> bool:
        """Whether the server has agreed, once there is a connection."""
        if self._stream is None:
            self.connect()
        stream = self._stream
        return stream is not None and stream.offer.agreed is not None

    def proof(self, referred: BindingKey | None = None) -> str:
        """Make a proof for this connection; *referred* is the key for another site."""
        if self._stream is None:
            self.connect()
        assert self._stream is not None  # noqa: S101
        return prove(self.key, self._stream.ekm, referred)

    def ask(
        self,
        path: str,
        headers: Mapping[str, str] | None = None,
        *,
        method: str = "GET",
        body: bytes | None = None,
    ) -> HTTPResponse:
        """
        Ask, with a proof unless *headers* have one, and give the answer.

        It has to be read before the next one.
        """
        fields = dict(headers or {})
        if self._server_name is not None:
            fields.setdefault("Host", self._server_name)
        if self.agreed:
            fields.setdefault("Sec-Token-Binding", self.proof())
        self.request(method, path, body, fields)
        return self.getresponse()

    def close(self) -> None:
        """Close the connection; the next request makes another."""
        super().close()
        if self._stream is not None:
            self._stream.close()
            self._stream = None
