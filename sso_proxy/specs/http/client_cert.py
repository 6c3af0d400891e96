"""``Client-Cert`` and ``Client-Cert-Chain`` (RFC 9440)."""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable
from typing import Final

from sso_proxy.errors import BadMessageError

_read_binary = re.compile(r":([A-Za-z0-9+/]*+={0,2}):").fullmatch
_LONGEST: Final = 32768
"""Characters of one encoded certificate."""
_MOST: Final = 10
"""Certificates of one chain."""


def build_client_cert(der: bytes) -> str:
    """Write a certificate as a structured byte sequence (RFC 9440 section 2.2)."""
    return f":{b64encode(der).decode('ascii')}:"


def build_client_cert_chain(chain: Iterable[bytes]) -> str:
    """Write the chain, without the leaf and in the TLS handshake's order (2.3)."""
    return ", ".join(build_client_cert(der) for der in chain)


def read_client_cert(value: str) -> bytes:
    """
    Read ``Client-Cert`` from a trusted terminator into DER.

    That it is a certificate at all is for the reader of the DER to find out.

    Raises:
        BadMessageError: 400: not exactly one byte sequence without parameters.
    """
    match = _read_binary(value) if len(value) <= _LONGEST else None
    if match is None:
        raise BadMessageError(400, "client-cert-malformed")
    try:
        der = b64decode(match[1], validate=True)
    except Error:
        raise BadMessageError(400, "client-cert-malformed") from None
    if not der or b64encode(der).decode("ascii") != match[1]:
        raise BadMessageError(400, "client-cert-malformed")
    return der


def read_client_cert_chain(values: Iterable[str]) -> tuple[bytes, ...]:
    """
    Read the values of all ``Client-Cert-Chain`` fields, joined in their order.

    Raises:
        BadMessageError: 400: not a list of byte sequences, or too long a one.
    """
    members = [member.strip(" \t") for value in values for member in value.split(",")]
    if len(members) > _MOST:
        raise BadMessageError(400, "client-cert-chain-too-long")
    return tuple(map(read_client_cert, members))
