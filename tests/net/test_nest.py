"""Events come to whom they mean, and to nobody else."""

import os
import socket
from collections.abc import Callable, Iterator

import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.net.dispatch import READ, WRITE
from sso_proxy.net.nest import Nest
from tests.support.sockets import StillReactor, new_nest, unix_pair


class Descriptor:
    """Keeps what it is told."""

    def __init__(self, do: Callable[[], None] | None = None) -> None:
        self.events: list[int] = []
        self.aborted = 0
        self.do = do

    def take_in(self) -> bool:
        return False

    def deliver(self) -> None:
        raise AssertionError("nothing was taken in")

    def on_event(self, events: int) -> None:
        self.events.append(events)
        if self.do is not None:
            self.do()

    def abort(self) -> None:
        self.aborted += 1


@pytest.fixture
def nest() -> Iterator[Nest]:
    nest = new_nest()
    yield nest
    nest.close()


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    near, far = unix_pair()
    yield near, far
    near.close()
    far.close()


Pair = tuple[socket.socket, socket.socket]


def test_it_is_one_reader_of_the_reactor() -> None:
    reactor = StillReactor()
    nest = Nest(reactor)
    assert reactor.readers == [nest]
    assert nest.fileno() > 0
    assert nest.logPrefix() == "nest"
    nest.connectionLost(None)
    nest.close()
    assert reactor.readers == []


def test_what_is_watched_for_is_told(nest: Nest, pair: Pair) -> None:
    near, far = pair
    told = Descriptor()
    nest.watch(near.fileno(), READ, told)
    nest.doRead()
    assert told.events == []
    far.send(b"x")
    nest.doRead()
    assert set(told.events) == {READ}
    nest.change(near.fileno(), WRITE)
    told.events.clear()
    nest.doRead()
    assert set(told.events) == {WRITE}


def test_what_has_come_meanwhile_is_told_in_the_same_turn(nest: Nest) -> None:
    first, second = unix_pair(), unix_pair()
    late = Descriptor(lambda: nest.forget(second[0].fileno()))

    def send() -> None:
        nest.forget(first[0].fileno())
        second[1].send(b"x")

    nest.watch(first[0].fileno(), READ, Descriptor(send))
    nest.watch(second[0].fileno(), READ, late)
    first[1].send(b"x")
    nest.doRead()
    assert late.events == [READ]
    for sock in (*first, *second):
        sock.close()


def test_the_reactor_has_its_turn_however_much_there_is(nest: Nest, pair: Pair) -> None:
    near, far = pair
    told = Descriptor()
    nest.watch(near.fileno(), READ, told)
    far.send(b"x")  # and nobody reads it
    nest.doRead()
    assert len(told.events) == 8


def test_what_is_forgotten_hears_nothing(nest: Nest, pair: Pair) -> None:
    near, far = pair
    told = Descriptor()
    nest.watch(near.fileno(), READ, told)
    nest.forget(near.fileno())
    far.send(b"x")
    nest.doRead()
    assert told.events == []


def test_events_of_a_descriptor_that_was_closed_do_not_reach_the_next(
    nest: Nest,
) -> None:
    """Both sockets are readable; whichever is told first puts another in its place."""
    pairs = [unix_pair() for _ in range(2)]
    ends = {near.fileno(): near for near, _ in pairs}
    fresh = Descriptor()
    quiet = unix_pair()

    def replace_the_other(mine: int) -> Callable[[], None]:
        def replace() -> None:
            (other,) = set(ends) - {mine}
            nest.forget(other)
            os.dup2(quiet[0].fileno(), other)  # the same number, another socket
            nest.watch(other, READ, fresh)
            nest.forget(mine)

        return replace

    for near, far in pairs:
        mine = near.fileno()
        nest.watch(mine, READ, Descriptor(replace_the_other(mine)))
        far.send(b"x")
    nest.doRead()
    assert fresh.events == []
    quiet[1].send(b"x")
    nest.doRead()
    assert fresh.events
    for sock in (*pairs[0], *pairs[1], *quiet):
        sock.close()


def test_a_descriptor_forgotten_by_another_of_the_batch_hears_nothing(
    nest: Nest,
) -> None:
    pairs = [unix_pair() for _ in range(2)]
    told: dict[int, Descriptor] = {}

    def forget_the_other(mine: int) -> Callable[[], None]:
        def forget() -> None:
            for fd in set(told) - {mine}:
                nest.forget(fd)
            nest.forget(mine)

        return forget

    for near, far in pairs:
        fd = near.fileno()
        told[fd] = Descriptor(forget_the_other(fd))
        nest.watch(fd, READ, told[fd])
        far.send(b"x")
    nest.doRead()
    assert sorted(len(each.events) for each in told.values()) == [0, 1]
    for sock in (*pairs[0], *pairs[1]):
        sock.close()


def test_a_nest_may_be_closed_by_what_it_tells() -> None:
    nest = new_nest()
    near, far = unix_pair()
    nest.watch(near.fileno(), READ, Descriptor(nest.close))
    far.send(b"x")
    nest.doRead()
    near.close()
    far.close()


class Steps(Descriptor):
    """Takes in, tells, writes and sends, once; says so in a list shared with others."""

    def __init__(self, nest: Nest, fd: int, name: str, said: list[str]) -> None:
        super().__init__()
        self.nest = nest
        self.fd = fd
        self.name = name
        self.said = said

    def take_in(self) -> bool:
        self.said.append("take in")
        return True

    def deliver(self) -> None:
        self.said.append("deliver")
        self.nest.forget(self.fd)
        assert self.nest.written is not None
        self.nest.written.append(self)

    def flush(self) -> None:
        self.said.append("flush")
        assert self.nest.written is None
        if self.name == "broken":
            raise RuntimeError("bug")


def watched(nest: Nest, *names: str) -> tuple[list[str], list[Steps], list[Pair]]:
    pairs = [unix_pair() for _ in names]
    said: list[str] = []
    steps = []
    for (near, far), name in zip(pairs, names, strict=True):
        steps.append(Steps(nest, near.fileno(), name, said))
        nest.watch(near.fileno(), READ, steps[-1])
        far.send(b"x")
    return said, steps, pairs


def test_a_batch_is_taken_in_then_told_then_sent(nest: Nest) -> None:
    said, _, pairs = watched(nest, "one", "other")
    nest.doRead()
    assert said == ["take in"] * 2 + ["deliver"] * 2 + ["flush"] * 2
    for sock in (*pairs[0], *pairs[1]):
        sock.close()


class BrokenDescriptorTests(TestCase):
    """A descriptor that raises."""

    def test_it_is_closed_and_the_others_are_told(self) -> None:
        nest = new_nest()
        pairs = [unix_pair() for _ in range(2)]
        told = []
        for near, far in pairs:
            fd = near.fileno()

            def fail(fd: int = fd) -> None:
                nest.forget(fd)
                raise RuntimeError("bug")

            told.append(Descriptor(fail))
            nest.watch(fd, READ, told[-1])
            far.send(b"x")
        nest.doRead()
        assert [each.aborted for each in told] == [1, 1]
        assert len(self.flushLoggedErrors(RuntimeError)) == 2
        nest.close()
        for sock in (*pairs[0], *pairs[1]):
            sock.close()

    def test_one_that_cannot_send_is_closed_and_the_others_send(self) -> None:
        nest = new_nest()
        said, steps, pairs = watched(nest, "broken", "whole")
        nest.doRead()
        assert said[-2:] == ["flush"] * 2
        assert sorted(step.aborted for step in steps) == [0, 1]
        assert len(self.flushLoggedErrors(RuntimeError)) == 1
        nest.close()
        for sock in (*pairs[0], *pairs[1]):
            sock.close()
