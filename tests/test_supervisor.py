"""The main process, run as one, around a fake gateway."""

import http.client
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path

import pytest

from sso_proxy.config.model import Config, ListenerConfig, RouteConfig, ServerConfig
from sso_proxy.errors import ConfigError
from sso_proxy.supervisor import check_change
from tests.support.running import (
    PATIENCE,
    REAL,
    Proxy,
    eventually,
    is_alive,
    need_root,
    python_for_nobody,
)


class SlowRequest(threading.Thread):
    """A request that takes *seconds*, meanwhile."""

    def __init__(self, proxy: Proxy, seconds: float) -> None:
        super().__init__(daemon=True)
        self.answer: str | None = None
        self._connection = proxy.connect()
        self._connection.connect()
        self._seconds = seconds
        self.start()
        eventually(lambda: "fake_busy" in proxy.ask_admin("/metrics")[1], "metrics")
        eventually(lambda: busy(proxy) == 1, "the request's begin")

    def run(self) -> None:
        try:
            self._connection.request("GET", f"/slow/{self._seconds}")
            self.answer = self._connection.getresponse().read().decode()
        except (OSError, http.client.HTTPException):
            self.answer = None

    def result(self) -> str | None:
        self.join(20)
        return self.answer


def busy(proxy: Proxy) -> float:
    """Count the requests under way."""
    lines = proxy.ask_admin("/metrics")[1].splitlines()
    return sum(float(x.split()[-1]) for x in lines if x.startswith("fake_busy"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_told_to_end_it_ends_with_0(tmp_path: Path, number: signal.Signals) -> None:
    with Proxy(tmp_path).start().wait_until_serving() as proxy:
        assert proxy.name() == "first"
        proxy.signal(number)
        assert proxy.wait() == 0
    assert "Traceback" not in proxy.log()


@pytest.mark.parametrize("workers", [1, 2])
def test_request_under_way_is_finished(tmp_path: Path, workers: int) -> None:
    with Proxy(tmp_path, workers=workers).start().wait_until_serving() as proxy:
        slow = SlowRequest(proxy, 1)
        proxy.signal(signal.SIGTERM)
        proxy.wait_for_log("ending")
        assert proxy.ask_admin("/health/ready")[0] == 503
        assert (slow.result() or "").startswith("first ")
        assert proxy.wait() == 0


@pytest.mark.parametrize("workers", [1, 2])
def test_nobody_is_let_in_while_requests_finish(tmp_path: Path, workers: int) -> None:
    with Proxy(tmp_path, workers=workers).start().wait_until_serving() as proxy:
        slow = SlowRequest(proxy, 1)
        proxy.signal(signal.SIGTERM)
        proxy.wait_for_log("Port", times=workers)
        with pytest.raises(ConnectionRefusedError):
            proxy.get()
        assert slow.result() is not None


@pytest.mark.parametrize("workers", [1, 2])
def test_neither_does_the_real_gateway(tmp_path: Path, workers: int) -> None:
    """It has its own way to accept, which held the port until the end."""
    proxy = Proxy(tmp_path, workers=workers)
    with socket.create_server(("127.0.0.1", 0)) as backend:
        proxy.backend = f"http://127.0.0.1:{backend.getsockname()[1]}"
        proxy.write_config()
        with proxy.start(program=REAL).wait_until_serving():
            client = socket.create_connection(("127.0.0.1", proxy.port), 20)
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            asked, _ = backend.accept()
            proxy.signal(signal.SIGTERM)
            eventually(lambda: not accepts(proxy.port), "the port is closed")
            asked.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            assert client.makefile("rb").read().endswith(b"\r\n\r\nok")
            assert proxy.wait() == 0
            asked.close()
            client.close()


def accepts(port: int) -> bool:
    """Say whether somebody listens there."""
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("workers", [1, 2])
def test_request_that_takes_too_long_is_cut_off(tmp_path: Path, workers: int) -> None:
    proxy = Proxy(tmp_path, workers=workers, drain_timeout=0.5)
    with proxy.start().wait_until_serving():
        slow = SlowRequest(proxy, 30)
        before = time.monotonic()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        assert time.monotonic() - before < 4
        assert slow.result() is None
    assert "cut off" in proxy.log()


@pytest.mark.parametrize("workers", [1, 2])
def test_told_twice_it_ends_at_once(tmp_path: Path, workers: int) -> None:
    with Proxy(tmp_path, workers=workers).start().wait_until_serving() as proxy:
        SlowRequest(proxy, 30)
        before = time.monotonic()
        proxy.signal(signal.SIGTERM)
        proxy.wait_for_log("ending")
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        assert time.monotonic() - before < 4


@pytest.mark.parametrize("workers", [1, 2])
def test_reload_serves_the_new_configuration(tmp_path: Path, workers: int) -> None:
    with Proxy(tmp_path, workers=workers).start().wait_until_serving() as proxy:
        before = proxy.workers()
        proxy.write_config(name="second")
        proxy.signal(signal.SIGHUP)
        proxy.wait_for_log("reloaded")
        assert {proxy.name() for _ in range(8)} == {"second"}
        assert proxy.workers() == before
        assert "sso_proxy_reload_refused 0" in proxy.ask_admin("/metrics")[1]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"workers": 0}, "server.workers"),
        ({"name": "unbuildable"}, "server.name: cannot be built"),
        ({"workers": 3}, "restart to change it"),
    ],
)
def test_reload_of_a_bad_configuration_changes_nothing(
    tmp_path: Path, workers: int, change: dict[str, object], complaint: str
) -> None:
    with Proxy(tmp_path, workers=workers).start().wait_until_serving() as proxy:
        proxy.write_config(**change)
        proxy.signal(signal.SIGHUP)
        proxy.wait_for_log(complaint)
        assert {proxy.name() for _ in range(8)} == {"first"}
        metrics = proxy.ask_admin("/metrics")[1]
        assert "sso_proxy_reload_refused 1" in metrics


def test_reload_that_ends_a_worker_is_taken_back(tmp_path: Path) -> None:
    with Proxy(tmp_path, workers=2).start().wait_until_serving() as proxy:
        proxy.write_config(name="crash")
        proxy.signal(signal.SIGHUP)
        proxy.wait_for_log("not reloaded: worker")
        eventually(lambda: proxy.ask_admin("/health/live")[0] == 200, "new workers")
        assert {proxy.name() for _ in range(8)} == {"first"}


def test_new_worker_serves_what_the_others_serve(tmp_path: Path) -> None:
    """Whatever has become of the file since."""
    with Proxy(tmp_path, workers=2).start().wait_until_serving() as proxy:
        proxy.config.write_text("no TOML")
        for pid in proxy.workers():
            os.kill(pid, signal.SIGKILL)
        proxy.wait_for_log("ended by signal 9", times=2)
        eventually(lambda: proxy.ask_admin("/health/live")[0] == 200, "new workers")
        assert proxy.name() == "first"


def test_killed_worker_is_replaced_and_nobody_is_refused(tmp_path: Path) -> None:
    with Proxy(tmp_path, workers=2).start().wait_until_serving() as proxy:
        before = set(proxy.workers())
        for pid in before:
            os.kill(pid, signal.SIGKILL)
        for _ in range(20):
            assert proxy.name() == "first"
        eventually(lambda: proxy.ask_admin("/health/live")[0] == 200, "new workers")
        assert len(proxy.workers()) == 2
        assert not before & set(proxy.workers())
        assert "sso_proxy_workers_replaced_total 2" in proxy.ask_admin("/metrics")[1]


def test_worker_that_dies_again_and_again_is_replaced_ever_more_slowly(
    tmp_path: Path,
) -> None:
    with Proxy(tmp_path, workers=2, name="mortal").start() as proxy:
        for delay in ("0.1", "0.2", "0.4"):
            reason = "worker 1 ended with exit code 4"
            proxy.wait_for_log(f"{reason}; another starts in {delay} s")


def test_workers_end_when_the_main_process_is_killed(tmp_path: Path) -> None:
    with Proxy(tmp_path, workers=2).start().wait_until_serving() as proxy:
        workers = proxy.workers()
        assert len(workers) == 2
        proxy.signal(signal.SIGKILL)
        proxy.wait()
        eventually(lambda: not any(map(is_alive, workers)), "the end of the workers")


def test_killed_worker_makes_us_not_alive_until_it_is_replaced(tmp_path: Path) -> None:
    with Proxy(tmp_path, workers=2).start().wait_until_serving() as proxy:
        pid = proxy.workers()[0]
        os.kill(pid, signal.SIGSTOP)
        status, body = proxy.ask_admin("/health/live")
        assert (status, "worker 1: does not answer" in body) == (503, True)
        os.kill(pid, signal.SIGKILL)
        eventually(lambda: proxy.ask_admin("/health/live")[0] == 200, "a new worker")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_is_missing_makes_us_not_ready(tmp_path: Path, workers: int) -> None:
    proxy = Proxy(tmp_path, workers=workers, name="unready")
    with proxy.start().wait_until_serving():
        status, body = proxy.ask_admin("/health/ready")
        assert status == 503
        assert '"missing": ["keys of the issuer"]' in body
        assert proxy.ask_admin("/health/live")[0] == 200


def test_metrics_tell_workers_apart(tmp_path: Path) -> None:
    with Proxy(tmp_path, workers=2).start().wait_until_serving() as proxy:
        metrics = proxy.ask_admin("/metrics")[1]
        assert 'fake_busy{worker="1"} 0' in metrics
        assert 'fake_busy{worker="2"} 0' in metrics
        assert metrics.count("# TYPE fake_busy gauge") == 1


@pytest.mark.parametrize(
    ("workers", "name", "reason"),
    [
        (1, "unbuildable", "server.name: cannot be built"),
        (2, "unbuildable", "server.name: cannot be built"),
        (2, "crash", "worker 1 ended before it was ready"),
    ],
)
def test_start_that_fails_ends_with_1_and_says_why(
    tmp_path: Path, workers: int, name: str, reason: str
) -> None:
    with Proxy(tmp_path, workers=workers, name=name).start() as proxy:
        assert proxy.wait() == 1
    assert f"sso-proxy: cannot start: {reason}" in proxy.log()
    assert "Traceback" not in proxy.log()


def test_port_in_use_ends_the_start(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        proxy = Proxy(tmp_path)
        proxy.listener = f'address = "127.0.0.1"\nport = {port}'
        proxy.write_config()
        with proxy.start():
            assert proxy.wait() == 1
    assert (
        "sso-proxy: cannot start: cannot listen on 127.0.0.1 port"
        f" {port}: Address already in use" in proxy.log()
    )


def test_unix_listener_is_removed_at_the_end(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path)
    path = tmp_path / "listener.sock"
    proxy.listener = f'address = "unix:{path}"'
    proxy.write_config()
    with proxy.start().wait_until_serving():
        assert path.is_socket()
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
    assert not path.exists()
    assert not proxy.admin_socket.exists()


def test_start_takes_over_what_a_killed_proxy_left(tmp_path: Path) -> None:
    with Proxy(tmp_path).start().wait_until_serving() as killed:
        killed.signal(signal.SIGKILL)
        killed.wait()
    assert killed.admin_socket.exists()
    with Proxy(tmp_path).start() as proxy:
        proxy.wait_for_log("serving on", times=2)
        assert proxy.ask_admin("/health/live")[0] == 200


@pytest.mark.parametrize("workers", [1, 2])
def test_service_manager_is_told_when_all_serve(tmp_path: Path, workers: int) -> None:
    path = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(path))
        manager.settimeout(PATIENCE)
        proxy = Proxy(tmp_path, workers=workers)
        with proxy.start(prelude=f"export NOTIFY_SOCKET={path};"):
            assert manager.recv(100) == b"READY=1\nSTATUS=serving"
            assert proxy.name() == "first"
            proxy.signal(signal.SIGTERM)
            assert manager.recv(100).startswith(b"STOPPING=1\n")
            assert proxy.wait() == 0


def test_socket_from_the_service_manager_is_used(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as passed:
        proxy = Proxy(tmp_path)
        proxy.listener = f'address = "127.0.0.1"\nport = {passed.getsockname()[1]}'
        proxy.write_config()
        prelude = f"export LISTEN_PID=$$ LISTEN_FDS=1; exec 3<&{passed.fileno()};"
        with proxy.start(prelude=prelude, pass_fds=[passed.fileno()]):
            proxy.wait_until_serving()
            passed.close()
            assert proxy.name() == "first"


class TestDaemon:
    """Forked, and without privileges."""

    def start(self, proxy: Proxy, *options: str, python: str = sys.executable) -> int:
        """Start as daemon; returns the exit code of what the administrator ran."""
        pid_file = proxy.directory / "pid"
        proxy.start(f"--pidfile={pid_file}", "--umask=022", *options, python=python)
        code = proxy.wait()
        if pid_file.exists():
            proxy.pid = int(pid_file.read_text())
        if code == 0:  # the port is in the log, which may be a moment behind
            proxy.wait_until_serving()
        return code

    def stop(self, proxy: Proxy) -> None:
        proxy.signal(signal.SIGTERM)
        eventually(lambda: not is_alive(proxy.pid), "the daemon's end")

    @pytest.mark.parametrize("workers", [1, 2])
    def test_serves_until_told_to_end(self, tmp_path: Path, workers: int) -> None:
        with Proxy(tmp_path, workers=workers) as proxy:
            assert self.start(proxy) == 0
            assert proxy.name() == "first"
            self.stop(proxy)
        assert not (tmp_path / "pid").exists()
        assert "Traceback" not in proxy.log()

    @pytest.mark.parametrize("workers", [1, 2])
    def test_start_that_fails_is_told_to_the_administrator(
        self, tmp_path: Path, workers: int
    ) -> None:
        with Proxy(tmp_path, workers=workers, name="unbuildable") as proxy:
            assert self.start(proxy) == 1
        assert "cannot be built" in proxy.output.read_text()
        assert "cannot be built" in (tmp_path / "twistd.log").read_text()
        eventually(lambda: not (tmp_path / "pid").exists(), "the pid file's end")

    @pytest.mark.parametrize("workers", [1, 2])
    def test_gives_up_privileges_after_binding(
        self, public_directory: Path, workers: int
    ) -> None:
        python = python_for_nobody()
        with Proxy(public_directory, workers=workers) as proxy:
            assert self.start(proxy, "--uid=nobody", python=python) == 0
            for pid in (proxy.pid, *proxy.workers()):
                assert Path(f"/proc/{pid}").owner() == "nobody"
            assert len(proxy.workers()) == (workers if workers > 1 else 0)
            assert proxy.name() == "first"
            self.stop(proxy)

    @pytest.mark.parametrize("workers", [1, 2])
    def test_reopens_its_files_without_privileges(
        self, public_directory: Path, workers: int
    ) -> None:
        python = python_for_nobody()
        audit = public_directory / "audit"
        stream = {"to": "file", "file": str(audit)}
        with Proxy(public_directory, workers=workers, audit=stream) as proxy:
            assert self.start(proxy, "--uid=nobody", python=python) == 0
            log = public_directory / "twistd.log"
            assert log.owner() == "nobody"
            log.rename(public_directory / "twistd.log.1")
            audit.rename(public_directory / "audit.1")
            proxy.signal(signal.SIGUSR1)
            eventually(audit.exists, "a new audit file")
            eventually(
                lambda: audit.read_text().count("opened by") == workers, "all workers"
            )
            proxy.signal(signal.SIGHUP)
            eventually(lambda: "reloaded" in log.read_text(), "a line in the new log")
            self.stop(proxy)

    def test_says_if_workers_cannot_run_python(self, public_directory: Path) -> None:
        need_root()
        locked = public_directory / "locked"
        locked.mkdir(mode=0o700)
        python = locked / "python"
        python.symlink_to(Path(sys.executable).resolve())
        with Proxy(public_directory, workers=2) as proxy:
            assert self.start(proxy, "--uid=nobody", python=str(python)) == 1
        reason = f"Permission denied: '{python}'; the user that we run as"
        assert reason in (public_directory / "twistd.log").read_text()

    def test_log_that_cannot_be_reopened_goes_on(self, public_directory: Path) -> None:
        need_root()
        with Proxy(public_directory) as proxy:
            assert self.start(proxy, "--uid=nobody") == 0
            log = public_directory / "twistd.log"
            old = log.rename(public_directory / "twistd.log.1")
            public_directory.chmod(0o755)
            proxy.signal(signal.SIGUSR1)
            complaint = f"cannot reopen the log {log}: Permission denied"
            eventually(lambda: complaint in old.read_text(), "a complaint")
            self.stop(proxy)


def config(**server: object) -> Config:
    return Config(
        server=ServerConfig(**server),  # type: ignore[arg-type]
        listener=(ListenerConfig(address="127.0.0.1", port=80),),
        route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
    )


def test_every_change_that_needs_a_restart_is_named() -> None:
    old = config()
    new = config(workers=2, state_dir="/elsewhere")
    with pytest.raises(ConfigError) as refused:
        check_change(old, new)
    paths = [mistake.path for mistake in refused.value.mistakes]
    assert paths == ["server.workers", "server.state_dir"]
