"""Clients that read nothing of what they asked for."""

from sso_proxy.edge.progress import ProgressWatch
from tests.support.doubles import Scene


def test_octets_that_wait_and_do_not_move_are_seen() -> None:
    stream, watch = Scene().client, ProgressWatch()
    stream.buffered = 10
    assert not watch.stuck(stream, 100.0, 60)
    assert not watch.stuck(stream, 160.0, 60)
    assert watch.stuck(stream, 161.0, 60)


def test_every_octet_taken_gives_new_time() -> None:
    stream, watch = Scene().client, ProgressWatch()
    stream.buffered = 10
    for now in range(0, 1000, 50):
        stream.progress += 1
        assert not watch.stuck(stream, now, 60)
    assert watch.stuck(stream, 1020, 60)


def test_nothing_that_waits_is_no_reason() -> None:
    stream, watch = Scene().client, ProgressWatch()
    stream.buffered = 10
    watch.stuck(stream, 0.0, 60)
    stream.buffered = 0
    assert not watch.stuck(stream, 1000.0, 60)
    stream.buffered = 10
    assert not watch.stuck(stream, 1001.0, 60)
