"""
Cookies of applications, bound to a key of the device (device-bound sessions).

Nothing that a client sends with a request tells which key its device has.  So what is
sealed into such a cookie is a *holder*: a number that the browser's key is registered
for.  The browser has it once more in a cookie of ours, which reaches our endpoints
wherever the application's own cookies go, and which the proof of the key is asked for.
"""

import os
import struct
from collections.abc import Callable, Collection, Mapping
from typing import Final

import attrs

from sso_proxy.endpoints.device_sessions import Holder
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, ISealer
from sso_proxy.model import Authenticated, Headers, Request
from sso_proxy.session import DEVICE_MISSING
from sso_proxy.sessions.devices import Devices
from sso_proxy.sessions.jar import cookies_of
from sso_proxy.sessions.names import decode, encode
from sso_proxy.specs.dbsc.fields import SKIPPED
from sso_proxy.specs.http.bound_cookies import SetCookie
from sso_proxy.specs.http.cookies import HOLDER, Scope, build_set_cookie

_HELD: Final = struct.Struct(">16sQQ??")
OCTETS: Final = _HELD.size
"""Octets that stand before a value that is sealed."""

_OTHERS: Final = frozenset({"cross-site", "same-site"})
"""What ``Sec-Fetch-Site`` says of requests that browsers prove nothing for."""

_AGAIN: Final = 20.0
"""Seconds after an offer in which nobody need be offered it again."""

PLACE: Final = Scope(same_site="none")
"""Where our cookies go: wherever those of the application may, whose rules count."""


@attrs.frozen
class Held:
    """
    What a key of a device is registered for.

    Attributes:
        nonce: 16 random octets.
        began: Seconds since the epoch when it began.
        expires: Seconds since the epoch when all is over that is sealed for it.
        stays: Whether browsers keep it when they end.
        offered: Whether its browser was offered to register a key when it began.
    """

    nonce: bytes = attrs.field(repr=False)
    began: float
    expires: float
    stays: bool = attrs.field(default=False, eq=False)
    offered: bool = attrs.field(default=False, eq=False)

    @property
    def holder(self) -> str:
        """Its name, which is no secret."""
        return "cookie-" + encode(self.nonce)

    def pack(self) -> bytes:
        """Write it as octets."""
        times = int(self.began), int(self.expires)
        return _HELD.pack(self.nonce, *times, self.stays, self.offered)


def unpack(octets: bytes) -> Held | None:
    """Read what `Held.pack` wrote at the beginning of *octets*."""
    if len(octets) < OCTETS:
        return None
    nonce, began, expires, stays, offered = _HELD.unpack(octets[:OCTETS])
    return Held(nonce, float(began), float(expires), stays, offered)


Opened = Mapping[tuple[str, str], tuple[Held, str]]
"""What is sealed in the cookies of a request, by their names and values."""


@attrs.frozen(kw_only=True)
class Stand:
    """
    How the cookies of a request stand with the key of its device.

    Attributes:
        opened: What is sealed in them, whoever they are for.
        current: The browser's holder: cookies that are sealed for it are passed on, and
            new ones will be sealed for it.  None: there is none, or it is not theirs.
        own: What the browser has for one, whether or not they proved it.
        unproved: Whether nobody has registered a key for it in time.
        until: Seconds since the epoch when it has to be looked at again, or None.
        refused: Why cookies are not passed on; else empty.
        offer: Fields for the answer, which have the browser register or prove a key.
    """

    opened: Opened = attrs.field(factory=dict, repr=False)
    current: Held | None = None
    own: Held | None = None
    unproved: bool = False
    until: float | None = None
    refused: str = ""
    offer: Headers = attrs.field(default=(), repr=False)

    def value_of(self, name: str, value: str) -> str | None:
        """Give what is sealed in a cookie, if it is passed on."""
        held, plain = self.opened.get((name, value), (None, None))
        return plain if held is not None and held == self.current else None

    def names(self) -> set[str]:
        """Give the names of the cookies that are sealed for the browser's holder."""
        found = self.opened.items()
        return {name for (name, _), (held, _) in found if held == self.own}


@attrs.frozen(kw_only=True, eq=False)
class CookieDevices:
    """
    The device-bound sessions of browsers with one application.

    Attributes:
        devices: The keys of devices.
        ends_after: Seconds after which all that is sealed for a holder is over.
        sealer: Seals our own cookie.
        clock: The time.
        random: Gives so many random octets.
    """

    devices: Devices
    ends_after: float
    sealer: ISealer
    clock: IClock
    random: Callable[[int], bytes] = os.urandom

    @property
    def tag(self) -> str:
        """What tells it from others of its host, in names and paths."""
        return self.devices.tag

    @property
    def cookie(self) -> str:
        """The name of our own cookie."""
        return HOLDER + self.tag

    def find(self, request: Request) -> Held | None:
        """
        Give what the browser's key is or can be registered for; None if it has nothing.

        Raises:
            BadMessageError: There are more cookies than any browser has.
        """
        text = cookies_of(request, self.cookie).get(self.cookie)
        sealed = None if text is None else decode(text)
        data = None if sealed is None else self.sealer.open(sealed, self._at(request))
        held = None if data is None else unpack(data)
        return None if held is None or self._is_over(held) else held

    async def find_holder(self, request: Request) -> Holder | None:
        """Give that to the endpoints where keys are registered and proved."""
        held = self.find(request)
        return None if held is None else Holder(held.holder, held.began, held.expires)

    async def look(self, request: Request, opened: Opened) -> Stand:
        """
        Find out which of a request's cookies are passed on.

        Raises:
            UnavailableError: That cannot be said now, or the browser says that it
                could not get what it needs: the application must not take it for
                somebody without a session, and begin another.
            BadMessageError: There are more cookies than any browser has.
        """
        own = self.find(request)
        if own is None:
            refused = DEVICE_MISSING if opened else ""
            return Stand(opened=opened, refused=refused)
        standing = await self.devices.check(request, own.holder, own.began)
        if standing.refused:
            if opened and _was_skipped(request):
                raise UnavailableError("the browser's proof of its device's key")
            # Browsers prove nothing while they have what does not hold any more.
            stale = self.devices.clear(request)
            return Stand(opened=opened, own=own, refused=standing.refused, offer=stale)
        now, until = self.clock.time(), own.expires
        offer: Headers = ()
        if standing.until is not None:
            until = min(until, standing.until)
        if not standing.thumbprint and (not own.offered or now >= own.began + _AGAIN):
            offer = await self.devices.offer_once(request, own.holder, own.began)
        return Stand(
            opened=opened,
            current=own,
            own=own,
            unproved=not standing.thumbprint and now >= own.began + self.grace,
            until=now if offer else until,  # it is for one answer
            offer=offer,
        )

    @property
    def grace(self) -> float:
        """Seconds after its beginning for which a holder needs no proof."""
        return self.devices.config.grace

    def begin_answer(self, request: Request, stand: Stand) -> "Answering":
        """Begin with the cookies of one answer to *request*."""
        return Answering(self, request, stand)

    def _is_over(self, held: Held) -> bool:
        return self.clock.time() >= held.expires

    def _at(self, request: Request) -> bytes:
        """Give what our cookie is sealed with: it is of this host and application."""
        return f"{self.tag}\n{request.head.host}".encode("latin-1")

    def write(self, request: Request, held: Held) -> str:
        """Give our own cookie, which says what the browser's key is registered for."""
        value = encode(self.sealer.seal(held.pack(), self._at(request)))
        left = max(0, int(held.expires - self.clock.time()))
        age = left if held.stays else None
        return build_set_cookie(self.cookie, value, PLACE, max_age=age)

    def clear(self, request: Request) -> Headers:
        """Take away our own cookie, and the bound one."""
        own = build_set_cookie(self.cookie, "", PLACE, max_age=0)
        bound = self.devices.clear(request)
        fields = (field for field in bound if field[0] == "set-cookie")
        return (("set-cookie", own), *fields)


class Answering:
    """
    What becomes of the cookies in one answer.

    Args:
        devices: The keys.
        request: What is answered.
        stand: How its cookies stand.
    """

    def __init__(self, devices: CookieDevices, request: Request, stand: Stand) -> None:
        self._devices = devices
        self._request = request
        self._stand = stand
        self._held: Held | None = None
        self._set, self._stays = False, False
        self._deleted = set[str]()

    def begin(self, cookies: Collection[SetCookie]) -> None:
        """
        Say what the cookies of this answer are sealed for.

        The browser's present holder, so that it need not register anew; unless there
        is none, or nothing else is left that is sealed for it, and it is half over or
        no key was registered for it.

        Args:
            cookies: All that it sets.
        """
        now, devices = self._devices.clock.time(), self._devices
        stand, kept = self._stand, self._stand.current
        self._stays = any(cookie.stays for cookie in cookies)
        if stand.own is not None and _is_of_others(self._request):
            # It has not all cookies, and no proof, and must not end what there is.
            kept = stand.own
        elif kept is not None:
            worn = stand.unproved or now >= (kept.began + kept.expires) / 2
            if worn and stand.names() <= {cookie.name for cookie in cookies}:
                kept = None
        if kept is None:
            expires = now + devices.ends_after
            kept = Held(devices.random(16), now, expires, self._stays)
        self._held = kept

    @property
    def prefix(self) -> bytes:
        """What stands before a value that is sealed."""
        assert self._held is not None  # noqa: S101 - `begin` was called
        return self._held.pack()

    def note_set(self) -> None:
        """Note that a cookie is set."""
        self._set = True

    def note_deleted(self, name: str) -> None:
        """Note that the application takes the cookie *name* away."""
        self._deleted.add(name)

    def headers(self) -> Headers:
        """Give the fields that the answer gets besides."""
        if self._set:
            return self._offered()
        stand = self._stand
        if not stand.names() or stand.names() - self._deleted:
            return stand.offer  # there is more, or may be that did not come along
        # The key stays: what the application has forgotten may be good still, and a
        # copy of it must not be good without a key.
        return self._devices.clear(self._request)

    def _offered(self) -> Headers:
        held, stand, devices = self._held, self._stand, self._devices
        assert held is not None  # noqa: S101 - something was set
        offer = stand.offer
        if held != stand.own:
            offer = devices.devices.offer(self._request, held.holder, held.began)
            held = attrs.evolve(held, offered=bool(offer))
        elif held.stays or not self._stays:
            return offer
        held = attrs.evolve(held, stays=held.stays or self._stays)
        return (("set-cookie", devices.write(self._request, held)), *offer)


def while_standing(request: Request, outcome: Authenticated) -> Authenticated:
    """Let what was found out hold as long as the application's cookies stand as now."""
    stand = request.cookie_stand
    if stand is None or stand.until is None:
        return outcome
    until = stand.until if outcome.until is None else min(outcome.until, stand.until)
    return attrs.evolve(outcome, until=until)


def _is_of_others(request: Request) -> bool:
    """Say whether another site has the browser send it."""
    return not _OTHERS.isdisjoint(request.head.values("sec-fetch-site"))


def _was_skipped(request: Request) -> bool:
    """Say whether the browser has tried to get a bound cookie, and could not."""
    return bool(request.head.values(SKIPPED.lower()))
