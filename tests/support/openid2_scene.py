"""Logins at an OpenID 2.0 provider, without a proxy around them."""

import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.http_client import HttpClient, HttpReply
from sso_proxy.net.openid2_fetch import Discovery, FetchRules
from sso_proxy.net.openid2_provider import (
    NEEDS,
    PURPOSE,
    Providers,
)
from sso_proxy.net.threads import Threads
from sso_proxy.specs.openid2.assertion import (
    Assertion,
    AssertionRefused,
    needs_discovery,
    read_assertion,
)
from sso_proxy.specs.openid2.discovery import Discovered, Endpoint
from sso_proxy.specs.openid2.identifier import without_fragment
from sso_proxy.specs.openid2.message import Message, read_message
from sso_proxy.specs.openid2.request import build_request, request_url
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki
from tests.support.openid2_op import OpenIdProvider, openid2_op

reactor: Any = installed
HERE = "http://app.example/.sso/callback/openid"
BACK = f"{HERE}?login=abc"
LOOPBACK = ("127.0.0.0/8",)
PKI = Pki.create("CA")


class Spied(Threads):
    """Notes in which threads work is done."""

    def __init__(self) -> None:
        super().__init__(reactor, "openid2", 1)
        self.seen: list[int] = []

    async def run(self, work: Any, *given: Any, **named: Any) -> Any:  # noqa: ANN401
        """Do *work*."""

        def turn() -> Any:  # noqa: ANN401
            self.seen.append(threading.get_ident())
            return work(*given, **named)

        return await super().run(turn)


class Said:
    """A client to which everybody says the same, one thing after the other."""

    def __init__(self, *replies: HttpReply | Exception) -> None:
        self.replies = list(replies)
        self.asked: list[dict[str, str]] = []
        self.options: list[dict[str, Any]] = []

    def guarded(self, *_: object, **__: object) -> "Said":
        return self

    async def post_form(
        self,
        url: str,
        fields: Sequence[tuple[str, str]],
        **options: Any,  # noqa: ANN401
    ) -> HttpReply:
        self.asked.append({"url": url, **dict(fields)})
        self.options.append(options)
        said = self.replies.pop(0)
        if isinstance(said, Exception):
            raise said
        return said


class Scene(TestCase):
    """A provider, and us."""

    timeout = 60

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.tools = FakeTools()
        self.clock = self.tools.clock
        self.clock.now = time.time()
        self.cache = self.tools.cache(None, NEEDS)
        self.threads = Spied()
        self.addCleanup(self.threads.close)

    def run_op(self, pki: Pki | None = None, **switches: Any) -> OpenIdProvider:  # noqa: ANN401
        running = openid2_op(self.directory, pki, **switches)
        op = running.__enter__()
        self.addCleanup(running.__exit__, None, None, None)
        return op

    def make(self, client: Any = None, **options: Any) -> Providers:  # noqa: ANN401
        if client is None:
            ca = str(PKI.write(self.directory))
            client = HttpClient(reactor, OutboundConfig(ca=ca))
            self.addCleanup(client.close)
        rules = options.pop("rules", FetchRules(networks=LOOPBACK))
        if isinstance(client, HttpClient):
            self.discovery = Discovery(client, rules, self.clock)
        return Providers(
            client,
            cache=self.cache,
            sealer=self.tools.sealer(PURPOSE),
            clock=self.clock,
            threads=self.threads,
            rules=rules,
            **options,
        )

    async def begin(
        self, providers: Providers, typed: str, *, immediate: bool = False
    ) -> tuple[Endpoint, str]:
        """Begin a login; give the endpoint, and where the browser is sent."""
        endpoint = (await self.discovery.discover(typed)).best
        assert endpoint is not None
        association = await providers.associate(endpoint.op_endpoint)
        fields = build_request(
            endpoint,
            return_to=BACK,
            realm="http://app.example/",
            handle="" if association is None else association.handle,
            immediate=immediate,
        )
        return endpoint, request_url(endpoint.op_endpoint, fields)

    def bring(self, place: str) -> Message:
        """Read what a browser brings back."""
        here, _, query = place.partition("?")
        assert here == HERE
        return read_message(query)

    def read(self, message: Message) -> Assertion:
        return read_assertion(message, return_to=BACK, here=HERE, now=self.clock.time())

    async def log_in(
        self, op: OpenIdProvider, providers: Providers, typed: str
    ) -> tuple[Assertion, Endpoint | Discovered]:
        """Log in; give the answer, and what is known about its identifier."""
        endpoint, url = await self.begin(providers, typed)
        assertion = self.read(self.bring(op.visit(url)))
        found: Endpoint | Discovered = endpoint
        if needs_discovery(assertion, endpoint):
            claimed_id = without_fragment(assertion.claimed_id)
            found = await self.discovery.discover(claimed_id)
        await providers.verify(assertion, found)
        return assertion, found

    async def refused(self, work: Any) -> str:  # noqa: ANN401
        with pytest.raises(AssertionRefused) as refused:
            await work
        return refused.value.reason
