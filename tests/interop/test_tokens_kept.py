"""Workers get one token for all who need it at the same time."""

import contextlib
import socket
from collections.abc import Iterator

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.programs import Backend, echo_head, fields_of
from tests.support.running import PATIENCE, REAL, Proxy, eventually
from tests.support.sts import TokenServer
from tests.support.sts_serving import listen

CONFIG = """
[server]
workers = 2
state_dir = "{directory}/state"
admin = {{ address = "unix:{admin}" }}

[[listener]]
address = "127.0.0.1"
port = 0
tls = false
allow_plaintext = true

[token.orders]
type = "exchange"
endpoint = "{url}"
ca = "{ca}"
client_id = "proxy"
auth = "none"
subject = "header:X-Legacy"
subject_type = "jwt"

[[route]]
host = "*"
authenticate = ["anonymous"]
token = [{{ name = "orders", audience = "https://orders.example.com" }}]
backend = "http://127.0.0.1:{backend}"
"""
REQUEST = (
    b"GET / HTTP/1.1\r\nHost: app.example.com\r\nX-Legacy: %b\r\n"
    b"Connection: close\r\n\r\n"
)
ALL = 100


@attrs.frozen
class Scene:
    """Two workers, and the server that they ask."""

    proxy: Proxy
    server: TokenServer

    def ask_at_once(self, credential: bytes, stack: contextlib.ExitStack) -> list[str]:
        """Ask a hundred times before the server answers; gives what came of it."""
        self.server.fail("held")
        before = self.server.count
        socks = []
        for _ in range(ALL):
            sock = socket.create_connection(("127.0.0.1", self.proxy.port), PATIENCE)
            socks.append(stack.enter_context(sock))
            sock.sendall(REQUEST % credential)
        eventually(lambda: self.server.count > before, "the question")
        self.server.release()
        return [sock.makefile("r").read() for sock in socks]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("kept")
    server = TokenServer()
    with (
        listen(server, directory, Pki.create()) as at,
        Backend(echo_head) as backend,
        Proxy(directory) as proxy,
    ):
        proxy.config.write_text(
            CONFIG.format(
                directory=directory,
                admin=proxy.admin_socket,
                url=server.url,
                ca=at.ca,
                backend=backend.port,
            )
        )
        proxy.start(program=REAL).wait_for_log("serving on", times=1)
        eventually(lambda: len(proxy.workers()) == 2, "two workers")
        yield Scene(proxy, server)


def test_a_hundred_requests_make_one_exchange(scene: Scene) -> None:
    """And the backend gets what was issued, and nothing of what was presented."""
    before = scene.server.count
    with contextlib.ExitStack() as stack:
        answers = scene.ask_at_once(b"the-old-credential", stack)
    assert scene.server.count == before + 1
    [token] = scene.server.issued[-1:]
    for answer in answers:
        assert fields_of(answer, "authorization") == [f"Bearer {token}"]
        assert "the-old-credential" not in answer


def test_a_hundred_requests_are_refused_once(scene: Scene) -> None:
    before = scene.server.count
    scene.server.members = {"error": "invalid_grant"}
    with contextlib.ExitStack() as stack:
        answers = scene.ask_at_once(b"another-credential", stack)
    assert scene.server.count == before + 1
    assert {answer.split(" ")[1] for answer in answers} == {"403"}
