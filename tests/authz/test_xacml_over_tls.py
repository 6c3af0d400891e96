"""Questions over real connections: who we are there, and how long we wait."""

import contextlib
import tempfile
import time
from pathlib import Path
from typing import Any

import attrs
import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.authz.xacml import XacmlPolicy
from sso_proxy.authz.xacml_config import XacmlConfig
from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import PERMIT
from sso_proxy.net.http_client import HttpClient
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.testing.pki import Pki
from tests.support.pdp import DecisionPoint
from tests.support.sts import TokenServer
from tests.support.sts_serving import listen

reactor: Any = installed


class OverTlsTests(TestCase):
    """The decision point listens on a port, with a certificate."""

    def setUp(self) -> None:
        parent = Path(self.mktemp())
        parent.mkdir(parents=True)
        self.directory = Path(tempfile.mkdtemp(dir=parent))
        self.pki = Pki.create()
        self.point, self.server = DecisionPoint(), TokenServer()
        self.server.said = self.point.answer
        with contextlib.ExitStack() as stack:
            self.at = stack.enter_context(listen(self.server, self.directory, self.pki))
            self.addCleanup(stack.pop_all().close)
        self.http_client = HttpClient(reactor, OutboundConfig())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))

    async def close(self) -> None:
        await self.http_client.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    def policy(self, **options: Any) -> XacmlPolicy:  # noqa: ANN401
        """Make a policy that trusts the decision point's CA."""
        given = {"url": f"{self.server.origin}/pdp", "ca": str(self.at.ca)}
        tools = FakeTools(
            name="pdp",
            clock=SettableClock(time.time()),
            http_client=self.http_client,
            reactor=reactor,
        )
        return XacmlPolicy(XacmlConfig(**{**given, **options}), tools)

    async def test_our_certificate_says_who_we_are(self) -> None:
        """And a revocation list is looked at, which the good certificate is not on."""
        ours = self.pki.issue("us", client=True)
        certificate, key = map(str, ours.write(self.directory, "us"))
        policy = self.policy(
            certificate=certificate, key=key, crl=str(self.at.crl), auth="none"
        )
        assert await policy.decide(make_identity(), make_request()) == PERMIT
        assert self.server.asked[0].certificate == ours.der
        assert not self.point.complaints

    async def test_decision_point_that_says_nothing_is_slow_and_not_a_no(self) -> None:
        """Nothing at all, or half of an answer."""
        for how in ("held", "stalled"):
            self.server.said = lambda asked, how=how: attrs.evolve(
                self.point.answer(asked), how=how
            )
            policy = self.policy(timeout=0.1, bias="permit")
            with pytest.raises(UnavailableError) as caught:
                await policy.decide(make_identity(), make_request())
            assert caught.value.reason == "policy-slow"
            self.server.release()
