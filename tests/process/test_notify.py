"""Telling the service manager."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from twisted.internet.task import Clock
from twisted.trial.unittest import TestCase

from sso_proxy.process.notify import Notifier, Watchdog


@pytest.mark.parametrize("abstract", [False, True])
def test_state_reaches_the_service_manager(tmp_path: Path, abstract: bool) -> None:  # noqa: FBT001
    name = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        notifier = Notifier({"NOTIFY_SOCKET": "@" + name if abstract else name})
        notifier.tell("READY=1", "STATUS=serving")
        assert manager.recv(100) == b"READY=1\nSTATUS=serving"


def test_reload_is_told_with_its_time(tmp_path: Path) -> None:
    """systemd.service(5), Type=notify-reload: microseconds of CLOCK_MONOTONIC."""
    name = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(name)
        Notifier({"NOTIFY_SOCKET": name}).tell_reloading(12.5)
        assert manager.recv(100) == b"RELOADING=1\nMONOTONIC_USEC=12500000"


def test_children_cannot_speak_for_us() -> None:
    environment = {
        "NOTIFY_SOCKET": "/x",
        "WATCHDOG_USEC": "1",
        "WATCHDOG_PID": "1",
        "PATH": "/bin",
    }
    Notifier(environment)
    assert environment == {"PATH": "/bin"}


def test_nobody_is_told_without_a_service_manager() -> None:
    Notifier({}).tell("READY=1")


def test_service_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).tell("READY=1")


@pytest.mark.parametrize(
    ("watchdog", "seconds"),
    [
        ({"WATCHDOG_USEC": "30000000"}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, 0),
        ({"WATCHDOG_USEC": "soon"}, 0),
        ({}, 0),
    ],
    ids=["of all", "ours", "for init", "not a number", "none"],
)
def test_how_long_it_waits_is_known(watchdog: dict[str, str], seconds: int) -> None:
    assert Notifier({"NOTIFY_SOCKET": "/x", **watchdog}).patience == seconds


def test_without_a_socket_nobody_waits() -> None:
    assert Notifier({"WATCHDOG_USEC": "30000000"}).patience == 0


class Told(Notifier):
    """Keeps what is told."""

    def __init__(self, usec: str) -> None:
        super().__init__({"NOTIFY_SOCKET": "/x", "WATCHDOG_USEC": usec})
        self.told: list[str] = []

    def tell(self, *states: str) -> None:
        self.told += states


class WatchdogTests(TestCase):
    def setUp(self) -> None:
        self.clock = Clock()
        self.notifier = Told("30000000")
        self.hanging: tuple[str, ...] = ()
        self.errors: Iterator[OSError] = iter(())
        self.watchdog = Watchdog(self.clock, self.notifier, self.find_hanging)

    async def find_hanging(self) -> tuple[str, ...]:
        for error in self.errors:
            raise error
        return self.hanging

    def test_there_are_three_signs_of_life_in_the_time(self) -> None:
        self.watchdog.start()
        assert self.notifier.told == ["WATCHDOG=1"]
        self.clock.pump([10, 10, 10])
        assert self.notifier.told == ["WATCHDOG=1"] * 4

    def test_who_hangs_is_no_longer_vouched_for(self) -> None:
        self.watchdog.start()
        self.hanging = ("worker 1",)
        self.clock.pump([10] * 5)
        assert self.notifier.told == ["WATCHDOG=1"]

    def test_who_answers_again_is(self) -> None:
        self.hanging = ("worker 1",)
        self.watchdog.start()
        self.hanging = ()
        self.clock.advance(10)
        assert self.notifier.told == ["WATCHDOG=1"]

    def test_failure_to_look_is_no_sign_of_life_and_not_the_last_look(self) -> None:
        self.errors = iter([OSError("?")])
        self.watchdog.start()
        assert self.notifier.told == []
        assert len(self.flushLoggedErrors(OSError)) == 1
        self.clock.advance(10)
        assert self.notifier.told == ["WATCHDOG=1"]

    def test_stopped_it_is_silent(self) -> None:
        self.watchdog.stop()
        self.watchdog.start()
        self.watchdog.stop()
        self.clock.pump([10] * 3)
        assert self.notifier.told == ["WATCHDOG=1"]
        assert self.clock.getDelayedCalls() == []

    def test_nobody_is_bothered_who_does_not_wait(self) -> None:
        notifier = Told("")
        Watchdog(self.clock, notifier, self.find_hanging).start()
        assert notifier.told == []
        assert self.clock.getDelayedCalls() == []
