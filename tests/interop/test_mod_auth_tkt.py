"""Debian's mod_auth_tkt answers as the table says, and takes our tickets."""

import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sso_proxy.specs.auth_tkt import (
    DIGESTS,
    Ticket,
    TicketKey,
    decode_cookie,
    encode_cookie,
    sign,
    verify,
)
from tests.authn.auth_tkt_rows import ROWS
from tests.support.auth_tkt_apache import PERL, auth_tkt_apache
from tests.support.auth_tkt_desk import DIGEST_OF, SECRET, Desk, Row, Said, base64, ok
from tests.support.auth_tkt_routes import Site
from tests.support.programs import free_port, program
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


@pytest.mark.parametrize("host", ["app.test", "sha256.test", "sha512.test"])
def test_our_tickets_are_good_there(host: str, apache: Apache) -> None:
    desk = Desk()
    fields = base64(
        "a b=c@example.com",
        tokens=("staff", "it"),
        udata="Ünter!den Linden",
        digest=DIGEST_OF[host],
    )
    row = Row("", ok(), fields, host=host)
    said = apache.ask(row.octets(desk), desk)
    assert said.seen == {
        "user": "a b=c@example.com",
        "tok": "staff,it",
        "data": "Ünter!den Linden".encode().decode("latin-1"),
    }


def test_guests_have_names_of_their_own_there_and_here(apache: Apache) -> None:
    desk, site = Desk(), Site()
    row = Row("", ok(), path="/guest/uuid")
    for said in (apache.ask(row.octets(desk), desk), site.ask(row.octets(desk), desk)):
        assert re.fullmatch("visitor-[0-9a-f]{8}", said.seen["user"])


PERL_CODE = """
my ($secret, $ip, $time, $ours) = @ARGV;
for my $type ("MD5", "SHA256", "SHA512") {
    my $made = Apache::AuthTkt->new(secret => $secret, digest_type => $type);
    my %of = (uid => "alice", ip_addr => $ip, ts => $time);
    print $made->cookie(%of, tokens => "staff, it", data => "some data"), "\\n";
    print $made->cookie(%of, data => "d"), "\\n";
}
my $reader = Apache::AuthTkt->new(secret => $secret);
print $reader->valid_ticket($ours, ip_addr => $ip)->{uid}, "\\n";
"""


def test_the_login_server_in_perl_and_ours_take_each_others_tickets() -> None:
    now, key = int(time.time()), TicketKey(secret=SECRET.encode())
    ours = sign(Ticket(uid="bob", timestamp=now, tokens=("x",)), key, ip="192.0.2.1")
    command = [program("perl"), f"-I{PERL}", "-MApache::AuthTkt", "-e", PERL_CODE]
    told = subprocess.run(  # noqa: S603
        [*command, SECRET, "192.0.2.1", str(now), encode_cookie(ours)],
        check=True,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
    )
    *cookies, read = told.stdout.splitlines()
    assert read == "bob"
    digests = [digest for digest in DIGESTS for _ in range(2)]
    for cookie, digest in zip(cookies, digests, strict=True):
        octets = decode_cookie(cookie.partition("=")[2].partition(";")[0])
        assert octets is not None
        ticket = verify(octets, attrs.evolve(key, digest=digest), ip="192.0.2.1")
        assert (ticket.uid, ticket.timestamp) == ("alice", now)
        said = (ticket.tokens, ticket.udata)
        assert said in {(("staff", "it"), "some data"), ((), "d")}
