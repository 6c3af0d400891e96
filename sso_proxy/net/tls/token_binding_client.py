"""
A client that agrees on Token Binding (RFC 8472 section 2), for tests and for the demo.

Browsers that did are gone.  It offers whatever it is told to, and looks at the answer
only where it is asked to.
"""

import socket
from collections.abc import Sequence
from typing import Any, Final, Self

import attrs
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from OpenSSL._util import ffi, lib

from sso_proxy.specs.token_binding import EXPORTER_LABEL, VERSION
from sso_proxy.specs.token_binding_handshake import (
    EXTENSION,
    Parameters,
    build_parameters,
    check_answer,
    parse_parameters,
)
from sso_proxy.specs.token_binding_keys import EKM_LENGTH, KEY_PARAMETERS

_LIB: Final[Any] = lib
_FFI: Final[Any] = ffi
_RECORD: Final = 16384

OFFER: Final = build_parameters(Parameters(VERSION, KEY_PARAMETERS))
"""All that there is in version 1.0."""


@attrs.define(eq=False)
class Offer:
    """
    What one connection offers.

    Attributes:
        data: The extension's data; None leaves the extension out.
        answer: The data that the server answered; None if it did not.
    """

    data: bytes | None = OFFER
    answer: bytes | None = None
    _buffer: Any = attrs.field(init=False, repr=False)

    @_buffer.default
    def _keep(self) -> Any:  # noqa: ANN401 - OpenSSL reads it after we have returned
        return _FFI.new("unsigned char[]", list(self.data or b""))

    def write(self, out: Any, length: Any) -> int:  # noqa: ANN401
        """Have OpenSSL send it, or leave it out."""
        if self.data is None:
            return 0
        out[0], length[0] = self._buffer, len(self.data)
        return 1

    @property
    def agreed(self) -> int | None:
        """
        The key parameters that both ends agreed on, or None.

        Raises:
            TokenBindingError: The server answered what it must not.
        """
        if self.answer is None or self.data is None:
            return None
        return check_answer(parse_parameters(self.answer), parse_parameters(self.data))


def offer_on(context: SSL.Context) -> None:
    """Have each connection of *context* send the `Offer` that is its app data."""
    done = _LIB.SSL_CTX_add_client_custom_ext(
        context._context,  # noqa: SLF001
        EXTENSION,
        _on_offer,
        _FFI.NULL,
        _FFI.NULL,
        _on_answer,
        _FFI.NULL,
    )
    if done != 1:
        raise ValueError("OpenSSL takes no extension for Token Binding")


def _offer_of(ssl: Any) -> Offer:  # noqa: ANN401
    found: Offer = SSL.Connection._reverse_mapping[ssl].get_app_data()  # noqa: SLF001
    return found


def _take_answer(ssl: Any, data: Any, length: int) -> int:  # noqa: ANN401
    _offer_of(ssl).answer = bytes(_FFI.buffer(data, length))
    return 1


_on_offer: Final = _FFI.callback(
    "int(SSL *, unsigned int, unsigned char **, size_t *, int *, void *)",
    lambda ssl, _, out, length, __, ___: _offer_of(ssl).write(out, length),
    error=-1,
)
_on_answer: Final = _FFI.callback(
    "int(SSL *, unsigned int, unsigned char *, size_t, int *, void *)",
    lambda ssl, _, data, length, __, ___: _take_answer(ssl, data, length),
    error=0,
)


@attrs.frozen(kw_only=True)
class Trust:
    """
    Whom a client believes, and what it shows of itself.

    Attributes:
        authority: PEM of the CAs of servers; None believes any server.
        certificate: PEM of its own certificate and chain.
        key: PEM of that one's key.
    """

    authority: bytes | None = attrs.field(default=None, repr=False)
    certificate: bytes | None = attrs.field(default=None, repr=False)
    key: bytes | None = attrs.field(default=None, repr=False)


def client_context(trust: Trust, alpn: Sequence[bytes] = (b"http/1.1",)) -> SSL.Context:
    """Make what connections of a client to anywhere have in common."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_alpn_protos(list(alpn))
    offer_on(context)
    if trust.authority is not None:
        context.set_verify(SSL.VERIFY_PEER)
        store = context.get_cert_store()
        assert store is not None, "OpenSSL makes no context without one"  # noqa: S101
        for one in x509.load_pem_x509_certificates(trust.authority):
            store.add_cert(crypto.X509.from_cryptography(one))
    if trust.certificate is not None and trust.key is not None:
        leaf, *above = x509.load_pem_x509_certificates(trust.certificate)
        context.use_certificate(leaf)
        for one in above:
            context.add_extra_chain_cert(one)
        key: Any = load_pem_private_key(trust.key, password=None)
        context.use_privatekey(key)
    return context


class BindingConnection:
    """
    A client's connection, on a socket that blocks.

    Attributes:
        offer: What it offered, and was answered.
    """

    def __init__(
        self,
        context: SSL.Context,
        sock: socket.socket,
        *,
        server_name: str | None = None,
        offer: bytes | None = OFFER,
    ) -> None:
        """
        Shake hands.

        Args:
            context: From `client_context`.
            sock: Connected to the server; its timeout counts for each read.
            server_name: The name to ask for; that the certificate has it is not looked
                at.
            offer: Data of the extension; None leaves it out.

        Raises:
            SSL.Error: The handshake failed.
        """
        self.offer = Offer(offer)
        self._sock = sock
        self._connection = SSL.Connection(context, None)
        self._connection.set_app_data(self.offer)
        self._connection.set_connect_state()
        if server_name is not None:
            self._connection.set_tlsext_host_name(server_name.encode("ascii"))
        self._wait_for(self._connection.do_handshake)

    @property
    def ekm(self) -> bytes:
        """What is signed to prove a key for this connection."""
        return self._connection.export_keying_material(EXPORTER_LABEL, EKM_LENGTH, None)

    def send(self, data: bytes) -> None:
        """Send *data*."""
        self._connection.sendall(data)
        self._flush()

    def receive(self) -> bytes:
        """Give what has come; nothing if the server sends no more."""
        try:
            data: bytes = self._wait_for(lambda: self._connection.recv(_RECORD))
        except (SSL.ZeroReturnError, SSL.SysCallError):
            return b""
        return data

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()

    def __enter__(self) -> Self:
        """Take it for a while."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def _wait_for(self, step: Any) -> Any:  # noqa: ANN401
        """Try *step* again each time that something has come."""
        while True:
            try:
                result = step()
            except SSL.WantReadError:
                self._flush()
                data = self._sock.recv(_RECORD)
                if data:
                    self._connection.bio_write(data)
                else:
                    self._connection.bio_shutdown()
            except SSL.Error:
                self._flush()  # the alert
                raise
            else:
                self._flush()
                return result

    def _flush(self) -> None:
        while True:
            try:
                data = self._connection.bio_read(_RECORD)
            except SSL.WantReadError:
                return
            self._sock.sendall(data)
