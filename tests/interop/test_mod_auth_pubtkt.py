"""Debian's mod_auth_pubtkt answers as the table says, and takes our tickets."""

import re
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sso_proxy.specs.pubtkt import Ticket, encode_cookie, encrypt_bauth, sign
from tests.authn.pubtkt_rows import ROWS
from tests.support.programs import free_port
from tests.support.pubtkt_apache import pubtkt_apache, write_keys
from tests.support.pubtkt_desk import BASIC_KEY, Desk, Row, Said, ok
from tests.support.pubtkt_keys import signing_key
from tests.support.recorder import Recorder
from tests.support.running import PATIENCE

FIELDS = {
    "user": "X-Env-User",
    "tok": "X-Env-Tokens",
    "data": "X-Env-Data",
    "authorization": "Authorization",
}
_location = re.compile(rb"\r\nLocation: ([^\r]*)").search


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

    def ask(self, octets: bytes) -> Said:
        """Ask over a connection of its own."""
        before = len(self.backend.seen)
        address = ("127.0.0.1", self.port)
        with socket.create_connection(address, timeout=PATIENCE) as client:
            client.sendall(octets)
            answer = b"".join(iter(lambda: client.recv(65536), b""))
        location = _location(answer.partition(b"\r\n\r\n")[0])
        seen = {}
        if len(self.backend.seen) > before:
            last = self.backend.seen[-1]
            for name, field in FIELDS.items():
                seen[name] = "".join(last.values(field)).replace("(null)", "")
        return Said(int(answer[9:12]), location[1].decode() if location else "", seen)


@pytest.fixture(scope="module")
def apache() -> Iterator[Apache]:
    """Run Apache."""
    with tempfile.TemporaryDirectory() as name, Recorder() as backend:
        directory, port = Path(name), free_port()
        directory.chmod(0o755)
        write_keys(directory)
        with pubtkt_apache(directory, port, backend.port):
            yield Apache(port, backend)


@pytest.fixture(scope="module")
def desk() -> Desk:
    """Give what makes tickets."""
    return Desk()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_the_module_answers_as_the_row_says(
    row: Row, apache: Apache, desk: Desk
) -> None:
    row.check(row.theirs, row.ask(desk, apache.ask))


@pytest.mark.parametrize(
    ("path", "key", "digest"),
    [
        ("/x", "rsa", None),
        ("/rsa1024", "rsa1024", None),
        ("/dsa", "dsa", "DSS1"),
        ("/rsa512", "rsa", "sha512"),
    ],
)
def test_our_tickets_are_good_there(
    path: str, key: str, digest: str | None, apache: Apache, desk: Desk
) -> None:
    ticket = Ticket(
        uid="alice",
        cip="127.0.0.1",
        valid_until=desk.now + 60,
        grace_period=desk.now + 30,
        tokens=("admin", "staff"),
        udata="Ünter den Linden",
        multifactor="1",
    )
    said = apache.ask(_showing(sign(ticket, signing_key(key, digest)), path))
    data = ticket.udata.encode().decode("latin-1")
    Row("", said).check(ok(tok="admin,staff", data=data), said)


def test_what_we_encrypt_is_decrypted_there(apache: Apache, desk: Desk) -> None:
    for number in (1, 13, 14):
        credentials = b"a:" + b"p" * number
        bauth = encrypt_bauth(credentials, BASIC_KEY.encode(), bytes(range(16)))
        ticket = Ticket(uid="a", valid_until=desk.now + 60, bauth=bauth)
        said = apache.ask(_showing(sign(ticket, signing_key("rsa")), "/bauthenc"))
        assert said.seen["authorization"].startswith("Basic YTpw")


def _showing(text: str, path: str) -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: app.test",
        f"Cookie: auth_pubtkt={encode_cookie(text)}",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode()
