"""The main process under a service manager: what it is passed, and what it tells."""

import fcntl
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from sso_proxy.accepting import PATIENCE as WAITS
from sso_proxy.caches.memory import MemoryCache, MemoryCacheConfig
from sso_proxy.config.model import Config, ListenerConfig, RouteConfig, ServerConfig
from sso_proxy.process import signals
from sso_proxy.revocation_list import PURPOSE, SharedList
from sso_proxy.sealing import RingSealer
from sso_proxy.supervisor import Plan, Program, Supervisor
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import KEY_RING
from tests.support.fake_proxy import FakeGateway
from tests.support.running import PATIENCE, REAL, Proxy, UnixConnection, eventually


class Manager:
    """The end of the notify socket that systemd has."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "notify"
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.path))
        self._socket.settimeout(PATIENCE)

    def hear(self) -> dict[str, str]:
        """Wait for what is told next."""
        lines = self._socket.recv(4096).decode().splitlines()
        return dict(line.split("=", 1) for line in lines)

    def hear_until_silent(self, seconds: float, most: int) -> int:
        """Count messages until there is none for *seconds*, or too many."""
        self._socket.settimeout(seconds)
        count = 0
        try:
            while count < most:
                self._socket.recv(4096)
                count += 1
        except TimeoutError:
            pass
        finally:
            self._socket.settimeout(PATIENCE)
        return count

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    found = Manager(tmp_path)
    yield found
    found.close()


def test_reload_is_told_from_its_begin_to_its_end(
    tmp_path: Path, manager: Manager
) -> None:
    with Proxy(tmp_path).start(prelude=f"export NOTIFY_SOCKET={manager.path};") as it:
        assert manager.hear() == {"READY": "1", "STATUS": "serving"}
        before = time.monotonic()
        it.write_config(name="second")
        it.signal(signal.SIGHUP)
        told = manager.hear()
        assert told["RELOADING"] == "1"
        assert before <= int(told["MONOTONIC_USEC"]) / 1e6 + 1e-6
        assert manager.hear() == {"READY": "1", "STATUS": "serving"}
        assert it.name() == "second"


class Reading(MemoryCache):
    """A cache that answers when it is told to."""

    def __init__(self) -> None:
        super().__init__(MemoryCacheConfig(), SettableClock())
        self.answers: Deferred[None] = Deferred()

    async def index_list(self, purpose: str, index: bytes) -> list[bytes]:
        await self.answers
        return await super().index_list(purpose, index)


class Begun(Clock):
    """Runs what is to run when a reactor does, but for handlers of signals."""

    def callWhenRunning(  # noqa: N802
        self, call: Callable[..., Any], *arguments: object
    ) -> None:
        if call is not signals.install:
            call(*arguments)


@pytest.mark.parametrize("how", ["read", "not in time"])
def test_start_is_told_when_it_is_known_who_is_revoked(
    tmp_path: Path, how: str
) -> None:
    """Or as soon as nobody waits for that any more."""
    cache, reactor = Reading(), Begun()
    shared = SharedList(cache, RingSealer(PURPOSE, KEY_RING), SettableClock())
    config = Config(
        server=ServerConfig(state_dir=str(tmp_path)),
        listener=(ListenerConfig(address="::"),),
        route=(RouteConfig(host="*", authenticate=("anonymous",), backend="http://b"),),
    )
    program = Program(
        load=lambda: Plan(config=config),
        make_gateway=FakeGateway,
        worker=(),
        share=lambda _reactor, _config: shared,
    )
    supervisor = Supervisor(reactor, program, Plan(config=config))
    with capturedLogs() as logs:
        supervisor.startService()
        said = [event["log_format"] for event in logs]
        assert "serving on {names}" not in said
        if how == "read":
            cache.answers.callback(None)
        else:
            reactor.advance(WAITS)
        said = [event["log_format"] for event in logs]
        assert "serving on {names}" in said
        supervisor.stopService()


def test_reload_that_is_refused_ends_too(tmp_path: Path, manager: Manager) -> None:
    with Proxy(tmp_path).start(prelude=f"export NOTIFY_SOCKET={manager.path};") as it:
        manager.hear()
        it.write_config(name="unbuildable")
        it.signal(signal.SIGHUP)
        assert "RELOADING" in manager.hear()
        told = manager.hear()
        assert told["READY"] == "1"
        assert "refused" in told["STATUS"]
        assert it.name() == "first"


def test_worker_that_hangs_is_no_reason_to_restart_all(
    tmp_path: Path, manager: Manager
) -> None:
    """It alone is ended, after a while."""
    proxy = Proxy(tmp_path, workers=2)
    prelude = f"export NOTIFY_SOCKET={manager.path} WATCHDOG_USEC=300000;"
    with proxy.start(prelude=prelude + "export WATCHDOG_PID=$$;"):
        assert manager.hear()["READY"] == "1"
        os.kill(proxy.workers()[-1], signal.SIGSTOP)
        for _ in range(5):
            assert manager.hear() == {"WATCHDOG": "1"}


def test_process_that_hangs_gives_no_sign_of_life(
    tmp_path: Path, manager: Manager
) -> None:
    prelude = f"export NOTIFY_SOCKET={manager.path} WATCHDOG_USEC=60000;"
    with Proxy(tmp_path).start(prelude=prelude) as proxy:
        assert manager.hear()["READY"] == "1"
        assert manager.hear() == {"WATCHDOG": "1"}
        proxy.signal(signal.SIGSTOP)
        assert manager.hear_until_silent(0.5, most=1000) < 1000
        proxy.signal(signal.SIGCONT)
        assert manager.hear() == {"WATCHDOG": "1"}


@pytest.mark.parametrize("workers", [1, 2])
def test_sockets_are_taken_by_their_names(tmp_path: Path, workers: int) -> None:
    other = socket.create_server(("127.0.0.1", 0))
    with other, socket.create_server(("127.0.0.1", 0)) as web:
        proxy = Proxy(tmp_path, workers=workers)
        proxy.listener = 'address = "systemd:web"'
        proxy.write_config()
        # Above those that the shell puts in their place.
        passed = [fcntl.fcntl(sock, fcntl.F_DUPFD, 10) for sock in (other, web)]
        prelude = (
            "export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=other:web;"
            f"exec 3<&{passed[0]} 4<&{passed[1]};"
        )
        with proxy.start(prelude=prelude, pass_fds=passed):
            for descriptor in passed:
                os.close(descriptor)
            proxy.wait_until_serving()
            assert proxy.port == web.getsockname()[1]
            assert proxy.name() == "first"
            assert "no listener wants the socket other" in proxy.log()


def test_socket_that_systemd_itself_passes_is_served(tmp_path: Path) -> None:
    """It starts us when somebody connects, who waits meanwhile and is served then."""
    path = tmp_path / "web"
    proxy = Proxy(tmp_path)
    proxy.listener = 'address = "systemd:web"'
    proxy.write_config()
    activate = f"systemd-socket-activate -E PYTHONPATH --fdname=web --listen={path}"
    with proxy.start(prelude=f'exec {activate} "$@";', program=REAL):
        eventually(path.is_socket, "the socket")
        proxy.wait_for_log("Listening on")
        with closing(UnixConnection(path)) as client:
            client.request("GET", "/")
            assert client.getresponse().status == 502  # there is no backend
        proxy.signal(signal.SIGTERM)
        assert proxy.wait() == 0
        assert path.is_socket()


def test_name_that_is_not_passed_ends_the_start(tmp_path: Path) -> None:
    proxy = Proxy(tmp_path)
    proxy.listener = 'address = "systemd:web"'
    proxy.write_config()
    with proxy.start():
        assert proxy.wait() == 1
    assert "cannot listen on systemd:web: systemd passes no such" in proxy.log()
