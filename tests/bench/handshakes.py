"""
Memory: handshakes with Token Binding, good, malformed or broken off, leave nothing.

Ends with 1 if the proxy grows.
"""

import argparse
import contextlib
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import attrs

from sso_proxy.net.tls.token_binding_client import (
    OFFER,
    BindingConnection,
    Trust,
    client_context,
)
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.token_binding import BindingKey, prove
from tests.support.programs import free_port
from tests.support.running import REAL, Proxy

COUNT = 10_000
MOST_GROWTH = 1 << 20
"""Octets after the first fifth."""

CONFIG = """
[server]
audit = {{ to = "none" }}
state_dir = "{directory}/state"

[[listener]]
address = "127.0.0.1"
port = {port}
certificate = "proxy.crt"
key = "proxy.key"
token_binding = true

[[listener.name]]
host = ["named.example"]

[[route]]
host = "*"
authenticate = ["anonymous"]
headers = {{ token_binding = ["provided", "referred", "other", "context"] }}
backend = "http://127.0.0.1:9"
"""

GET = "GET /.sso/none HTTP/1.1\r\nHost: h\r\nSec-Token-Binding: {proof}\r\n\r\n"


@attrs.frozen
class Clients:
    """All that a client may do."""

    port: int
    key: BindingKey = attrs.field(factory=BindingKey.create)

    def acts(self) -> tuple[Callable[[], None], ...]:
        """Give the things that are done in turn."""
        return (self.prove, self.prove_wrongly, self.offer_nonsense, self.break_off)

    def prove(self) -> None:
        """Prove a key; the path is nobody's."""
        self._ask(lambda connection: prove(self.key, connection.ekm), b"404")

    def prove_wrongly(self) -> None:
        """Prove it for another connection."""
        self._ask(lambda _: prove(self.key, bytes(32)), b"400", "named.example")

    def offer_nonsense(self) -> None:
        """Have the handshake refused."""
        with self._dial() as sock:
            try:
                BindingConnection(_CONTEXT, sock, offer=b"\x01\x00\x09\x02")
            except Exception as e:
                if "decode error" not in str(e):
                    raise
            else:
                raise AssertionError("nonsense was taken")

    def break_off(self) -> None:
        """Go away in the middle of the handshake."""
        with self._dial() as sock:
            sock.sendall(b"\x16\x03\x01\x00\x80\x01\x00\x00\x7c\x03\x03")

    def _ask(
        self,
        proof: Callable[[BindingConnection], str],
        status: bytes,
        name: str | None = None,
    ) -> None:
        with self._dial() as sock:
            connection = BindingConnection(
                _CONTEXT, sock, server_name=name, offer=OFFER
            )
            connection.send(GET.format(proof=proof(connection)).encode())
            answer = connection.receive()
            assert answer.startswith(b"HTTP/1.1 " + status), answer[:80]

    @contextlib.contextmanager
    def _dial(self) -> Iterator[socket.socket]:
        with socket.create_connection(("127.0.0.1", self.port), 20) as sock:
            yield sock


_CONTEXT = client_context(Trust())


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.handshakes", description=__doc__
    )
    parser.add_argument("--count", type=int, default=COUNT)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as directory:
        grown = growth(Path(directory), options.count)
    passed = grown <= MOST_GROWTH
    print("| handshakes | grown by, KiB | at most | |\n|--:|--:|--:|---|")
    verdict = "pass" if passed else "FAIL"
    print(f"| {options.count} | {grown >> 10} | {MOST_GROWTH >> 10} | {verdict} |")
    return 0 if passed else 1


def growth(directory: Path, count: int) -> int:
    """Give by how many octets the proxy has grown after the first fifth of *count*."""
    Pki.create().issue("proxy", server=True).write(directory, "proxy")
    port = free_port()
    proxy = Proxy(directory)
    proxy.config.write_text(CONFIG.format(directory=directory, port=port))
    with proxy.start(program=REAL).wait_until_serving():
        acts = Clients(port).acts()
        before = 0
        for number in range(count):
            if number == count // 5:
                before = _resident(proxy.pid)
            acts[number % len(acts)]()
        return _resident(proxy.pid) - before


def _resident(pid: int) -> int:
    pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


if __name__ == "__main__":
    sys.exit(main())
