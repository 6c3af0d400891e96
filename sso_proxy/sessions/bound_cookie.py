"""
The cookie that says that a device was proved a moment ago.

It is good beside its holder's cookie only, and for as short as a copy of both may be.
Nobody has to be asked about it.
"""

import struct
from collections import OrderedDict
from typing import Final

import attrs

from sso_proxy.interfaces import IClock, ISealer
from sso_proxy.model import Headers, Request
from sso_proxy.sessions.device_options import attributes_of
from sso_proxy.sessions.jar import NO_STORE, SHORT, cookies_in, cookies_of, field_of
from sso_proxy.sessions.lifetime import SKEW
from sso_proxy.sessions.names import decode, digest, encode
from sso_proxy.specs.http.cookies import Scope, build_set_cookie

_TIMES: Final = struct.Struct(">dd")
_ON_ITS_WAY: Final = 2.0
"""
Seconds by which browsers drop it sooner than it ends here.

They count from when the answer came, and a request takes its time, too: one that has
the cookie in its last moments must not be refused.
"""
_KNOWN: Final = 1024
"""Cookies that were opened lately, and are not opened again."""


@attrs.frozen
class Standing:
    """
    What is to be thought of a request, as far as its device matters.

    Attributes:
        thumbprint: Names the key that was proved; empty if none was.
        until: Seconds since the epoch when that has to be looked at again, or None.
        refused: Why the holder must not be used; else empty.
    """

    thumbprint: str = ""
    until: float | None = None
    refused: str = ""


@attrs.frozen
class Proved:
    """
    A device, proved.

    Attributes:
        thumbprint: Names its key (RFC 7638).
        expires: Seconds since the epoch until which that holds.
        made: Seconds since the epoch when it was proved.
        standing: What is to be thought of a request while it holds.
    """

    thumbprint: str
    expires: float
    made: float
    standing: Standing = attrs.field(init=False, eq=False, repr=False)

    @standing.default
    def _stand(self) -> Standing:
        return Standing(self.thumbprint, self.expires)


class BoundCookie:
    """
    Writes and reads it.

    Args:
        name: Its name.
        scope: Where it goes.
        sealer: Seals it.
        clock: The time.
        lifetime: Seconds that it is good for.
        kind: Names the kind of holders.

    Attributes:
        name: Its name.
        attributes: What browsers know it by, besides.
    """

    def __init__(  # noqa: PLR0913
        self,
        name: str,
        scope: Scope,
        *,
        sealer: ISealer,
        clock: IClock,
        lifetime: float,
        kind: str = "",
    ) -> None:
        self.name = name
        self.attributes = attributes_of(scope)
        self._scope = scope
        self._sealer = sealer
        self._clock = clock
        self._lifetime = lifetime
        self._kind = kind
        self._known: OrderedDict[tuple[str, str], Proved] = OrderedDict()
        self._by_field: dict[tuple[str, str], Proved] = {}

    def read(self, request: Request, holder: str) -> Proved | None:
        """Give what was proved for *holder* and holds; None if nothing does."""
        return self.find(field_of(request), holder)

    def find(self, field: str, holder: str) -> Proved | None:
        """Give what a ``Cookie`` *field* proves for *holder*, as `read` does."""
        key = (field, holder)
        proved = self._by_field.get(key) or self._look(field, holder)
        if proved is None:
            return None
        holds = proved.made - SKEW <= self._clock.time() < proved.expires
        return proved if holds else None

    def _look(self, field: str, holder: str) -> Proved | None:
        """Give what the cookie says that is in *field*, and remember that."""
        text = cookies_in(field, self.name).get(self.name)
        proved = None if text is None else self._open(text, holder)
        if proved is not None and len(field) <= SHORT:
            if len(self._by_field) >= _KNOWN:
                self._by_field.clear()
            self._by_field[field, holder] = proved
        return proved

    def _open(self, text: str, holder: str) -> Proved | None:
        """Give what the cookie says; that depends on nothing but what goes in."""
        key = (text, holder)
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        sealed = decode(text)
        if sealed is None:
            return None
        octets = self._sealer.open(sealed, self._context(holder))
        if octets is None:
            return None
        made, expires = _TIMES.unpack_from(octets)
        proved = Proved(octets[_TIMES.size :].decode("ascii"), expires, made)
        self._known[key] = proved
        if len(self._known) > _KNOWN:
            self._known.popitem(last=False)
        return proved

    def write(self, holder: str, thumbprint: str, expires: float) -> Headers:
        """
        Say that a device was proved now.

        Args:
            holder: For whom.
            thumbprint: Its key.
            expires: Seconds since the epoch when the holder is over anyway.
        """
        now = self._clock.time()
        until = min(now + self._lifetime, expires)
        octets = _TIMES.pack(now, until) + thumbprint.encode("ascii")
        value = encode(self._sealer.seal(octets, self._context(holder)))
        age = max(1, int(until - now - _ON_ITS_WAY))
        field = build_set_cookie(self.name, value, self._scope, max_age=age)
        return (("set-cookie", field), NO_STORE)

    def clear(self, request: Request) -> Headers:
        """Take it away from who sent *request*, if it is there."""
        if self.name not in cookies_of(request, self.name):
            return ()
        field = build_set_cookie(self.name, "", self._scope, max_age=0)
        return (("set-cookie", field), NO_STORE)

    def _context(self, holder: str) -> bytes:
        return digest(self._kind, holder)
