"""Replay marks in a file: new once, over in time, and the same in every process."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.caches.marks import HASH, Marks
from sso_proxy.errors import UnavailableError

HOLDER = """
import sys
from pathlib import Path
from sso_proxy.caches.marks import Marks
import sso_proxy.caches.marks as module

class Stuck:
    def pack_into(self, *_):  # between hash and time, with the lock
        print("holds", flush=True)
        sys.stdin.read()
    size = module._DUE.size

module._DUE = Stuck()
marks = Marks(4)
marks.open(Path(sys.argv[1]))
marks.add(bytes.fromhex(sys.argv[2]), 1, 100)
"""


def mark(number: int, bucket: int = 0) -> bytes:
    """Give the hash of a mark in a bucket of a table that has four."""
    return bucket.to_bytes(8, "little") + number.to_bytes(8, "big")


@pytest.fixture(name="path")
def make_path(tmp_path: Path) -> Path:
    return tmp_path / "marks"


@pytest.fixture(name="marks")
def open_marks(path: Path) -> Iterator[Marks]:
    marks = Marks(4)
    marks.open(path)
    yield marks
    marks.close()


def test_mark_is_new_once(marks: Marks) -> None:
    assert marks.add(mark(1), 10, 20)
    assert not marks.add(mark(1), 10, 30)
    assert marks.add(mark(2), 10, 20)
    assert marks.add(mark(1, bucket=1), 10, 20)


def test_mark_is_new_again_when_its_time_is_over(marks: Marks) -> None:
    marks.add(mark(1), 10, 20)
    assert not marks.add(mark(1), 19, 99)
    assert marks.add(mark(1), 20, 30)
    assert not marks.add(mark(1), 29, 30)


def test_who_finds_a_mark_does_not_prolong_it(marks: Marks) -> None:
    marks.add(mark(1), 10, 20)
    marks.add(mark(1), 11, 1000)
    assert marks.add(mark(1), 20, 30)


def test_full_bucket_refuses_and_forgets_nothing(marks: Marks) -> None:
    for number in range(32):
        assert marks.add(mark(number), 10, 20 + number)
    with pytest.raises(UnavailableError, match="room"):
        marks.add(mark(32), 10, 99)
    assert not any(marks.add(mark(number), 10, 99) for number in range(32))
    assert marks.add(mark(32, bucket=3), 10, 99)
    assert marks.add(mark(32), 20, 99)  # the first is over
    assert not marks.add(mark(1), 20, 99)


def test_hash_that_stands_across_two_others_is_new(path: Path) -> None:
    marks, a, b = Marks(1), b"A" * 8, b"B" * 8
    marks.open(path)
    try:
        assert marks.add(a + b, 1, 100)
        assert marks.add(a + a, 1, 100)
        assert marks.add(b + a, 1, 100)  # which is in the middle of these
        assert not marks.add(b + a, 1, 100)
    finally:
        marks.close()


def test_mark_survives_closing_and_is_seen_by_others(path: Path, marks: Marks) -> None:
    marks.add(mark(1), 10, 20)
    other = Marks(4)
    other.open(path)
    assert not other.add(mark(1), 10, 20)
    assert other.add(mark(2), 10, 20)
    assert not marks.add(mark(2), 10, 20)
    other.sync()
    other.close()
    other.open(path)
    assert not other.add(mark(2), 10, 20)
    other.close()


def test_process_that_dies_while_it_marks_holds_nobody_up(
    path: Path, marks: Marks
) -> None:
    marks.add(mark(1), 1, 100)
    command = [sys.executable, "-c", HOLDER, str(path), mark(2).hex()]
    with subprocess.Popen(  # noqa: S603
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"holds\n"
        holder.send_signal(signal.SIGKILL)
        holder.wait(10)
    assert not marks.add(mark(1), 1, 100)
    assert marks.add(mark(2), 1, 100)  # whose request got no answer
    assert not marks.add(mark(2), 1, 100)


def test_file_of_another_size_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"something else")
    with pytest.raises(ValueError, match="14 octets"):
        Marks(4).open(path)
    assert path.read_bytes() == b"something else"


def test_link_is_not_followed(path: Path, tmp_path: Path) -> None:
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic"):
        Marks(4).open(path)
    assert not (tmp_path / "elsewhere").exists()


def test_file_is_its_owners_alone_and_takes_no_more_room(
    path: Path, marks: Marks
) -> None:
    status = path.stat()
    assert status.st_mode & 0o777 == 0o600
    assert status.st_size == 4 * 32 * (HASH + 8)
    assert status.st_blocks * 512 >= status.st_size  # no holes
    marks.add(mark(1), 1, 2)
    assert path.stat().st_size == status.st_size


def test_closed_table_marks_nothing(path: Path) -> None:
    marks = Marks(4)
    with pytest.raises(ValueError, match="not open"):
        marks.add(mark(1), 1, 2)
    marks.open(path)
    marks.close()
    marks.close()
    with pytest.raises(ValueError, match="not open"):
        marks.add(mark(1), 1, 2)


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 3), st.integers(1, 9))))
def test_it_says_what_a_dictionary_would(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int, int]]
) -> None:
    marks, known, now = Marks(2), dict[int, int](), 1
    marks.open(tmp_path_factory.getbasetemp() / f"marks-{os.getpid()}")
    try:
        for number, later, life in steps:
            now += later
            alive = known.get(number, 0) > now
            full = not alive and sum(due > now for due in known.values()) >= 32
            if full:
                continue
            assert marks.add(mark(number), now, now + life) is not alive
            if not alive:
                known[number] = now + life
    finally:
        marks.close()
        (tmp_path_factory.getbasetemp() / f"marks-{os.getpid()}").unlink()
