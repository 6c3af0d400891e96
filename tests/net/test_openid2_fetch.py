"""Who vouches for an identifier is found out, and nothing else is reached by that."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import attrs
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet import ssl
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.guard import Guard
from sso_proxy.net.http_client import (
    ClientTls,
    HttpClient,
    HttpReply,
    NoReplyError,
    Trouble,
)
from sso_proxy.net.openid2_fetch import (
    MAX_PAGE,
    MOST_REDIRECTS,
    Discovery,
    DiscoveryError,
    FetchRules,
)
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.pki import Pki
from tests.support.caching import now
from tests.support.names import Named, Names
from tests.support.openid2_op import openid2_op, signed_on

reactor: Any = installed
ALICE = "https://alice.example/"
OP = "https://op.example/login"
XRDS = "application/xrds+xml"
DOCUMENT = f"{ALICE}xrds"


def reply(
    body: str = "",
    kind: str = "text/html",
    status: int = 200,
    **headers: str,
) -> HttpReply:
    named = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    every = (("content-type", kind), *named)
    return HttpReply(status=status, headers=every, body=body.encode())


def to(place: str, status: int = 302) -> HttpReply:
    return reply(status=status, location=place)


LINKS = reply(f'<link rel="openid2.provider" href="{OP}">')
DIRECT = reply(signed_on(OP), XRDS)
NAMED = reply(x_xrds_location=DOCUMENT)


class Web:
    """Pages by their URLs; a client that fetches them."""

    def __init__(self, pages: Mapping[str, HttpReply], clock: SettableClock) -> None:
        self.pages = pages
        self.clock = clock
        self.takes = 0.0
        self.asked: list[str] = []
        self.options: list[Mapping[str, Any]] = []
        self.guards: list[Guard] = []

    def guarded(self, guard: Guard, max_bytes: int) -> "Web":
        assert max_bytes == MAX_PAGE
        self.guards.append(guard)
        return self

    async def get(self, url: str, headers: Mapping[str, str], **more: Any) -> HttpReply:  # noqa: ANN401
        self.asked.append(url)
        self.options.append({**headers, **more})
        self.clock.advance(self.takes)
        if url not in self.pages:
            raise NoReplyError(url, problem="nobody", trouble=Trouble.UNREACHABLE)
        return self.pages[url]


def make(pages: Mapping[str, HttpReply], **rules: Any) -> tuple[Discovery, Web]:  # noqa: ANN401
    clock = SettableClock()
    web: Any = Web(pages, clock)
    return Discovery(web, FetchRules(**rules), clock), web


def discover(
    pages: Mapping[str, HttpReply],
    url: str = ALICE,
    **rules: Any,  # noqa: ANN401
) -> Discovered:
    found: Discovered = now(make(pages, **rules)[0].discover(url))
    return found


def refusal(
    pages: Mapping[str, HttpReply],
    url: str = ALICE,
    **rules: Any,  # noqa: ANN401
) -> str:
    with pytest.raises(DiscoveryError) as refused:
        discover(pages, url, **rules)
    assert url not in str(refused.value)
    return refused.value.reason


VOUCHED = Discovered(
    claimed_id=ALICE, endpoints=(Endpoint(op_endpoint=OP, claimed_id=ALICE),)
)


@pytest.mark.parametrize(
    "pages",
    [
        {ALICE: DIRECT},
        {ALICE: LINKS},
        {ALICE: NAMED, DOCUMENT: DIRECT},
        {ALICE: NAMED, DOCUMENT: reply(signed_on(OP), "text/xml")},
        {
            ALICE: reply(f'<meta http-equiv="x-xrds-location" content="{DOCUMENT}">'),
            DOCUMENT: DIRECT,
        },
        {ALICE: NAMED, DOCUMENT: to(f"{DOCUMENT}2"), f"{DOCUMENT}2": DIRECT},
    ],
)
def test_a_provider_is_found_in_each_way(pages: Mapping[str, HttpReply]) -> None:
    assert discover(pages) == VOUCHED


def test_a_document_is_what_is_asked_for() -> None:
    discovery, web = make({ALICE: DIRECT})
    now(discovery.discover(ALICE))
    assert web.options[0]["Accept"].startswith(XRDS)
    assert web.options[0]["max_bytes"] == MAX_PAGE


def test_redirects_lead_to_what_somebody_is_called() -> None:
    pages = {
        "http://example.com/": to(ALICE, 301),
        ALICE: to("/a/../b#c", 303),
        f"{ALICE}b": LINKS,
    }
    found = discover(pages, "http://example.com/")
    assert found.claimed_id == f"{ALICE}b"
    assert found.endpoints[0].claimed_id == f"{ALICE}b"


def test_too_many_redirects_are_refused() -> None:
    places = [f"{ALICE}{n}" for n in range(MOST_REDIRECTS + 2)]
    pages = {place: to(f"{ALICE}{n + 1}") for n, place in enumerate(places)}
    pages[places[MOST_REDIRECTS]] = LINKS
    assert discover(pages, places[0]).claimed_id == places[MOST_REDIRECTS]
    pages[places[MOST_REDIRECTS]] = to(places[MOST_REDIRECTS + 1])
    assert refusal(pages, places[0]) == "openid-redirects"


@pytest.mark.parametrize(
    "place",
    [
        "",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://a@b/",
        "https://[/",
        "//",
    ],
)
def test_a_redirect_to_no_url_is_refused(place: str) -> None:
    if place:
        assert refusal({ALICE: to(place)}) in {"openid-redirects", "openid-identifier"}
    assert refusal({ALICE: reply(status=302)}) == "openid-redirects"


def test_a_redirect_to_two_places_is_refused() -> None:
    other = f"{ALICE}other"
    twice = attrs.evolve(to(OP), headers=(("location", OP), ("location", other)))
    assert refusal({ALICE: twice, OP: LINKS, other: LINKS}) == "openid-redirects"


def test_nothing_leads_from_https_to_http() -> None:
    plain = "http://alice.example/"
    assert refusal({ALICE: to(plain), plain: LINKS}) == "openid-plain"
    pages = {ALICE: reply(x_xrds_location=plain), plain: DIRECT}
    assert refusal(pages) == "openid-plain"


def test_a_provider_of_https_is_asked_by_https() -> None:
    """Nobody on the way may speak for it."""
    links = reply('<link rel="openid2.provider" href="http://op.example/">')
    assert refusal({ALICE: links}) == "openid-plain"
    plain = "http://alice.example/"
    assert discover({plain: links}, plain).endpoints


def test_only_https_counts_where_that_is_said() -> None:
    plain = "http://alice.example/"
    assert discover({plain: LINKS}, plain).endpoints
    assert refusal({plain: LINKS}, plain, https_only=True) == "openid-plain"
    assert not FetchRules(https_only=True).allows("http://op.example/")


def test_a_document_that_was_named_is_not_replaced_by_links() -> None:
    """Who is in between could take it away, and leave a page that somebody wrote on."""
    page = attrs.evolve(LINKS, headers=NAMED.headers)
    assert refusal({ALICE: page, DOCUMENT: LINKS}) == "openid-document"
    assert refusal({ALICE: page, DOCUMENT: reply(status=404)}) == "openid-status"
    broken = reply("<XRDS/>", XRDS)
    assert refusal({ALICE: page, DOCUMENT: broken}) == "openid-document"
    with pytest.raises(NoReplyError):
        discover({ALICE: page})


def test_a_document_that_knows_no_provider_leaves_it_to_the_page() -> None:
    """Section 7.3: nothing of it is used then."""
    page = attrs.evolve(LINKS, headers=NAMED.headers)
    other = reply(signed_on(OP, kind="http://lid.netmesh.org/sso/2.0"), XRDS)
    assert discover({ALICE: page, DOCUMENT: other}) == VOUCHED
    assert refusal({ALICE: NAMED, DOCUMENT: other}) == "openid-no-provider"


def test_a_document_goes_before_the_links_of_its_page() -> None:
    evil = reply('<link rel="openid2.provider" href="https://evil.example/">')
    page = attrs.evolve(evil, headers=NAMED.headers)
    assert discover({ALICE: page, DOCUMENT: DIRECT}) == VOUCHED


def test_two_fields_that_name_a_document_are_refused() -> None:
    headers = (*NAMED.headers, ("x-xrds-location", OP))
    page = attrs.evolve(NAMED, headers=headers)
    assert refusal({ALICE: page, DOCUMENT: DIRECT}) == "openid-document"


@pytest.mark.parametrize("status", [201, 204, 400, 404, 500, 304])
def test_another_status_says_nothing(status: int) -> None:
    page = attrs.evolve(LINKS, status=status)
    assert refusal({ALICE: page}) == "openid-status"


def test_a_page_without_a_provider_logs_nobody_in() -> None:
    assert refusal({ALICE: reply("<title>hello</title>")}) == "openid-no-provider"


def test_all_of_it_has_so_much_time() -> None:
    discovery, web = make({ALICE: NAMED, DOCUMENT: DIRECT}, within=8.0)
    web.takes = 5.0
    assert now(discovery.discover(ALICE)) == VOUCHED
    assert [each["within"] for each in web.options] == [8.0, 3.0]
    web.takes = 8.0
    with pytest.raises(DiscoveryError, match="8 s"):
        now(discovery.discover(ALICE))


@pytest.mark.parametrize(
    ("allowed", "counts"),
    [
        ((), True),
        ((OP,), True),
        (("https://other.example/", "https://op.example/*"), True),
        (("https://op.example/log/*",), False),
        (("https://op.example/",), False),
        (("https://op.example/LOGIN",), False),
    ],
)
def test_only_providers_that_are_listed_count(
    allowed: tuple[str, ...],
    counts: bool,  # noqa: FBT001
) -> None:
    if counts:
        assert discover({ALICE: DIRECT}, providers=allowed) == VOUCHED
    else:
        assert refusal({ALICE: DIRECT}, providers=allowed) == "openid-provider"


def test_what_only_seems_to_be_below_is_not() -> None:
    rules = FetchRules(providers=("https://op.example/eu/*",))
    assert rules.allows("https://op.example/eu/login")
    for place in ("eu/../us", "eu/%2e%2e/us", "eu", "EU/login"):
        assert not rules.allows(f"https://op.example/{place}")
    assert not rules.allows("https://op.example.evil.example/eu/")
    assert not rules.allows("no url")


@pytest.mark.parametrize(
    "listed",
    [
        *("op.example", "https://op.example*", "*", "https://*.example/", "ftp://a/"),
        *("https://op.example/lo*", "https://op.example/?a=/*", "https://OP.example/*"),
    ],
)
def test_a_list_says_exactly_where(listed: str) -> None:
    with pytest.raises(ValueError, match=r"https|\*"):
        FetchRules(providers=(listed,))


def test_networks_have_to_be_networks() -> None:
    with pytest.raises(ValueError, match="network"):
        FetchRules(networks=("localhost",))


class Pages(Resource):
    """Leads from ``/to/…`` there, and is as long as ``/long/…`` says."""

    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        path = request.path.decode()
        if path.startswith("/to/"):
            request.setResponseCode(302)
            request.setHeader("location", unquote(path.removeprefix("/to/")))
            return b""
        request.setHeader("content-type", "text/html")
        length = int(path.removeprefix("/long/") or "0")
        return f'<link rel="openid2.provider" href="{OP}">'.encode().ljust(length)


class FetchingTests(TestCase):
    """A page of an attacker's, by https, at a name of theirs."""

    timeout = 30

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.pki = Pki.create("CA")
        self.own = self.pki.issue(
            "evil.example", dns=["evil.example", "two.example"], server=True
        )
        mine: dict[str, Any] = {
            "privateKey": load_pem_private_key(self.own.key_pem, None),
            "certificate": load_pem_x509_certificate(self.own.cert_pem),
        }
        pages: Any = Pages  # not annotated
        port = reactor.listenSSL(
            0, Site(pages()), ssl.CertificateOptions(**mine), interface="127.0.0.8"
        )
        self.addCleanup(port.stopListening)
        self.port = port.getHost().port
        self.url = f"https://evil.example:{self.port}/"

    def make(
        self,
        names: Names,
        networks: tuple[str, ...] = ("127.0.0.8/32",),
        tls: ClientTls | None = None,
    ) -> Discovery:
        self.reactor = Named(names)
        config = OutboundConfig(ca=str(self.pki.write(self.directory)))
        client = HttpClient(self.reactor, config)
        self.addCleanup(client.close)
        return Discovery(client, FetchRules(networks=networks), SettableClock(), tls)

    async def test_a_page_is_fetched_from_the_address_that_was_judged(self) -> None:
        names = Names(evil_example=["127.0.0.8"])
        found = await self.make(names).discover(f"{self.url}long/")
        assert found.endpoints[0].op_endpoint == OP
        assert self.reactor.connected == ["127.0.0.8"]

    async def test_a_name_that_changes_leads_nowhere_else(self) -> None:
        """DNS rebinding: what was judged is what is connected to."""
        names = Names(evil_example=["127.0.0.8", "127.0.0.1"])
        await self.make(names).discover(f"{self.url}long/")
        assert names.asked == ["evil.example"]

    async def test_a_name_of_our_network_leads_nowhere(self) -> None:
        for address in ("127.0.0.1", "10.0.0.1", "169.254.169.254"):
            names = Names(evil_example=[address])
            with pytest.raises(NoReplyError, match="local address"):
                await self.make(names).discover(self.url)
            assert self.reactor.connected == []

    async def test_a_redirect_into_our_network_leads_nowhere(self) -> None:
        """Each of these is judged like the first one."""
        for place in ("https://127.0.0.1/", "https://two.example/", "https://[::1]/"):
            names = Names(evil_example=["127.0.0.8"], two_example=["192.168.1.1"])
            with pytest.raises(NoReplyError, match="local address"):
                await self.make(names).discover(f"{self.url}to/{quote(place)}")
            assert self.reactor.connected == ["127.0.0.8"]

    async def test_a_page_without_end_is_refused(self) -> None:
        names = Names(evil_example=["127.0.0.8"])
        discovery = self.make(names)
        await discovery.discover(f"{self.url}long/{MAX_PAGE}")
        with pytest.raises(NoReplyError):
            await discovery.discover(f"{self.url}long/{MAX_PAGE + 1}")

    async def test_a_host_of_another_name_is_not_believed(self) -> None:
        names = Names(three_example=["127.0.0.8"])
        with pytest.raises(NoReplyError):
            await self.make(names).discover(f"https://three.example:{self.port}/long/")

    async def test_a_revoked_certificate_is_not_believed(self) -> None:
        ca = self.pki.write(self.directory).read_bytes()
        good = ClientTls(ca=ca, crl=self.pki.crl([]))
        bad = ClientTls(ca=ca, crl=self.pki.crl([self.own]))
        names = Names(evil_example=["127.0.0.8"])
        await self.make(names, tls=good).discover(f"{self.url}long/")
        with pytest.raises(NoReplyError):
            await self.make(names, tls=bad).discover(f"{self.url}long/")

    async def test_another_implementations_pages_are_understood(self) -> None:
        with openid2_op(self.directory, self.pki) as op:
            discovery = self.make(Names(), ("127.0.0.1/32",))
            for found in ("header", "meta", "html", "itself"):
                op.switches.found = found
                op.switches.local_ids = found != "meta"
                url = op.identity("alice")
                endpoint = Endpoint(
                    op_endpoint=op.op_endpoint,
                    claimed_id=url,
                    local_id=op.local_id("alice"),
                )
                assert (await discovery.discover(url)).best == endpoint
            best = (await discovery.discover(op.op_identifier)).best
            assert best == Endpoint(op_endpoint=op.op_endpoint, select=True)
