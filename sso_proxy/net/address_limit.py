"""How often something may be caused: from one address, and in total."""

from ipaddress import IPv6Address, ip_address
from typing import Final

from sso_proxy.interfaces import IClock

_MOST_ADDRESSES: Final = 10_000
_NETWORK: Final = 64
"""Bits of an IPv6 address that one customer has for all their machines."""


class AddressLimit:
    """
    Counts what is caused from each address, in this process.

    Each may cause a minute's worth at once, and after that as much as time brings.
    What is kept is bounded: of more addresses than that, the quietest are forgotten.

    Args:
        clock: The time.
        per_minute: How often in a minute.
    """

    def __init__(self, clock: IClock, per_minute: int) -> None:
        self._clock = clock
        self._most = per_minute
        self._left: dict[str, tuple[float, float]] = {}

    def __len__(self) -> int:
        """Say how many addresses are known."""
        return len(self._left)

    def allows(self, address: str) -> bool:
        """Count one more, unless there were too many."""
        now = self._clock.monotonic()
        key = network_of(address)
        left, since = self._left.pop(key, (float(self._most), now))
        left = min(self._most, left + (now - since) * self._most / 60)
        allowed = left >= 1
        self._left[key] = (left - 1 if allowed else left, now)
        if len(self._left) > _MOST_ADDRESSES:
            del self._left[next(iter(self._left))]
        return allowed


def network_of(address: str) -> str:
    """Give what stands for all addresses that one customer has."""
    try:
        parsed = ip_address(address)
    except ValueError:  # ``unix``
        return address
    if isinstance(parsed, IPv6Address):
        return parsed.exploded[: _NETWORK // 4 + 3]
    return address
