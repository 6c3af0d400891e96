"""
Agree on Token Binding in a TLS 1.2 handshake (RFC 8472), and check what follows.

OpenSSL knows no such extension; it lets us add one, by functions that pyOpenSSL has no
public names for.  They are called with a bare pointer, for every connection of every
context alike: a handshake may begin with one context and end with another, so all that
is known of it is in its `ConnectionState`.  Whatever goes wrong in one of them ends the
handshake.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import attrs
from OpenSSL import SSL
from OpenSSL._util import ffi, lib
from twisted.logger import Logger

from sso_proxy.net.tls.errors import PeerError
from sso_proxy.net.tls.probe import CAPABILITIES, has_extended_master_secret
from sso_proxy.specs.token_binding import EXPORTER_LABEL, VERSION, verify
from sso_proxy.specs.token_binding_handshake import (
    EXTENSION,
    Parameters,
    allows_token_binding,
    build_parameters,
    is_client_hello,
    negotiate,
    parse_parameters,
)
from sso_proxy.specs.token_binding_keys import (
    EKM_LENGTH,
    KEY_PARAMETERS,
    TokenBindingError,
)
from sso_proxy.tls_facts import TokenBindings

_log = Logger()

_LIB: Final[Any] = lib
_FFI: Final[Any] = ffi

_HANDSHAKE: Final = 22
_DECODE_ERROR: Final = 50
_INTERNAL_ERROR: Final = 80

_SEND, _OMIT, _FAIL = 1, 0, -1
"""What the function that adds an extension says."""
_GOOD, _BAD = 1, 0
"""What the function that reads one says."""


@attrs.define(eq=False)
class Negotiation:
    """
    What one handshake comes to.

    Attributes:
        allowed: The client has offered what Token Binding has to follow.
        answer: What it would be answered; None if it has not asked, or for nothing
            that we know.
        agreed: The key parameters that it was answered.
        broken: Something of ours went wrong: the connection must not be used.
    """

    allowed: bool = False
    answer: Parameters | None = None
    agreed: int | None = None
    broken: bool = False


def unavailable() -> str:
    """Say why Token Binding cannot be had here; empty if it can."""
    if not CAPABILITIES.custom_extensions:
        return "this build of pyOpenSSL and cryptography has no extensions of our own"
    if not CAPABILITIES.extended_master_secret:
        return "this build of pyOpenSSL and cryptography hides how a secret was made"
    if not hasattr(SSL.Connection, "_reverse_mapping"):
        return "this pyOpenSSL does not tell which connection is called about"
    if _LIB.SSL_extension_supported(EXTENSION):
        return "this OpenSSL has an extension of its own in its place"
    return ""


def enable(context: SSL.Context) -> None:
    """
    Have the handshakes of *context* agree on Token Binding.

    Each connection needs a `ConnectionState` with a `Negotiation` of its own.

    Raises:
        ValueError: OpenSSL refuses.
    """
    pointer = context._context  # noqa: SLF001
    done = _LIB.SSL_CTX_add_server_custom_ext(
        pointer, EXTENSION, _on_answer, _FFI.NULL, _FFI.NULL, _on_offer, _FFI.NULL
    )
    if done != 1:
        _LIB.ERR_clear_error()
        raise ValueError("OpenSSL takes no extension for Token Binding")
    _LIB.SSL_CTX_set_msg_callback(pointer, _on_message)


def settle(connection: SSL.Connection, negotiation: Negotiation) -> int | None:
    """
    Give the key parameters that a finished handshake has agreed on, or None.

    Raises:
        PeerError: The client was told that Token Binding follows, but the connection
            is not one that it may be used on; close it.
    """
    if negotiation.broken:
        raise PeerError("what was agreed on is not known")
    if negotiation.agreed is not None and not (
        connection.get_protocol_version() == SSL.TLS1_2_VERSION
        and has_extended_master_secret(connection)
    ):
        raise PeerError("Token Binding without extended master secret")
    return negotiation.agreed


class BindingsReader:
    """
    Checks the proofs of one connection's requests, and remembers the last good one.

    It is kept nowhere but with the connection: what was proved for one must not be
    found by a request on another.
    """

    __slots__ = ("_agreed", "_ekm", "_export", "_found", "_value")

    def __init__(
        self,
        agreed: int | None,
        export: Callable[[bytes, int, bytes | None], bytes],
    ) -> None:
        """
        Begin.

        Args:
            agreed: The key parameters agreed on; None for no Token Binding.
            export: Exports keying material of the connection.
        """
        self._agreed = agreed
        self._export = export
        self._ekm = b""
        self._value = ""
        self._found: TokenBindings | None = None

    def __call__(self, values: Sequence[str]) -> TokenBindings | None:
        """
        Do as `TlsFacts.read_token_bindings`.

        Raises:
            TokenBindingError: As there.
        """
        if self._agreed is None:
            if values:
                raise TokenBindingError("token-binding-not-agreed")
            return None
        if not values:
            raise TokenBindingError("token-binding-missing")
        if len(values) > 1:
            raise TokenBindingError("token-binding-repeated")
        value = values[0]
        if value != self._value or self._found is None:
            if not self._ekm:
                self._ekm = self._export(EXPORTER_LABEL, EKM_LENGTH, None)
            self._found = verify(value, self._ekm, self._agreed)
            self._value = value
        return self._found


def _negotiation_of(ssl: Any) -> Negotiation:  # noqa: ANN401
    """Give what is known of the connection that a callback is about."""
    connection = SSL.Connection._reverse_mapping[ssl]  # noqa: SLF001
    found: Negotiation = connection.get_app_data().token_binding
    return found


def _hear_message(write: int, content: int, data: Any, length: int, ssl: Any) -> None:  # noqa: ANN401
    """Look at a ClientHello, which OpenSSL has not read yet."""
    if write or content != _HANDSHAKE:
        return
    message = bytes(_FFI.buffer(data, length))
    if not is_client_hello(message):
        return
    negotiation = _negotiation_of(ssl)
    negotiation.broken = True  # until we know better
    try:
        negotiation.allowed = allows_token_binding(message)
    except TokenBindingError:  # OpenSSL has its own opinion on that
        negotiation.allowed = False
    negotiation.broken = False


def _take_offer(ssl: Any, data: Any, length: int, alert: Any) -> int:  # noqa: ANN401
    """Read what the client offers."""
    alert[0] = _INTERNAL_ERROR
    negotiation = _negotiation_of(ssl)
    try:
        offered = parse_parameters(bytes(_FFI.buffer(data, length)))
    except TokenBindingError:
        alert[0] = _DECODE_ERROR
        return _BAD
    negotiation.answer = negotiate(offered)
    return _GOOD


def _give_answer(ssl: Any, out: Any, length: Any, alert: Any) -> int:  # noqa: ANN401
    """Write what we answer, if we do."""
    alert[0] = _INTERNAL_ERROR
    negotiation = _negotiation_of(ssl)
    if negotiation.broken:
        return _FAIL
    if negotiation.answer is None or not negotiation.allowed:
        return _OMIT
    (agreed,) = negotiation.answer.keys
    written = _ANSWERS[agreed]
    out[0], length[0] = written, len(written)
    negotiation.agreed = agreed
    return _SEND


# They stay for as long as the process: OpenSSL reads them after we have returned.
_ANSWERS: Final[dict[int, Any]] = {
    key: _FFI.new(
        "unsigned char[]", list(build_parameters(Parameters(VERSION, (key,))))
    )
    for key in KEY_PARAMETERS
}


def _failed(kind: type, error: BaseException, traceback: object) -> None:  # noqa: ARG001
    """Log what a callback raised; what it returns then ends the handshake."""
    _log.error("Token Binding could not be agreed on: {error!r}", error=error)


# OpenSSL keeps bare pointers to these, too.
_on_message: Final = _FFI.callback(
    "void(int, int, int, void *, size_t, SSL *, void *)",
    lambda write, _, content, data, length, ssl, __: _hear_message(
        write, content, data, length, ssl
    ),
    onerror=_failed,
)
_on_offer: Final = _FFI.callback(
    "int(SSL *, unsigned int, unsigned char *, size_t, int *, void *)",
    lambda ssl, _, data, length, alert, __: _take_offer(ssl, data, length, alert),
    error=_BAD,
    onerror=_failed,
)
_on_answer: Final = _FFI.callback(
    "int(SSL *, unsigned int, unsigned char **, size_t *, int *, void *)",
    lambda ssl, _, out, length, alert, __: _give_answer(ssl, out, length, alert),
    error=_FAIL,
    onerror=_failed,
)
