"""A worker as the main process sees it."""

import os
import socket
import sys
from typing import Any

import pytest
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig
from sso_proxy.process.child import Child, WorkerStartError, describe, environment

REACTOR: Any = running_reactor
CONFIG = Config(
    listener=(ListenerConfig(address="::", port=1),),
    route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
)
SAY = "import os, sys, time; say = lambda t: os.write(3, t.encode() + b'\\n');"


class ChildTests(TestCase):
    """Processes that do what workers may do when they start."""

    def setUp(self) -> None:
        self.ended: Deferred[str] = Deferred()
        self.child = Child(7, CONFIG, lambda _, how: self.ended.callback(how))

    def spawn(self, code: str, *listeners: socket.socket) -> None:
        self.child.spawn(REACTOR, ("-c", SAY + code), listeners)

    async def test_worker_that_says_so_is_ready(self) -> None:
        self.spawn("""say('{"ready": true}')""")
        self.child.wait_until_ready(20)
        assert self.child.ready
        self.child.attach(REACTOR)
        assert await self.ended == "ended"
        assert not self.child.ready

    async def test_worker_gets_the_configuration_first(self) -> None:
        self.spawn("""say('{"broken": "%s"}' % os.read(3, 11).hex())""")
        self.child.send_config_now()
        with pytest.raises(WorkerStartError, match=b'{"config": '.hex()):
            self.child.wait_until_ready(20)
        assert (await self.ended).startswith("ended: ")

    async def test_worker_inherits_the_listening_sockets(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
            self.spawn(
                "import socket; s = socket.socket(fileno=4);"
                """say('{"broken": "%d"}' % s.getsockname()[1])""",
                listener,
            )
            with pytest.raises(WorkerStartError, match=f"^{port}$"):
                self.child.wait_until_ready(20)
        await self.ended

    async def test_worker_inherits_nothing_else(self) -> None:
        """A descriptor that leaks keeps a connection open that was closed."""
        with socket.socket() as other:
            other.set_inheritable(True)
            self.spawn(
                "fds = sorted(os.listdir('/proc/self/fd'), key=int)[:-1];"
                """say('{"broken": "%s"}' % ' '.join(fds))"""
            )
            with pytest.raises(WorkerStartError, match=r"^0 1 2 3$"):
                self.child.wait_until_ready(20)
        await self.ended

    async def test_last_words_of_a_worker_that_dies_are_told(self) -> None:
        self.spawn("raise LookupError('no such module')")
        with pytest.raises(WorkerStartError, match="LookupError: no such module"):
            self.child.wait_until_ready(20)
        assert await self.ended == "ended with exit code 1"

    async def test_worker_that_takes_too_long_is_given_up(self) -> None:
        self.spawn("time.sleep(60)")
        with pytest.raises(WorkerStartError, match="worker 7 is not ready in time"):
            self.child.wait_until_ready(0.1)
        self.child.kill()
        assert await self.ended == "ended by signal 9"
        self.child.kill()

    async def test_process_can_be_reaped_without_the_reactor(self) -> None:
        self.spawn("time.sleep(60)")
        pid = self.child.transport.pid
        self.child.kill_and_reap()
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
        self.child.transport.reapProcess()
        self.child.transport.loseConnection()


def test_reason_is_part_of_the_ending() -> None:
    assert describe(ProcessDone(0), "") == "ended"
    assert describe(ProcessTerminated(signal=11), "") == "ended by signal 11"
    assert describe(ProcessTerminated(exitCode=1), "no key") == (
        "ended with exit code 1: no key"
    )


def test_worker_finds_the_modules_that_we_find() -> None:
    path = environment()["PYTHONPATH"].split(os.pathsep)
    assert path == [each for each in sys.path if each]
