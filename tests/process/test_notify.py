"""Telling the service manager."""

import socket
from pathlib import Path

import pytest

from sso_proxy.process.notify import Notifier


@pytest.mark.parametrize("abstract", [False, True])
def test_state_reaches_the_service_manager(tmp_path: Path, abstract: bool) -> None:  # noqa: FBT001
    name = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind("\0" + name if abstract else name)
        Notifier({"NOTIFY_SOCKET": "@" + name if abstract else name}).tell("READY=1")
        assert manager.recv(100) == b"READY=1"


def test_children_cannot_speak_for_us() -> None:
    environment = {"NOTIFY_SOCKET": "/x", "PATH": "/bin"}
    Notifier(environment)
    assert environment == {"PATH": "/bin"}


def test_nobody_is_told_without_a_service_manager() -> None:
    Notifier({}).tell("READY=1")


def test_service_manager_that_is_gone_does_no_harm(tmp_path: Path) -> None:
    Notifier({"NOTIFY_SOCKET": str(tmp_path / "none")}).tell("READY=1")
