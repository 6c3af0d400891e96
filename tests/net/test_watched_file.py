"""A file is read whole, and again only when it is another."""

import os
from pathlib import Path

import pytest

from sso_proxy.net.watched_file import WatchedFile


def put(file: Path, content: bytes) -> Path:
    """Put another file in the place of *file*, as careful programs do."""
    other = file.with_suffix(".new")
    other.write_bytes(content)
    return other.replace(file)


def test_it_has_changed_when_it_is_another(tmp_path: Path) -> None:
    file = put(tmp_path / "f", b"one")
    watched = WatchedFile(str(file), 10)
    assert watched.changed()
    assert watched.read() == "one"
    assert not watched.changed()
    put(file, b"two")
    assert watched.changed()
    assert watched.changed()
    assert watched.read() == "two"


def test_one_that_cannot_be_read_is_tried_once(tmp_path: Path) -> None:
    file = put(tmp_path / "f", b"\xff")
    watched = WatchedFile(str(file), 10)
    with pytest.raises(ValueError, match="is not UTF-8"):
        watched.read()
    assert not watched.changed()


def test_one_that_was_gone_is_read_again(tmp_path: Path) -> None:
    file = put(tmp_path / "f", b"one")
    watched = WatchedFile(str(file), 10)
    watched.read()
    away = file.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError):
        watched.changed()
    away.rename(file)
    assert watched.changed()


def test_a_mark_of_the_encoding_is_no_text(tmp_path: Path) -> None:
    file = put(tmp_path / "f", "\ufeffZoë".encode())
    assert WatchedFile(str(file), 10).read() == "Zoë"


def test_a_large_one_is_refused(tmp_path: Path) -> None:
    file = put(tmp_path / "f", b"x" * 10)
    assert WatchedFile(str(file), 10).read() == "x" * 10
    with pytest.raises(ValueError, match="more than 9 octets"):
        WatchedFile(str(file), 9).read()


def test_what_nobody_writes_to_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "f")
    for name in (tmp_path / "f", "/dev/zero"):
        with pytest.raises(ValueError, match="is no file"):
            WatchedFile(str(name), 10).read()


def test_one_that_is_written_meanwhile_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of it must not count."""
    file = put(tmp_path / "f", b"one\n")
    watched = WatchedFile(str(file), 10)
    look = os.fstat
    looks: list[int] = []

    def look_after_a_write(number: int) -> os.stat_result:
        if looks:
            with file.open("ab") as more:
                more.write(b"two\n")
        looks.append(number)
        return look(number)

    with monkeypatch.context() as patched:
        patched.setattr(os, "fstat", look_after_a_write)
        with pytest.raises(ValueError, match="was written while"):
            watched.read()
    assert len(looks) == 2
    assert watched.changed()
    assert watched.read() == "one\ntwo\n"
