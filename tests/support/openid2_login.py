"""A site where people log in with an OpenID, and a real provider of theirs."""

import re
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs, urlencode, urlsplit

from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.task import deferLater
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from twisted.trial.unittest import TestCase

from sso_proxy.authn.basic import BasicAuthenticator, BasicConfig
from sso_proxy.authn.openid2 import OpenId2Authenticator
from sso_proxy.authn.openid2_config import OpenId2Config
from sso_proxy.config.model import OutboundConfig
from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.login_limits import AddressLimit
from sso_proxy.endpoints.openid import OpenIds
from sso_proxy.interfaces import IUserMapper
from sso_proxy.mappers.static import StaticMapper, StaticMapperConfig
from sso_proxy.net.http_client import HttpClient
from sso_proxy.pages import default_pages
from sso_proxy.testing.passwords import FakeChecker
from sso_proxy.testing.pki import Pki
from tests.support.browser import Form, Page
from tests.support.doubles import answer_ok
from tests.support.login_scene import OWN_PAGE, PAGE, LoginScene, Seen
from tests.support.openid2_op import OpenIdProvider, openid2_op
from tests.support.sessions import SessionTools

reactor: Any = installed
FORM = (*OWN_PAGE, b"Content-Type: application/x-www-form-urlencoded")
CROSS_SITE = (
    *PAGE,
    b"Sec-Fetch-Site: cross-site",
    b"Origin: https://evil.example",
    b"Content-Type: application/x-www-form-urlencoded",
)
FROM_PROVIDER = (
    *PAGE,
    b"Sec-Fetch-Site: cross-site",
    b"Content-Type: application/x-www-form-urlencoded",
)
CALLBACK = "/.sso/callback/openid"
LOOPBACK = ("127.0.0.0/8",)
OPTIONS: dict[str, Any] = {
    "mappers": ("users",),
    "networks": LOOPBACK,
    "https_only": False,
}


class _Tools(SessionTools):
    """Remembers what is to be closed."""

    made: ClassVar[list[Any]] = []

    def shared(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """Make it."""
        self.made.append(SessionTools.shared(self, key, make))
        return self.made[-1]


class OpenIdSite(LoginScene):
    """
    A route with ``openid2``, and with ``basic`` if that is wanted.

    Args:
        case: Whose client and reactor are used.
        users: User names by identifiers.
        basic: Whether programs come with a password.
        options: Of the authenticator.
        more: Of `LoginScene`, whose options are ``sessions``.
    """

    def __init__(
        self,
        client: HttpClient,
        users: Mapping[str, str],
        options: Mapping[str, Any],
        *,
        basic: bool = False,
        **more: Any,  # noqa: ANN401
    ) -> None:
        self._client = client
        self._users = users
        self._options = {**OPTIONS, **options}
        self._with_basic = basic
        kind, sessions = more.pop("kind", "server"), more.pop("sessions", None)
        super().__init__(kind, "openid", options=sessions, **more)

    def make_login(self, name: str) -> OpenId2Authenticator:
        """Make the authenticator."""
        tools: Any = _Tools(
            name=name,
            clock=self.tools.clock,
            memory=self.cache,
            http_client=self._client,
            reactor=reactor,
        )
        tools.mappers["users"] = self.make_mapper()
        return OpenId2Authenticator.from_config(OpenId2Config(**self._options), tools)

    def make_mapper(self) -> IUserMapper:
        """Make what knows the users."""
        return StaticMapper(StaticMapperConfig(users=self._users))

    def make_parts(self, desks: Mapping[str, Desk]) -> tuple[Any, ...]:
        """Make what there is for OpenIDs."""
        limit = AddressLimit(self.tools.clock, 3)
        return (OpenIds("/.sso/", desks, pages=default_pages(), limit=limit),)

    def make_others(self) -> tuple[Any, ...]:
        """Make what programs use."""
        if not self._with_basic:
            return ()
        tools = self.tools
        tools.checkers["users"] = FakeChecker({"alice": "wonderland"})
        tools.name = "api"
        return (BasicAuthenticator.from_config(BasicConfig(checker="users"), tools),)

    async def wait(
        self,
        path: str,
        *lines: bytes,
        method: str = "GET",
        body: bytes | None = None,
    ) -> Seen:
        """Send a request as the browser, and wait for the answer."""
        scene, asked = self.scene, len(self.scene.backend.asked)
        self.send(path, lines, method, body)
        sent = b""
        for _ in range(6000):
            if len(scene.backend.asked) > asked:
                answer_ok(scene.backend.exchange)
                asked += 1
            sent += scene.client.take()
            if b"\r\n\r\n" in sent:
                return self.read(sent)
            await deferLater(reactor, 0.005)
        raise AssertionError("no answer")

    async def get(self, path: str) -> Seen:
        """Look at a page."""
        return await self.wait(path, *PAGE)

    async def post(self, path: str, fields: Mapping[str, str], *lines: bytes) -> Seen:
        """Send a form."""
        body = urlencode(fields).encode()
        return await self.wait(path, *(lines or FORM), method="POST", body=body)

    async def ask_for(self) -> Seen:
        """Look at the page that asks for an identifier."""
        return await self.get("/.sso/login")

    async def type(self, page: Seen, identifier: str) -> Seen:
        """Send the form of a page that asks for an identifier."""
        assert 'name="openid_identifier"' in page.body, page
        (action,) = re.findall(r'<form action="([^"]*)"', page.body)
        hidden = re.findall(r'type="hidden" name="([^"]*)" value="([^"]*)"', page.body)
        fields = {**dict(hidden), "openid_identifier": identifier}
        return await self.post(action, fields)

    async def leave(self, identifier: str, path: str = "/page?x=1") -> str:
        """Go as far as the provider; give where that is."""
        away = await self.type(await self.get(path), identifier)
        assert away.status == 303, away
        return away.location

    async def come_back_from(self, op: OpenIdProvider, away: str) -> Seen:
        """Do what the provider says, and come back."""
        return await self.bring(op.visit(away))

    async def hand_over(self, op: OpenIdProvider, page: Seen) -> Seen:
        """Have a page's form go to the provider, and the answer's form come back."""
        (away,) = forms_of(page.body)
        place, answered = op.take(away.action, away.fields)
        assert place == ""
        (back,) = forms_of(answered)
        assert back.action.startswith("https://app.example.com/.sso/callback/")
        path = back.action.removeprefix("https://app.example.com")
        return await self.post(path, back.fields, *FROM_PROVIDER)

    async def bring(self, place: str) -> Seen:
        """Come back to *place*."""
        parts = urlsplit(place)
        assert f"{parts.scheme}://{parts.netloc}" == "https://app.example.com"
        return await self.get(f"{parts.path}?{parts.query}")

    async def enter(
        self, op: OpenIdProvider, identifier: str, path: str = "/page?x=1"
    ) -> Seen:
        """Log in."""
        return await self.come_back_from(op, await self.leave(identifier, path))

    @property
    def user(self) -> str:
        """Say who the backend was told it is."""
        admission = self.scene.backend.exchange.admission
        assert admission is not None
        return str(admission.caller.user)


class SiteCase(TestCase):
    """Tests with a site and a provider."""

    timeout = 60

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(_close)
        self.lines: list[str] = []
        observer = cast("ILogObserver", self._note)
        globalLogPublisher.addObserver(observer)
        self.addCleanup(globalLogPublisher.removeObserver, observer)

    def _note(self, event: LogEvent) -> None:
        if str(event.get("log_namespace", "")).startswith("sso_proxy.authn.openid2"):
            self.lines.append(formatEvent(event))

    def said(self) -> str:
        """Give the last line of the log, of the authenticator."""
        return self.lines[-1].partition(": ")[2]

    def run_op(self, pki: Pki | None = None, **switches: Any) -> OpenIdProvider:  # noqa: ANN401
        """Run a provider."""
        running = openid2_op(self.directory, pki, **switches)
        op = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        return op

    def site(
        self,
        op: OpenIdProvider,
        users: Mapping[str, str] | None = None,
        *,
        outbound: OutboundConfig | None = None,
        basic: bool = False,
        scene: Mapping[str, Any] | None = None,
        **options: Any,  # noqa: ANN401
    ) -> OpenIdSite:
        """Make a site whose users are those of *op*."""
        client = HttpClient(reactor, outbound or OutboundConfig())
        self.addCleanup(client.close)
        if users is None:
            users = {op.identity("alice"): "alice.liddell"}
        return OpenIdSite(client, users, options, basic=basic, **(scene or {}))


def forms_of(text: str) -> list[Form]:
    """Give the forms of a page."""
    return Page(url="", status=200, fields=(), body=text.encode()).forms


def asked(away: str) -> dict[str, str]:
    """Give what a provider is asked."""
    return {name: values[0] for name, values in parse_qs(urlsplit(away).query).items()}


def _close() -> None:
    while _Tools.made:
        _Tools.made.pop().close()
