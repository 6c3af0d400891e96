"""Records of TLS, read and written without pyOpenSSL where that can be."""

from typing import Any, Final

from OpenSSL import SSL

from sso_proxy.net.tls.probe import CAPABILITIES, FFI, LIB

RECORD: Final = 16384
"""The most that one TLS record holds (RFC 8446 section 5.1)."""

_DIRECT: Final = CAPABILITIES.records
_READ: Final[Any] = LIB.SSL_read if _DIRECT else None
_WRITE: Final[Any] = LIB.SSL_write if _DIRECT else None
_BUFFER: Final = FFI.new("char[]", RECORD)
_CONTENT: Final = FFI.buffer(_BUFFER)


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
