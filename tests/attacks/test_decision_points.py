"""What a decision point says that was taken over, or is down, lets nobody in."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.authz.authzen import AuthzenPolicy
from sso_proxy.authz.authzen_config import AuthzenConfig
from sso_proxy.config.model import OutboundConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import UnavailableError
from sso_proxy.model import PERMIT, Decision
from sso_proxy.net.http_client import HttpClient
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.testing.pki import Pki
from tests.support.policy_scene import answer
from tests.support.sts import TokenServer
from tests.support.sts_faults import HUGE, Said
from tests.support.sts_serving import Listening, Shown, listen

reactor: Any = installed

YES: Final = b'{"decision": true}'
UNUSABLE: Final = {
    "text": answer(b'{"decision": "false"}'),
    "yes in text": answer(b'{"decision": "true"}'),
    "number": answer(b'{"decision": 1}'),
    "twice": answer(b'{"decision": false, "decision": true}'),
    "twice, escaped": answer(b'{"decision": false, "\\u0064ecision": true}'),
    "twice in the context": answer(b'{"decision": true, "context": {"a":1,"a":2}}'),
    "two documents": answer(YES + YES),
    "array": answer(b"[" + YES + b"]"),
    "not a number": answer(b'{"decision": true, "x": NaN}'),
    "long number": answer(b'{"decision": true, "x": ' + b"9" * 60000 + b"}"),
    "deep": answer(b'{"decision": true, "x": ' + b"[" * 9000 + b"]" * 9000 + b"}"),
    "utf-16": answer(YES.decode().encode("utf-16"), "application/json; charset=utf-16"),
    "not utf-8": answer(b'{"decision": true, "x": "\xff"}'),
    "half a character": answer(b'{"decision": true, "x": "\\ud800"}'),
    "plain text": answer(YES, "text/plain"),
    "two types": answer(YES, "application/json, text/plain"),
    "no type": answer(YES, None),
    "huge": answer(YES + b" " * HUGE),
    "endless": Said(how="endless", body=YES),
    "cut": Said(body=YES, lacks=20),
    "reset": Said(how="reset"),
    "no http": Said(octets=b"yes\r\n\r\n"),
    "no content": Said(status=204),
    "created": answer(YES, status=201),
    "partial": answer(YES, status=206),
    "bad request": answer(YES, status=400),
}


@pytest.fixture
def listening(tmp_path: Path) -> Iterator[Listening]:
    """Serve a decision point."""
    with listen(TokenServer(), tmp_path, Pki.create()) as at:
        yield at


class DecisionPointTests(TestCase):
    at: Listening

    @pytest.fixture(autouse=True)
    def _place(self, listening: Listening) -> None:
        self.at = listening

    def setUp(self) -> None:
        self.http = HttpClient(reactor, OutboundConfig())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))
        self.policy = self.make()

    def make(self, **options: Any) -> AuthzenPolicy:  # noqa: ANN401
        config = AuthzenConfig(
            endpoint=f"{self.at.server.origin}/access/v1/evaluation",
            auth="bearer",
            bearer_token=Secret("our-secret"),
            ca=str(self.at.ca),
            **options,
        )
        tools = FakeTools(http_client=self.http, reactor=reactor)
        return AuthzenPolicy.from_config(config, tools)

    async def close(self) -> None:
        await self.http.close()
        await deferLater(reactor, 0.02)  # what was cut is reported a moment later

    async def ask(self, said: Said) -> Decision:
        self.at.server.said = lambda _: said
        return await self.policy.decide(make_identity(), make_request())

    async def why_not(self, said: Said) -> str:
        with pytest.raises(UnavailableError) as caught:
            await self.ask(said)
        assert caught.value.status == 503
        assert "our-secret" not in caught.value.what
        return caught.value.reason

    async def test_what_is_no_answer_is_neither_yes_nor_no_and_not_kept(self) -> None:
        for name, said in UNUSABLE.items():
            assert await self.why_not(said) == "policy-unusable", name
        assert await self.ask(answer(YES)) == PERMIT

    async def test_a_redirect_leads_nowhere(self) -> None:
        to = f"{self.at.server.origin}/elsewhere"
        for status in (301, 302, 303, 307, 308):
            moved = answer(YES, status=status, location=to)
            assert await self.why_not(moved) == "policy-unusable"
        assert {asked.path for asked in self.at.server.asked} == {
            "/access/v1/evaluation"
        }

    async def test_who_says_nothing_holds_up_nobody_for_long(self) -> None:
        self.policy = self.make(timeout=0.1)
        for said in (Said(how="held"), answer_begun()):
            assert await self.why_not(said) == "policy-slow"
            self.at.server.release()
        assert await self.ask(answer(YES)) == PERMIT

    async def test_only_the_decision_point_itself_is_asked(self) -> None:
        shown: tuple[Shown, ...] = ("wrong-name", "expired", "stranger")
        for certificate in shown:
            self.at.show(certificate)
            assert await self.why_not(answer(YES)) == "policy-down", certificate
        assert self.at.server.asked == []


def answer_begun() -> Said:
    """Begin an answer and stop."""
    return Said(
        how="stalled", headers=(("Content-Type", "application/json"),), body=YES
    )
