"""A file that several change is changed by one at a time, and stays whose it was."""

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from sso_proxy.config.edited_file import locked, replace_content


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "users"
    path.write_text("alice al\n")
    path.chmod(0o640)
    return path


def test_another_file_has_the_same_mode(file: Path) -> None:
    before = file.stat()
    replace_content(file, b"bob b\n")
    after = file.stat()
    assert file.read_bytes() == b"bob b\n"
    assert stat.S_IMODE(after.st_mode) == 0o640
    assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)
    assert after.st_ino != before.st_ino
    assert after.st_mtime_ns > before.st_mtime_ns


@pytest.fixture
def foreign(file: Path, monkeypatch: pytest.MonkeyPatch) -> os.stat_result:
    """Let the file look as if it were somebody else's."""
    found = file.stat()
    seen = os.stat_result((*found[:4], 12345, 54321, *found[6:]))
    monkeypatch.setattr(Path, "stat", lambda _: seen)
    return seen


def test_another_file_has_the_same_owner(
    file: Path, foreign: os.stat_result, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "fchown", lambda _, *owner: given.append(owner))
    replace_content(file, b"bob b\n")
    assert given == [(foreign.st_uid, foreign.st_gid)]
    assert file.read_bytes() == b"bob b\n"


@pytest.mark.usefixtures("foreign")
def test_what_cannot_be_its_owners_is_not_written(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "fchown", refuse)
    with pytest.raises(PermissionError):
        replace_content(file, b"bob b\n")
    assert file.read_bytes() == b"alice al\n"
    assert os.listdir(file.parent) == ["users"]  # noqa: PTH208


def test_who_comes_second_waits_and_sees_what_the_first_wrote(file: Path) -> None:
    seen = []

    def second() -> None:
        with locked(file, within=60):
            seen.append(file.read_bytes())

    waiting = threading.Thread(target=second)
    with locked(file):
        waiting.start()
        replace_content(file, b"bob b\n")
        assert seen == []
    waiting.join(60)
    assert seen == [b"bob b\n"]


def test_a_file_that_was_replaced_before_it_was_locked_is_not_the_one(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = fcntl.flock
    others = [b"bob b\n"]

    def late(descriptor: int, how: int) -> None:
        if others:
            replace_content(file, others.pop())
        really(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(file), file.open() as again, pytest.raises(BlockingIOError):
        really(again, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_nobody_waits_for_ever(file: Path) -> None:
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(TimeoutError), locked(file, within=0.01):
            pass


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), locked(tmp_path / "none"):
        pass
