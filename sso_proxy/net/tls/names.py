"""Which settings are those of the name that a client asks for."""

from collections.abc import Iterable, Mapping
from typing import Generic, Self, TypeVar

import attrs

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class NameTable(Generic[T]):
    """
    Settings by name: an exact one, else a wildcard's, else the fallback.

    Attributes:
        exact: By whole name.
        wildcard: By what stands after the first label of ``*.example.com``.
        fallback: For other names, and for clients that name none.
    """

    exact: Mapping[str, T]
    wildcard: Mapping[str, T]
    fallback: T

    @classmethod
    def build(cls, patterns: Iterable[tuple[str, T]], fallback: T) -> Self:
        """Make the table; a pattern is a lower-case name or ``*.`` before one."""
        exact, wildcard = {}, {}
        for pattern, value in patterns:
            if pattern.startswith("*."):
                wildcard[pattern[2:]] = value
            else:
                exact[pattern] = value
        return cls(exact=exact, wildcard=wildcard, fallback=fallback)

    def find(self, name: str) -> T:
        """Find the settings of *name*, which is lower-case, without trailing dot."""
        found = self.exact.get(name)
        if found is None and self.wildcard:
            label, dot, rest = name.partition(".")
            if label and dot:
                found = self.wildcard.get(rest)
        return self.fallback if found is None else found


def read_server_name(name: bytes | None) -> str | None:
    """
    Read the name in a ClientHello (RFC 6066 section 3) the way hosts are read.

    The result is lower-case, without a trailing dot: a client must not get other
    rules by writing a name differently.  Octets that no host name has are escaped,
    so that they match nothing.
    """
    if name is None:
        return None
    return name.decode("ascii", "backslashreplace").lower().removesuffix(".")
