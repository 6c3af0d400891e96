"""
The PROXY protocol's header, versions 1 and 2 (HAProxy's proxy-protocol.txt).

Who may send one is the caller's to know: it says who the client is.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import unpack_from
from typing import Final

import attrs

from sso_proxy.errors import BadMessageError

_V1: Final = b"PROXY "
_V1_LONGEST: Final = 107
_V2: Final = b"\r\n\r\n\x00\r\nQUIT\n"
_V2_FIXED: Final = 16
_V2_LONGEST: Final = 4096

_read_v1 = re.compile(
    rb"PROXY (TCP4|TCP6) ([0-9A-Fa-f:.]{2,39}) ([0-9A-Fa-f:.]{2,39})"
    rb" (0|[1-9][0-9]{0,4}) (0|[1-9][0-9]{0,4})"
).fullmatch
_UNKNOWN: Final = b"PROXY UNKNOWN"


@attrs.frozen(kw_only=True)
class ProxyHeader:
    """
    What a PROXY header says.

    Attributes:
        source: The client's IP address; None for a unix socket, or if *local*.
        source_port: The client's port, or 0.
        destination: The address the client connected to, or None.
        destination_port: The port the client connected to, or 0.
        length: Octets to consume.
        local: The sender speaks for itself (a health check), or does not know: the
            connection's own addresses hold.
    """

    source: str | None = None
    source_port: int = 0
    destination: str | None = None
    destination_port: int = 0
    length: int
    local: bool = False


def read_proxy_header(data: bytes) -> ProxyHeader | None:
    """
    Read the header at the beginning of *data*, or None if more is needed.

    TLVs are skipped, their checksum included.

    Raises:
        BadMessageError: 400: what comes is no PROXY header, or not a good one.
    """
    if data[:1] == b"P":
        return _read_first(data)
    if not _V2.startswith(data[:12]):
        raise BadMessageError(400, "proxy-protocol-missing")
    return _read_second(data) if len(data) >= _V2_FIXED else None


def _read_first(data: bytes) -> ProxyHeader | None:
    """Read version 1: a line (section 2.1)."""
    if not _V1.startswith(data[:6]):
        raise BadMessageError(400, "proxy-protocol-missing")
    end = data.find(b"\r\n", 0, _V1_LONGEST)
    if end < 0:
        if len(data) >= _V1_LONGEST or b"\n" in data[:_V1_LONGEST]:
            raise BadMessageError(400, "proxy-protocol-line")
        return None
    line = data[:end]
    if line == _UNKNOWN or line.startswith(_UNKNOWN + b" "):
        return ProxyHeader(length=end + 2, local=True)
    match = _read_v1(line)
    if match is None:
        raise BadMessageError(400, "proxy-protocol-line")
    version = 4 if match[1] == b"TCP4" else 6
    source_port, destination_port = int(match[4]), int(match[5])
    if source_port > 65535 or destination_port > 65535:
        raise BadMessageError(400, "proxy-protocol-port")
    return ProxyHeader(
        source=_read_address(match[2], version),
        source_port=source_port,
        destination=_read_address(match[3], version),
        destination_port=destination_port,
        length=end + 2,
    )


def _read_address(text: bytes, version: int) -> str:
    try:
        address = ip_address(text.decode("ascii"))
    except ValueError:
        raise BadMessageError(400, "proxy-protocol-address") from None
    if address.version != version:
        raise BadMessageError(400, "proxy-protocol-address")
    return str(address)


def _read_second(data: bytes) -> ProxyHeader | None:
    """Read version 2: binary (section 2.2)."""
    command, family, size = unpack_from("!BBH", data, 12)
    length = _V2_FIXED + size
    if command not in (0x20, 0x21) or length > _V2_LONGEST:
        raise BadMessageError(400, "proxy-protocol-version-2")
    if len(data) < length:
        return None
    if command == 0x20:
        return ProxyHeader(length=length, local=True)
    # TCP over IPv4, TCP over IPv6, unix stream; others would be another transport.
    least = {0x11: 12, 0x21: 36, 0x31: 216, 0x00: 0}.get(family)
    if least is None or size < least:
        raise BadMessageError(400, "proxy-protocol-family")
    if family == 0x00:
        return ProxyHeader(length=length, local=True)
    if family == 0x31:
        return ProxyHeader(length=length)
    width = 4 if family == 0x11 else 16
    source, destination = data[16 : 16 + width], data[16 + width : 16 + 2 * width]
    source_port, destination_port = unpack_from("!HH", data, 16 + 2 * width)
    kind = IPv4Address if width == 4 else IPv6Address
    return ProxyHeader(
        source=str(kind(source)),
        source_port=source_port,
        destination=str(kind(destination)),
        destination_port=destination_port,
        length=length,
    )
