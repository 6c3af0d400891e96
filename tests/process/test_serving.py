"""The gateway in the main process."""

import weakref
from collections.abc import Iterable
from typing import Any

import attrs
import pytest
from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.serving import Alone
from sso_proxy.specs.revocations import Revocation

CONFIG = Config(
    listener=(ListenerConfig(address="::", port=1),),
    route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
)


@attrs.define
class FakeGateway:
    """Notes what is asked of it."""

    asked: list[object] = attrs.field(factory=list)

    def start(self) -> None:
        self.asked.append("start")

    async def reload(self, config: Config) -> None:
        assert config is CONFIG
        raise ConfigError(Mistake("a", "is wrong"))

    def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str], *, doubted: bool | None
    ) -> None:
        self.asked.append(("revoke", [*add], [*remove], doubted))

    async def drain(self) -> None:
        await succeed(None)
        self.asked.append("drain")

    async def probe(self) -> tuple[str, ...]:
        return ("a key",)

    def reopen_logs(self) -> None:
        self.asked.append("reopen_logs")

    def refusal(self, id_: str) -> dict[str, Any] | None:
        return {"id": id_} if id_ == "known-1" else None

    async def status(self) -> dict[str, Any]:
        return {"told": "status"}

    async def sessions(self, document: object) -> dict[str, Any]:
        return {"status": 200, "did": document}

    def metrics(self) -> bytes:
        return "größe 1\n".encode()


class AloneTests(TestCase):
    def setUp(self) -> None:
        self.gateway = FakeGateway()
        self.revoked = [Revocation(issuer="i", jti="1", until=1)]
        self.alone = Alone(self.gateway, self.revoked)

    async def test_gateway_does_what_is_asked(self) -> None:
        self.alone.start()
        await self.alone.reopen_logs()
        await self.alone.drain()
        assert self.gateway.asked[1:] == ["start", "reopen_logs", "drain"]

    async def test_gateway_knows_what_is_revoked_before_it_serves(self) -> None:
        self.revoked.append(Revocation(issuer="i", jti="2", until=1))
        self.alone.start()
        assert self.gateway.asked == [("revoke", self.revoked, [], False), "start"]

    async def test_what_a_reload_replaces_is_freed(self) -> None:
        class Replaced:
            def __init__(self) -> None:
                self.itself = self

        class Gateway(FakeGateway):
            async def reload(self, config: Config) -> None:  # noqa: ARG002
                self.asked.append(weakref.ref(Replaced()))

        gateway = Gateway()
        await Alone(gateway, []).reload(CONFIG)
        (replaced,) = gateway.asked
        assert isinstance(replaced, weakref.ref)
        assert replaced() is None

    async def test_gateway_is_told_what_is_revoked(self) -> None:
        assert await self.alone.revoke(self.revoked, ["x"]) == ()
        assert await self.alone.revoke((), (), doubted=True) == ()
        assert self.gateway.asked == [
            ("revoke", self.revoked, ["x"], None),
            ("revoke", [], [], True),
        ]

    async def test_gateway_s_answers_are_given(self) -> None:
        assert await self.alone.probe() == ("a key",)
        assert await self.alone.metrics() == "größe 1\n"
        done = await self.alone.sessions({"do": "list"})
        assert done == {"status": 200, "did": {"do": "list"}}
        assert await self.alone.status() == {0: {"told": "status"}}
        assert await self.alone.refusal("known-1") == {"id": "known-1"}
        assert await self.alone.refusal("other-1") is None

    async def test_who_answers_is_alive(self) -> None:
        assert await self.alone.faults() == ()

    async def test_refusal_to_reload_comes_back(self) -> None:
        with pytest.raises(ConfigError):
            await self.alone.reload(CONFIG)
