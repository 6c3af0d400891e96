"""What operators count of a proxy after some traffic of every kind, without a name."""

import http.client
import json
import socket
import time
from contextlib import closing
from pathlib import Path
from typing import Final

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from sso_proxy.testing.proofs import ProofSigner
from tests.support.programs import Backend, RealProxy
from tests.support.running import PATIENCE

ISSUER: Final = "https://login.example.com"
AUDIENCE: Final = "https://api.example.com"
NAMES: Final = ("alice", "bob")
CONFIG: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[authenticator.api]
type = "bearer"
issuer = "{issuer}"
audience = ["{audience}"]

[authenticator.api.introspection]
endpoint = "http://127.0.0.1:{provider}/introspect"
client_id = "proxy"
client_secret_file = "secret"

[binding.dpop]

[authenticator.people]
type = "tests.support.header_login:HeaderLogin"

[session.main]
type = "server"

[session.browsers]
type = "cookie"

[policy.pdp]
type = "authzen"
endpoint = "http://127.0.0.1:{decisions}/access"

[[route]]
host = "localhost"
path = "/api/"
authenticate = ["api"]
binding = {{ dpop = "require" }}
policy = ["pdp"]
backend = "http://127.0.0.1:{backend}"

[[route]]
host = "localhost"
path = "/app/"
authenticate = ["people"]
session = "main"
backend = "http://127.0.0.1:{backend}"

[[route]]
host = "localhost"
path = "/light/"
authenticate = ["people"]
session = "browsers"
backend = "http://127.0.0.1:{backend}"
"""


class Others:
    """All that the proxy asks: a provider, a decision point, a backend."""

    def __init__(self, key: ProofSigner) -> None:
        token = {"active": True, "iss": ISSUER, "aud": AUDIENCE, "sub": "bob"}
        until = int(time.time()) + 600
        self._bodies = {
            "/introspect": {
                **token,
                "exp": until,
                "token_type": "DPoP",
                "cnf": key.confirmation,
            },
            "/access": {"decision": True},
        }

    def serve(self, sock: socket.socket, _number: int) -> None:
        with closing(sock), sock.makefile("rb") as file:
            while line := file.readline().decode():
                length = 0
                while (field := file.readline().decode().strip().lower()) != "":
                    if field.startswith("content-length:"):
                        length = int(field.partition(":")[2])
                file.read(length)
                body = json.dumps(self._bodies.get(line.split()[1], {})).encode()
                head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode())
                sock.sendall(body)


def ask(proxy: RealProxy, path: str, **fields: str) -> tuple[int, str]:
    """Give the status and the cookie that is set."""
    with closing(
        http.client.HTTPConnection("localhost", proxy.port, timeout=PATIENCE)
    ) as connection:
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, (answer.getheader("Set-Cookie") or "").partition(";")[0]


def traffic(proxy: RealProxy, key: ProofSigner) -> None:
    """Have something to count of each kind."""
    status, alice = ask(proxy, "/app/", X_Login="alice")
    assert status == 200
    assert ask(proxy, "/app/", Cookie=alice, X_Renew="1")[0] == 200
    _, bob = ask(proxy, "/app/", X_Login="bob")
    assert ask(proxy, "/app/", Cookie=bob, X_Logout="1")[0] == 401
    assert ask(proxy, "/light/", X_Login="alice")[0] == 200
    uri = f"http://localhost:{proxy.port}/api/"
    proof = key.prove("GET", uri, "opaque", time.time())
    assert ask(proxy, "/api/", Authorization="DPoP opaque", DPoP=proof)[0] == 200
    assert ask(proxy, "/api/")[0] == 401


def families(text: str) -> dict[str, list[Sample]]:
    return {
        family.name: family.samples for family in text_string_to_metric_families(text)
    }


def test_each_number_that_operators_need_is_there(tmp_path: Path) -> None:
    key = ProofSigner.create()
    (tmp_path / "secret").write_text("secret-of-the-proxy")
    (tmp_path / "secret").chmod(0o600)
    serve = Others(key).serve
    with Backend(serve) as provider, Backend(serve) as decisions, Backend(serve) as app:
        ports = {"provider": provider.port, "decisions": decisions.port}
        text = CONFIG.format(
            issuer=ISSUER, audience=AUDIENCE, backend=app.port, **ports
        )
        state = str(tmp_path / "state")
        with RealProxy(tmp_path, text, workers=1, state_dir=state).serve() as proxy:
            traffic(proxy, key)
            # What has ended is looked at every second.
            sessions = 'sso_proxy_sessions{bound="",session="main"} 1.0'
            until = time.monotonic() + PATIENCE
            while sessions not in (told := proxy.ask_admin("/metrics")[1]):
                assert time.monotonic() < until, told
                time.sleep(0.02)
    found = families(told)

    def value(name: str, suffix: str = "", **labels: str) -> float:
        """Give the sum of the series with *labels*; there is one at least."""
        full = f"sso_proxy_{name}{suffix}"
        values = [
            each.value
            for each in found[f"sso_proxy_{name}"]
            if each.name == full and labels.items() <= each.labels.items()
        ]
        assert values, (full, labels)
        return sum(values)

    asked = {
        who: value(
            "outbound_duration_seconds",
            "_bucket",
            server=f"http://127.0.0.1:{port}",
            le="+Inf",
        )
        for who, port in ports.items()
    }
    words = {
        "requests": value("requests", "_total", status="200") == 5,
        "decisions": value("decisions", "_total", decision="permit") == 5,
        "with reason": value("decisions", "_total", reason="logged-out") == 1,
        "logins": value("logins", "_total", session="main") == 2,
        "refreshes": value("session_refreshes", "_total", session="main") == 1,
        "caches": value("cache_duration_seconds", "_bucket", le="+Inf") > 0,
        "providers": asked["provider"] == 1,
        "decision points": asked["decisions"] == 1,
        "pools": value("backend_connections", state="idle") > 0,
        "sessions": value("sessions", session="main", bound="") == 1,
        "binding kinds": value("bindings", "_total", kind="dpop") == 1,
    }
    assert all(words.values()), (words, told)
    # Nobody hears when a cookie is given up.
    kept = {each.labels["session"] for each in found["sso_proxy_sessions"]}
    assert kept == {"main"}
    labels = {v for each in found.values() for s in each for v in s.labels.values()}
    assert not any(name in each for name in NAMES for each in labels), labels
