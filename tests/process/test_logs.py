"""The log file, and workers' lines in it."""

from pathlib import Path
from typing import Any

import pytest
from twisted.logger import (
    LogEvent,
    Logger,
    LogLevel,
    globalLogPublisher,
    textFileLogObserver,
)
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase

from sso_proxy.process.levels import Levels
from sso_proxy.process.logs import FileLog, ReopenableFile, pack, replay
from sso_proxy.process.sockets import Owner


class Lines:
    """A file that keeps what is written."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None: ...


def collect(event_count: int, emit: Any) -> list[LogEvent]:  # noqa: ANN401
    events: list[LogEvent] = []
    keep: Any = events.append
    globalLogPublisher.addObserver(keep)
    try:
        emit()
    finally:
        globalLogPublisher.removeObserver(keep)
    assert len(events) == event_count
    return events


def test_lines_are_added_to_what_is_there(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("before\n")
    ReopenableFile(str(path), Owner()).write("now\n")
    assert path.read_text() == "before\nnow\n"


def test_two_writers_do_not_overwrite_each_other(tmp_path: Path) -> None:
    one, two = (ReopenableFile(str(tmp_path / "log"), Owner()) for _ in range(2))
    for file, text in ((one, "a"), (two, "b"), (one, "c")):
        file.write(text)
    assert (tmp_path / "log").read_text() == "abc"


def test_renamed_file_is_left_for_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = ReopenableFile(str(path), Owner())
    file.write("old\n")
    path.rename(tmp_path / "log.1")
    file.write("still old\n")
    file.reopen()
    file.write("new\n")
    assert (tmp_path / "log.1").read_text() == "old\nstill old\n"
    assert path.read_text() == "new\n"


def test_no_descriptor_is_lost(tmp_path: Path) -> None:
    file = ReopenableFile(str(tmp_path / "log"), Owner())
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(5):
        file.reopen()
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_new_file_is_not_for_everybody(tmp_path: Path) -> None:
    ReopenableFile(str(tmp_path / "log"), Owner())
    assert (tmp_path / "log").stat().st_mode & 0o007 == 0


def test_what_utf_8_cannot_say_is_escaped(tmp_path: Path) -> None:
    ReopenableFile(str(tmp_path / "log"), Owner()).write("\udc80")
    assert (tmp_path / "log").read_text() == "\\udc80"


def test_log_that_cannot_be_reopened_says_so_and_goes_on(tmp_path: Path) -> None:
    directory = tmp_path / "there"
    directory.mkdir()
    log = FileLog(ReopenableFile(str(directory / "log"), Owner()), Levels(lambda: 0.0))
    moved = directory.rename(tmp_path / "away")
    (event,) = collect(1, log.reopen)
    assert event["reason"] == "No such file or directory"
    log(event)
    assert "the old file stays in use" in (moved / "log").read_text()


class PackTests(TestCase):
    """A worker's event is logged as if it came from here."""

    def test_line_is_twistd_s_with_the_worker_s_number(self) -> None:
        worker = Logger(namespace="some.where")
        (event,) = collect(1, lambda: worker.warn("{what} is {{odd}}", what="x{y}"))
        (replayed,) = collect(1, lambda: replay(pack(event), 3))
        lines = Lines()
        textFileLogObserver(lines)(replayed)  # type: ignore[arg-type]
        _, _, line = lines.text.partition(" ")
        assert line == "[some.where#warn] worker 3: x{y} is {odd}\n"
        assert replayed["log_time"] == event["log_time"]
        assert replayed["log_level"] is LogLevel.warn

    def test_traceback_comes_along(self) -> None:
        failure = Failure(KeyError("lost"))
        event = {"log_format": "sorry", "log_failure": failure, "log_time": 0.0}
        (replayed,) = collect(1, lambda: replay(pack(event), 1))
        assert "sorry" in replayed["text"]
        assert "KeyError: 'lost'" in replayed["text"]

    def test_event_without_anything_is_packed(self) -> None:
        (replayed,) = collect(1, lambda: replay(pack({}), 1))
        assert replayed["log_level"] is LogLevel.info


@pytest.mark.parametrize("name", ["log", "sub/../log"])
def test_path_does_not_depend_on_the_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    file = ReopenableFile(name, Owner())
    monkeypatch.chdir("/")
    file.reopen()
    assert not Path("/log").exists()
