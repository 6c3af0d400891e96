from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.client import ResponseNeverReceived
from twisted.web.resource import Resource
from twisted.web.server import Site

from sso_proxy.testing.demo.authorization_server import peer_certificate, tls_options
from sso_proxy.testing.demo.call import ClientTls, Question, call
from sso_proxy.testing.demo.echo import Echo
from sso_proxy.testing.pki import Issued, Pki

PKI = Pki.create()
SERVER = PKI.issue("server", ips=["127.0.0.1"], dns=["api.example.com"], server=True)
CLIENT = PKI.issue("client", client=True)


class WhoAreYou(Resource):
    isLeaf = True

    def render(self, request: object) -> bytes:
        der = peer_certificate(request)  # type: ignore[arg-type]
        return b"nobody" if der is None else der


class CallTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        self.url = self.serve()

    def serve(self) -> str:
        site = Site(WhoAreYou())
        options = tls_options(SERVER, PKI)
        port = self.reactor.listenSSL(0, site, options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return f"https://127.0.0.1:{port.getHost().port}/"

    async def ask(self, certificate: Issued | None) -> bytes:
        tls = ClientTls(trust=PKI, certificate=certificate)
        return (await call(self.reactor, tls, Question(url=self.url))).body

    async def test_certificate_is_shown(self) -> None:
        assert await self.ask(CLIENT) == CLIENT.der

    async def test_no_certificate_is_shown_unasked(self) -> None:
        assert await self.ask(None) == b"nobody"

    async def test_server_of_another_authority_is_not_trusted(self) -> None:
        with pytest.raises(Exception, match="certificate verify failed"):
            await call(
                self.reactor, ClientTls(trust=Pki.create()), Question(url=self.url)
            )

    async def test_other_name_can_be_asked_for(self) -> None:
        tls = ClientTls(trust=PKI, server_name="api.example.com")
        answer = await call(self.reactor, tls, Question(url=self.url))
        assert answer.status == 200

    async def test_body_and_fields_are_sent(self) -> None:
        site = Site(Echo())
        port = self.reactor.listenTCP(0, site, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        question = Question(
            url=f"http://127.0.0.1:{port.getHost().port}/x",
            method="POST",
            headers={"X-A": "1"},
            body=b"four",
        )
        answer = await call(self.reactor, ClientTls(trust=PKI), question)
        assert answer.json()["body_octets"] == 4
        assert "X-A: 1" in answer.json()["headers"]
        assert answer.headers["content-type"] == "application/json"

    async def test_server_that_says_nothing_is_given_up(self) -> None:
        silent = Factory.forProtocol(Protocol)
        port = self.reactor.listenTCP(0, silent, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        question = Question(url=f"http://127.0.0.1:{port.getHost().port}/")
        with pytest.raises(ResponseNeverReceived):
            await call(self.reactor, ClientTls(trust=PKI), question, patience=0.2)
