"""What both types of sessions have."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
from twisted.internet.task import deferLater

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ICache, ITools
from sso_proxy.model import Headers, Identity, Request
from sso_proxy.session import DEVICE_MISSING, Opened, Session
from sso_proxy.session_log import SESSIONS, SessionLog
from sso_proxy.sessions.bound_cookie import Standing
from sso_proxy.sessions.device_options import NEEDS as DEVICE_NEEDS
from sso_proxy.sessions.device_options import DeviceConfig, bound_name
from sso_proxy.sessions.devices import PASSES, Devices, build_devices
from sso_proxy.sessions.endings import Ended, Endings
from sso_proxy.sessions.jar import Jar
from sso_proxy.sessions.kept import NEEDS as KEPT_NEEDS
from sso_proxy.sessions.kept import KeptBodies
from sso_proxy.sessions.keys import DEVICE, REASON, Keys, SessionBindingConfig
from sso_proxy.sessions.lifetime import Lifetime
from sso_proxy.sessions.login_state import LoginStates
from sso_proxy.sessions.logout_state import LogoutStates
from sso_proxy.sessions.options import CookieConfig, check_lifetimes, read_scope
from sso_proxy.sessions.renewal import Work
from sso_proxy.specs.http.cookies import Scope


class Options(Protocol):
    """The options that both types have."""

    @property
    def cookie(self) -> CookieConfig:
        """The cookie."""

    @property
    def binding(self) -> SessionBindingConfig:
        """Keys that they are bound to."""

    @property
    def device(self) -> DeviceConfig:
        """How they are bound to devices."""

    @property
    def inactivity(self) -> float:
        """Seconds without a request after which a session is over."""

    @property
    def lifetime(self) -> float:
        """Seconds after the login when it is over in any case."""


@attrs.frozen(kw_only=True)
class Common:
    """
    What both types of sessions have.

    Attributes:
        name: What the configuration calls them.
        jar: The cookie.
        lifetime: How long they last.
        endings: Those that ended before their time.
        keys: Keys that they are bound to.
        logins: What is kept of logins that have begun.
        logouts: What is kept of a logout that a provider has to finish.
        kept: What is kept of requests that have to wait for a login; None if there is
            nowhere to keep it.
        begun: Those that began lately in this process.
        devices: Binds them to devices; None if nothing does.
    """

    name: str
    jar: Jar
    lifetime: Lifetime
    endings: Endings
    keys: Keys
    logins: LoginStates
    logouts: LogoutStates
    kept: KeptBodies | None = None
    begun: SessionLog = attrs.field(factory=SessionLog)
    devices: Devices | None = None


_REMEMBERED: Final = 1024
"""Sessions of which is remembered what most of their requests are given."""
_NOT_THEIRS: Final = Standing(refused=REASON)
"""What is to be thought of who comes without the key that a session is bound to."""


class Sessions:
    """Answers what both types of sessions answer alike."""

    def __init__(self, common: Common) -> None:
        self.common = common
        self.logins = common.logins
        self.logouts = common.logouts
        self.kept = common.kept
        self.devices = common.devices
        self._by_device: dict[str, tuple[Session, Session]] = {}
        self._settled: dict[str, tuple[Session, Standing, Opened]] = {}
        self.binds = common.keys.kinds | ({DEVICE} if common.devices else set())

    def lacks_key(self, request: Request) -> str:
        """Give the kind of key without which who sent *request* cannot log in."""
        return self.common.keys.lacks(request)

    def _bind(self, request: Request, session: Session) -> Session:
        """
        Bind *session*, which begins with *request*.

        Raises:
            RuntimeError: It may not begin (`lacks_key`), and nobody has looked.
        """
        keys = self.common.keys
        if lacking := keys.lacks(request):
            raise RuntimeError(f"a session begins without its {lacking}")
        return attrs.evolve(session, keys=keys.of(request))

    def _counted(self, work: Work) -> Work:
        """Give *work*, counted when it has been done."""

        async def counted(session: Session) -> tuple[Identity, Mapping[str, Any]]:
            done = await work(session)
            self.common.begun.renewed[self.common.name] += 1
            return done

        return counted

    def _is_for(self, request: Request, session: Session) -> bool:
        """
        Say whether *session* is for who sent *request*, who has its cookie.

        Who has stolen it is told nothing of it, and cannot end it either: that would
        be one more thing that a cookie is good for.
        """
        if not session.keys and not self.common.keys.kinds:
            return True
        return self.common.keys.fit(request, session.keys, f"session {session.id}")

    def _look(self, request: Request, session: Session, field: str) -> Standing | None:
        """
        Say whether *session* is for who sent *request*, with a ``Cookie`` *field*.

        None if that has to be waited for (`_examine`).
        """
        if not self._is_for(request, session):
            return _NOT_THEIRS
        if self.devices is None:
            return PASSES
        return self.devices.peek(field, session.id, session.created)

    async def _examine(self, request: Request, session: Session) -> Standing:
        """
        Say whether *session* is for who sent *request*, also by their device.

        Raises:
            UnavailableError: It depends on a cache that cannot answer.
        """
        if not self._is_for(request, session):
            return _NOT_THEIRS
        if self.devices is None:
            return PASSES
        return await self.devices.check(request, session.id, session.created)

    async def _may_end(
        self, request: Request, session: Session, by: Identity | None = None
    ) -> bool:
        """
        Say whether who sent *request* may end *session*, whose cookie it has.

        Whoever has just logged in as *by* may end what is the same user's, although its
        device is not proved: else who was quicker to register a key than its browser
        would keep it.

        Raises:
            UnavailableError: It depends on a cache that cannot answer.
        """
        refused = (await self._examine(request, session)).refused
        if refused != DEVICE_MISSING or by is None:
            return not refused
        known = session.identity
        return (known.issuer, known.subject) == (by.issuer, by.subject)

    async def _refuse(
        self, request: Request, session: Session, standing: Standing
    ) -> Opened:
        """
        Give nothing to who must not have *session*.

        Whose browser has not registered a key yet may try again, while that is allowed.
        """
        headers: Headers = ()
        if self.is_over(session):
            return Opened(None)
        if standing.refused == DEVICE_MISSING:
            headers = await self._offer(request, session)
        return Opened(None, refused=standing.refused, headers=headers)

    def _settle(self, session: Session, standing: Standing) -> Opened | None:
        """
        Give *session* as `_proved` does; None if its browser has to be told something.

        It depends on nothing but what goes in, and is as before for most requests.
        """
        known = self._settled.get(session.id)
        if known is not None and known[0] is session and known[1] is standing:
            return known[2]
        until, devices = self.common.lifetime.until(session), self.devices
        if devices is None:
            opened = Opened(session, until=until)
        elif standing.thumbprint and not devices.describes:
            if standing.until is not None and standing.until < until:
                until = standing.until
            changed = attrs.evolve(session, device=standing.thumbprint)
            opened = Opened(changed, until=until)
        else:
            return None
        if len(self._settled) >= _REMEMBERED:
            self._settled.clear()
        self._settled[session.id] = session, standing, opened
        return opened

    async def _proved(
        self,
        request: Request,
        session: Session,
        standing: Standing,
        *,
        until: float,
        headers: Headers = (),
    ) -> Opened:
        """
        Give *session*, as it is by what a device has proved.

        Args:
            request: What came with its cookie.
            session: What is used.
            standing: What is to be thought of its device.
            until: Seconds since the epoch when it has to be looked at again anyway.
            headers: Fields for the answer.

        Raises:
            UnavailableError: A cache has to say something about it, and cannot.
        """
        devices = self.devices
        if devices is None:
            return Opened(session, until=until, headers=headers)
        if standing.until is not None and standing.until < until:
            until = standing.until
        if standing.thumbprint:
            session = self._on_device(session, standing.thumbprint)
        else:
            offer = await self._offer(request, session)
            if offer:
                headers = tuple(dict.fromkeys((*headers, *offer)))
                until = 0.0  # each is for one browser, once
        if devices.describes:
            session = await devices.describe(request, session, standing.thumbprint)
        return Opened(session, until=until, headers=headers)

    def _on_device(self, session: Session, thumbprint: str) -> Session:
        """Give *session* as it is by its device; for most requests, it is as before."""
        before, found = self._by_device.get(session.id, (None, session))
        if before is not session or found.device != thumbprint:
            found = attrs.evolve(session, device=thumbprint)
            if len(self._by_device) >= _REMEMBERED:
                self._by_device.clear()
            self._by_device[session.id] = session, found
        return found

    async def _offer(self, request: Request, session: Session) -> Headers:
        """Offer to bind *session*, while it may be bound and is not."""
        if self.devices is None:
            return ()
        return await self.devices.offer_once(
            request, session.id, session.created, session.identity.claims
        )

    async def _forget_device(self, session_id: str) -> None:
        """Forget the key of a session that is over."""
        if self.devices is not None:
            await self.devices.forget(session_id)

    def _clear(self, request: Request) -> Headers:
        """Take all cookies of a session away."""
        headers = self.common.jar.clear(request)
        if self.devices is not None:
            headers += self.devices.clear(request)
        return tuple(dict.fromkeys(headers))

    def is_over(self, session: Session) -> bool:
        """Say whether *session* is known to have ended a moment ago."""
        return self.common.endings.is_over(session)

    def take_ended(self) -> Ended | None:
        """Give what has ended since this was last asked, and hear of more."""
        # After a reload, a tunnel may be all that is left of a session here.
        self.common.endings.listen()
        return self.common.endings.take()

    def inactive_at(self, session: Session) -> float:
        """Say when *session* is over if nobody uses it any more."""
        return self.common.lifetime.inactive_at(session)

    def take_missed(self) -> bool:
        """Say whether endings were missed, so that sessions have to be looked at."""
        return self.common.endings.take_missed()

    def miss(self) -> None:
        """Have sessions looked at again later."""
        self.common.endings.miss()

    def covers(self, host: str, path: str) -> bool:
        """Say whether browsers send the cookie there."""
        return self.common.jar.scope.covers(host, path)


def build_common(
    options: Options, tools: ITools, shared: ICache | None, store: ICache | None
) -> Common:
    """
    Make what both types have.

    Args:
        options: Their options.
        tools: What a component may use.
        shared: Carries messages between processes; None if none do.
        store: Where more can be kept; None if there is none.

    Raises:
        ConfigError: No browser takes the cookie, or a time makes no sense.
    """
    check_lifetimes(options.inactivity, options.lifetime)
    scope, cookie = read_scope(options.cookie), options.cookie
    sealer = tools.sealer("session-ended")
    log = tools.shared(SESSIONS, SessionLog)

    def make() -> Endings:
        return Endings(
            cache=shared,
            sealer=sealer,
            clock=tools.clock,
            spawn=tools.spawn,
            sleep=sleeper(tools),
            count=lambda how: log.ended.update([(tools.name, how)]),
        )

    keys, kept = Keys(options.binding), None
    devices = _build_devices(options, tools, store, scope)
    if store is not None and store.operations >= KEPT_NEEDS:
        kept = KeptBodies(store, tools.sealer("login-body"))
    # Nobody else has this key: it is closed when this configuration is not served.
    endings = tools.shared(("session-endings", tools.name, object()), make)
    return Common(
        name=tools.name,
        jar=Jar(
            name=cookie.name,
            scope=scope,
            max_age=int(options.lifetime) if cookie.persistent else None,
        ),
        lifetime=Lifetime(options.inactivity, options.lifetime),
        endings=endings,
        keys=keys,
        logins=LoginStates(tools.sealer("login"), tools.clock, keys=keys),
        logouts=LogoutStates(tools.sealer("logout"), tools.clock),
        kept=kept,
        begun=log,
        devices=devices,
    )


def _build_devices(
    options: Options, tools: ITools, store: ICache | None, scope: Scope
) -> Devices | None:
    """
    Make what binds sessions to devices, if anything does.

    Raises:
        ConfigError: It has no effect, or nowhere to keep the keys.
    """
    level, config = options.binding.device, options.device
    if level is None:
        if config != DeviceConfig():
            problem = "has no effect without device in binding: require, prefer"
            raise ConfigError(Mistake("device", problem))
        return None
    if scope.domain is not None:
        problem = (
            "goes to several hosts, and browsers bind what is for one host to a device:"
            " leave it out, so that each host has sessions of its own, or leave device"
            " out of binding"
        )
        raise ConfigError(Mistake("cookie.domain", problem))
    if store is None:
        problem = (
            "is needed with binding.device: it has the keys of devices, which all"
            " processes and machines have to know"
        )
        raise ConfigError(Mistake("cache", problem))
    return build_devices(
        config,
        level,
        tools,
        store,
        name=f"session {tools.name}",
        cookie=bound_name(options.cookie.name, config),
        scope=scope,
    )


def needs_of(binding: SessionBindingConfig) -> frozenset[str]:
    """Give what a cache has to be able to do to keep the keys of devices."""
    return frozenset() if binding.device is None else DEVICE_NEEDS


def as_before(session: Session, changed: Session) -> Session:
    """Give *changed*, of which the request's device has proved what it had before."""
    if not session.device:
        return changed
    return attrs.evolve(changed, device=session.device)


def sleeper(tools: ITools) -> Any:  # noqa: ANN401
    """Give what waits for so many seconds."""
    return lambda seconds: deferLater(tools.reactor, seconds)
