"""A site whose application has lived behind Apache's mod_auth_openidc."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

from sso_proxy.apache_routes import ApacheRoutes, build_apache_fields
from sso_proxy.config.apache_parts import ModAuthOpenidcConfig
from sso_proxy.config.model import RouteConfig
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.logins import Logins
from sso_proxy.endpoints.logouts import Logouts
from sso_proxy.endpoints.provider_logouts import ProviderLogouts
from sso_proxy.endpoints.session_iframes import SessionFrames
from sso_proxy.pages import default_pages
from sso_proxy.routing import RouteHeaders, build_own_route
from tests.support.doubles import FakeUpstream, Scene, make_route
from tests.support.info_scene import InfoScene
from tests.support.login_scene import Seen

REDIRECT = "/oauth2callback"


class ApacheScene(InfoScene):
    """
    A route with its redirect path.

    Args:
        login: The way to log in; unset, one whose tokens can be got anew.
        options: Of ``[route.mod_auth_openidc]``.
        route: Of the route.
    """

    def __init__(
        self,
        *,
        login: Any = None,  # noqa: ANN401
        kind: str = "server",
        options: dict[str, Any] | None = None,
        **route: Any,  # noqa: ANN401
    ) -> None:
        super().__init__(kind)
        wanted = {"redirect_path": REDIRECT, **(options or {})}
        config = RouteConfig(
            host="app.example.com",
            authenticate=("corp",),
            backend="http://127.0.0.1:9000",
            mod_auth_openidc=ModAuthOpenidcConfig(**wanted),
        )
        way = login or self.login
        desk = Desk(name="corp", login=way, sessions=self.store, callback=REDIRECT)
        desks = {"corp": desk}
        pages = default_pages()
        limit = AddressLimit(self.tools.clock, 300)
        logins = Logins(
            "/.sso/", desks, pages=pages, limit=limit, clock=self.tools.clock
        )
        notices = ProviderLogouts(desks, lambda _: [self.store])
        frames = SessionFrames("/.sso/", desks)
        logouts = Logouts("/.sso/", desks, pages)
        self.desk = BrowserEndpoints(
            "/.sso/", logins, [logins, logouts, notices, frames]
        )

        def routes(backend: FakeUpstream) -> list[Any]:
            main = make_route(
                backend,
                **{
                    "sessions": self.store,
                    "logins": self.desk,
                    "login_names": ("corp",),
                    "authenticators": (way,),
                    "headers": RouteHeaders(apache=build_apache_fields(config)),
                    **route,
                },
            )
            apache = ApacheRoutes()
            apache.add("route[0]", config, main, pages)
            own = build_own_route("app.example.com", "/.sso/", self.desk)
            return [main, own, *apache.routes()]

        self.scene = Scene(routes=routes)


def come_back(scene: ApacheScene, away: Seen, user: str = "alice") -> Seen:
    """Let the provider send the browser back that was sent *away*."""
    state = parse_qs(urlsplit(away.location).query)["state"][0]
    return scene.page(f"{REDIRECT}?code=c&state={state}&user={user}")


def logged_in(**options: Any) -> ApacheScene:  # noqa: ANN401
    """Give a scene whose browser is logged in."""
    scene = ApacheScene(**options)
    assert come_back(scene, scene.page("/a?b=1")).status == 302
    return scene


def is_in(scene: ApacheScene) -> bool:
    """Say whether its browser is logged in."""
    return scene.page("/").status == 200
