"""Tests for `sso_proxy.net.audit_sinks`."""

import errno
import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from twisted.logger import ILogObserver, LogEvent, formatEvent, globalLogPublisher
from zope.interface import provider
from zope.interface.verify import verifyObject

from sso_proxy.config.operator_parts import AuditConfig
from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import IAuditSink, IHealth
from sso_proxy.net.audit_sinks import (
    FileSink,
    NullSink,
    Sink,
    StdoutSink,
    SyslogSink,
    build_sink,
)
from sso_proxy.testing.checks import outcome_of


class Sinks:
    """What the tests of all sinks need: a directory, and what is logged."""

    @pytest.fixture(autouse=True)
    def _surroundings(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        # A socket's path has 107 octets at most: relative ones are short.
        monkeypatch.chdir(tmp_path)
        self.logged: list[str] = []
        self.sinks: list[Sink] = []

        @provider(ILogObserver)
        def observe(event: LogEvent) -> None:
            self.logged.append(formatEvent(event))

        globalLogPublisher.addObserver(observe)
        yield
        globalLogPublisher.removeObserver(observe)
        for sink in self.sinks:
            sink.close()

    def file_sink(self, path: str = "audit.log", limit: int = 10) -> FileSink:
        self.sinks.append(sink := FileSink(path, limit))
        return sink


@contextmanager
def file_size_limit(octets: int) -> Iterator[None]:
    """Let files grow to *octets* only: a write beyond is cut, the next one fails."""
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)


class TestFileSink(Sinks):
    def test_records_are_appended_in_their_order(self) -> None:
        Path("audit.log").write_bytes(b"old\n")
        sink = self.file_sink()
        sink.record(b"1\n")
        sink.record(b"2\n")
        assert Path("audit.log").read_bytes() == b"old\n"
        sink.flush()
        sink.flush()
        assert Path("audit.log").read_bytes() == b"old\n1\n2\n"

    def test_a_new_file_is_nobody_elses(self) -> None:
        umask = os.umask(0)
        self.file_sink()
        os.umask(umask)
        assert Path("audit.log").stat().st_mode & 0o777 == 0o640

    def test_more_than_one_batch_is_written(self) -> None:
        sink = self.file_sink(limit=5000)
        for _ in range(3000):
            sink.record(b"line\n")
        sink.flush()
        assert Path("audit.log").read_bytes() == b"line\n" * 3000

    def test_a_rotated_file_is_opened_anew(self) -> None:
        sink = self.file_sink()
        sink.record(b"1\n")
        Path("audit.log").rename("audit.log.1")
        sink.reopen()
        sink.record(b"2\n")
        sink.flush()
        assert Path("audit.log.1").read_bytes() == b"1\n"
        assert Path("audit.log").read_bytes() == b"2\n"

    def test_a_file_that_cannot_be_opened_anew_is_kept(self) -> None:
        sink = self.file_sink()
        Path("audit.log").rename("audit.log.1")
        Path("audit.log").mkdir()
        sink.reopen()
        sink.record(b"1\n")
        sink.flush()
        assert Path("audit.log.1").read_bytes() == b"1\n"
        assert self.logged == [
            "audit.log cannot be opened anew: Is a directory; the old one is kept"
        ]

    def test_a_full_disk_costs_no_record_that_fits_into_memory(self) -> None:
        sink = self.file_sink()
        lines = [b"%d\n" % number * 3 for number in range(6)]
        with file_size_limit(10):
            for line in lines:
                sink.record(line)
            sink.flush()
            sink.flush()
            assert len(Path("audit.log").read_bytes()) == 10
            assert sink.health() == (
                "audit to audit.log: File too large; 0 records lost",
            )
        sink.flush()
        assert Path("audit.log").read_bytes() == b"".join(lines)
        assert sink.health() == ()

    def test_a_full_disk_is_logged_once_and_its_end_too(self) -> None:
        sink = self.file_sink(limit=2)
        with file_size_limit(0):
            for number in range(5):
                sink.record(b"%d\n" % number)
                sink.flush()
            assert sink.lost == 3
            assert outcome_of(sink.probe()) == (
                "audit to audit.log: File too large; 3 records lost",
            )
        sink.flush()
        sink.flush()
        assert Path("audit.log").read_bytes() == b"0\n1\n"
        assert self.logged == [
            "cannot write audit records to audit.log: File too large; 2 can wait",
            "audit records are written to audit.log again; 3 were lost",
        ]

    def test_half_a_line_does_not_go_into_another_file(self) -> None:
        sink = self.file_sink()
        with file_size_limit(3):
            sink.record(b"first\n")
            sink.record(b"second\n")
            sink.flush()
            Path("audit.log").rename("audit.log.1")
            sink.reopen()
        sink.flush()
        assert Path("audit.log.1").read_bytes() == b"fir"
        assert Path("audit.log").read_bytes() == b"second\n"
        assert sink.lost == 1

    def test_a_fifo_that_is_full_does_not_block(self) -> None:
        os.mkfifo("fifo")
        reader = os.open("fifo", os.O_RDONLY | os.O_NONBLOCK)
        sink = self.file_sink("fifo", limit=3)
        line = b"x" * 50000 + b"\n"
        for _ in range(8):
            sink.record(line)
            sink.flush()
        assert sink.lost > 0
        assert "nobody takes the records" in sink.health()[0]
        received = b""
        for _ in range(8):
            try:
                received += os.read(reader, 1 << 20)
            except BlockingIOError:
                break
            sink.flush()
        os.close(reader)
        assert received == line * (8 - sink.lost)
        assert sink.health() == ()

    def test_closing_twice_is_no_error(self) -> None:
        sink = self.file_sink()
        sink.close()
        sink.close()


class TestStdoutSink(Sinks):
    @pytest.fixture(autouse=True)
    def _pipe(self) -> Iterator[None]:
        self.reader, self.writer = os.pipe()
        self.sink = StdoutSink(self.writer, limit=1000)
        yield
        os.close(self.writer)
        if self.reader >= 0:
            os.close(self.reader)

    def read(self) -> bytes:
        os.set_blocking(self.reader, False)
        data = b""
        while True:
            try:
                data += os.read(self.reader, 1 << 20)
            except BlockingIOError:
                return data

    def test_records_are_written_in_their_order(self) -> None:
        lines = [b"%04d" % n + b"x" * n + b"\n" for n in range(0, 900, 9)]
        for line in lines:
            self.sink.record(line)
        self.sink.flush()
        assert self.read() == b"".join(lines)

    def test_a_long_record_is_written_in_pieces(self) -> None:
        self.sink.record(b"a" * 10000 + b"\n")
        self.sink.record(b"b\n")
        self.sink.flush()
        assert self.read() == b"a" * 10000 + b"\nb\n"

    def test_a_pipe_that_nobody_reads_does_not_block(self) -> None:
        line = b"x" * 999 + b"\n"
        for _ in range(5):
            for _ in range(500):
                self.sink.record(line)
            self.sink.flush()
        assert self.sink.lost > 0
        assert "nobody takes the records" in self.sink.health()[0]
        received = b""
        while data := self.read():
            received += data
            self.sink.flush()
        assert received == line * (2500 - self.sink.lost)
        assert self.sink.health() == ()

    def test_the_shared_descriptor_stays_blocking(self) -> None:
        self.sink.record(b"x\n")
        self.sink.flush()
        assert os.get_blocking(self.writer)

    def test_a_reader_that_has_gone_is_a_problem_and_no_exception(self) -> None:
        os.close(self.reader)
        self.reader = -1
        self.sink.record(b"x\n")
        self.sink.flush()
        assert os.strerror(errno.EPIPE) in self.sink.health()[0]


class TestSyslogSink(Sinks):
    @pytest.fixture(autouse=True)
    def _syslog(self) -> Iterator[None]:
        self.sink = SyslogSink("log", limit=1000)
        self.listeners: list[socket.socket] = []
        yield
        self.sink.close()
        for listener in self.listeners:
            listener.close()

    def listen(self) -> socket.socket:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.listeners.append(listener)
        listener.bind("log")
        listener.setblocking(False)
        return listener

    def test_a_record_is_one_message(self) -> None:
        listener = self.listen()
        self.sink.record(b'{"v":1}\n')
        self.sink.flush()
        expected = f'<86>1 - - sso-proxy {os.getpid()} audit - {{"v":1}}'
        assert listener.recv(65536).decode() == expected

    def test_records_wait_for_a_daemon_that_is_restarted(self) -> None:
        self.sink.record(b"1\n")
        self.sink.flush()
        assert "No such file" in self.sink.health()[0]
        first = self.listen()
        self.sink.flush()
        assert first.recv(65536).endswith(b" 1")
        first.close()
        self.sink.record(b"2\n")
        self.sink.flush()
        assert "refused" in self.sink.health()[0]
        Path("log").unlink()
        second = self.listen()
        self.sink.flush()
        assert second.recv(65536).endswith(b" 2")
        assert self.sink.health() == ()

    def test_a_daemon_that_does_not_read_does_not_block(self) -> None:
        listener = self.listen()
        for _ in range(2000):
            self.sink.record(b"x" * 1000 + b"\n")
            self.sink.flush()
        assert self.sink.lost > 0
        received = 0
        while True:
            try:
                listener.recv(65536)
            except BlockingIOError:
                break
            received += 1
            self.sink.flush()
        assert received == 2000 - self.sink.lost

    def test_a_record_that_no_datagram_can_hold_is_lost_alone(self) -> None:
        listener = self.listen()
        self.sink.record(b"x" * 10_000_000 + b"\n")
        self.sink.record(b"2\n")
        self.sink.flush()
        assert listener.recv(65536).endswith(b" 2")
        assert self.sink.lost == 1


class TestBuildSink(Sinks):
    def test_the_configuration_chooses_the_sink(self) -> None:
        assert type(build_sink(AuditConfig(to="none"))) is NullSink
        assert type(build_sink(AuditConfig(to="stdout"))) is StdoutSink
        assert type(build_sink(AuditConfig(to="syslog"))) is SyslogSink
        sink = build_sink(AuditConfig(to="file", file="audit.log"))
        assert type(sink) is FileSink

    def test_a_file_that_cannot_be_opened_is_a_mistake(self) -> None:
        config = AuditConfig(to="file", file="no/such")
        with pytest.raises(ConfigError) as caught:
            build_sink(config, "server.access_log")
        assert str(caught.value) == (
            f"server.access_log.file: {'no/such'!r} cannot be opened:"
            " No such file or directory"
        )

    def test_a_file_without_a_path_is_a_mistake(self) -> None:
        with pytest.raises(ConfigError) as caught:
            build_sink(AuditConfig(to="file"))
        assert "server.audit.file: is missing" in str(caught.value)

    def test_every_sink_keeps_the_contracts(self) -> None:
        for to in ("none", "stdout", "syslog"):
            sink = build_sink(AuditConfig(to=to))
            verifyObject(IAuditSink, sink)
            verifyObject(IHealth, sink)
            sink.reopen()
            sink.close()

    def test_nowhere_is_nowhere(self) -> None:
        sink = NullSink()
        for _ in range(100_000):
            sink.record(b"x\n")
        sink.flush()
        assert sink.lost == 0
        assert sink.health() == ()
