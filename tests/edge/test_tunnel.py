"""Bytes both ways, until both ends are gone."""

import math

import pytest

from sso_proxy.edge.tunnel import Tunnel
from sso_proxy.edge.uplink import State
from tests.support.doubles import HOST, FakeStream, Scene, make_reply, status_of
from tests.support.sockets import Heard

SWITCHED = b"HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: other"
ASKED = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: Upgrade\r\nUpgrade: other\r\n\r\n"


class Ends:
    """A tunnel with both its streams."""

    def __init__(self, early: bytes = b"", first: bytes = b"") -> None:
        self.site = Scene().site
        self.site.connections.clear()
        self.client, self.backend = FakeStream(Heard()), FakeStream(Heard())
        self.over: list[tuple[int, int, str]] = []
        self.tunnel = Tunnel(
            self.site,
            self.client,
            self.backend,
            idle=600.0,
            over=lambda *ended: self.over.append(ended),
        )
        self.early, self.first = early, first

    def start(self) -> "Ends":
        self.tunnel.start(early=self.early, first=self.first)
        return self


def test_octets_go_both_ways_from_the_first() -> None:
    ends = Ends(b"early", b"first").start()
    ends.client.receive(b" up")
    ends.backend.receive(b" down")
    assert (ends.backend.sent, ends.client.sent) == (b"early up", b"first down")
    assert ends.site.connections == {ends.tunnel}


def test_a_slow_end_holds_the_other() -> None:
    ends = Ends().start()
    ends.client.is_full = True
    ends.backend.receive(b"x")
    assert ends.backend.is_paused()
    ends.client.drain()
    ends.backend.receive(b"y")
    assert ends.client.sent == b"xy"


def test_one_direction_may_end_before_the_other() -> None:
    ends = Ends().start()
    ends.client.end()
    assert ends.backend.calls == ["half_close"]
    ends.backend.receive(b"still")
    assert ends.client.sent == b"still"
    ends.backend.end()
    assert ends.over == [(5, 0, "closed")]
    assert ends.site.connections == set()
    assert ends.tunnel.deadline == math.inf


def test_an_end_that_came_before_the_tunnel_counts() -> None:
    ends = Ends()
    ends.client.end()
    ends.start()
    assert ends.backend.calls == ["half_close"]
    ends.backend.end()
    assert len(ends.over) == 1


@pytest.mark.parametrize("which", ["client", "backend"])
def test_a_loss_ends_both_and_is_said_once(which: str) -> None:
    ends = Ends().start()
    lost: FakeStream = getattr(ends, which)
    lost.lose("reset")
    assert ends.client.closed
    assert ends.backend.closed
    assert ends.over == [(0, 0, "reset")]
    ends.tunnel.abort()
    assert len(ends.over) == 1


def test_both_may_be_gone_at_once() -> None:
    ends = Ends().start()
    ends.client.lose("one")
    ends.backend.lose("other")
    assert ends.over == [(0, 0, "one")]


def test_what_still_waits_to_be_sent_is_watched() -> None:
    """A client that takes nothing must not stay for ever, seen by nobody."""
    ends = Ends().start()
    ends.client.stuck = True
    ends.backend.receive(b"last")
    ends.backend.lose("closed")
    assert ends.over == []
    assert ends.tunnel.deadline <= ends.site.now + 60
    ends.site.sweep(ends.site.now + 61)
    assert ends.client.closed
    assert ends.over == [(4, 0, "closed")]


def test_silence_has_an_end_and_octets_put_it_off() -> None:
    ends = Ends().start()
    ends.site.now += 599
    ends.client.receive(b"x")
    ends.site.sweep(ends.site.now + 2)
    ends.site.sweep(ends.site.now + 601)
    assert ends.over == [(0, 1, "aborted")]


def test_it_has_no_idleness_and_no_next_answer() -> None:
    ends = Ends().start()
    ends.tunnel.drain()
    ends.tunnel.close_if_idle()
    ends.tunnel.check_progress(0.0)
    assert not ends.client.closed


def test_a_connection_becomes_a_tunnel_and_leaves_one_record() -> None:
    scene = Scene(upgrades=frozenset({"other"}))
    scene.client.receive(ASKED, b"frame")
    backend = FakeStream(Heard())
    scene.backend.exchange.switch(make_reply(SWITCHED), backend, b"hello")
    sent = scene.client.take()
    assert status_of(sent) == 101
    assert b"Connection: Upgrade\r\nUpgrade: other\r\n\r\nhello" in sent
    assert backend.sent == b"frame"
    assert scene.records == []
    scene.client.receive(b"more")
    scene.client.lose("reset")
    (record,) = scene.records
    assert (record.status, record.received, record.sent) == (101, 9, 5)
    assert scene.gone == [(State.BUSY, "reset")]
    assert scene.site.connections == set()


def test_without_an_admission_there_is_no_tunnel() -> None:
    scene = Scene(upgrades=frozenset({"other"}))
    scene.client.receive(ASKED)
    exchange = scene.backend.exchange
    exchange.admission = None
    backend = FakeStream(Heard())
    exchange.switch(make_reply(SWITCHED), backend, b"")
    assert backend.calls == ["abort"]
