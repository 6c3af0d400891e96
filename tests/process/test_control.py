"""The line between the main process and a worker."""

import json
import socket
from typing import Any

import pytest
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    ListenerConfig,
    RouteConfig,
    ServerConfig,
)
from sso_proxy.config.secrets import Secret
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.control import (
    Control,
    Message,
    OtherEndError,
    RefusedError,
    encode,
    pack_config,
    unpack_config,
)

REACTOR: Any = running_reactor


class ControlTests(TestCase):
    """Two ends of a line, in one process."""

    def setUp(self) -> None:
        self.told: list[Message] = []
        self.lost: Deferred[None] = Deferred()
        self.hold: Deferred[None] = Deferred()
        ours, theirs = socket.socketpair()
        self.parent = Control(self.told.append, lambda: None)
        self.worker = Control(
            self.told.append, lambda: self.lost.callback(None), self.answer
        )
        self.parent.attach(REACTOR, ours)
        self.worker.attach(REACTOR, theirs)
        self.addCleanup(self.hang_up)

    async def hang_up(self) -> None:
        self.parent.close()
        await self.lost

    async def answer(self, what: str, argument: object) -> object:
        match what:
            case "echo":
                return argument
            case "hold":
                await self.hold
                return "late"
            case "reload":
                raise ConfigError(Mistake("a[0].b", "is wrong"), Mistake("c", "too"))
            case "refuse":
                raise RefusedError("not now")
            case _:
                raise KeyError(what)

    async def test_question_is_answered(self) -> None:
        value = {"text": "line\nfeed and ☃", "list": [1, None]}
        assert await self.parent.ask("echo", value) == value

    async def test_answers_find_their_question_in_any_order(self) -> None:
        late = Deferred.fromCoroutine(self.parent.ask("hold"))
        assert await self.parent.ask("echo", 1) == 1
        self.hold.callback(None)
        assert await late == "late"

    async def test_every_mistake_comes_back(self) -> None:
        with pytest.raises(ConfigError) as refused:
            await self.parent.ask("reload")
        assert refused.value.mistakes == (
            Mistake("a[0].b", "is wrong"),
            Mistake("c", "too"),
        )

    async def test_refusal_comes_back(self) -> None:
        with pytest.raises(RefusedError, match="not now"):
            await self.parent.ask("refuse")

    async def test_failure_is_logged_there_and_told_here(self) -> None:
        with pytest.raises(RefusedError, match="KeyError: 'unknown'"):
            await self.parent.ask("unknown")
        assert len(self.flushLoggedErrors(KeyError)) == 1

    async def test_end_without_answers_refuses_to_answer(self) -> None:
        with pytest.raises(RefusedError, match="nobody answers here"):
            await self.worker.ask("echo")

    async def test_nobody_waits_for_one_who_is_gone(self) -> None:
        waiting = Deferred.fromCoroutine(self.parent.ask("hold"))
        self.worker.close()
        with pytest.raises(OtherEndError, match="ended before it answered"):
            await waiting
        with pytest.raises(OtherEndError, match="not running"):
            await self.parent.ask("echo")

    async def test_answer_that_nobody_waits_for_any_more_is_dropped(self) -> None:
        waiting = Deferred.fromCoroutine(self.parent.ask("hold"))
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        self.hold.callback(None)
        assert await self.parent.ask("echo", 2) == 2

    async def test_what_is_told_last_arrives(self) -> None:
        self.worker.tell({"log": "x" * 1000000})
        self.worker.close()
        await self.lost
        while not self.told:
            await self.turn()
        assert self.told == [{"log": "x" * 1000000}]

    async def test_end_that_does_not_keep_up_is_noticed(self) -> None:
        """A log must not fill our memory."""
        self.parent.pauseProducing()
        transport: Any = self.parent.transport
        transport.pauseProducing()
        while not self.worker.full:
            self.worker.tell({"log": "x" * 100000})
            await self.turn()
        transport.resumeProducing()
        while self.worker.full:
            await self.turn()

    def turn(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        REACTOR.callLater(0, done.callback, None)
        return done


def test_messages_may_come_in_any_pieces() -> None:
    told: list[Message] = []
    control = Control(told.append, lambda: None)
    for octet in encode({"a": "\n"}) + encode({"b": 2}):
        control.dataReceived(bytes([octet]))
    assert told == [{"a": "\n"}, {"b": 2}]


def test_telling_nobody_does_nothing() -> None:
    Control(lambda _: None, lambda: None).tell({"log": {}})


def test_configuration_arrives_as_it_was() -> None:
    config = Config(
        server=ServerConfig(name="x", trusted_proxies=("10.0.0.0/8",)),
        listener=(ListenerConfig(address="::", port=1),),
        authenticator={
            "a": ComponentConfig(
                type="bearer", options={"list": [1, {"b": "c"}], "key": "☃"}
            )
        },
        route=(RouteConfig(host="*", authenticate=("a",), backend="http://b"),),
    )
    packed = json.loads(json.dumps(pack_config(config)))
    assert unpack_config(packed) == config


def test_secret_survives_and_stays_hidden() -> None:
    options = {"secret": Secret("hush")}
    config = Config(
        listener=(ListenerConfig(address="::", port=1),),
        authenticator={"a": ComponentConfig(type="x", options=options)},
        route=(RouteConfig(host="*", authenticate=("a",), backend="http://b"),),
    )
    (option,) = unpack_config(pack_config(config)).authenticator["a"].options.values()
    assert option.reveal() == "hush"
    assert "hush" not in repr(option)
