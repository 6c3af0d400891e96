"""A site whose pages ask about the session of their user."""

import json
from collections.abc import Mapping
from typing import Any

import attrs
from zope.interface import implementer

from sso_proxy.authn.oidc_refresh import Refresher
from sso_proxy.config.login_parts import RefreshFailed
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import SessionInfoConfig
from sso_proxy.info_routes import InfoRoutes
from sso_proxy.interfaces import IAuthenticator, ILogin, IRefreshes
from sso_proxy.model import Authenticated, Identity, NotPresented, Outcome, Request
from sso_proxy.pages import default_pages
from sso_proxy.routing import build_own_route
from sso_proxy.session import Opened, Session
from tests.support.caching import now
from tests.support.doubles import FakeUpstream, Scene, make_route
from tests.support.fake_login import FakeLogin
from tests.support.login_scene import LoginScene, Seen
from tests.support.sessions import SessionTools

OWN = (b"Sec-Fetch-Site: same-origin", b"Sec-Fetch-Mode: cors", b"Accept: */*")
"""What a browser says of a script of the same origin."""


@implementer(IAuthenticator, ILogin, IRefreshes)
@attrs.define
class RefreshingLogin(FakeLogin):
    """
    A login whose tokens can be got anew, as `OidcAuthenticator` does it.

    Attributes:
        tools: Has the clock.
        failed: What becomes of sessions that get none.
        spent: The refresh tokens that came.
        failure: What is raised instead.
        lasts: Seconds that tokens last.
    """

    tools: SessionTools = attrs.field(factory=SessionTools)
    failed: RefreshFailed = "end"
    spent: list[str] = attrs.field(factory=list)
    failure: Exception | None = None
    lasts: float = 300.0
    refresher: Any = None

    async def authenticate(self, request: Request) -> Outcome:
        """Go by the session, with new tokens if it is time."""
        session = request.session
        if session is None or session.identity.authenticator != self.name:
            return NotPresented()
        if self._refresher.is_due(session):
            found: Outcome = await self._refresher.authenticate(request, session)
            return found
        return Authenticated(session.identity)

    async def refresh(
        self, request: Request, session: Session, min_age: float
    ) -> Opened:
        """Get new tokens if those of *session* are older."""
        opened: Opened = await self._refresher.refresh(request, session, min_age)
        return opened

    @property
    def _refresher(self) -> Refresher:
        if self.refresher is None:
            self.refresher = Refresher(self.get, self.failed, self.tools.clock)
        made: Refresher = self.refresher
        return made

    async def get(self, session: Session) -> tuple[Identity, Mapping[str, Any]]:
        """Give new tokens for what *session* has."""
        self.spent.append(session.data["refresh_token"])
        if self.failure is not None:
            raise self.failure
        number = len(self.spent)
        identity = attrs.evolve(
            session.identity, claims={**session.identity.claims, "round": number}
        )
        return identity, {**session.data, **self.tokens(number)}

    def tokens(self, number: int = 0) -> dict[str, Any]:
        """Give the tokens that are got now."""
        now = self.tools.clock.time()
        return {
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "token_type": "Bearer",
            "access_since": now,
            "access_expires": now + self.lasts,
            "refresh_at": now + self.lasts / 2,
        }


class InfoScene(LoginScene):
    """
    A route that tells pages about sessions.

    Attributes:
        login: The way to log in.
    """

    def __init__(
        self,
        kind: str = "server",
        info: SessionInfoConfig | None = None,
        options: dict[str, Any] | None = None,
        **route: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(kind, options=options)
        self.login.data = self.login.tokens()
        config = RouteConfig(
            host="app.example.com",
            authenticate=("corp",),
            backend="http://127.0.0.1:9000",
            session_info=info or SessionInfoConfig(),
        )

        def routes(backend: FakeUpstream) -> list[Any]:
            main = make_route(
                backend,
                **{
                    "sessions": self.store,
                    "logins": self.desk,
                    "login_names": ("corp",),
                    "authenticators": (self.login,),
                    **route,
                },
            )
            infos = InfoRoutes()
            infos.add("route[0]", config, main, default_pages())
            own = build_own_route("app.example.com", "/.sso/", self.desk)
            return [main, own, *infos.routes()]

        self.scene = Scene(routes=routes)

    def make_login(self, name: str) -> RefreshingLogin:
        """Make the way to log in."""
        self.login = RefreshingLogin(name=name, tools=self.tools)
        return self.login

    def info(self, query: str = "", *fields: bytes) -> Seen:
        """Ask as a script of the same origin does."""
        return self.ask(f"/.sso/session{query}", *(fields or OWN))

    def told(self, query: str = "", *fields: bytes) -> dict[str, Any]:
        """Give what is told."""
        seen = self.info(query, *fields)
        assert seen.status == 200, (seen, self.reason)
        found: dict[str, Any] = json.loads(seen.body)
        return found

    def session(self) -> Session:
        """Give the session as it is, without a use of it."""
        request = attrs.evolve(self.browser.request(), passive=True)
        session = now(self.store.load(request)).session
        assert session is not None
        return session
