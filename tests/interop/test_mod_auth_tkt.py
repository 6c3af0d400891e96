"""Debian's mod_auth_tkt answers as the table says, and takes our tickets."""

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.authn.auth_tkt_rows import ROWS
from tests.support.auth_tkt_apache import auth_tkt_apache
from tests.support.auth_tkt_desk import Desk, Row, Said
from tests.support.programs import free_port
from tests.support.recorder import Recorder
from tests.support.running import PATIENCE

FIELDS = {"user": "X-Env-User", "tok": "X-Env-Tokens", "data": "X-Env-Data"}
_fields = re.compile(rb"\r\n(Location|Set-Cookie): ([^\r]*)").findall


@attrs.frozen
class Apache:
    """
    Apache, with a backend.

    Attributes:
        port: Where it listens.
        backend: What is behind it.
    """

    port: int
    backend: Recorder

    def ask(self, octets: bytes, desk: Desk) -> Said:
        """Ask over a connection of its own."""
        before = len(self.backend.seen)
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(octets)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        found = _fields(answer.partition(b"\r\n\r\n")[0])
        location = "".join(v.decode() for name, v in found if name == b"Location")
        given = desk.given(v.decode() for name, v in found if name == b"Set-Cookie")
        seen = {}
        if len(self.backend.seen) > before:
            last = self.backend.seen[-1]
            for name, field in FIELDS.items():
                seen[name] = "".join(last.values(field)).replace("(null)", "")
        return Said(int(answer[9:12] or 0), location, seen, given)


@pytest.fixture(scope="module")
def apache() -> Iterator[Apache]:
    """Run Apache."""
    with tempfile.TemporaryDirectory() as name, Recorder() as backend:
        directory, port = Path(name), free_port()
        directory.chmod(0o755)
        with auth_tkt_apache(directory, port, backend.port):
            yield Apache(port, backend)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_module_answers_as_the_row_says(row: Row, apache: Apache) -> None:
    desk = Desk()
    client = () if row.peer == "127.0.0.1" else (f"X-Client: {row.peer}",)
    row.check(row.theirs, apache.ask(row.octets(desk, *client), desk))
