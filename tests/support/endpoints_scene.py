"""A site with every endpoint of ours, and people who log in by OpenID Connect."""

import time
from typing import Any, Final, get_args
from urllib.parse import parse_qs, quote, urlsplit

import attrs

from sso_proxy.account_names import AccountNames
from sso_proxy.apache_routes import ApacheRoutes
from sso_proxy.authn.oidc import OidcAuthenticator
from sso_proxy.authn.oidc_config import OidcConfig
from sso_proxy.config.apache_parts import InfoMember, ModAuthOpenidcConfig
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import SessionInfoConfig, Shown
from sso_proxy.endpoints.accounts import Accounts
from sso_proxy.endpoints.desks import BrowserEndpoints, Desk, Part
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.logins import Logins
from sso_proxy.endpoints.logouts import Logouts
from sso_proxy.endpoints.provider_logouts import ProviderLogouts
from sso_proxy.endpoints.session_iframes import SessionFrames
from sso_proxy.info_routes import InfoRoutes
from sso_proxy.net.provider import ProviderError
from sso_proxy.pages import default_pages
from sso_proxy.routing import build_own_route
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oidc.token_response import TokenResponse
from tests.support.doubles import FakeUpstream, Scene, answer_ok, make_route
from tests.support.login_scene import PAGE, Seen
from tests.support.oidc_scene import ISSUER, FakeProvider, OidcScene
from tests.support.sessions import MAKERS, Browser

GOOD = "the-code-of-alice"
"""The only code that the provider has given."""
WAYS: dict[str, dict[str, Any]] = {
    "corp": {},
    "fragment": {"response_type": "id_token"},
    "form": {"response_mode": "form_post"},
    "asking": {"max_age": 60, "acr_values": ("gold",)},
}
"""The ways to log in."""
TOLD: Final[tuple[InfoMember, ...]] = ("iat", "id_token", "userinfo", "session")
REDIRECT: Final = "/redirect_uri"
"""Where what Apache's mod_auth_openidc does is done."""


class StrictProvider(FakeProvider):
    """A provider that knows its code."""

    async def redeem(self, fields: FormFields) -> TokenResponse:
        """Give tokens for the one good code."""
        if dict(fields)["code"] != GOOD:
            raise ProviderError("invalid_grant", "nobody got that")
        return await super().redeem(fields)


class EndpointsScene:
    """
    One site, and requests to it as octets.

    Attributes:
        oidc: Makes the parts of authenticators.
        provider: The provider of all of them.
        store: The sessions.
        scene: The site.
    """

    def __init__(self, kind: str = "server", **options: Any) -> None:  # noqa: ANN401
        self.oidc = OidcScene()
        self.oidc.clock.now = time.time()
        self.provider = StrictProvider(self.oidc.clock)
        self.provider.place = attrs.evolve(
            self.provider.place,
            end_session=f"{ISSUER}/logout",
            revocation=f"{ISSUER}/revoke",
            check_session=f"{ISSUER}/check",
        )
        self.store = MAKERS[kind](self.oidc.tools, **options)
        self._desks = {name: self._make_desk(name) for name in WAYS}
        pages = default_pages()
        logins = Logins(
            "/.sso/",
            self._desks,
            pages=pages,
            limit=AddressLimit(self.oidc.clock, 1_000_000),
            clock=self.oidc.clock,
        )
        logouts = Logouts("/.sso/", self._desks, pages)
        accounts = Accounts(
            "/.sso/",
            self._desks,
            pages=pages,
            clock=self.oidc.clock,
            logins=logins,
            logouts=logouts,
            names=AccountNames().of,
        )
        parts: list[Part] = [
            logins,
            logouts,
            accounts,
            ProviderLogouts(self._desks, lambda _: [self.store]),
            SessionFrames("/.sso/", self._desks),
        ]
        self._endpoints = BrowserEndpoints("/.sso/", logins, parts)
        self.scene = Scene(routes=self._make_routes)

    def send(self, request: bytes, body: bytes = b"") -> Seen:
        """Send a request on a connection of its own, and read the answer."""
        scene, asked = self.scene, len(self.scene.backend.asked)
        scene.client, scene.connection = scene.connect()
        scene.client.receive(request, *([body] if body else []))
        if len(scene.backend.asked) > asked:
            answer_ok(scene.backend.exchange)
        head, _, content = scene.client.take().decode().partition("\r\n\r\n")
        line, *lines = head.split("\r\n")
        pairs = (each.partition(": ") for each in lines)
        headers = tuple((name.lower(), value) for name, _, value in pairs)
        return Seen(int(line.split(" ")[1]), headers, content)

    def page(self, target: str, browser: Browser, *fields: bytes) -> Seen:
        """Look at a page."""
        lines = [f"GET {target} HTTP/1.1".encode(), b"Host: app.example.com", *PAGE]
        pairs = (f"{name}={value}" for name, value in browser.cookies.items())
        cookies = "; ".join(pairs).encode()
        lines += [*fields, *([b"Cookie: " + cookies] if cookies else [])]
        seen = self.send(b"\r\n".join([*lines, b"", b""]))
        browser.take(seen.headers)
        return seen

    def begin(self, browser: Browser, name: str = "corp", to: str = "/") -> str:
        """Begin a login, and give its state."""
        seen = self.page(f"/.sso/login?with={name}&to={quote(to, safe='')}", browser)
        asked = parse_qs(urlsplit(seen.location).query)
        self.provider.nonce = asked["nonce"][0]
        return asked["state"][0]

    def log_in(self, browser: Browser) -> Seen:
        """Log in as Alice."""
        state = self.begin(browser)
        query = f"state={state}&code={GOOD}&session_state=s.1"
        return self.page(f"/.sso/callback/corp?{query}", browser)

    def _make_desk(self, name: str) -> Desk:
        config = OidcConfig(issuer=ISSUER, client_id="app", auth="none", **WAYS[name])
        parts = attrs.evolve(
            self.oidc.parts, name=name, config=config, provider=self.provider
        )
        login = OidcAuthenticator(parts)
        return Desk(name=name, login=login, sessions=self.store)

    def _make_routes(self, backend: FakeUpstream) -> list[Any]:
        main = make_route(
            backend,
            sessions=self.store,
            logins=self._endpoints,
            login_names=tuple(WAYS),
            authenticators=tuple(desk.login for desk in self._desks.values()),
        )
        config = RouteConfig(
            host="app.example.com",
            authenticate=tuple(WAYS),
            backend="http://127.0.0.1:9000",
            session_info=SessionInfoConfig(show=get_args(Shown)),
            mod_auth_openidc=ModAuthOpenidcConfig(
                redirect_path=REDIRECT, logged_out="/bye", info=TOLD
            ),
        )
        infos = InfoRoutes()
        infos.add("route[0]", config, main, default_pages())
        apache = ApacheRoutes()
        apache.add("route[0]", config, main, default_pages())
        own = build_own_route("app.example.com", "/.sso/", self._endpoints)
        return [main, own, *infos.routes(), *apache.routes()]
