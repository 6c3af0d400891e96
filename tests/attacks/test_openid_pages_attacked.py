"""Pages of an attacker's that are somebody's OpenID, and logins in two browsers."""

from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.http_client import HttpClient
from tests.support.names import Named, Names, reactor
from tests.support.openid2_login import OpenIdSite, SiteCase
from tests.support.openid2_op import OpenIdProvider, signed_on
from tests.support.sessions import Browser

ADDRESS: Final = "127.0.0.8"
"""Where the attacker's pages are, as on the Internet; all else here is our network."""
XRDS: Final = "application/xrds+xml"


class Pages(Resource):
    """
    The attacker's pages.

    Args:
        shown: For each path the fields and the content, or where it redirects to.
    """

    isLeaf = True

    def __init__(self, shown: dict[str, tuple[dict[str, str], str] | str]) -> None:
        super().__init__()
        self.shown = shown

    def render_GET(self, request: Request) -> bytes:
        """Show one."""
        page = self.shown.get(request.path.decode())
        if page is None:
            request.setResponseCode(404)
            return b""
        if isinstance(page, str):
            request.redirect(page.encode())
            return b""
        for name, value in page[0].items():
            request.setHeader(name, value)
        return page[1].encode()


def html(head: str, body: str = "", **fields: str) -> tuple[dict[str, str], str]:
    """Make a page."""
    page = f"<!DOCTYPE html><html><head>{head}</head><body>{body}</body></html>"
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return {"content-type": "text/html", **named}, page


def link(rel: str, place: str) -> str:
    """Make a link of a page."""
    return f'<link rel="{rel}" href="{place}">'


class PagesTests(SiteCase):
    """An attacker has names and pages, and types what they like."""

    def setUp(self) -> None:
        super().setUp()
        self.op = self.run_op()
        self.pages = Pages({})
        port = reactor.listenTCP(
            self.op.server_port, Site(self.pages), interface=ADDRESS
        )
        self.addCleanup(port.stopListening)
        self.url = f"http://evil.example:{self.op.server_port}"

    def open(self, **names: list[str]) -> OpenIdSite:
        """Make a site that may go to the attacker's address, and to no other here."""
        self.named: Any = Named(Names(evil_example=[ADDRESS], **names))
        client = HttpClient(self.named, OutboundConfig())
        self.addCleanup(client.close)
        return OpenIdSite(client, {}, {"networks": (f"{ADDRESS}/32",)})

    async def asks_again(self, site: OpenIdSite, path: str, why: str) -> None:
        """Check that a page is nobody's identifier, and our network was left alone."""
        page = await site.type(await site.get("/"), f"{self.url}{path}")
        assert page.status == 400, page
        assert why in self.said(), self.lines
        self.check_untouched()

    def check_untouched(self) -> None:
        """Check that nobody but the attacker was connected to."""
        assert self.op.fetched == []
        assert self.op.asked == []
        assert set(self.named.connected) == {ADDRESS}

    async def test_a_page_leads_nobody_into_our_network(self) -> None:
        """By a redirect, or by the document that it names; by address and by name."""
        site = self.open(inside_example=["127.0.0.1"])
        inside = f"http://inside.example:{self.op.server_port}/id/alice"
        for number, place in enumerate((self.op.identity("alice"), inside)):
            self.pages.shown[f"/{number}/to"] = place
            self.pages.shown[f"/{number}/doc"] = html("", X_XRDS_Location=place)
            for kind in ("to", "doc"):
                await self.asks_again(site, f"/{number}/{kind}", "local address")

    async def test_a_name_that_changes_leads_nobody_into_our_network(self) -> None:
        """It was good when the page was fetched, and is inside when we ask there."""
        site = self.open(two_example=[ADDRESS, "127.0.0.1"])
        two = self.url.replace("evil", "two")
        self.pages.shown["/"] = html(link("openid2.provider", f"{two}/login"))
        away = await site.type(await site.get("/"), f"{two}/")
        assert away.location.startswith(f"{two}/login?")
        self.check_untouched()

    async def test_what_others_write_on_a_page_is_no_provider(self) -> None:
        """A guest's comment, or a script, is no part of its head."""
        site = self.open()
        evil = link("openid2.provider", f"{self.url}/login")
        self.pages.shown["/"] = html("<title>x</title>", f"<p>{evil}")
        self.pages.shown["/script"] = html(f"<script>'{evil}'</script><!-- {evil} -->")
        for path in ("/", "/script"):
            await self.asks_again(site, path, "openid-no-provider")

    async def test_a_page_and_its_document_are_not_mixed(self) -> None:
        """Who can change one of the two is not whom the other one names."""
        site = self.open()
        good, evil = self.op.op_endpoint, f"{self.url}/login"
        place = f"{self.url}/document"
        links = link("openid2.provider", evil) + link("openid2.local_id", "http://x/")
        self.pages.shown["/"] = html(links, X_XRDS_Location=place)
        self.pages.shown["/document"] = ({"content-type": XRDS}, signed_on(good))
        away = await site.type(await site.get("/"), f"{self.url}/")
        assert away.location.startswith(f"{good}?")
        asked = parse_qs(urlsplit(away.location).query)
        assert (
            asked["openid.identity"] == asked["openid.claimed_id"] == [f"{self.url}/"]
        )

    async def test_a_document_that_is_gone_is_not_replaced_by_the_page(self) -> None:
        site = self.open()
        links = link("openid2.provider", f"{self.url}/login")
        self.pages.shown["/"] = html(links, X_XRDS_Location=f"{self.url}/gone")
        await self.asks_again(site, "/", "openid-status")


class BrowserTests(SiteCase):
    """The victim, the attacker, and one login."""

    def begin(self) -> tuple[OpenIdProvider, OpenIdSite]:
        op = self.run_op()
        users = {op.identity(name): name for name in ("alice", "mallory")}
        return op, self.site(op, users)

    async def test_a_login_is_finished_by_the_browser_that_began_it(self) -> None:
        """Or whoever follows the attacker's link is the attacker from then on."""
        op, site = self.begin()
        op.switches.user = "mallory"
        place = op.visit(await site.leave(op.op_identifier))
        theirs, site.browser = site.browser, Browser()
        assert (await site.bring(place)).status == 400
        assert "__Host-sso" not in site.browser.cookies
        assert 'name="openid_identifier"' in (await site.get("/")).body

        site.browser = theirs  # and nothing is lost by it
        assert (await site.bring(place)).status == 303
        await site.get("/")
        assert site.user == op.identity("mallory")

    async def test_a_login_that_one_began_is_none_of_anothers(self) -> None:
        """Both have begun one; the answer is to the other's."""
        op, site = self.begin()
        op.switches.user = "mallory"
        place = op.visit(await site.leave(op.op_identifier))
        site.browser = Browser()
        mine = await site.leave(op.op_identifier)
        assert (await site.bring(place)).status == 400
        state = parse_qs(urlsplit(place).query)["login"][0]
        own = parse_qs(urlsplit(mine).query)["openid.return_to"][0].partition("=")[2]
        assert (await site.bring(place.replace(state, own))).status == 403
        assert "openid-" in self.said()
        assert "__Host-sso" not in site.browser.cookies

    async def test_a_login_is_finished_once(self) -> None:
        """A second answer to it, as somebody else, changes nobody."""
        op, site = self.begin()
        away = await site.leave(op.op_identifier)
        place = op.visit(away)
        op.switches.user = "mallory"
        other = op.visit(away)
        assert (await site.bring(place)).status == 303
        await site.bring(other)
        await site.get("/")
        assert site.user == op.identity("alice")
