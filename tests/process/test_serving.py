"""The gateway in the main process."""

import attrs
import pytest
from twisted.internet.defer import succeed
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.serving import Alone

CONFIG = Config(
    listener=(ListenerConfig(address="::", port=1),),
    route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
)


@attrs.define
class FakeGateway:
    """Notes what is asked of it."""

    asked: list[str] = attrs.field(factory=list)

    def start(self) -> None:
        self.asked.append("start")

    async def reload(self, config: Config) -> None:
        assert config is CONFIG
        raise ConfigError(Mistake("a", "is wrong"))

    async def drain(self) -> None:
        await succeed(None)
        self.asked.append("drain")

    async def probe(self) -> tuple[str, ...]:
        return ("a key",)

    def reopen_logs(self) -> None:
        self.asked.append("reopen_logs")

    def metrics(self) -> bytes:
        return "größe 1\n".encode()


class AloneTests(TestCase):
    def setUp(self) -> None:
        self.gateway = FakeGateway()
        self.alone = Alone(self.gateway)

    async def test_gateway_does_what_is_asked(self) -> None:
        self.alone.start()
        await self.alone.reopen_logs()
        await self.alone.drain()
        assert self.gateway.asked == ["start", "reopen_logs", "drain"]

    async def test_gateway_s_answers_are_given(self) -> None:
        assert await self.alone.probe() == ("a key",)
        assert await self.alone.metrics() == "größe 1\n"

    async def test_who_answers_is_alive(self) -> None:
        assert await self.alone.faults() == ()

    async def test_refusal_to_reload_comes_back(self) -> None:
        with pytest.raises(ConfigError):
            await self.alone.reload(CONFIG)
