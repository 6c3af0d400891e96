"""An issuer of access tokens, over plain HTTP on this machine."""

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.parse import parse_qs

from sso_proxy.testing.tokens import TokenSigner, jwks

AUDIENCE: Final = "https://api.example.com"


class Issuer(ThreadingHTTPServer):
    """
    Publishes metadata and keys, and knows opaque tokens.

    Attributes:
        key: What it signs with.
        known: What it says about opaque tokens that are active.
        asked: Who asked about which token.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _IssuerRequest)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.key = TokenSigner.create()
        self.known: dict[str, dict[str, Any]] = {}
        self.asked: list[tuple[str, str]] = []

    def claims(self, **changes: object) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": "alice",
            "scope": "orders.read",
            "exp": now + 600,
            **changes,
        }

    def token(self, typ: str = "at+jwt", **changes: object) -> str:
        return self.key.sign(self.claims(**changes), typ=typ)


class Quiet(BaseHTTPRequestHandler):
    """Says nothing on the terminal."""

    def log_message(self, *_: object) -> None:
        pass

    def reply(self, status: int, document: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(document)))
        self.end_headers()
        self.wfile.write(document)


class _IssuerRequest(Quiet):
    server: Issuer

    def do_GET(self) -> None:
        issuer = self.server
        if self.path == "/jwks":
            self.reply(200, jwks(issuer.key))
        elif self.path == "/.well-known/oauth-authorization-server":
            members = {
                "issuer": issuer.url,
                "jwks_uri": f"{issuer.url}/jwks",
                "introspection_endpoint": f"{issuer.url}/introspect",
            }
            self.reply(200, json.dumps(members).encode())
        else:
            self.reply(404, b"{}")

    def do_POST(self) -> None:
        form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        (token,) = form["token"]
        self.server.asked.append((self.headers["Authorization"] or "", token))
        said = self.server.known.get(token)
        answer = {"active": False} if said is None else {"active": True, **said}
        self.reply(200, json.dumps(answer).encode())


@contextmanager
def serving(*servers: ThreadingHTTPServer) -> Iterator[None]:
    threads = [threading.Thread(target=s.serve_forever, args=(0.05,)) for s in servers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for server, thread in zip(servers, threads, strict=True):
            server.shutdown()
            thread.join()
            server.server_close()
