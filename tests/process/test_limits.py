"""Limits of open files; each test has a process of its own to change them in."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys
from twisted.logger import globalLogPublisher, formatEvent
from sso_proxy.process.limits import raise_file_limit
globalLogPublisher.addObserver(lambda event: print(formatEvent(event)))
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
{preparation}
raise_file_limit(connections)
print(*resource.getrlimit(resource.RLIMIT_NOFILE))
"""
WITHOUT_PRIVILEGES = "import os; os.geteuid() == 0 and os.setuid(65534)"


def limits(soft: int, hard: int, connections: int) -> list[str]:
    done = subprocess.run(  # noqa: S603
        [
            sys.executable,
            "-c",
            CODE.format(preparation=WITHOUT_PRIVILEGES),
            *map(str, (soft, hard, connections)),
        ],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    return done.stdout.splitlines()


def test_soft_limit_is_raised_as_far_as_needed() -> None:
    assert limits(100, 4096, 1000) == ["3024 4096"]


@pytest.mark.parametrize("connections", [1, 500])
def test_limit_that_suffices_stays(connections: int) -> None:
    assert limits(2048, 4096, connections) == ["2048 4096"]


def test_what_cannot_be_had_is_said_and_all_that_can_is_taken() -> None:
    said, limit = limits(100, 2048, 1000)
    assert said.startswith("only 2048 open files are allowed; 1000 connections may")
    assert "LimitNOFILE" in said
    assert limit == "2048 2048"


def test_what_is_there_at_the_start_is_no_longer_looked_at() -> None:
    code = (
        "import gc; from sso_proxy.process.limits import settle_memory;"
        "settle_memory(); print(gc.get_freeze_count() > 0, gc.get_threshold()[0])"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.split() == ["True", "20000"]


def test_what_was_replaced_is_freed_although_it_is_looked_at_rarely() -> None:
    code = (
        "import weakref; from sso_proxy.process.limits import *;"
        "settle_memory(); made = type('Made', (), {})(); made.itself = made;"
        "ref = weakref.ref(made); del made; print(ref() is None);"
        "free_replaced(); print(ref() is None)"
    )
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", code],
        capture_output=True,
        check=True,
        text=True,
        timeout=30,
    )
    assert done.stdout.split() == ["False", "True"]
