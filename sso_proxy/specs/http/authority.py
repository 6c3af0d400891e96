"""Hosts and ports (RFC 3986 section 3.2), read in one way only."""

import re
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address
from typing import Final

from sso_proxy.errors import BadMessageError

DEFAULT_PORTS: Final = {"http": 80, "https": 443}
"""The port that a URL without one means."""

# Names of the DNS, with underscores; RFC 3986 would also allow sub-delims and escapes,
# which no name has and which other readers cut at or decode.
_authority = re.compile(
    r"(?:(\[[0-9A-Fa-f:.]{2,45}\])|([0-9A-Za-z_-]{1,63}+(?:\.[0-9A-Za-z_-]{1,63}+)*+)\.?)"
    r"(?::([0-9]{1,5}))?"
).fullmatch
_LONGEST: Final = 262
"""Octets: a name of 255 with dot, a colon, a port."""


@lru_cache(maxsize=1024)
def read_authority(text: str) -> tuple[str, int | None]:
    """
    Read ``host[:port]`` into the lower-case host and the port, None if not named.

    One trailing dot is taken off a name; IPv6 is compressed and in brackets.

    Raises:
        BadMessageError: 400: anything else, user information included.
    """
    match = _authority(text) if len(text) <= _LONGEST else None
    if match is None:
        raise BadMessageError(400, "host-malformed")
    literal, name, digits = match.groups()
    port = None if digits is None else int(digits)
    if port is not None and not 0 < port < 65536:
        raise BadMessageError(400, "host-port")
    if literal is None:
        return name.lower(), port
    try:
        return f"[{IPv6Address(literal[1:-1]).compressed}]", port
    except AddressValueError:
        raise BadMessageError(400, "host-malformed") from None
