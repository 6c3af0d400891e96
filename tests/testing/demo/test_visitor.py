"""A browser for checks: cookies, redirects, a login."""

from typing import Any

import pytest
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from sso_proxy.testing.demo.call import ClientTls
from sso_proxy.testing.demo.provider_site import server_tls
from sso_proxy.testing.demo.visitor import PAGE, STEPS, NotAskedError, Visitor
from sso_proxy.testing.pki import Pki

PKI = Pki.create()
SERVER = PKI.issue("server", ips=["127.0.0.1"], server=True)


class Pages(Resource):
    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[tuple[bytes, bytes, bytes, list[str]]] = []

    def render(self, request: Request) -> bytes:
        body = request.content.read() if request.content else b""
        cookies = list(request.requestHeaders.getRawHeaders("cookie", []))
        self.seen.append((request.method, request.path, body, cookies))
        lead = {
            b"/login": "/authorize?state=s%26&client_id=c",
            b"/round": "/round",
            b"/back": "/done",
        }.get(request.path)
        if request.path == b"/authorize":
            lead = "/back"
        if lead:
            request.setResponseCode(303)
            request.setHeader("location", lead)
        for cookie in {
            b"/login": ["a=1; Path=/; Secure", "b=2"],
            b"/back": ["a=; Max-Age=0", "c=3"],
        }.get(request.path, []):
            request.responseHeaders.addRawHeader("set-cookie", cookie)
        return b"done"


class VisitorTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        anything: Any = reactor
        self.pages = Pages()
        port = anything.listenSSL(
            0, Site(self.pages), server_tls(SERVER), interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        self.url = f"https://127.0.0.1:{port.getHost().port}"
        self.visitor = Visitor(reactor=reactor, tls=ClientTls(trust=PKI))

    async def test_a_login_is_a_form_at_the_provider_and_the_way_back(self) -> None:
        answer = await self.visitor.log_in(f"{self.url}/login", "alice")
        assert answer.status == 200
        assert self.pages.seen == [
            (b"GET", b"/login", b"", []),
            (
                b"POST",
                b"/authorize",
                b"state=s%26&client_id=c&person=alice",
                ["a=1; b=2"],
            ),
            (b"GET", b"/back", b"", ["a=1; b=2"]),
            (b"GET", b"/done", b"", ["b=2; c=3"]),
        ]

    async def test_nobody_is_logged_in_who_is_not_asked(self) -> None:
        with pytest.raises(NotAskedError, match="200"):
            await self.visitor.log_in(f"{self.url}/page", "alice")

    async def test_one_question_is_not_followed(self) -> None:
        answer = await self.visitor.ask(f"{self.url}/round", PAGE)
        assert answer.status == 303
        assert len(self.pages.seen) == 1

    async def test_what_leads_round_and_round_ends(self) -> None:
        answer = await self.visitor.look(f"{self.url}/round")
        assert answer.status == 303
        assert len(self.pages.seen) == STEPS + 1
