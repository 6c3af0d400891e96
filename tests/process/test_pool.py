"""Workers together; they are real processes around a script."""

import contextlib
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig, ServerConfig
from sso_proxy.errors import ConfigError
from sso_proxy.process import pool as pool_module
from sso_proxy.process.child import Child, WorkerStartError
from sso_proxy.process.pool import Pool
from sso_proxy.specs.revocations import Revocation

REACTOR: Any = running_reactor

SCRIPT = """
import json, os, socket, sys, time
from sso_proxy.process.control import unpack_config

connection = socket.socket(fileno=3)
# Two, for one would forget at each write what it has read ahead.
line = connection.makefile("r", encoding="utf-8", newline="\\n")
answers = connection.makefile("w", encoding="utf-8", newline="\\n")
first = json.loads(line.readline())
served = unpack_config(first["config"]).server.name
revoked = [each["jti"] for each in first["revocations"]]
doubted = first["doubted"]

def say(message):
    answers.write(json.dumps(message) + "\\n")
    answers.flush()

def is_the_first_of(name, kind):
    if not name.startswith(kind):
        return False
    try:
        os.mkdir(name.removeprefix(kind))
    except FileExistsError:
        return False
    return True

def try_to_serve(name):
    if name == "bad":
        return {"mistakes": [["a", "is wrong"]]}
    if is_the_first_of(name, "once:"):
        return {"mistakes": [["a", "is wrong in one worker"]]}
    return {"is": None}

if not (os.path.isdir(served.removeprefix("late:"))
        and is_the_first_of(served + "/late", "late:")):
    say({"broken": "is bad"} if served == "bad" else {"ready": True})
for question in line:
    question = json.loads(question)
    match question["ask"]:
        case "drain":
            if served == "slow":
                time.sleep(60)
            sys.exit(0)
        case "reload":
            wanted = unpack_config(question["with"]).server.name
            if wanted == "large":
                time.sleep(1)
            answer = try_to_serve(wanted)
            if "is" in answer:
                served = wanted
        case "ready":
            answer = {"is": [served, *revoked, *["in doubt"] * doubted]}
        case "revoke":
            if is_the_first_of(served, "deaf:"):
                continue
            answer = {"is": None}
            if is_the_first_of(served, "denying:"):
                answer = {"failed": "cannot"}
            change = question["with"]
            doubted = doubted if change["doubted"] is None else change["doubted"]
            revoked += [each["jti"] for each in change["add"]]
            revoked = [each for each in revoked if each not in change["remove"]]
        case "metrics":
            answer = {"is": "up 1\\n"}
        case _:
            answer = {"failed": "no"} if served == "refusing" else {"is": True}
    say({"id": question["id"], **answer})
"""


def config(name: str) -> Config:
    return Config(
        server=ServerConfig(name=name, workers=2, drain_timeout=5),
        listener=(ListenerConfig(address="::", port=1),),
        route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
    )


class PoolTests(TestCase):
    def start(self, name: str = "good", *, doubted: bool = False) -> Pool:
        self.revoked: list[Revocation] = []
        pool = Pool(
            REACTOR, ("-c", SCRIPT), config(name), (), self.revoked, doubted=doubted
        )
        pool.start()
        self.addCleanup(self.stop, pool)
        return pool

    async def stop(self, pool: Pool) -> None:
        if not pool.draining:
            await pool.drain()

    async def test_all_workers_serve_after_the_start(self) -> None:
        pool = self.start()
        assert await pool.faults() == ()
        assert len(pool.pids()) == 2

    async def test_worker_that_cannot_start_ends_the_start(self) -> None:
        pool = Pool(REACTOR, ("-c", SCRIPT), config("bad"), ())
        with pytest.raises(WorkerStartError, match=r"^is bad$"):
            pool.start()
        for pid in pool.pids():
            with pytest.raises(ProcessLookupError):
                os.kill(pid, 0)

    async def test_reload_reaches_all_workers(self) -> None:
        pool = self.start()
        await pool.reload(config("new"))
        assert await pool.probe() == ("new",)

    async def test_reload_that_all_refuse_changes_nothing(self) -> None:
        pool = self.start()
        with pytest.raises(ConfigError, match="a: is wrong"):
            await pool.reload(config("bad"))
        assert await pool.probe() == ("good",)

    async def test_reload_that_one_refuses_changes_nothing(self) -> None:
        """Half of the workers must not serve what the other half does not."""
        pool = self.start()
        with pytest.raises(ConfigError, match="wrong in one worker"):
            await pool.reload(config(f"once:{self.mktemp()}"))
        assert await pool.probe() == ("good",)

    async def test_what_workers_miss_is_said_once(self) -> None:
        pool = self.start("x")
        assert await pool.probe() == ("x",)

    async def test_worker_that_refuses_to_answer_is_a_fault(self) -> None:
        pool = self.start("refusing")
        assert await pool.faults() == ("worker 1: no", "worker 2: no")

    async def test_logs_that_cannot_be_reopened_are_named(self) -> None:
        pool = self.start("refusing")
        await pool.reopen_logs()
        assert await pool.probe() == ("refusing",)

    async def test_killed_worker_is_a_fault_until_another_serves(self) -> None:
        pool = self.start()
        os.kill(pool.pids()[0], signal.SIGKILL)
        while not (faults := await pool.faults()):
            await self.turn()
        assert faults[0].startswith("worker 1: ")
        while await pool.faults():
            await self.turn()
        assert pool.replaced == 1
        assert 'up{worker="1"} 1\n' in await pool.metrics()

    async def test_new_worker_serves_what_was_loaded_last(self) -> None:
        pool = self.start()
        await pool.reload(config("new"))
        for pid in pool.pids():
            os.kill(pid, signal.SIGKILL)
        while pool.replaced < 2 or await pool.faults():
            await self.turn()
        assert await pool.probe() == ("new",)

    async def revoke(self, pool: Pool, name: str) -> tuple[str, ...]:
        """Revoke as the main process does: in its own list first."""
        self.revoked.append(Revocation(issuer="i", jti=name, until=1))
        return await pool.revoke(self.revoked[-1:], ())

    async def test_all_workers_know_what_is_revoked(self) -> None:
        pool = self.start()
        assert await self.revoke(pool, "t1") == ()
        assert await self.revoke(pool, "t2") == ()
        assert await pool.probe() == ("good", "t1", "t2")
        assert await pool.revoke((), ("t1",)) == ()
        assert await pool.probe() == ("good", "t2")

    async def test_new_worker_knows_what_was_revoked(self) -> None:
        pool = self.start()
        await self.revoke(pool, "t1")
        for pid in pool.pids():
            os.kill(pid, signal.SIGKILL)
        while pool.replaced < 2 or await pool.faults():
            await self.turn()
        assert await pool.probe() == ("good", "t1")

    async def test_workers_are_in_doubt_until_they_are_told_otherwise(self) -> None:
        pool = self.start(doubted=True)
        await self.revoke(pool, "t1")
        assert await pool.probe() == ("good", "t1", "in doubt")
        assert await pool.revoke((), (), doubted=False) == ()
        assert await pool.probe() == ("good", "t1")

    async def test_new_worker_is_in_doubt_as_the_others_are(self) -> None:
        pool = self.start()
        await pool.revoke((), (), doubted=True)
        for pid in pool.pids():
            os.kill(pid, signal.SIGKILL)
        while pool.replaced < 2 or await pool.faults():
            await self.turn()
        assert await pool.probe() == ("good", "in doubt")

    async def test_starting_worker_is_waited_for(self) -> None:
        """What it was told first does not have this revocation in it."""
        pool = self.start()
        os.kill(pool.pids()[0], signal.SIGKILL)
        while pool.replaced < 1 or len(pool.pids()) < 2:
            await self.turn()
        assert await pool.faults() == ("worker 1: not ready",)
        assert await self.revoke(pool, "t1") == ()
        assert await pool.faults() == ()
        assert await pool.probe() == ("good", "t1")

    async def test_worker_that_does_not_acknowledge_is_replaced(self) -> None:
        """It may go on letting in who is revoked."""
        self.patch(pool_module, "REVOKE_TIMEOUT", 0.3)
        for kind, why in (("deaf", "does not answer"), ("denying", "cannot")):
            pool = self.start(f"{kind}:{self.mktemp()}")
            (line,) = await self.revoke(pool, "t1")
            assert line.endswith(f": {why}; another takes its place")
            while pool.replaced < 1 or await pool.faults():
                await self.turn()
            assert (await pool.probe())[1:] == ("t1",)

    async def test_worker_that_hangs_is_replaced_and_the_others_stay(self) -> None:
        self.patch(pool_module, "LOOK_EVERY", 0.5)
        self.patch(pool_module, "LIVE_TIMEOUT", 0.8)
        pool = self.start()
        hung, other = pool.pids()
        os.kill(hung, signal.SIGSTOP)
        while pool.replaced < 1 or await pool.faults():
            await self.turn()
        new, same = pool.pids()
        assert (same, pool.replaced) == (other, 1)
        assert new != hung
        assert await pool.hanging() == ()

    async def test_worker_that_takes_its_time_to_reload_does_not_hang(self) -> None:
        self.patch(pool_module, "LOOK_EVERY", 0.05)
        self.patch(pool_module, "LIVE_TIMEOUT", 0.04)
        pool = self.start()
        changing = Deferred.fromCoroutine(pool.reload(config("large")))
        self.patch(pool_module, "HANGS", 1)
        await changing
        assert pool.replaced == 0

    async def test_worker_that_does_not_get_ready_is_replaced(self) -> None:
        self.patch(pool_module, "LOOK_EVERY", 0.05)
        place = Path(self.mktemp())
        pool = self.start(f"late:{place}")
        place.mkdir()  # noqa: ASYNC240 - the next one is late
        os.kill(pool.pids()[0], signal.SIGKILL)
        while not (place / "late").exists():
            await self.turn()
        assert await pool.faults() == ("worker 1: not ready",)
        self.patch(pool_module, "START_TIMEOUT", 0)
        while pool.replaced < 2:
            await self.turn()
        self.patch(pool_module, "START_TIMEOUT", 60)
        while await pool.faults():
            await self.turn()

    async def test_worker_that_cannot_be_ended_is_named(self) -> None:
        self.patch(pool_module, "LOOK_EVERY", 0.05)
        self.patch(pool_module, "LIVE_TIMEOUT", 0.2)
        pool = self.start()
        self.patch(Child, "kill", lambda _: None)
        os.kill(pool.pids()[1], signal.SIGSTOP)
        while "worker 2" not in await pool.hanging():
            await self.turn()
        os.kill(pool.pids()[1], signal.SIGCONT)
        while await pool.hanging():
            await self.turn()

    async def test_drained_workers_are_not_replaced(self) -> None:
        pool = self.start()
        await pool.drain()
        assert pool.pids() == []
        assert pool.replaced == 0

    async def test_drain_that_is_cancelled_kills(self) -> None:
        pool = self.start("slow")
        draining = Deferred.fromCoroutine(pool.drain())
        await self.turn()
        draining.cancel()
        with contextlib.suppress(CancelledError):
            await draining
        while pool.pids():
            await self.turn()

    def turn(self) -> Deferred[None]:
        done: Deferred[None] = Deferred()
        REACTOR.callLater(0.02, done.callback, None)
        return done
