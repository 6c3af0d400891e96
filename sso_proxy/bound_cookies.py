"""
Cookies that applications set, bound to the key of who gets them.

A session of an application is worth what ours is, and its cookie is as easily copied.
On its way out, the value is sealed for the key that the client has proved to hold; on
its way in, it is opened for the key that came with it.  The backend knows nothing of
it.  What does not open never reaches the backend.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final, Literal

import attrs
from twisted.logger import Logger

from sso_proxy.device_cookies import OCTETS, Answering, CookieDevices, Held, unpack
from sso_proxy.interfaces import IClock, ISealer
from sso_proxy.model import Headers, Request
from sso_proxy.sessions.keys import key_of
from sso_proxy.sessions.names import decode, encode
from sso_proxy.specs.http.bound_cookies import (
    MOST,
    CookieNames,
    SetCookie,
    build_context,
    depth_of,
    read_set_cookie,
    scope_of,
)

_log = Logger()

Counts = Counter[tuple[str, str]]
"""How often what became of cookies, by route and outcome."""

COUNTS: Final = ("bound-cookies",)
"""Where that is kept among what all parts share."""

BEGIN: Final = "sso-sealed."
"""How sealed values begin, so that nobody takes one for a value."""

DEVICE: Final = "device"
"""The kind of key that no request shows by itself."""

_Sealed = tuple[Held, str]

Rewrite = Callable[[bytes], bytes]
"""Changes an answer's block of fields."""

_lines = re.compile(rb"(?<=\r\n)Set-Cookie: ([^\r\n]*)\r\n")
_BEFORE_LINE: Final = b"\r\nSet-Cookie: "
_read_sealed = re.compile(
    re.escape(BEGIN) + r"(0|[1-9][0-9]{0,2})\.([A-Za-z0-9_-]+)"
).fullmatch


@attrs.frozen
class _Holder:
    """
    Whom cookies are bound to.

    Attributes:
        host: The host that they come from and go to.
        keys: Kinds and hashes of the client's keys; none without one that has to be.
        free: There is none and need not be: cookies stay as they are.
    """

    host: str
    keys: tuple[tuple[str, str], ...] = ()
    free: bool = attrs.field(default=False, kw_only=True)


@attrs.frozen(kw_only=True, eq=False)
class BoundCookies:
    """
    The cookies of one route's application that are bound.

    Attributes:
        route: The route, for the log.
        names: Which they are.
        levels: What they are bound to: by kinds of keys, whether it must be there.
        devices: The keys of devices that they are bound to; None if they are to none.
        sealer: Seals and opens them.
        clock: The time.
        counts: What became of them.
    """

    route: str
    names: CookieNames
    levels: Mapping[str, Literal["require", "prefer"]]
    sealer: ISealer
    clock: IClock
    devices: CookieDevices | None = None
    counts: Counts = attrs.field(factory=Counter)

    async def look(self, request: Request) -> Request:
        """
        Give *request* with how its cookies stand with the key of the browser's device.

        Without it none of those are passed on, and none are set, that are bound to one.

        Raises:
            UnavailableError: That cannot be said now.
            BadMessageError: There are more cookies than any browser has.
        """
        if self.devices is None:
            return request
        holder, found = self._holder_of(request), dict[tuple[str, str], _Sealed]()

        def note(_pattern: str, name: str, v: str) -> None:
            held = self._unseal(holder, name, v)
            if held is not None:
                found[name, v] = held

        for field, text in request.head.headers:
            if field == "cookie":
                self.names.replace(text, note)
        stand = await self.devices.look(request, found)
        return attrs.evolve(request, cookie_stand=stand)

    def open(self, request: Request) -> Request:
        """Give *request* as its backend gets it: with the cookies that are its own."""
        head = request.head
        if not any(name == "cookie" for name, _ in head.headers):
            return request
        dropped = Counter[str]()
        give = partial(self._open, request, self._holder_of(request))
        headers: list[tuple[str, str]] = []
        for field in head.headers:
            if field[0] == "cookie":
                value, hidden = self.names.replace(field[1], partial(give, dropped))
                if hidden:
                    dropped["what backends may take for one"] += hidden
                if value:
                    headers.append(("cookie", value))
            else:
                headers.append(field)
        if dropped:
            self._tell(request, dropped)
        found: Headers = tuple(headers)
        if found == head.headers:
            return request
        return attrs.evolve(request, head=attrs.evolve(head, headers=found))

    def sealing(self, request: Request) -> Rewrite:
        """Give what seals the cookies in an answer's block of fields to *request*."""
        return partial(self._seal_all, request, self._holder_of(request))

    def _holder_of(self, request: Request) -> _Holder:
        """Say whom the cookies of *request* are bound to."""
        found, host = [], request.head.host
        for kind, level in self.levels.items():
            key = key_of(request, kind)
            if key is not None:
                found.append((kind, key))
            elif level == "require":
                return _Holder(host)
        if self.devices is not None:
            found.append((DEVICE, self.devices.tag))
        return _Holder(host, tuple(found), free=not found)

    def _open(  # noqa: PLR0913, PLR0917
        self,
        request: Request,
        holder: _Holder,
        dropped: Counter[str],
        pattern: str,
        name: str,
        v: str,
    ) -> str | None:
        """Give the value that the backend gets instead of *v*, or None for none."""
        if holder.free and not v.startswith(BEGIN):
            return v
        if self.devices is None:
            octets = self._unseal_octets(holder, name, v)
            value = None if octets is None else octets.decode("latin-1")
        else:
            stand = request.cookie_stand
            value = None if stand is None else stand.value_of(name, v)
        if value is None:
            dropped[pattern] += 1
        return value

    def _unseal(self, holder: _Holder, name: str, v: str) -> _Sealed | None:
        """Give what stands in a cookie that is bound to a device, and for whom."""
        octets = self._unseal_octets(holder, name, v)
        held = None if octets is None else unpack(octets)
        if octets is None or held is None:
            return None
        return held, octets[OCTETS:].decode("latin-1")

    def _unseal_octets(self, holder: _Holder, name: str, v: str) -> bytes | None:
        """Give the octets that *v* has sealed for *holder*; None if it has none."""
        found = _read(v) if holder.keys else None
        if found is None:
            return None
        depth, sealed = found
        scope = scope_of(holder.host, depth)
        return self.sealer.open(sealed, build_context(name, scope, holder.keys))

    def _tell(self, request: Request, dropped: Counter[str]) -> None:
        stand = request.cookie_stand
        self.counts[self.route, "refused"] += sum(dropped.values())
        _log.warn(
            "Request {id}: {count} cookies are not this caller's, and are not passed on"
            " ({names}; {reason})",
            id=request.id,
            count=sum(dropped.values()),
            names=", ".join(dropped),
            reason="cookie-binding"
            if stand is None
            else stand.refused or "cookie-binding",
        )

    def _seal_all(self, request: Request, holder: _Holder, block: bytes) -> bytes:
        stand = request.cookie_stand
        if holder.free or _BEFORE_LINE not in block:
            return block if stand is None else block + _write(stand.offer)
        if self.devices is None:
            return _lines.sub(partial(self._seal_line, holder, None), block)
        if stand is None:  # nobody to seal for
            holder = _Holder(holder.host)
            return _lines.sub(partial(self._seal_line, holder, None), block)
        answering = self.devices.begin_answer(request, stand)
        answering.begin(
            list(filter(self._is_set, map(_read_line, _lines.finditer(block))))
        )
        block = _lines.sub(partial(self._seal_line, holder, answering), block)
        return block + _write(answering.headers())

    def _is_set(self, cookie: SetCookie) -> bool:
        """Say whether *cookie* is one of those, and has a value from now on."""
        if not self.names.find(cookie.name):
            return False
        return not cookie.deletes(self.clock.time())

    def _seal_line(
        self, holder: _Holder, answering: Answering | None, match: re.Match[bytes]
    ) -> bytes:
        """Give the line with a sealed value; or none if there is nobody to seal for."""
        cookie = _read_line(match)
        if not self.names.find(cookie.name):
            return match[0]
        if cookie.deletes(self.clock.time()):
            if answering is not None:
                answering.note_deleted(cookie.name)
            return _line(cookie.with_value(""))
        if not holder.keys:
            self.counts[self.route, "not_set"] += 1
            return b""
        octets = cookie.value.encode("latin-1")
        before = b"" if answering is None else answering.prefix
        scope = cookie.scope(holder.host)
        context = build_context(cookie.name, scope, holder.keys)
        sealed = encode(self.sealer.seal(before + octets, context))
        value = f"{BEGIN}{depth_of(scope)}.{sealed}"
        if len(cookie.name) + len(value) > MOST:
            self.counts[self.route, "too_long"] += 1
            _log.error(
                "Route {route}: a cookie of {size} octets is too long to be sealed, and"
                " is not set",
                route=self.route,
                size=len(octets),
            )
            return b""
        if answering is not None:
            answering.note_set()
        return _line(cookie.with_value(value))


def both(first: Rewrite, second: Rewrite | None) -> Rewrite:
    """Give what does *first*, and then *second*, if there is one."""
    if second is None:
        return first
    then = second
    return lambda block: then(first(block))


def _write(headers: Headers) -> bytes:
    """Serialise fields of ours; of those that go with a cookie, no more than that."""
    lines = (f"{name.title()}: {value}\r\n" for name, value in headers)
    return "".join(lines).encode("latin-1")


def _read_line(match: re.Match[bytes]) -> SetCookie:
    return read_set_cookie(match[1].decode("latin-1"))


def _line(text: str) -> bytes:
    return b"Set-Cookie: " + text.encode("latin-1") + b"\r\n"


def _read(value: str) -> tuple[int, bytes] | None:
    """Give the depth of its scope, and what is sealed; None for what is not ours."""
    match = _read_sealed(value)
    if match is None:
        return None
    sealed = decode(match[2])
    return None if sealed is None else (int(match[1]), sealed)
