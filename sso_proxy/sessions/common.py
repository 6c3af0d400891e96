"""What both types of sessions have."""

from collections.abc import Mapping
from typing import Any, Final, Protocol

import attrs
from twisted.internet.task import deferLater

from sso_proxy.interfaces import ICache, ITools
from sso_proxy.model import Identity, Request
from sso_proxy.session import Opened, Session
from sso_proxy.session_log import SESSIONS, SessionLog
from sso_proxy.sessions.endings import Ended, Endings
from sso_proxy.sessions.jar import Jar
from sso_proxy.sessions.kept import NEEDS as KEPT_NEEDS
from sso_proxy.sessions.kept import KeptBodies
from sso_proxy.sessions.keys import REASON, Keys, SessionBindingConfig
from sso_proxy.sessions.lifetime import Lifetime
from sso_proxy.sessions.login_state import LoginStates
from sso_proxy.sessions.logout_state import LogoutStates
from sso_proxy.sessions.options import CookieConfig, check_lifetimes, read_scope
from sso_proxy.sessions.renewal import Work


class Options(Protocol):
    """The options that both types have."""

    @property
    def cookie(self) -> CookieConfig:
        """The cookie."""

    @property
    def binding(self) -> SessionBindingConfig:
        """Keys that they are bound to."""

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
        log: Those that began lately in this process.
    """

    name: str
    jar: Jar
    lifetime: Lifetime
    endings: Endings
    keys: Keys
    logins: LoginStates
    logouts: LogoutStates
    kept: KeptBodies | None = None
    log: SessionLog = attrs.field(factory=SessionLog)


NOT_FOR_THEM: Final = Opened(None, refused=REASON)
"""The session of who comes without the key that it is bound to."""


class Sessions:
    """Answers what both types of sessions answer alike."""

    def __init__(self, common: Common) -> None:
        self.common = common
        self.logins = common.logins
        self.logouts = common.logouts
        self.kept = common.kept
        self.binds = common.keys.kinds

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
            self.common.log.renewed[self.common.name] += 1
            return done

        return counted

    def _is_for(self, request: Request, session: Session) -> bool:
        """
        Say whether *session* is for who sent *request*, who has its cookie.

        Who has stolen it is told nothing of it, and cannot end it either: that would
        be one more thing that a cookie is good for.
        """
        if not session.keys and not self.binds:
            return True
        return self.common.keys.fit(request, session.keys, f"session {session.id}")

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
        log=log,
    )


def sleeper(tools: ITools) -> Any:  # noqa: ANN401
    """Give what waits for so many seconds."""
    return lambda seconds: deferLater(tools.reactor, seconds)
