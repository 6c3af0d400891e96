"""
A provider that believes everybody, for proxies that log browsers in.

Run as a program, it serves the token endpoint with TLS; a code is the number of a user
and the nonce of the request, with a dot between.  There is no page to log in at:
`tests.bench.browsing` makes codes itself.
"""

import base64
import hmac
import json
import ssl
import sys
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs

ISSUER = "https://people.example.com"
CLIENT_ID = "bench"
CLIENT_SECRET = "the benchmark's own secret, of which nobody makes any secret"
LASTS = 86400


def id_token_claims(number: int) -> dict[str, Any]:
    """Give what the provider knows of a user, about as much as usual ones do."""
    now = int(time.time())
    return {
        "iss": ISSUER,
        "sub": f"user-{number:05d}",
        "aud": CLIENT_ID,
        "iat": now,
        "auth_time": now,
        "exp": now + LASTS,
        "name": f"Person {number}",
        "preferred_username": f"person{number}",
        "email": f"person{number}@example.com",
        "email_verified": True,
        "groups": ["staff", "orders", "reports", "on-call"],
    }


def tokens(number: int, nonce: str = "") -> dict[str, Any]:
    """Make an answer of the token endpoint."""
    claims = id_token_claims(number)
    if nonce:
        claims["nonce"] = nonce
    return {
        "id_token": _sign(claims),
        "access_token": _sign({"sub": claims["sub"], "scope": "openid orders.read"}),
        "token_type": "Bearer",
        "expires_in": LASTS,
    }


def _sign(claims: Mapping[str, Any]) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    signed = ".".join(_encode(json.dumps(part).encode()) for part in parts)
    mac = hmac.digest(CLIENT_SECRET.encode(), signed.encode(), "sha256")
    return f"{signed}.{_encode(mac)}"


def _encode(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


class TokenEndpoint(BaseHTTPRequestHandler):
    """Redeems codes."""

    def do_POST(self) -> None:
        """Answer with the tokens of the user that the code names."""
        length = int(self.headers["Content-Length"])
        form = parse_qs(self.rfile.read(length).decode())
        number, _, nonce = form["code"][0].partition(".")
        content = json.dumps(tokens(int(number), nonce)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *values: object) -> None:  # noqa: A002
        """Say nothing."""


def serve(port: int, certificate: str, key: str) -> None:
    """Serve on a loopback port until the process is ended."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server = ThreadingHTTPServer(("127.0.0.1", port), TokenEndpoint)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    serve(int(sys.argv[1]), *sys.argv[2:])
