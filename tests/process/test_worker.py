"""A worker's life, in this process: what it is told, and what it says."""

import socket
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import pytest
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig, ServerConfig
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.control import (
    Control,
    Message,
    RefusedError,
    pack_config,
)
from sso_proxy.process.levels import Levels
from sso_proxy.process.worker import LogToParent, Worker
from sso_proxy.specs.revocation_document import write_revocation
from sso_proxy.specs.revocations import Revocation

REACTOR: Any = running_reactor


REVOKED = Revocation(issuer="i", jti="1", until=1)


def config(name: str = "good", drain_timeout: float = 20.0) -> Config:
    return Config(
        server=ServerConfig(name=name, drain_timeout=drain_timeout),
        listener=(ListenerConfig(address="::", port=1),),
        route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
    )


class StoppedReactor:
    """The running reactor, which only notes that it is to stop."""

    def __init__(self) -> None:
        self.stopped: Deferred[None] = Deferred()

    def stop(self) -> None:
        self.stopped.callback(None)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(REACTOR, name)


@attrs.define
class FakeGateway:
    """Does what its configuration's name says."""

    config: Config
    busy: Deferred[None] = attrs.field(factory=Deferred)
    draining: bool = False
    reopened: bool = False
    revoked: list[object] = attrs.field(factory=list)

    def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str], *, doubted: bool | None
    ) -> None:
        self.revoked.append(([*add], [*remove], doubted))

    def start(self) -> None:
        match self.config.server.name:
            case "bad":
                raise ConfigError(Mistake("a", "is wrong"), Mistake("b", "too"))
            case "broken":
                raise ZeroDivisionError

    async def reload(self, config: Config) -> None:
        self.config = config
        self.start()

    async def drain(self) -> None:
        self.draining = True
        await self.busy

    async def probe(self) -> tuple[str, ...]:
        return (f"what {self.config.server.name} misses",)

    def reopen_logs(self) -> None:
        self.reopened = True

    def refusal(self, id_: str) -> dict[str, Any] | None:
        return {"id": id_} if id_ == "known-1" else None

    async def status(self) -> dict[str, Any]:
        return {"told": "status"}

    async def sessions(self, document: object) -> dict[str, Any]:
        return {"status": 200, "did": document}

    def metrics(self) -> bytes:
        return b"fake 1\n"


class WorkerTests(TestCase):
    def setUp(self) -> None:
        self.told: list[Message] = []
        self.gateways: list[FakeGateway] = []
        self.reactor = StoppedReactor()
        ours, theirs = socket.socketpair()
        self.parent = Control(self.told.append, lambda: None)
        self.worker = Worker(self.reactor, self.make_gateway, ())
        self.parent.attach(REACTOR, ours)
        self.worker.control.attach(REACTOR, theirs)
        self.addCleanup(self.end)

    def make_gateway(
        self,
        _reactor: object,
        config: Config,
        _sockets: Sequence[socket.socket],
    ) -> FakeGateway:
        self.gateways.append(FakeGateway(config))
        return self.gateways[-1]

    async def end(self) -> None:
        self.finish_requests()
        self.parent.close()
        await self.reactor.stopped

    def finish_requests(self) -> None:
        for gateway in self.gateways:
            if not gateway.busy.called:
                gateway.busy.callback(None)

    async def start(self, config: Config) -> Message:
        """Start the worker; returns the first that it says."""
        revocations = [write_revocation(REVOKED)]
        self.parent.tell(
            {
                "config": pack_config(config),
                "revocations": revocations,
                "doubted": True,
            }
        )
        while not self.told:
            await self.turn()
        return self.told[0]

    def turn(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        REACTOR.callLater(0, done.callback, None)
        return done

    async def test_worker_says_that_it_is_ready(self) -> None:
        assert await self.start(config()) == {"ready": True}

    async def test_worker_that_cannot_start_says_why_and_ends(self) -> None:
        assert await self.start(config("bad")) == {"broken": "a: is wrong\nb: too"}
        await self.reactor.stopped
        assert self.worker.exit_code == 1

    async def test_failure_that_nobody_foresaw_is_logged(self) -> None:
        assert await self.start(config("broken")) == {"broken": "ZeroDivisionError: "}
        assert len(self.flushLoggedErrors(ZeroDivisionError)) == 1

    async def test_question_before_the_start_is_refused(self) -> None:
        with pytest.raises(RefusedError, match="not started"):
            await self.parent.ask("live")

    async def test_questions_are_answered_by_the_gateway(self) -> None:
        await self.start(config())
        assert await self.parent.ask("live") is True
        assert await self.parent.ask("ready") == ["what good misses"]
        assert await self.parent.ask("metrics") == "fake 1\n"
        assert await self.parent.ask("reopen") is None
        assert self.gateways[0].reopened

    async def test_it_logs_as_much_as_it_is_told(self) -> None:
        await self.start(config())
        change = {"namespace": "sso_proxy", "level": "debug", "seconds": 9.0}
        assert await self.parent.ask("level", change) is None
        (shown,) = self.worker.levels.show()
        assert (shown["namespace"], shown["level"]) == ("sso_proxy", "debug")

    async def test_unknown_question_is_refused(self) -> None:
        await self.start(config())
        with pytest.raises(RefusedError, match="nobody here knows how to dance"):
            await self.parent.ask("dance")

    async def test_gateway_knows_what_is_revoked_from_its_start_on(self) -> None:
        await self.start(config())
        assert self.gateways[0].revoked == [([REVOKED], [], True)]

    async def test_gateway_is_told_what_is_revoked(self) -> None:
        await self.start(config())
        change: dict[str, Any] = {"add": [write_revocation(REVOKED)], "remove": ["x"]}
        change["doubted"] = None
        assert await self.parent.ask("revoke", change) is None
        assert self.gateways[0].revoked[1:] == [([REVOKED], ["x"], None)]

    async def test_what_cannot_be_understood_is_not_acknowledged(self) -> None:
        await self.start(config())
        with pytest.raises(RefusedError):
            await self.parent.ask("revoke", {"add": [{"until": 1}], "remove": []})

    async def test_reload_changes_the_gateway(self) -> None:
        await self.start(config())
        assert await self.parent.ask("reload", pack_config(config("other"))) is None
        assert await self.parent.ask("ready") == ["what other misses"]

    async def test_mistakes_of_a_reload_are_told(self) -> None:
        await self.start(config())
        with pytest.raises(ConfigError) as refused:
            await self.parent.ask("reload", pack_config(config("bad")))
        assert len(refused.value.mistakes) == 2

    async def test_told_to_drain_it_finishes_requests_first(self) -> None:
        await self.start(config())
        assert await self.parent.ask("drain") is None
        assert self.gateways[0].draining
        assert not self.reactor.stopped.called
        self.finish_requests()
        await self.reactor.stopped
        assert self.worker.exit_code == 0

    async def test_drain_before_the_start_ends_at_once(self) -> None:
        self.parent.tell({"id": 0, "ask": "drain", "with": None})
        await self.reactor.stopped

    async def test_drain_and_signal_together_cut_nothing_off(self) -> None:
        """A service manager signals all processes, and the main process asks, too."""
        await self.start(config())
        await self.parent.ask("drain")
        self.worker.end()
        await self.turn()
        assert not self.reactor.stopped.called

    async def test_requests_that_take_too_long_are_cut_off(self) -> None:
        await self.start(config(drain_timeout=0.05))
        await self.parent.ask("drain")
        await self.reactor.stopped

    async def test_when_the_main_process_dies_requests_are_finished(self) -> None:
        await self.start(config())
        self.parent.close()
        while not self.gateways[0].draining:
            await self.turn()
        assert not self.reactor.stopped.called
        self.finish_requests()
        await self.reactor.stopped

    async def test_log_reaches_the_main_process(self) -> None:
        await self.start(config())
        LogToParent(self.worker.control, self.worker.levels)({"log_format": "hello"})
        while len(self.told) < 2:
            await self.turn()
        assert self.told[1]["log"]["text"] == "hello"


def test_lines_are_dropped_and_counted_while_nobody_keeps_up() -> None:
    told: list[Message] = []
    control: Any = Control(lambda _: None, lambda: None)
    control.tell = told.append
    log = LogToParent(control, Levels(lambda: 0.0))
    control.full = True
    for _ in range(3):
        log({"log_format": "lost"})
    assert told == []
    control.full = False
    log({"log_format": "kept"})
    texts = [message["log"]["text"] for message in told]
    assert texts == ["3 log lines were dropped here", "kept"]
