"""How both ends of a TLS 1.2 connection agree on Token Binding (RFC 8472)."""

from collections.abc import Sequence
from typing import Final

import attrs

from sso_proxy.specs.tls_presentation import Octets, PresentationError, vector
from sso_proxy.specs.token_binding import VERSION
from sso_proxy.specs.token_binding_keys import KEY_PARAMETERS, TokenBindingError

EXTENSION: Final = 24
"""``token_binding`` (RFC 8472 section 2)."""

_EXTENDED_MASTER_SECRET: Final = 23
_RENEGOTIATION_INFO: Final = 0xFF01
_RENEGOTIATION_SUITE: Final = b"\x00\xff"
_CLIENT_HELLO: Final = 1
_MOST_OCTETS: Final = 0xFF
_LONGEST_MESSAGE: Final = 0xFFFFFF


@attrs.frozen
class Parameters:
    """
    What one end can do, or what both do (``TokenBindingParameters``).

    Attributes:
        version: Major and minor.
        keys: Key parameters, those that the client likes best first.
    """

    version: tuple[int, int]
    keys: tuple[int, ...]


def parse_parameters(data: bytes) -> Parameters:
    """
    Read the data of the extension.

    Raises:
        TokenBindingError: It is not what it has to be; the handshake has to fail.
    """
    octets = Octets(data)
    try:
        version = octets.number(1), octets.number(1)
        keys = octets.vector(1, 1, _MOST_OCTETS)
        octets.end()
    except PresentationError:
        raise TokenBindingError("token-binding-malformed") from None
    return Parameters(version, tuple(keys))


def build_parameters(parameters: Parameters) -> bytes:
    """Write the data of the extension."""
    return bytes(parameters.version) + vector(1, bytes(parameters.keys))


def negotiate(
    offered: Parameters, known: Sequence[int] = KEY_PARAMETERS
) -> Parameters | None:
    """
    Choose what the server answers (RFC 8472 section 3), or None for nothing.

    The version is ours, or none: there are no earlier ones but drafts.  A client that
    speaks a later one can go on with ours.  Of the keys, it gets the one that it likes
    best.
    """
    if offered.version < VERSION:
        return None
    for key in offered.keys:
        if key in known:
            return Parameters(VERSION, (key,))
    return None


def check_answer(answered: Parameters, offered: Parameters) -> int:
    """
    Do as a client that is answered *answered* (RFC 8472 section 4).

    Returns:
        The key parameters.

    Raises:
        TokenBindingError: The handshake has to fail: another version than could be, or
            not exactly one kind of keys out of those that were offered.
    """
    if answered.version > offered.version or len(answered.keys) != 1:
        raise TokenBindingError("token-binding-not-offered")
    if answered.keys[0] not in offered.keys:
        raise TokenBindingError("token-binding-not-offered")
    return answered.keys[0]


def allows_token_binding(message: bytes) -> bool:
    """
    Say whether a handshake message is a ClientHello that Token Binding may follow.

    It is one if extended master secret (RFC 7627) and secure renegotiation (RFC 5746)
    are offered: without the first, two connections may have the same keying material,
    and what was signed for one is good for the other (RFC 8472 section 5.1).

    Raises:
        TokenBindingError: It is a ClientHello that cannot be read.
    """
    if not is_client_hello(message):
        return False
    whole = Octets(message, 1)
    try:
        octets = Octets(whole.vector(3, most=_LONGEST_MESSAGE))
        whole.end()
        octets.take(2 + 32)  # version and random
        octets.vector(1, 0, 32)
        suites = octets.vector(2, 2)
        octets.vector(1, 1)
        extensions = _read_extensions(octets) if octets.left else set()
    except PresentationError:
        raise TokenBindingError("token-binding-malformed") from None
    pairs = (suites[at : at + 2] for at in range(0, len(suites), 2))
    renegotiates = _RENEGOTIATION_INFO in extensions or _RENEGOTIATION_SUITE in pairs
    return renegotiates and _EXTENDED_MASTER_SECRET in extensions


def is_client_hello(message: bytes) -> bool:
    """Say whether a handshake message is a ClientHello."""
    return message[:1] == bytes((_CLIENT_HELLO,))


def _read_extensions(octets: Octets) -> set[int]:
    listed = Octets(octets.vector(2))
    octets.end()
    kinds = set()
    while listed.left:
        kinds.add(listed.number(2))
        listed.vector(2)
    return kinds
