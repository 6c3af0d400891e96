"""What a token service says that was taken over is refused, not kept, not followed."""

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpClient
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.wstrust import WsTrustSource
from sso_proxy.tokens.wstrust_config import WsTrustConfig
from tests.support.remote_scene import ORDERS, caller
from tests.support.sts import TokenServer
from tests.support.sts_faults import Said
from tests.support.sts_serving import Listening, listen
from tests.support.trust_scene import assertion, envelope, issued, said

reactor: Any = installed

GOOD = envelope(issued(assertion()))
BOMB = (
    b'<!DOCTYPE a [<!ENTITY a0 "lol">'
    + b"".join(b'<!ENTITY a%d "%s">' % (n + 1, b"&a%d;" % n * 10) for n in range(9))
    + b"]>"
)
SECOND = assertion("mallory").replace('ID="i"', 'ID="j"')
UNUSABLE = {
    "entity bomb": BOMB + GOOD.replace(b"alice", b"&a9;"),
    "comment in a name": GOOD.replace(b"alice", b"alice<!-- -->.evil"),
    "instruction": b"<?xml-stylesheet href='x'?>" + GOOD,
    "utf-7": b"<?xml version='1.0' encoding='utf-7'?>" + GOOD,
    "truncated": GOOD[:-20],
    "two documents": GOOD + GOOD,
    "two bodies": GOOD.replace(b"</s:Body>", b"</s:Body><s:Body/>"),
    "two assertions": envelope(issued(assertion() + SECOND)),
    "wrapped assertion": envelope(
        issued(assertion().replace("<a:Subject>", assertion() + "<a:Subject>"))
    ),
    "two tokens": envelope(
        issued(
            assertion()
            + "</t:RequestedSecurityToken><t:RequestedSecurityToken>"
            + SECOND
        )
    ),
    "control characters": GOOD.replace(b"alice", b"alice&#1;"),
    "deep": envelope(issued("<a>" * 5000 + "</a>" * 5000)),
    "large": envelope(issued(assertion("x" * 900_000))),
    "nothing": b"",
}
BROKEN = {
    "too large": Said(body=GOOD + b" " * 2_000_000),
    "endless": Said(how="endless", body=GOOD),
    "cut": Said(body=GOOD, lacks=20),
    "reset": Said(how="reset"),
    "no http": Said(octets=b"hello\r\n\r\n"),
}


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    """Serve a token service."""
    with listen(TokenServer(), tmp_path, Pki.create()) as at:
        yield at


class TrustAnswerTests(TestCase):
    at: Listening

    @pytest.fixture(autouse=True)
    def _place(self, listening: Listening) -> None:
        self.at = listening

    def setUp(self) -> None:
        self.http = HttpClient(reactor, OutboundConfig(ca=str(self.at.ca)))
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))
        config = WsTrustConfig(endpoint=self.at.server.url)
        self.source = WsTrustSource(
            config, FakeTools(http_client=self.http, reactor=reactor)
        )

    async def close(self) -> None:
        await self.http.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    async def ask(self, answer: Said) -> Token | NotIssued:
        self.at.server.said = lambda _: answer
        found: Token | NotIssued = await self.source.token_for(caller(), ORDERS)
        return found

    async def test_what_is_no_answer_gives_no_token_and_is_not_kept(self) -> None:
        for name, body in UNUSABLE.items():
            found = await self.ask(said(body))
            assert isinstance(found, NotIssued), name
            assert (found.reason, found.status) == ("token-unusable", 502), name
            assert "alice" not in found.detail
            assert "mallory" not in found.detail
        assert isinstance(await self.ask(said(GOOD)), Token)

    async def test_a_broken_answer_is_an_outage_that_is_not_kept(self) -> None:
        for name, answer in BROKEN.items():
            try:
                found: object = await self.ask(answer)
            except UnavailableError as e:
                found = e.status
            assert found == 502, name
        assert isinstance(await self.ask(said(GOOD)), Token)

    async def test_a_redirect_leads_nowhere(self) -> None:
        to = (("Location", "https://127.0.0.1:1/"), *said(GOOD).headers)
        for status in (301, 302, 307, 308):
            found = await self.ask(Said(status=status, body=GOOD, headers=to))
            assert isinstance(found, NotIssued)
            assert found.status == 502

    async def test_nothing_that_an_answer_names_is_fetched(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as canary:
            canary.setblocking(False)
            place = f"http://127.0.0.1:{canary.getsockname()[1]}/x".encode()
            for top in (
                b'<!DOCTYPE a SYSTEM "%s">',
                b'<!DOCTYPE a [<!ENTITY e SYSTEM "%s">]>',
                b'<!DOCTYPE a [<!ENTITY %% e SYSTEM "%s">%%e;]>',
            ):
                body = top % place + GOOD.replace(b"alice", b"&e;")
                found = await self.ask(said(body))
                assert isinstance(found, NotIssued)
            with pytest.raises(BlockingIOError):
                canary.accept()
