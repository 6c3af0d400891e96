"""
The example etc/token-binding.toml runs with nothing but names and ports replaced.

Behind it is an application that binds its own sessions as docs/howto/token-binding.md
says, by the code that stands there.
"""

import itertools
import re
import signal
from collections.abc import Callable, Iterable, Iterator
from http.client import HTTPResponse
from pathlib import Path
from typing import Any

import attrs
import pytest

from sso_proxy.net.tls.token_binding_client import Trust
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.token_binding import BindingKey, BoundConnection
from tests.support.programs import curl, free_port
from tests.support.running import REAL, Proxy
from tests.support.wsgi_backend import wsgi_backend
from tests.test_etc import replaced

ROOT = Path(__file__).parent.parent
HOST = "app.example.com"
FIELD = "Sec-Token-Binding"


class Application:
    """Counts the requests of each session, and has the page's code check it."""

    def __init__(self) -> None:
        page = (ROOT / "docs" / "howto" / "token-binding.md").read_text()
        (code,) = re.findall(r"```python\n(def check_session.*?)```", page, re.DOTALL)
        names: dict[str, Any] = {}
        exec(code, names)  # noqa: S102 - ours
        self._check: Callable[[Any, Any], bool] = names["check_session"]
        self._sessions: dict[str, dict[str, Any]] = {}
        self._ids = map(str, itertools.count(1))

    def __call__(
        self, environ: dict[str, Any], start: Callable[..., Any]
    ) -> Iterable[bytes]:
        number = environ.get("HTTP_COOKIE", "").removeprefix("session=")
        fields = []
        if not number:
            number = next(self._ids)
            fields.append(("Set-Cookie", f"session={number}"))
        session = self._sessions.setdefault(number, {"count": 0})
        good = self._check(session, environ)
        session["count"] += good
        body = str(session["count"]).encode()
        fields.append(("Content-Length", str(len(body))))
        start("200 OK" if good else "403 Forbidden", fields)
        return [body]


@attrs.frozen(kw_only=True)
class Example:
    """The example, running."""

    ca: Path
    port: int
    proxy: Proxy

    def client(self, key: BindingKey, **options: Any) -> BoundConnection:  # noqa: ANN401
        trust = Trust(authority=self.ca.read_bytes())
        return BoundConnection(
            "127.0.0.1", self.port, key=key, server_name=HOST, trust=trust, **options
        )

    def ask(self, client: BoundConnection, **fields: str) -> tuple[int, str]:
        """Ask over *client*; ``_`` in the names of fields is ``-``."""
        headers = {name.replace("_", "-"): value for name, value in fields.items()}
        answer: HTTPResponse = client.ask("/", headers)
        body = answer.read().decode()
        self.cookies[:] = answer.headers.get_all("Set-Cookie") or self.cookies
        return answer.status, body

    cookies: list[str] = attrs.field(factory=list)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    directory = tmp_path_factory.mktemp("example")
    (directory / "tls").mkdir()
    pki = Pki.create()
    pki.issue(HOST, dns=[HOST], server=True).write(directory / "tls", "app")
    ca = pki.write(directory)
    port = free_port()
    proxy = Proxy(directory)
    with wsgi_backend(Application()) as backend:
        text = replaced(
            (ROOT / "etc" / "token-binding.toml").read_text(),
            {
                '"0.0.0.0"\nport = 8443': f'"127.0.0.1"\nport = {port}',
                "127.0.0.1:9000": f"127.0.0.1:{backend}",
            },
        )
        state = f'[server]\nworkers = 2\nstate_dir = "{directory}/state"\n'
        proxy.config.write_text(state + text)
        with proxy.start(program=REAL).wait_until_serving():
            yield Example(ca=ca, port=port, proxy=proxy)


def test_a_session_is_good_with_its_key_alone(example: Example) -> None:
    alice, thief = (example.client(BindingKey.create()) for _ in range(2))
    assert example.ask(alice) == (200, "1")
    assert alice.agreed
    (cookie,) = example.cookies
    assert example.ask(alice, Cookie=cookie) == (200, "2")
    assert example.ask(thief, Cookie=cookie)[0] == 403
    alice.close()  # another connection, perhaps in the other process
    for count in range(3, 9):
        assert example.ask(alice, Cookie=cookie) == (200, str(count))
        alice.close()
    thief.close()


def test_a_proof_is_good_on_its_connection_alone(example: Example) -> None:
    """In both processes: each of ten new connections goes to one of them."""
    alice = example.client(BindingKey.create())
    proof = alice.proof()
    assert example.ask(alice, Sec_Token_Binding=proof)[0] == 200
    for _ in range(10):
        thief = example.client(BindingKey.create())
        assert example.ask(thief, Sec_Token_Binding=proof)[0] == 400
        assert example.ask(thief)[0] == 200
        thief.close()
    assert example.ask(alice, Sec_Token_Binding=proof)[0] == 200
    alice.close()


def test_clients_without_it_are_served_with_sessions_of_their_own(
    example: Example,
) -> None:
    connect = f"{HOST}:{example.port}:127.0.0.1"
    url = f"https://{HOST}:{example.port}/"
    plain = curl("--cacert", example.ca, "--resolve", connect, url)
    assert plain.status == 200
    (cookie,) = plain.values("set-cookie")
    alice = example.client(BindingKey.create())
    assert example.ask(alice, Cookie=cookie)[0] == 403
    alice.close()
    silent = example.client(BindingKey.create(), offer=None)
    assert example.ask(silent, Cookie=cookie) == (200, "2")
    claimed = {"Sec_Provided_Token_Binding_ID": BindingKey.create().id.encoded}
    assert example.ask(silent, Cookie=cookie, **claimed) == (200, "3")
    assert not silent.agreed
    silent.close()


def test_new_certificates_and_a_reload_keep_connections_and_sessions(
    example: Example,
) -> None:
    alice = example.client(BindingKey.create())
    assert example.ask(alice) == (200, "1")
    (cookie,) = example.cookies
    pki = Pki.create()
    pki.issue(HOST, dns=[HOST], server=True).write(example.ca.parent / "tls", "app")
    example.proxy.signal(signal.SIGHUP)
    example.proxy.wait_for_log("reloaded")
    proof = alice.proof()
    assert example.ask(alice, Cookie=cookie, Sec_Token_Binding=proof) == (200, "2")
    example.ca.write_bytes(pki.ca_pem)
    again = example.client(alice.key)
    assert example.ask(again, Cookie=cookie, Sec_Token_Binding=proof)[0] == 400
    assert example.ask(again, Cookie=cookie) == (200, "3")
    alice.close()
    again.close()
