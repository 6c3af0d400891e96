"""Reloads and the death of a worker while clients keep asking."""

import contextlib
import http.client
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import Backend, RealProxy
from tests.support.running import eventually, is_alive

if TYPE_CHECKING:
    from tests.interop.conftest import Files

CONFIG = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[[route]]
host = "localhost"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:{port}"
"""
MORE = """
[[route]]
host = "localhost"
path = "/reload-{number}/"
authenticate = ["anonymous"]
methods = ["PUT"]
backend = "http://127.0.0.1:{port}"
"""
RELOADS = 10


Work = Callable[[http.client.HTTPSConnection], None]


class Load:
    """Clients that ask until told to stop, and count what they get."""

    def __init__(self, files: "Files", port: int) -> None:
        self._context = files.client_context()
        self._port = port
        self._over = threading.Event()
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []
        works: tuple[Work, ...] = (
            *((self._keep,) * 4),
            *((self._renew,) * 2),
            self._upload,
        )
        self._threads = [
            threading.Thread(target=self._run, args=(work,), daemon=True)
            for work in works
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive()

    def _run(self, work: Work) -> None:
        while not self._over.is_set():
            connection = http.client.HTTPSConnection(
                "localhost", self._port, timeout=10, context=self._context
            )
            try:
                work(connection)
            except (OSError, http.client.HTTPException) as e:
                self.failures.append(f"{e!r}")
            finally:
                connection.close()

    def _keep(self, connection: http.client.HTTPSConnection) -> None:
        for _ in range(200):
            self._ask(connection, "kept")
            if self._over.wait(0.002):
                return

    def _renew(self, connection: http.client.HTTPSConnection) -> None:
        self._ask(connection, "new")

    def _upload(self, connection: http.client.HTTPSConnection) -> None:
        self._ask(connection, "body", b"x" * 500_000)

    def _ask(
        self,
        connection: http.client.HTTPSConnection,
        kind: str,
        body: bytes | None = None,
    ) -> None:
        connection.request("GET" if body is None else "POST", "/", body=body)
        answer = connection.getresponse()
        content = answer.read()
        if answer.status == 200 and content.startswith((b"GET /", b"POST /")):
            self.answered[kind] += 1
        else:
            self.failures.append(f"{kind}: {answer.status}")


@contextlib.contextmanager
def proxy_before(files: "Files", echo: Backend, workers: int) -> Iterator[RealProxy]:
    text = CONFIG.format(port=echo.port)
    with RealProxy(files.place(), text, workers=workers).serve() as proxy:
        yield proxy


def serves(files: "Files", proxy: RealProxy, number: int) -> bool:
    """Say whether a route answers that only a reload brought."""
    url = f"https://localhost:{proxy.port}/reload-{number}/"
    return files.ask(url).status == 405


@pytest.mark.parametrize("workers", [1, 2])
def test_reload_costs_no_request(files: "Files", echo: Backend, workers: int) -> None:
    with proxy_before(files, echo, workers) as proxy:
        load = Load(files, proxy.port)
        try:
            for number in range(RELOADS):
                time.sleep(0.2)
                proxy.text += MORE.format(number=number, port=echo.port)
                proxy.write_config()
                proxy.reload()
                eventually(partial(serves, files, proxy, number), "a new route")
            time.sleep(0.3)
        finally:
            load.stop()
    assert load.failures == []
    assert min(load.answered[kind] for kind in ("kept", "new", "body")) > 10


def owner(proxy: RealProxy, connection: http.client.HTTPSConnection) -> int:
    """Find the worker that has the other end of *connection*."""
    ours = f":{connection.sock.getsockname()[1]:04X}"
    theirs = f":{proxy.port:04X}"
    inodes = {
        words[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()
        if (words := line.split())[1].endswith(theirs) and words[2].endswith(ours)
    }
    links = {f"socket:[{inode}]" for inode in inodes}
    for pid in proxy.workers():
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                if str(descriptor.readlink()) in links:
                    return pid
    raise AssertionError("nobody has this connection")


def test_death_of_a_worker_costs_its_connections_only(
    files: "Files", echo: Backend
) -> None:
    context = files.client_context()
    with (
        proxy_before(files, echo, 2) as proxy,
        contextlib.ExitStack() as stack,
    ):

        def connect() -> http.client.HTTPSConnection:
            connection = http.client.HTTPSConnection(
                "localhost", proxy.port, timeout=10, context=context
            )
            stack.callback(connection.close)
            connection.request("GET", "/")
            assert connection.getresponse().read().startswith(b"GET /")
            return connection

        owned = [(connect(), 0) for _ in range(8)]
        owned = [(each, owner(proxy, each)) for each, _ in owned]
        victim = owned[0][1]
        os.kill(victim, signal.SIGKILL)
        eventually(lambda: not is_alive(victim), "its death")
        for each, pid in owned:
            if pid == victim:
                with pytest.raises((OSError, http.client.HTTPException)):
                    ask(each)
            else:
                ask(each)
        for _ in range(20):
            connect()
        eventually(lambda: len(proxy.workers()) == 2, "another worker")
        for _ in range(20):
            connect()


def ask(connection: http.client.HTTPSConnection) -> None:
    assert connection.sock is not None
    connection.request("GET", "/")
    assert connection.getresponse().read().startswith(b"GET /")


MUTUAL = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "ours.crt"
key = "ours.key"
client_certificate = "required"
client_ca = "ca.crt"
client_crl = "ca.crl"

[authenticator.cert]
type = "mtls"

[[route]]
host = "localhost"
authenticate = ["cert"]
backend = "http://127.0.0.1:{port}"
"""


@pytest.fixture
def mutual(files: "Files", echo: Backend) -> Iterator[RealProxy]:
    """Give a proxy that asks for certificates, with files of its own."""
    directory = files.place()
    (directory / "ca.crl").write_bytes(files.authority.crl())
    first = files.authority.issue("first", dns=["localhost"], server=True)
    first.write(directory, "ours")
    text = MUTUAL.format(port=echo.port)
    with RealProxy(directory, text).serve() as proxy:
        yield proxy


def as_alice(files: "Files", proxy: RealProxy) -> http.client.HTTPSConnection:
    context = files.client_context()
    context.load_cert_chain(
        files.directory / "alice.crt", files.directory / "alice.key"
    )
    return http.client.HTTPSConnection(
        "localhost", proxy.port, timeout=10, context=context
    )


def status_of(connection: http.client.HTTPSConnection) -> int:
    connection.request("GET", "/")
    answer = connection.getresponse()
    answer.read()
    return answer.status


def test_revoked_client_is_out_from_the_next_request_on(
    files: "Files", mutual: RealProxy
) -> None:
    """A connection accepted under the old list is not one of the new."""
    with contextlib.closing(as_alice(files, mutual)) as old:
        assert status_of(old) == 200
        revoked = files.authority.crl([files.alice])
        (mutual.directory / "ca.crl").write_bytes(revoked)
        assert status_of(old) == 200
        mutual.reload()
        assert status_of(old) == 421
    with (
        contextlib.closing(as_alice(files, mutual)) as new,
        pytest.raises((OSError, http.client.HTTPException)),
    ):
        status_of(new)


def test_new_certificate_of_ours_is_shown_after_a_reload(
    files: "Files", mutual: RealProxy
) -> None:
    with contextlib.closing(as_alice(files, mutual)) as old:
        assert status_of(old) == 200
        second = files.authority.issue("second", dns=["localhost"], server=True)
        second.write(mutual.directory, "ours")
        mutual.reload()
        assert status_of(old) == 200
    with contextlib.closing(as_alice(files, mutual)) as new:
        assert status_of(new) == 200
        assert new.sock.getpeercert(binary_form=True) == second.der


def test_file_with_mistakes_changes_nothing(files: "Files", mutual: RealProxy) -> None:
    with contextlib.closing(as_alice(files, mutual)) as connection:
        assert status_of(connection) == 200
        mutual.text += "[[route]]\nhost = 5\n"
        mutual.write_config()
        mutual.signal(signal.SIGHUP)
        mutual.wait_for_log("not reloaded")
        assert status_of(connection) == 200
    with contextlib.closing(as_alice(files, mutual)) as new:
        assert status_of(new) == 200
