"""What an operator revokes is refused at once, by all workers, and from then on."""

import http.client
import json
import os
import re
import signal
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from sso_proxy.specs.revocations import token_digests
from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import Backend, RealProxy, echo_head
from tests.support.running import (
    PATIENCE,
    REAL,
    UnixConnection,
    eventually,
    need_root,
    python_for_nobody,
)

ISSUER: Final = "https://login.example.com"
AUDIENCE: Final = "https://api.example.com"
ORDER_OF_P256: Final = (
    0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
)
CONFIG: Final = """
[[listener]]
address = "127.0.0.1"
port = {port}
tls = false
allow_plaintext = true

[authenticator.api]
type = "bearer"
issuer = "{issuer}"
audience = ["{audience}"]
jwk_file = "key.json"

[[route]]
host = "localhost"
authenticate = ["api"]
backend = "http://127.0.0.1:{backend}"
"""


class Api:
    """A proxy in front of a backend, an issuer, and an operator."""

    def __init__(
        self,
        directory: Path,
        backend: Backend,
        workers: int,
        state: Path | None = None,
    ) -> None:
        self.key = TokenSigner.create()
        (directory / "key.json").write_text(json.dumps(self.key.public_jwk()))
        names = {"issuer": ISSUER, "audience": AUDIENCE, "backend": backend.port}
        text = CONFIG.format(port=0, **names)
        state = state or directory / "state"
        self.file = state / "revocations.json"
        self.proxy = RealProxy(directory, text, workers=workers, state_dir=str(state))

    def token(self, **claims: object) -> str:
        now = int(time.time())
        named = {"iss": ISSUER, "aud": AUDIENCE, "sub": "alice", "exp": now + 600}
        return self.key.sign({**named, **claims})

    def connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(
            "localhost", self.proxy.port, timeout=PATIENCE
        )

    def ask(self, token: str) -> int:
        """Give the status on a connection of its own."""
        with closing(self.connect()) as connection:
            return ask(connection, token)[0]

    def operate(
        self, method: str, path: str = "/revocations", **document: object
    ) -> tuple[int, Any]:
        """Do as an operator; gives the status and what was told."""
        headers = {"Content-Type": "application/json"}
        content = json.dumps(document) if document else None
        with closing(UnixConnection(self.proxy.admin_socket)) as connection:
            connection.request(method, path, content, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())

    def replaced_by_new(self, victims: list[int]) -> None:
        eventually(
            lambda: (
                self.proxy.ask_admin("/health/ready")[0] == 200
                and not set(victims) & set(self.proxy.workers())
            ),
            "new workers",
        )


def ask(connection: http.client.HTTPConnection, token: str) -> tuple[int, str]:
    """Ask on a connection that stays open; gives status and challenge."""
    connection.request("GET", "/orders", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    answer.read()
    return answer.status, answer.getheader("WWW-Authenticate") or ""


@contextmanager
def api(directory: Path, workers: int = 1) -> Iterator[Api]:
    """Run one."""
    with Backend(echo_head) as backend:
        made = Api(directory, backend, workers)
        with made.proxy.serve():
            yield made


def requests_by_worker(text: str) -> list[str]:
    """Give the workers that have answered requests with 200."""
    found = re.findall(r'requests_total\{.*worker="(\d)".*status="200"', text)
    return sorted(set(found))


def test_all_workers_refuse_at_once_and_from_then_on(tmp_path: Path) -> None:
    with api(tmp_path, workers=2) as it, ExitStack() as stack:
        bad, good = it.token(jti="t1"), it.token(jti="t2")
        connections = []
        for _ in range(20):  # until each worker has some: the system gives them out
            connections += [
                stack.enter_context(closing(it.connect())) for _ in range(12)
            ]
            for _ in range(3):  # the later ones repeat what was decided
                assert {ask(each, bad)[0] for each in connections} == {200}
            if requests_by_worker(it.proxy.ask_admin("/metrics")[1]) == ["1", "2"]:
                break
        assert requests_by_worker(it.proxy.ask_admin("/metrics")[1]) == ["1", "2"]

        status, told = it.operate("POST", issuer=ISSUER, jti="t1")
        assert (status, told["status"]) == (200, "in force")
        for each in connections:
            status, challenge = ask(each, bad)
            assert status == 401
            assert 'error="invalid_token"' in challenge
        assert {ask(each, good)[0] for each in connections} == {200}
        it.proxy.wait_for_record('"reason":"revoked"')
        assert it.file.stat().st_mode & 0o777 == 0o600
        assert bad not in it.proxy.log()

        it.proxy.reload()
        assert {ask(each, bad)[0] for each in connections} == {401}

        victims = it.proxy.workers()
        for pid in victims:
            os.kill(pid, signal.SIGKILL)
        it.replaced_by_new(victims)
        assert [it.ask(bad) for _ in range(6)] == [401] * 6
        assert it.ask(good) == 200

        it.proxy.signal(signal.SIGTERM)
        assert it.proxy.wait() == 0
        before = it.proxy.log().count("serving on")
        it.proxy.start(program=REAL)
        it.proxy.wait_for_log("serving on", before + 1)
        assert [it.ask(bad) for _ in range(6)] == [401] * 6

        status, listed = it.operate("GET")
        assert [each["jti"] for each in listed["revocations"]] == ["t1"]
        status, _ = it.operate("DELETE", f"/revocations/{told['revocation']['id']}")
        assert status == 200
        assert [it.ask(bad) for _ in range(6)] == [200] * 6


def test_worker_that_hangs_does_not_let_the_revoked_in(tmp_path: Path) -> None:
    """It would, as soon as it went on: the request may have come before the news."""
    with api(tmp_path, workers=2) as it:
        bad = it.token(jti="t1")
        assert it.ask(bad) == 200
        hung = it.proxy.workers()[0]
        os.kill(hung, signal.SIGSTOP)
        status, told = it.operate("POST", issuer=ISSUER, jti="t1")
        assert (status, told["status"]) == (503, "incomplete")
        assert "does not answer; another takes its place" in told["missing"][0]
        it.replaced_by_new([hung])
        assert [it.ask(bad) for _ in range(6)] == [401] * 6
        assert it.operate("POST", issuer=ISSUER, jti="t1")[0] == 200


def other_signature(token: str) -> str:
    """Give *token* with (r, n - s) for (r, s), which verifies as well."""
    start, _, text = token.rpartition(".")
    octets = urlsafe_b64decode(text + "==")
    s = ORDER_OF_P256 - int.from_bytes(octets[32:], "big")
    changed = octets[:32] + s.to_bytes(32, "big")
    return f"{start}.{urlsafe_b64encode(changed).rstrip(b'=').decode()}"


def test_each_way_to_revoke_in_one_process(tmp_path: Path) -> None:
    now = int(time.time())
    with api(tmp_path) as it, closing(it.connect()) as connection:
        token = it.token(iat=now - 60)
        other = other_signature(token)
        assert [it.ask(token), it.ask(other)] == [200, 200]
        assert it.operate("POST", token_sha256=token_digests(token)[1])[0] == 200
        assert [it.ask(token), it.ask(other)] == [401, 401]

        old = it.token(iat=now - 60, x=1)
        bob = it.token(iat=now - 60, sub="bob")
        assert [ask(connection, old)[0] for _ in range(3)] == [200] * 3
        chosen = {"issuer": ISSUER, "subject": "alice"}
        assert it.operate("POST", **chosen, issued_before="now")[0] == 200
        assert ask(connection, old)[0] == 401
        new = it.token(iat=int(time.time()) + 2)
        assert [it.ask(new), it.ask(bob)] == [200, 200]
        assert it.operate("POST", **chosen)[0] == 200
        assert [it.ask(new), it.ask(bob)] == [401, 200]
        assert it.operate("POST", issuer=ISSUER, issued_before="now")[0] == 200
        assert it.ask(bob) == 401
        assert it.ask(it.token(sub="bob", iat=int(time.time()) + 2)) == 200
        assert it.ask(it.token(sub="bob")) == 401  # says not when it was issued


@pytest.mark.parametrize("content", ["", '{"version": 1, "revocations": [{}]}'])
def test_list_that_cannot_be_read_stops_the_start(tmp_path: Path, content: str) -> None:
    with Backend(echo_head) as backend:
        it = Api(tmp_path, backend, 1)
        it.file.parent.mkdir(mode=0o700)
        it.file.touch(mode=0o600)
        it.file.write_text(content)
        with it.proxy.start(program=REAL):
            assert it.proxy.wait() == 1
        assert f"cannot start: {it.file}: " in it.proxy.log()


def test_list_belongs_to_the_user_after_the_drop(public_directory: Path) -> None:
    """Which is whom the directory has to be made for, while that can be done."""
    need_root()
    python = python_for_nobody()
    (public_directory / "lib").mkdir(mode=0o755)  # where only root can make it
    drop = ("--nodaemon", "--pidfile=", "--uid=nobody", "--gid=nogroup")
    with Backend(echo_head) as backend:
        it = Api(public_directory, backend, 1, public_directory / "lib" / "state")
        (public_directory / "key.json").chmod(0o644)
        it.proxy.start(*drop, program=REAL, python=python)
        with it.proxy.wait_until_serving():
            assert it.operate("POST", issuer=ISSUER, jti="t1")[0] == 200
            assert it.ask(it.token(jti="t1")) == 401
            assert it.file.stat().st_uid == 65534
