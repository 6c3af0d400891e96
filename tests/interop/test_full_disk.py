"""A proxy whose state directory is full."""

import http.client
import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import pytest

from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import Backend, RealProxy, echo_head
from tests.support.running import PATIENCE, REAL, UnixConnection, eventually, need_root
from tests.support.small_disk import SmallDisk, on_small_disk

ISSUER: Final = "https://login.example.com"
AUDIENCE: Final = "https://api.example.com"
MOST: Final = 500
"""Logins for which pages of the files that are free may do."""
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
jwk_file = "key.json"

[authenticator.people]
type = "tests.support.header_login:HeaderLogin"

[session.main]
type = "server"

[[route]]
host = "localhost"
path = "/api/"
authenticate = ["api"]
backend = "http://127.0.0.1:{backend}"

[[route]]
host = "localhost"
authenticate = ["people"]
backend = "http://127.0.0.1:{backend}"
"""


class Place:
    """A proxy that keeps what it has to in a directory that may be full."""

    def __init__(self, directory: Path, backend: int) -> None:
        self.key = TokenSigner.create()
        (directory / "key.json").write_text(json.dumps(self.key.public_jwk()))
        text = CONFIG.format(issuer=ISSUER, audience=AUDIENCE, backend=backend)
        self.state = directory / "state"
        self.proxy = RealProxy(directory, text, workers=2, state_dir=str(self.state))

    def start(self) -> None:
        """Start it, with the directory on a disk of its own."""
        self.proxy.start(program=REAL, prelude=on_small_disk(self.state))
        self.proxy.wait_until_serving()
        self.disk = SmallDisk(self.proxy.pid, self.state)

    def ask(self, path: str, **fields: str) -> tuple[int, str]:
        """Give the status and the cookie that is set."""
        with closing(
            http.client.HTTPConnection("localhost", self.proxy.port, timeout=PATIENCE)
        ) as connection:
            headers = {name.replace("_", "-"): value for name, value in fields.items()}
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            cookie = answer.getheader("Set-Cookie") or ""
            return answer.status, cookie.partition(";")[0]

    def token(self, subject: str) -> str:
        claims = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject, "exp": 4_000_000_000}
        return f"Bearer {self.key.sign(claims)}"

    def revoke(self, subject: str) -> tuple[int, str]:
        """Do as an operator."""
        content = json.dumps({"issuer": ISSUER, "subject": subject})
        with closing(UnixConnection(self.proxy.admin_socket)) as connection:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", "/revocations", content, headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def log_in_until(self, wanted: int) -> None:
        """Have people log in until one gets this status."""
        for number in range(MOST):
            status = self.ask("/", X_Login=f"person-{number}")[0]
            assert status in {200, 503}
            if status == wanted:
                return
        raise AssertionError(f"none of {MOST} gets {wanted}")


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    need_root()
    with Backend(echo_head) as backend:
        found = Place(tmp_path, backend.port)
        with found.proxy:
            found.start()
            yield found


def test_only_what_has_to_be_written_is_refused_until_there_is_room(
    place: Place,
) -> None:
    status, alice = place.ask("/", X_Login="alice")
    assert status == 200
    place.disk.fill()
    place.log_in_until(503)  # and not in, with a session that nobody can end

    # Who needs nothing to be written notices nothing.
    assert place.ask("/", Cookie=alice)[0] == 200
    assert place.ask("/api/", Authorization=place.token("carol"))[0] == 200
    # Operators do: of health, of the log, of what they revoke, which is in force.
    eventually(
        lambda: "No space left" in place.proxy.ask_admin("/health/ready")[1], "health"
    )
    place.proxy.wait_for_log("No space left on device")
    status, told = place.revoke("carol")
    assert (status, "cannot be written: No space left" in told) == (503, True), told
    assert place.ask("/api/", Authorization=place.token("carol"))[0] == 401
    # Neither a reload nor another worker needs room.
    place.proxy.reload()
    before = {*place.proxy.workers()}
    os.kill(min(before), signal.SIGKILL)
    eventually(lambda: len({*place.proxy.workers()} - before) == 1, "a new worker")
    eventually(lambda: place.proxy.ask_admin("/health/live")[0] == 200, "all workers")
    for _ in range(6):
        assert place.ask("/", Cookie=alice)[0] == 200
    assert place.ask("/api/", Authorization=place.token("carol"))[0] == 401
    assert "Traceback" not in place.proxy.log()

    place.disk.make_room()
    place.log_in_until(200)
    assert place.ask("/", Cookie=alice)[0] == 200
    assert place.revoke("dave")[0] == 200
    kept = (place.disk.directory / "revocations.json").read_text()
    assert "carol" in kept
    assert "dave" in kept
    assert [each.name for each in place.disk.directory.glob(".rev*")] == []
