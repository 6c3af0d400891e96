"""The example about tickets runs with nothing but names and ports replaced."""

import time
from pathlib import Path

from sso_proxy.specs.pubtkt import Ticket, encode_cookie, sign
from sso_proxy.testing.pki import Pki
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.pubtkt_keys import public_pem, signing_key
from tests.support.recorder import Recorder
from tests.test_etc import ETC, replaced

HOST = "app.example.com"


def test_a_site_with_tickets(tmp_path: Path) -> None:
    """etc/pubtkt.toml"""
    tls = tmp_path / "tls"
    tls.mkdir()
    pki = Pki.create()
    pki.write(tls, "ca")
    pki.issue(HOST, dns=[HOST], server=True).write(tls, "app")
    (tls / "tkt_pubkey.pem").write_bytes(public_pem("rsa"))
    with Recorder() as backend:
        changes = {
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": "0",
            "127.0.0.1:9000": f"127.0.0.1:{backend.port}",
        }
        text = replaced((ETC / "pubtkt.toml").read_text(), changes)
        state = str(tmp_path / "state")
        with RealProxy(tmp_path, text, state_dir=state).serve() as proxy:

            def ask(ticket: Ticket | None, digest: str = "sha256") -> CurlAnswer:
                shown: tuple[str, ...] = ()
                if ticket is not None:
                    value = encode_cookie(sign(ticket, signing_key("rsa", digest)))
                    shown = ("-H", f"Cookie: a=1; auth_pubtkt={value}")
                resolve = f"{HOST}:{proxy.port}:127.0.0.1"
                url = f"https://{HOST}:{proxy.port}/page?a=1"
                return curl(
                    "--cacert", tls / "ca.crt", "--resolve", resolve, *shown, url
                )

            now = int(time.time())
            back = f"back=https%3a%2f%2f{HOST}%3a{proxy.port}%2fpage%3fa%3d1"
            alice = Ticket(
                uid="alice", valid_until=now + 60, tokens=("x", "staff"), udata="d"
            )
            assert ask(alice).status == 200
            [seen] = backend.seen
            assert seen.values("X-Remote-User") == ["alice"]
            assert seen.values("X-Remote-User-Tokens") == ["x,staff"]
            assert seen.values("X-Remote-User-Data") == ["d"]
            assert seen.values("Cookie") == ["a=1"]

            bob = Ticket(uid="bob", valid_until=now + 60, tokens=("guest",))
            late = Ticket(uid="alice", valid_until=now - 1, tokens=("staff",))
            for ticket, digest, place in (
                (None, "sha256", "login?"),
                (alice, "sha1", "login?"),
                (bob, "sha256", "login?unauth=1&"),
                (late, "sha256", "login?timeout=1&"),
            ):
                answer = ask(ticket, digest)
                assert answer.status == 307
                where = f"https://sso.example.com/{place}{back}"
                assert answer.values("location") == [where]
            assert len(backend.seen) == 1
