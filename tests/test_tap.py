"""``twistd sso-proxy`` itself, with everything in it that it has."""

import http.client
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import LogLevel
from twisted.python.usage import UsageError

from sso_proxy.process.levels import Levels
from sso_proxy.process.logs import FileLog
from sso_proxy.process.sockets import Owner
from sso_proxy.tap import Options, open_log, owner_after_drop
from tests.support.running import (
    REAL,
    Proxy,
    environment,
    eventually,
    is_alive,
    python_for_nobody,
)

LEVELS = Levels(lambda: 0.0)


class Backend(BaseHTTPRequestHandler):
    """Says ``hello``; below ``/slow/`` after a second."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path.startswith("/slow/"):
            time.sleep(1)
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *_: Any) -> None: ...  # noqa: ANN401


@pytest.fixture
def backend() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Backend) as server:
        server.asked = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def proxy_to(backend: ThreadingHTTPServer, directory: Path, **server: object) -> Proxy:
    proxy = Proxy(directory, audit={"to": "file", "file": str(directory / "audit")})
    proxy.backend = f"http://127.0.0.1:{backend.server_address[1]}"
    proxy.write_config(**server)
    return proxy


def run_twistd(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603
        [sys.executable, *REAL, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_every_mistake_is_listed_and_nothing_else(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path, workers=0, nonsense=1)
    proxy.backend = "gopher://x"
    proxy.write_config()
    done = run_twistd("-n", "--pidfile=", "sso-proxy", "--config", str(proxy.config))
    assert done.returncode == 1
    first, *mistakes = done.stderr.splitlines()
    assert first == f"sso-proxy: {proxy.config} cannot be used:"
    assert [line.split(":")[0].strip() for line in mistakes] == [
        "server.workers",
        "server.nonsense",
        "route[0].backend",
    ]
    assert done.stdout == ""


def test_missing_file_is_named(tmp_path: Path) -> None:
    done = run_twistd("-n", "--pidfile=", "sso-proxy", "-c", str(tmp_path / "none"))
    assert done.returncode == 1
    assert "none: cannot be read: No such file or directory" in done.stderr
    assert "Traceback" not in done.stderr


def test_configuration_has_to_be_named() -> None:
    with pytest.raises(UsageError, match="--config FILE is missing"):
        Options().parseOptions([])


def test_log_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path)
    log = f"--logfile={tmp_path}/none/log"
    done = run_twistd("-n", "--pidfile=", log, "sso-proxy", "-c", str(proxy.config))
    assert done.returncode == 1
    assert f"cannot write the log {tmp_path}/none/log" in done.stderr


@pytest.mark.parametrize("workers", [1, 2])
def test_requests_reach_the_backend_before_and_after_a_reload(
    tmp_path: Path, backend: ThreadingHTTPServer, workers: int
) -> None:
    proxy = proxy_to(backend, tmp_path, workers=workers)
    with proxy.start(program=REAL).wait_until_serving():
        assert proxy.get() == "hello"
        proxy.write_config(name="second")
        proxy.signal(signal.SIGHUP)
        proxy.wait_for_log("reloaded")
        assert proxy.get() == "hello"
        proxy.config.write_text("[[listener]]")
        proxy.signal(signal.SIGHUP)
        proxy.wait_for_log("not reloaded: route")
        assert proxy.get() == "hello"
        assert proxy.ask_admin("/health/live")[0] == 200
        assert "sso_proxy_requests_total" in proxy.ask_admin("/metrics")[1]
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
    assert (tmp_path / "audit").read_text().count('"status":200') == 3
    assert "Traceback" not in proxy.log()


@pytest.mark.parametrize("workers", [1, 2])
def test_request_under_way_is_finished_before_the_end(
    tmp_path: Path,
    backend: Any,  # noqa: ANN401
    workers: int,
) -> None:
    proxy = proxy_to(backend, tmp_path, workers=workers)
    with proxy.start(program=REAL).wait_until_serving():
        answers: list[str] = []
        slow = threading.Thread(target=lambda: answers.append(proxy.get("/slow/1")))
        slow.start()
        eventually(lambda: bool(backend.asked), "the request at the backend")
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        slow.join()
        assert answers == ["hello"]


def test_connections_wait_while_all_workers_are_replaced(
    tmp_path: Path, backend: ThreadingHTTPServer
) -> None:
    proxy = proxy_to(backend, tmp_path, workers=2)
    with proxy.start(program=REAL).wait_until_serving():
        before = proxy.workers()
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        assert {proxy.get() for _ in range(10)} == {"hello"}
        eventually(lambda: proxy.ask_admin("/health/live")[0] == 200, "new workers")


def test_workers_take_no_modules_from_the_current_directory(
    tmp_path: Path, backend: ThreadingHTTPServer
) -> None:
    (tmp_path / "sso_proxy.py").write_text("raise SystemExit('taken')")
    proxy = proxy_to(backend, tmp_path, workers=2)
    with proxy.start(program=("-P", *REAL)).wait_until_serving():
        assert proxy.get() == "hello"


def test_workers_end_when_the_main_process_is_killed(
    tmp_path: Path, backend: ThreadingHTTPServer
) -> None:
    proxy = proxy_to(backend, tmp_path, workers=2)
    with proxy.start(program=REAL).wait_until_serving():
        workers = proxy.workers()
        proxy.signal(signal.SIGKILL)
        proxy.wait()
        eventually(lambda: not any(map(is_alive, workers)), "the end of the workers")


@pytest.mark.parametrize("workers", [1, 2])
def test_daemon_without_privileges_reopens_its_files(
    public_directory: Path, backend: ThreadingHTTPServer, workers: int
) -> None:
    python = python_for_nobody()
    proxy = proxy_to(backend, public_directory, workers=workers)
    options = (f"--pidfile={public_directory}/pid", "--umask=022", "--uid=nobody")
    with proxy.start(*options, program=REAL, python=python):
        assert proxy.wait() == 0, proxy.log()
        proxy.pid = int((public_directory / "pid").read_text())
        proxy.wait_until_serving()  # twistd's first process ends before that
        assert proxy.get() == "hello"
        for name in ("audit", "twistd.log"):
            path = public_directory / name
            assert path.owner() == "nobody"
            path.rename(public_directory / f"{name}.1")
        proxy.signal(signal.SIGUSR1)
        eventually((public_directory / "audit").exists, "a new audit file")
        proxy.signal(signal.SIGHUP)
        log = public_directory / "twistd.log"
        eventually(lambda: log.exists() and "reloaded" in log.read_text(), "a line")
        assert proxy.get() == "hello"
        proxy.signal(signal.SIGTERM)
        eventually(lambda: not is_alive(proxy.pid), "the daemon's end")
    assert '"status":200' in (public_directory / "audit").read_text()


def test_idle_connection_does_not_delay_the_end(
    tmp_path: Path, backend: ThreadingHTTPServer
) -> None:
    with proxy_to(backend, tmp_path).start(program=REAL).wait_until_serving() as proxy:
        connection = proxy.connect()
        connection.request("GET", "/")
        connection.getresponse().read()
        before = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        assert time.monotonic() - before < 5
        with pytest.raises((OSError, http.client.HTTPException)):
            proxy.get()
        connection.close()


def test_owner_is_the_user_s_own_group_unless_said() -> None:
    assert owner_after_drop({"uid": 65534, "gid": None}) == Owner(65534, 65534)
    assert owner_after_drop({"uid": 65534, "gid": 7}) == Owner(65534, 7)
    assert owner_after_drop({"uid": None, "gid": 7}) == Owner(-1, 7)
    assert owner_after_drop({}) == Owner()


@pytest.mark.parametrize(
    "twistd",
    [
        {"logfile": "-"},
        {"logfile": "x", "syslog": True},
        {"logfile": "x", "logger": object},
    ],
)
def test_log_that_is_no_file_is_left_to_twistd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, twistd: dict[str, object]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert open_log(twistd, Owner(), LEVELS) is None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [None, "-"])
def test_log_on_standard_output_is_ours(
    name: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its levels can be changed, too, where a container's log is read."""
    log = open_log({"nodaemon": True, "logfile": name}, Owner(), LEVELS)
    assert log is not None
    for level in (LogLevel.debug, LogLevel.info):
        log({"log_level": level, "log_format": "at {log_level.name}", "log_time": 0.0})
    log.reopen()
    (line,) = capsys.readouterr().out.splitlines()
    assert line.endswith("at info")


@pytest.mark.parametrize(
    ("twistd", "name"),
    [({}, "twistd.log"), ({"nodaemon": True, "logfile": "other"}, "other")],
)
def test_log_is_where_twistd_would_write_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    twistd: dict[str, object],
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert isinstance(open_log(twistd, Owner(), LEVELS), FileLog)
    assert (tmp_path / name).exists()
