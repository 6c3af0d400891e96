"""The example about shared tickets runs with nothing but names and ports replaced."""

import time
from pathlib import Path

import attrs

from sso_proxy.specs.auth_tkt import (
    Ticket,
    TicketKey,
    decode_cookie,
    encode_cookie,
    sign,
    verify,
)
from sso_proxy.testing.pki import Pki
from tests.support.auth_tkt_desk import SECRET
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import Recorder
from tests.test_etc import ETC, replaced

HOST = "app.example.com"
KEY = TicketKey(secret=SECRET.encode(), digest="sha256")


def test_a_site_with_tickets(tmp_path: Path) -> None:
    """etc/auth-tkt.toml"""
    tls = tmp_path / "tls"
    tls.mkdir()
    pki = Pki.create()
    pki.write(tls, "ca")
    pki.issue(HOST, dns=[HOST], server=True).write(tls, "app")
    secret = tmp_path / "ticket.secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    with Recorder() as backend:
        changes = {
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": "0",
            "127.0.0.1:9000": f"127.0.0.1:{backend.port}",
            'secret = "env:TICKET_SECRET"': 'secret_file = "ticket.secret"',
        }
        text = replaced((ETC / "auth-tkt.toml").read_text(), changes)
        state = str(tmp_path / "state")
        with RealProxy(tmp_path, text, state_dir=state).serve() as proxy:

            def ask(ticket: Ticket | None, key: TicketKey = KEY) -> CurlAnswer:
                shown: tuple[str, ...] = ()
                if ticket is not None:
                    value = encode_cookie(sign(ticket, key, ip="127.0.0.1"))
                    shown = ("-H", f"Cookie: a=1; auth_tkt={value}")
                resolve = f"{HOST}:{proxy.port}:127.0.0.1"
                url = f"https://{HOST}:{proxy.port}/page?a=1"
                return curl(
                    "--cacert", tls / "ca.crt", "--resolve", resolve, *shown, url
                )

            now = int(time.time())
            back = f"back=https%3a%2f%2f{HOST}%3a{proxy.port}%2fpage%3fa%3d1"
            alice = Ticket(uid="alice", timestamp=now, tokens=("x", "staff"), udata="d")
            answer = ask(alice)
            assert (answer.status, answer.values("set-cookie")) == (200, [])
            [seen] = backend.seen
            assert seen.values("X-Remote-User") == ["alice"]
            assert seen.values("X-Remote-User-Tokens") == ["x,staff"]
            assert seen.values("X-Remote-User-Data") == ["d"]
            assert seen.values("Cookie") == ["a=1"]

            answer = ask(attrs.evolve(alice, timestamp=now - 4000))
            [cookie] = answer.values("set-cookie")
            value, _, attributes = cookie.removeprefix("auth_tkt=").partition("; ")
            assert "Domain=example.com; Secure; HttpOnly" in attributes
            octets = decode_cookie(value)
            assert octets is not None
            renewed = verify(octets, KEY, ip="127.0.0.1")
            assert renewed.timestamp >= now
            assert attrs.evolve(renewed, timestamp=now) == alice

            bob = Ticket(uid="bob", timestamp=now, tokens=("guest",))
            late = attrs.evolve(alice, timestamp=now - 7300)
            for ticket, key, place in (
                (None, KEY, "login?"),
                (alice, attrs.evolve(KEY, digest="md5"), "login?"),
                (bob, KEY, "login?unauth=1;"),
                (late, KEY, "login?timeout=1;"),
            ):
                answer = ask(ticket, key)
                assert answer.status == 307
                where = f"https://sso.example.com/{place}{back}"
                assert answer.values("location") == [where]
            assert len(backend.seen) == 2
