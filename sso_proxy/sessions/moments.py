"""Points in time, as members of sets in caches."""

import math
import struct
from typing import Final

from sso_proxy.errors import UnavailableError

_moment: Final = struct.Struct(">d")


def write_moment(time: float) -> bytes:
    """Write *time*, in seconds since the epoch."""
    return _moment.pack(time)


def read_moment(member: bytes) -> float:
    """
    Read what `write_moment` writes.

    Raises:
        UnavailableError: It is none.  Whoever ended sessions then cannot be known.
    """
    time: float = _moment.unpack(member)[0] if len(member) == 8 else math.nan
    if not math.isfinite(time):
        raise UnavailableError("a list of ended sessions, which cannot be read")
    return time
