"""
Sessions that are good on one device only (Device Bound Session Credentials).

A browser that can makes a key which does not leave its device, registers it after the
login, and proves again and again that it holds it (W3C DBSC).  What it gets for that is
a cookie for a short while, beside the holder's own: who has copied both has them for
that while, and cannot prove anything then.

A *holder* is what the key is bound to: a session of ours, by its id, or a cookie that
an application has set, by a random number that is sealed into it.
"""

from collections.abc import Callable, Mapping
from math import ceil
from typing import Any, Final

import attrs
from twisted.internet.task import deferLater
from twisted.logger import Logger

from sso_proxy.config.route_parts import BindingLevel
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import ICache, IClock, ITools
from sso_proxy.model import Headers, Request, RequestHead, Response
from sso_proxy.session import DEVICE_MISSING, Session
from sso_proxy.sessions.bound_cookie import BoundCookie, Standing
from sso_proxy.sessions.challenges import Challenges
from sso_proxy.sessions.device_keys import DeviceKeys
from sso_proxy.sessions.device_options import DeviceConfig
from sso_proxy.sessions.device_pace import Pace
from sso_proxy.sessions.device_talk import NO_CLAIMS, DeviceTalk, ScopeOf
from sso_proxy.sessions.jar import field_of
from sso_proxy.sessions.lifetime import is_since
from sso_proxy.specs.dbsc.fields import SKIPPED, why_skipped
from sso_proxy.specs.http.cookies import Scope

_log = Logger()

_AGAIN: Final = 20.0
"""Seconds until a key is asked for again that was not registered."""


_STEP: Final = 0.05
"""Seconds between two looks at what another request may have registered."""

PASSES: Final = Standing()
_MISSING: Final = Standing(refused=DEVICE_MISSING)


class Devices:
    """
    Binds the holders of one kind to devices.

    All but `peek` and `offer` raise UnavailableError if the cache cannot answer:
    that is a 503, after which browsers try again.

    Args:
        config: Options.
        level: What becomes of who does not prove a device.
        clock: The time.
        cookie: The bound cookie.
        keys: The keys that were registered.
        talk: What is said to browsers.
        sleep: Waits for so many seconds.

    Attributes:
        config: Options.
        level: What becomes of who does not prove a device.
        describes: Whether what is known of keys is told to others (`describe`).
    """

    def __init__(  # noqa: PLR0913
        self,
        config: DeviceConfig,
        level: BindingLevel,
        *,
        clock: IClock,
        cookie: BoundCookie,
        keys: DeviceKeys,
        talk: DeviceTalk,
        sleep: Callable[[float], Any],
    ) -> None:
        self.config = config
        self.level: BindingLevel = level
        self._clock = clock
        self._cookie = cookie
        self._keys = keys
        self._talk = talk
        self._sleep = sleep
        federation = config.federation
        self.describes = federation is not None and bool(federation.relying)

    @property
    def tag(self) -> str:
        """Give what stands behind the endpoints in URLs: eight hexadecimal digits."""
        return self._talk.tag

    @property
    def scope_of(self) -> ScopeOf:
        """Give what browsers are told of a host; set it before anything is served."""
        return self._talk.scope_of

    @scope_of.setter
    def scope_of(self, scope_of: ScopeOf) -> None:
        self._talk.scope_of = scope_of

    def peek(self, field: str, holder: str, began: float) -> Standing | None:
        """
        Say what is to be thought of a request without waiting; None if that needs more.

        Args:
            field: What it says in ``Cookie``, that of *holder* included.
            holder: The holder.
            began: Seconds since the epoch when it began.
        """
        proved = self._cookie.find(field, holder)
        if proved is not None:
            return proved.standing
        if is_since(began, self.config.grace, self._clock.time()):
            return Standing(until=began + self.config.grace)
        return None

    async def check(
        self,
        request: Request,
        holder: str,
        began: float,
        level: BindingLevel | None = None,
    ) -> Standing:
        """
        Say what is to be thought of *request*.

        Args:
            request: A request with the cookie of *holder*.
            holder: The holder.
            began: Seconds since the epoch when it began.
            level: What becomes of who does not prove a device; None: as configured.

        Raises:
            UnavailableError: It depends on the cache, which cannot answer.
        """
        standing = self.peek(field_of(request), holder, began)
        if standing is not None:
            return standing
        level = level or self.level
        problem = "is not proved" if level == "require" else ""
        if level != "require":
            try:
                if await self._keys.has(holder):
                    problem = "is registered, and not proved"
            except UnavailableError as e:
                if level != "observe":
                    raise
                _log.warn("Nobody knows of a device ({what})", what=e.what)
        if not problem:
            return PASSES
        observed = level == "observe"
        why = why_skipped(request.head.values(SKIPPED.lower()))
        _log.warn(
            "Request {id}: {holder} {verdict}: its device {problem} ({reason})",
            id=request.id,
            holder=holder,
            verdict="would not be used" if observed else "is not used",
            problem=problem,
            reason=f"{DEVICE_MISSING}:{why}" if why else DEVICE_MISSING,
        )
        return PASSES if observed else _MISSING

    def offer(
        self,
        request: Request,
        holder: str,
        began: float,
        claims: Mapping[str, Any] = NO_CLAIMS,
    ) -> Headers:
        """Offer to register a key (`DeviceTalk.offer`)."""
        return self._talk.offer(request, holder, began, claims)

    async def offer_once(
        self,
        request: Request,
        holder: str,
        began: float,
        claims: Mapping[str, Any] = NO_CLAIMS,
    ) -> Headers:
        """
        Offer it if there is no key, and none was asked for a moment ago.

        A browser that is offered it in several answers at a time makes several keys,
        and uses up what it may sign.
        """
        if not self._talk.may_offer(request, began):
            return ()
        try:
            if await self._keys.has(holder):
                return ()
            if not await self._keys.mark_offer(holder, _AGAIN):
                return ()
        except UnavailableError as e:
            _log.warn("No key of a device can be registered now: {what}", what=e.what)
            return ()
        return self.offer(request, holder, began, claims)

    async def describe(
        self, request: Request, session: Session, thumbprint: str
    ) -> Session:
        """
        Give *session* with what is told of its key, where sites share it.

        Args:
            request: What came with its cookie.
            session: What is used, by its id the holder.
            thumbprint: Names the key that was proved; empty if none was.  Then that
                which is registered is told, if there is one: it is the only one that
                anybody can register elsewhere.  Right after a login, it is waited for.

        Raises:
            UnavailableError: The cache cannot answer.
        """
        federation = self.config.federation
        if federation is None or not federation.relying:
            return session
        if not thumbprint:
            began, most = session.created, federation.waits_for(request.head)
            thumbprint = await self._registered(session.id, began, most)
        named = self._talk.session_id(request.head)
        told = federation.tell(session.identity, named, thumbprint)
        return attrs.evolve(session, identity=told)

    async def _registered(self, holder: str, began: float, most: float) -> str:
        """
        Give the thumbprint of the key of *holder*; empty if there is none.

        Args:
            holder: The holder.
            began: Seconds since the epoch when it began.
            most: Seconds after that for which a key is waited for.
        """
        left = min(began + most - self._clock.time(), most)
        for _ in range(max(0, ceil(left / _STEP))):
            key = await self._keys.find(holder)
            if key is not None:
                return key.thumbprint
            await self._sleep(_STEP)
        key = await self._keys.find(holder)
        return "" if key is None else key.thumbprint

    async def register(
        self, request: Request, holder: str | None, began: float, expires: float
    ) -> Response:
        """Answer a browser that registers a key (`DeviceTalk.register`)."""
        return await self._talk.register(request, holder, began, expires)

    async def refresh(
        self, request: Request, holder: str | None, began: float, expires: float
    ) -> Response:
        """Answer a browser that proves its key (`DeviceTalk.refresh`)."""
        return await self._talk.refresh(request, holder, began, expires)

    def names(self, session_id: str, head: RequestHead) -> bool:
        """Say whether that is what browsers call what is bound here, on this host."""
        return self._talk.names(session_id, head)

    async def end(self, request: Request, holder: str | None) -> Headers:
        """
        Forget the key of *holder*, which is over, and take the bound cookie away.

        Args:
            request: Whose cookie.
            holder: What is over; None if *request* holds nothing.
        """
        if holder is not None:
            await self.forget(holder)
        return self.clear(request)

    def clear(self, request: Request) -> Headers:
        """Take the bound cookie away from who sent *request*, if it is there."""
        return self._cookie.clear(request)

    async def forget(self, holder: str) -> None:
        """Forget the key of *holder*, which is over; nobody can use it any more."""
        try:
            await self._keys.forget(holder)
        except UnavailableError as e:
            # It is good for nothing, and goes by itself.
            _log.warn("The key of a device stays a while: {what}", what=e.what)

    def farewell(self) -> Headers:
        """
        Have a browser that logs out forget what it knows of the key.

        Not to be said with cookies that are to stay.
        """
        if not self.config.clear_site_data:
            return ()
        return (("clear-site-data", '"cookies"'),)

    async def is_bound(self, holder: str) -> bool:
        """Say whether a key is registered for *holder*."""
        return await self._keys.has(holder)


def build_devices(  # noqa: PLR0913
    config: DeviceConfig,
    level: BindingLevel,
    tools: ITools,
    cache: ICache,
    *,
    name: str,
    cookie: str,
    scope: Scope,
) -> Devices:
    """
    Make what binds the holders of one kind.

    Args:
        config: Options.
        level: What becomes of who does not prove a device.
        tools: What a component may use.
        cache: Where keys are; it can do what `device_options` needs.
        name: Names the kind of holders: ``session main``.
        cookie: Name of the bound cookie.
        scope: Where that goes: as the holder's cookie.

    Raises:
        ConfigError: There is no key of ours to seal with.
    """
    lifetime, clock = config.lifetime, tools.clock
    bound = BoundCookie(
        cookie,
        scope,
        sealer=tools.sealer("device-bound"),
        clock=clock,
        lifetime=lifetime,
        kind=name,
    )
    keys = DeviceKeys(cache, tools.sealer("device-key"), name)
    talk = DeviceTalk(
        config=config,
        name=name,
        clock=clock,
        cookie=bound,
        keys=keys,
        challenges=Challenges(
            tools.sealer("device-challenge"), cache, clock, 2 * lifetime + 300, name
        ),
        pace=Pace(clock),
    )
    return Devices(
        config,
        level,
        clock=clock,
        cookie=bound,
        keys=keys,
        talk=talk,
        sleep=lambda seconds: deferLater(tools.reactor, seconds),
    )
