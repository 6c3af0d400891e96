"""Exchanges over real connections: who the server is, who we are, how long it takes."""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import OutboundConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpClient
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.exchange import ExchangeSource
from sso_proxy.tokens.exchange_config import ExchangeConfig
from tests.conformance.parts import Client
from tests.support.remote_scene import ORDERS, SECRET, caller
from tests.support.sts import TokenServer
from tests.support.sts_serving import listen

reactor: Any = installed


class OverTlsTests(TestCase):
    """The server listens on a port, with a certificate."""

    def setUp(self) -> None:
        parent = Path(self.mktemp())
        parent.mkdir(parents=True)
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.pki = Pki.create()
        self.ours = self.pki.issue("us", client=True)
        self.sts = TokenServer(Client(secret=SECRET))
        with contextlib.ExitStack() as stack:
            self.at = stack.enter_context(listen(self.sts, self.directory, self.pki))
            self.addCleanup(stack.pop_all().close)
        self.http_client = HttpClient(reactor, OutboundConfig())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        await self.http_client.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    def source(self, **options: Any) -> ExchangeSource:  # noqa: ANN401
        """Make a source that trusts the server's CA."""
        given = {
            "endpoint": self.sts.url,
            "client_id": "proxy",
            "client_secret": Secret(SECRET),
            "ca": str(self.at.ca),
        }
        tools = FakeTools(
            clock=SettableClock(time.time()),
            http_client=self.http_client,
            reactor=reactor,
        )
        return ExchangeSource(ExchangeConfig(**{**given, **options}), tools)

    async def status(self, source: ExchangeSource) -> int:
        """Give what becomes of a request while there is no answer."""
        try:
            found = await source.token_for(caller(), ORDERS)
        except UnavailableError as e:
            return e.status
        assert isinstance(found, NotIssued)
        return found.status

    async def test_a_server_that_is_trusted_is_asked(self) -> None:
        found = await self.source(crl=str(self.at.crl)).token_for(caller(), ORDERS)
        assert isinstance(found, Token)
        assert found.value == self.sts.issued[0]

    async def test_nobody_else_hears_a_token(self) -> None:
        """A revoked certificate is found out by the list, and by that alone."""
        for shown in ("wrong-name", "expired", "stranger", "revoked"):
            self.at.show(shown)
            assert await self.status(self.source(crl=str(self.at.crl))) == 502
        assert self.sts.count == 0
        assert isinstance(await self.source().token_for(caller(), ORDERS), Token)

    async def test_our_certificate_says_who_we_are(self) -> None:
        certificate, key = self.ours.write(self.directory, "us")
        self.sts.clients = (
            Client(auth="tls_client_auth", thumbprint=self.ours.thumbprint),
        )
        source = self.source(
            auth="tls_client_auth",
            client_secret=None,
            certificate=str(certificate),
            key=str(key),
        )
        assert isinstance(await source.token_for(caller(), ORDERS), Token)
        assert self.sts.complaints == []

    async def test_a_server_that_says_nothing_is_not_waited_for(self) -> None:
        for fault in ("held", "stalled"):
            self.sts.fail(fault)
            assert await self.status(self.source(timeout=0.1)) == 504
            self.sts.release()

    async def test_an_answer_without_end_is_cut(self) -> None:
        for fault in ("endless", "huge", "no-http", "reset", "cut"):
            self.sts.fail(fault, fault)
            assert await self.status(self.source()) == 502
            self.sts.heal()

    async def test_nobody_is_followed_elsewhere(self) -> None:
        for status in ("301", "307"):
            before = self.sts.count
            self.sts.fail(status)
            assert await self.status(self.source()) == 502
            assert [asked.path for asked in self.sts.asked[before:]] == ["/token"]
