"""Cerbos decides for us: the API gateway scenario, by our client and the proxy."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet import reactor  # noqa: TID251
from twisted.trial.unittest import TestCase

from sso_proxy.authz.authzen import AuthzenPolicy
from sso_proxy.authz.authzen_config import AuthzenConfig
from sso_proxy.config.model import OutboundConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Effect
from sso_proxy.net.http_client import HttpClient
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from tests.support.cerbos_server import Cerbos
from tests.support.decision_scene import DATA, gateway_cases
from tests.support.issuing import Issuer
from tests.support.running import eventually
from tests.test_etc_tokens import Example

PATHS = ("/todos", "/todos/{todoId}", "/users/{userId}")
CASES = gateway_cases()
EDITOR, VIEWER = CASES[0][0]["subject"]["id"], CASES[-1][0]["subject"]["id"]


@pytest.fixture(scope="module")
def cerbos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cerbos]:
    directory = tmp_path_factory.mktemp("cerbos")
    with Cerbos(directory, DATA / "cerbos") as running:
        yield running


class OurClient(TestCase):
    """The client, with a network and without the rest."""

    @pytest.fixture(autouse=True)
    def _ask(self, cerbos: Cerbos) -> None:
        self.cerbos = cerbos

    def setUp(self) -> None:
        self.http_client = HttpClient(reactor, OutboundConfig(timeout=5))
        self.addCleanup(self.http_client.close)
        tools = FakeTools(http_client=self.http_client, reactor=reactor)
        config = AuthzenConfig(url=self.cerbos.url, paths=PATHS)
        self.policy = AuthzenPolicy.from_config(config, tools)

    async def test_all_decisions_of_the_scenario_are_made(self) -> None:
        made = []
        for asked, _ in CASES:
            path = asked["resource"]["id"].replace("{", "").replace("}", "")
            decision = await self.policy.decide(
                make_identity(asked["subject"]["id"]),
                make_request(asked["action"]["name"], path),
            )
            made.append(decision.effect is Effect.PERMIT)
        assert made == [expected for _, expected in CASES]
        assert len(made) == 25
        assert await self.policy.probe() == ()

    async def test_it_dislikes_members_that_it_does_not_know(self) -> None:
        """So we send none: an answer of 400 would be none at all."""
        url = f"{self.cerbos.url}/access/v1/evaluation"
        body = json.dumps({**CASES[0][0], "future": 1}).encode()
        fields = {"Content-Type": "application/json"}
        reply = await self.http_client.send("POST", url, body, fields)
        assert reply.status == 400
        config = AuthzenConfig(endpoint=f"{self.cerbos.url}/access/v1/nowhere")
        tools = FakeTools(http_client=self.http_client, reactor=reactor)
        lost = AuthzenPolicy.from_config(config, tools)
        with pytest.raises(UnavailableError) as caught:
            await lost.decide(make_identity(EDITOR), make_request())
        assert caught.value.reason == "policy-unusable"


def test_the_whole_proxy_asks(tmp_path: Path) -> None:
    """etc/authzen.toml: yes, no, and nobody there to say so."""
    issuer = Issuer()
    issuers = {"https://login.example.com": issuer}
    with Cerbos(tmp_path, DATA / "cerbos") as cerbos:
        example = Example("authzen.toml", tmp_path, issuers)
        config = example.proxy.config
        text = config.read_text()
        assert text.count("https://pdp.example.com") == 1
        audit = f'audit = {{ to = "file", file = "{tmp_path}/audit.log" }}\n'
        text = text.replace("[server]\n", f"[server]\n{audit}")
        config.write_text(text.replace("https://pdp.example.com", cerbos.url))
        with example.running(issuer):

            def status(path: str, subject: str) -> int:
                return example.ask(path, issuer.token(sub=subject)).status

            assert status("/todos", EDITOR) == 200
            assert status("/users/rick", VIEWER) == 200
            assert status("/todos", "nobody") == 403
            assert status("/other", EDITOR) == 200, "the policy of Cerbos has no paths"
            cerbos.stop()
            assert status("/todos", EDITOR) == 200, "that was asked a moment ago"
            assert status("/todos/1", EDITOR) == 503
            records = tmp_path / "audit.log"
            last = '"reason":"policy-down"'
            eventually(lambda: last in records.read_text(), last)
            assert '"reason":"pdp/denied"' in records.read_text()
