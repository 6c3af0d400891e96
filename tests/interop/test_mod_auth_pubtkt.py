"""Debian's mod_auth_pubtkt answers as the table says, and takes our tickets."""

import re
import socket
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.model import Caller
from sso_proxy.specs.pubtkt import Ticket, encode_cookie, encrypt_bauth, sign
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.pubtkt import PubtktSource
from sso_proxy.tokens.pubtkt_config import PubtktTokenConfig
from tests.authn.pubtkt_rows import ROWS
from tests.support.programs import free_port
from tests.support.pubtkt_apache import pubtkt_apache, write_keys
from tests.support.pubtkt_desk import BASIC_KEY, Desk, Row, Said, ok
from tests.support.pubtkt_keys import private_pem, signing_key
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


@pytest.mark.parametrize(
    ("path", "key", "digest", "seen"),
    [
        ("/tok", "rsa", None, {"user": "al", "tok": "admin,sso", "data": "a@b"}),
        ("/mfa", "rsa", None, {"user": "al"}),
        ("/mfa", "dsa1024", None, {}),
        ("/dsa", "dsa", None, {"user": "al"}),
        ("/rsa256", "rsa", "sha256", {"user": "al"}),
        ("/bauthenc", "rsa", None, {"authorization": "Basic YWw6czNjcmV0"}),
    ],
)
def test_what_the_login_server_gives_is_good_there(  # noqa: PLR0913, PLR0917
    path: str,
    key: str,
    digest: Any,  # noqa: ANN401
    seen: dict[str, str],
    apache: Apache,
    tmp_path: Path,
) -> None:
    """With every field; what another key has signed is not."""
    file = tmp_path / "ticket.pem"
    file.write_bytes(private_pem(key))
    config = PubtktTokenConfig(
        key=str(file),
        digest=digest,
        cip=True,
        uid="login",
        tokens=("groups",),
        token_table={"it": ("admin",)},
        tokens_always=("sso",),
        udata="email",
        multifactor="amr contains 'otp'",
        bauth_claim="pw",
        bauth_key=Secret(BASIC_KEY),
    )
    source = PubtktSource.from_config(
        config, FakeTools(clock=SettableClock(time.time()))
    )
    claims = {"login": "al", "groups": ["it"], "email": "a@b", "pw": "s3cret"}
    identity = make_identity(claims={**claims, "amr": ["otp"]})
    request = make_request(client="::ffff:127.0.0.1")
    caller = Caller(request=request, identity=identity, user="other")
    token = outcome_of(source.token_for(caller, Audience()))
    assert isinstance(token, Token)
    said = apache.ask(_with_cookie(token.value, path))
    if not seen:
        assert said.status == 307
    else:
        assert said.status == 200
        assert {name: said.seen[name] for name in seen} == seen


def _showing(text: str, path: str) -> bytes:
    return _with_cookie(encode_cookie(text), path)


def _with_cookie(value: str, path: str) -> bytes:
    lines = (
        f"GET {path} HTTP/1.1",
        "Host: app.test",
        f"Cookie: auth_pubtkt={value}",
        "Connection: close",
    )
    return "\r\n".join([*lines, "", ""]).encode()
