"""Machines that share a list of what is revoked, through a cache that fails at will."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.config.key_ring import KeyRing, RingKey
from sso_proxy.errors import UnavailableError
from sso_proxy.model import WARNING
from sso_proxy.process.revocation_sharing import PERIOD, Sharing
from sso_proxy.process.revocations import Keeper
from sso_proxy.revocation_list import PURPOSE, SharedList
from sso_proxy.sealing import RingSealer
from sso_proxy.specs import revocations as specs_revocations
from sso_proxy.specs.revocations import Revocation
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import KEY_RING, NOW

STALE = 10.0
ALICE = {"issuer": "https://login.example.com", "subject": "alice"}
BOB = {"issuer": "https://login.example.com", "subject": "bob"}


class Unreliable(MemoryCache):
    """A cache that is down while it is said to be."""

    down = False

    async def index_list(self, purpose: str, index: bytes) -> list[bytes]:
        self._answer()
        return await super().index_list(purpose, index)

    async def index_add(
        self, purpose: str, index: bytes, member: bytes, ttl: float
    ) -> None:
        self._answer()
        await super().index_add(purpose, index, member, ttl)

    async def publish(self, purpose: str, message: bytes) -> None:
        self._answer()
        await super().publish(purpose, message)

    def _answer(self) -> None:
        if self.down:
            raise UnavailableError("redis")


class Serving:
    """What a machine refuses."""

    def __init__(self) -> None:
        self.revoked: set[str] = set()
        self.doubted: bool | None = None
        self.waits: Deferred[None] | None = None

    async def revoke(
        self,
        add: Iterable[Revocation],
        remove: Iterable[str],
        *,
        doubted: bool | None = None,
    ) -> tuple[str, ...]:
        if self.waits is not None:
            await self.waits
        self.revoked.difference_update(remove)
        self.revoked.update(each.id for each in add)
        self.doubted = self.doubted if doubted is None else doubted
        return ()

    def in_doubt(self) -> bool:
        """Say whether nobody is let in."""
        return self.doubted is True


class Machine:
    """One of the fleet."""

    def __init__(self, place: "SharingTests", path: Path) -> None:
        self.serving = Serving()
        self.keeper = Keeper(path, place.time)
        self.keeper.load()
        self.serving.revoked.update(each.id for each in self.keeper.list)
        self.keeper.serving = self.serving
        self.sharing = Sharing(self.keeper, place.reactor)
        self.sharing.use(place.shared(), STALE)
        self.serving.doubted = self.sharing.doubted
        self.sharing.start(self.serving)

    async def revoke(self, document: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
        """Do it; gives the id, and what did not work."""
        report = await self.keeper.revoke(document)
        return report.revocation.id, report.missing


class SharingTests(TestCase):
    def setUp(self) -> None:
        self.directory = Path(self.mktemp())
        self.reactor, self.time = Clock(), SettableClock()
        self.cache = Unreliable(MemoryCacheConfig(), self.time)
        self.machines: list[Machine] = []
        self.ring = KEY_RING

    def shared(self) -> SharedList:
        return SharedList(self.cache, RingSealer(PURPOSE, self.ring), self.time)

    def machine(self, number: int) -> Machine:
        """Start one; of the same number, the same once more."""
        made = Machine(self, self.directory / str(number) / "revocations.json")
        self.machines.append(made)
        self.addCleanup(made.sharing.close)
        return made

    def pass_time(self, seconds: float) -> None:
        while seconds > 0:
            step = min(seconds, PERIOD)
            self.time.advance(step)
            self.reactor.advance(step)
            seconds -= step

    async def test_what_one_revokes_all_refuse_at_once(self) -> None:
        one, other = self.machine(1), self.machine(2)
        name, missing = await one.revoke(ALICE)
        assert missing == ()
        assert other.serving.revoked == {name}
        assert [each.subject for each in other.keeper.list] == ["alice"]

    async def test_what_one_lifts_all_let_in_at_once(self) -> None:
        one, other = self.machine(1), self.machine(2)
        name, _ = await one.revoke(ALICE)
        report = await other.keeper.lift(name)
        assert report is not None
        assert report.missing == ()
        assert one.serving.revoked == set()

    async def test_what_is_revoked_again_after_it_was_lifted_is_refused(self) -> None:
        one, other = self.machine(1), self.machine(2)
        name, _ = await one.revoke(ALICE)
        self.time.advance(1)
        await other.keeper.lift(name)
        assert one.serving.revoked == other.serving.revoked == set()
        self.time.now -= 5  # the clock of the next one is behind
        await one.revoke(ALICE)
        assert one.serving.revoked == other.serving.revoked == {name}

    async def test_new_machine_knows_all_before_it_lets_anybody_in(self) -> None:
        name, _ = await self.machine(1).revoke(ALICE)
        self.cache.down = True
        new = self.machine(2)
        assert new.serving.in_doubt()
        assert new.sharing.health() == ("what other machines have revoked: redis",)
        self.cache.down = False
        self.pass_time(PERIOD)
        assert new.serving.revoked == {name}
        assert not new.serving.in_doubt()
        assert new.sharing.health() == ()

    async def test_start_waits_for_what_others_have_revoked(self) -> None:
        self.cache.down = True
        new = self.machine(1)
        over: list[object] = []
        waiting = Deferred.fromCoroutine(new.sharing.wait(2.5 * PERIOD))
        waiting.addCallback(over.append)
        self.pass_time(PERIOD)
        assert over == []
        self.cache.down = False
        new.serving.waits = Deferred()
        self.pass_time(PERIOD)
        assert over == [], "those who serve do not know yet"
        new.serving.waits.callback(None)
        assert over == [None]
        assert len(self.reactor.getDelayedCalls()) == 1, "the next look"

    async def test_start_does_not_wait_for_ever(self) -> None:
        self.cache.down = True
        waiting = Deferred.fromCoroutine(self.machine(1).sharing.wait(PERIOD / 2))
        self.pass_time(PERIOD / 2)
        assert waiting.called

    async def test_end_does_not_wait(self) -> None:
        self.cache.down = True
        machine = self.machine(1)
        waiting = Deferred.fromCoroutine(machine.sharing.wait(PERIOD))
        machine.sharing.close()
        assert waiting.called

    async def test_who_knows_all_does_not_wait(self) -> None:
        waiting = Deferred.fromCoroutine(self.machine(1).sharing.wait(PERIOD))
        assert waiting.called

    async def test_restarted_machine_hears_what_was_lifted_meanwhile(self) -> None:
        one, other = self.machine(1), self.machine(2)
        name, _ = await one.revoke(ALICE)
        other.sharing.close()
        for path in self.directory.glob("*/revocations.json"):
            os.utime(path, (self.time.time(), self.time.time()))
        self.time.advance(1)
        await one.keeper.lift(name)
        assert self.machine(2).serving.revoked == set()

    async def test_outage_is_bridged_and_then_nobody_is_let_in(self) -> None:
        machine = self.machine(1)
        assert not machine.serving.in_doubt()
        self.cache.down = True
        self.pass_time(STALE)
        assert not machine.serving.in_doubt()
        assert machine.sharing.health() == (
            f"{WARNING}what other machines have revoked: redis",
        )
        self.pass_time(2 * PERIOD)
        assert machine.serving.in_doubt()
        self.cache.down = False
        self.pass_time(PERIOD)
        assert not machine.serving.in_doubt()

    async def test_what_is_revoked_during_an_outage_is_told_after_it(self) -> None:
        one, other = self.machine(1), self.machine(2)
        self.cache.down = True
        name, missing = await one.revoke(ALICE)
        assert missing == ("other machines are told as soon as they can be: redis",)
        assert one.serving.revoked == {name}
        self.cache.down = False
        self.pass_time(2 * PERIOD)
        assert other.serving.revoked == {name}

    async def test_cache_that_has_lost_everything_gets_it_back(self) -> None:
        one, other = self.machine(1), self.machine(2)
        alice, _ = await one.revoke(ALICE)
        bob, _ = await other.revoke(BOB)
        self.cache = Unreliable(MemoryCacheConfig(), self.time)
        one.sharing.use(self.shared(), STALE)
        one.sharing.start(one.serving)
        other.sharing.close()
        assert self.machine(3).serving.revoked == {alice, bob}

    async def test_fleet_that_was_off_with_its_cache_still_refuses(self) -> None:
        """The files have it, of what others have revoked, too."""
        one, other = self.machine(1), self.machine(2)
        name, _ = await one.revoke(ALICE)
        one.sharing.close()
        other.sharing.close()
        self.cache = Unreliable(MemoryCacheConfig(), self.time)
        assert self.machine(2).serving.revoked == {name}
        assert self.machine(3).serving.revoked == {name}

    async def test_list_that_cannot_be_read_is_doubted(self) -> None:
        """As with another key ring than the others have."""
        await self.cache.index_add(PURPOSE, b"all", b"garbage", 60.0)
        machine = self.machine(1)
        assert machine.serving.in_doubt()
        (line,) = machine.sharing.health()
        assert "all machines need the same key ring" in line

    async def test_list_that_only_old_keys_open_is_written_anew(self) -> None:
        """By those who have read it while they had them."""
        machine = self.machine(1)
        await machine.revoke(ALICE)
        self.ring = KeyRing((RingKey(kid="new", created=int(NOW), secret=bytes(32)),))
        machine.sharing.use(self.shared(), STALE)
        machine.sharing.start(machine.serving)
        self.pass_time(STALE + 2 * PERIOD)
        assert not machine.serving.in_doubt()
        new = self.machine(2)
        assert not new.serving.in_doubt()
        assert new.serving.revoked == machine.serving.revoked

    async def test_what_is_being_told_is_told_though_a_reload_comes(self) -> None:
        one, other = self.machine(1), self.machine(2)
        waits: Deferred[None] = Deferred()
        other.serving.waits = waits
        name, _ = await one.revoke(ALICE)
        other.serving.waits = None
        other.sharing.use(self.shared(), STALE)
        other.sharing.start(other.serving)
        waits.callback(None)
        assert other.serving.revoked == {name}

    async def test_of_too_many_those_that_fit_are_refused(self) -> None:
        self.patch(specs_revocations, "MOST", 2)
        one = self.machine(1)
        alice, _ = await one.revoke(ALICE)
        self.cache.down = True
        other = self.machine(2)
        bob, _ = await other.revoke(BOB)
        eve, _ = await other.revoke({**BOB, "subject": "eve"})
        self.cache.down = False
        self.pass_time(2 * PERIOD)
        assert other.serving.in_doubt()
        assert other.serving.revoked == {bob, eve}
        (line,) = other.sharing.health()
        assert "there are 2 revocations already" in line
        assert alice in one.serving.revoked

    async def test_message_that_was_missed_costs_a_few_seconds(self) -> None:
        one, other = self.machine(1), self.machine(2)
        self.patch(self.cache, "publish", _nobody_hears)
        name, _ = await one.revoke(ALICE)
        assert other.serving.revoked == set()
        self.pass_time(PERIOD)
        assert other.serving.revoked == {name}

    async def test_sharing_may_end_with_a_reload(self) -> None:
        machine = self.machine(1)
        self.cache.down = True
        self.pass_time(STALE + 2 * PERIOD)
        assert machine.serving.in_doubt()
        machine.sharing.use(None, 0.0)
        machine.sharing.start(machine.serving)
        assert not machine.serving.in_doubt()
        _, missing = await machine.revoke(ALICE)
        assert missing == ()

    async def test_reload_of_a_machine_that_knows_all_raises_no_doubt(self) -> None:
        machine = self.machine(1)
        self.cache.down = True
        machine.sharing.use(self.shared(), STALE)
        machine.sharing.start(machine.serving)
        assert not machine.serving.in_doubt()
        self.pass_time(STALE + 2 * PERIOD)
        assert machine.serving.in_doubt()


async def _nobody_hears(_purpose: str, _message: bytes) -> None:
    pass
