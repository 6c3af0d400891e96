"""Handshakes and records of TLS without pyOpenSSL, where that can be."""

from typing import Any, Final

from OpenSSL import SSL

from sso_proxy.net.tls.probe import CAPABILITIES, FFI, LIB

RECORD: Final = 16384
"""The most that one TLS record holds (RFC 8446 section 5.1)."""

_DIRECT: Final = CAPABILITIES.records
_READ: Final[Any] = LIB.SSL_read if _DIRECT else None
_WRITE: Final[Any] = LIB.SSL_write if _DIRECT else None
_SHAKE: Final[Any] = LIB.SSL_do_handshake if _DIRECT else None
_ERROR: Final[Any] = LIB.SSL_get_error if _DIRECT else None
_WANTS_TO_READ: Final[int] = LIB.SSL_ERROR_WANT_READ if _DIRECT else 0
_BUFFER: Final = FFI.new("char[]", RECORD)
_CONTENT: Final = FFI.buffer(_BUFFER)


def go_on_shaking_hands(connection: SSL.Connection) -> bool:
    """
    Do as ``connection.do_handshake()``, but wait for the peer without an exception.

    Gives False if the peer has to go on.  What pyOpenSSL kept of an exception in a
    callback ends the handshake that it was raised in, and no other.
    """
    ssl = getattr(connection, "_ssl", None)
    if _DIRECT and ssl is not None:
        result: int = _SHAKE(ssl)
        if result == 1:
            return True
        if _ERROR(ssl, result) == _WANTS_TO_READ:
            return False
        connection._raise_ssl_error(ssl, result)  # noqa: SLF001
    try:
        connection.do_handshake()
    except SSL.WantReadError:
        return False
    return True


def read_record(connection: SSL.Connection) -> bytes:
    """
    Do as ``connection.recv(RECORD)``, in half the time.

    What is not simply data is left to pyOpenSSL, which asks OpenSSL again and raises
    what it raises.
    """
    if _DIRECT:
        count: int = _READ(connection._ssl, _BUFFER, RECORD)  # noqa: SLF001
        if count > 0:
            content: bytes = _CONTENT[:count]
            return content
    return connection.recv(RECORD)


def write_records(connection: SSL.Connection, data: bytes | memoryview) -> int:
    """Do as ``connection.send(data)``, in half the time."""
    if _DIRECT and isinstance(data, bytes):
        count: int = _WRITE(connection._ssl, data, len(data))  # noqa: SLF001
        if count > 0:
            return count
    return connection.send(data)
