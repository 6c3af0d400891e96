"""
The example etc/bound-cookies.toml runs with nothing but names and ports replaced.

Behind it is an application with sessions of its own; once more it is in the proxy's
process, on a route that is added here.
"""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from sso_proxy.testing.pki import Pki, self_signed
from tests.support.cookie_shop import Shop
from tests.support.programs import curl, free_port
from tests.support.running import REAL, Proxy
from tests.support.wsgi_backend import wsgi_backend
from tests.test_etc import replaced

ROOT = Path(__file__).parent.parent
HOST = "app.example.com"
HOSTED = """
[[route]]
host = "app.example.com"
path = "/hosted/"
authenticate = ["anonymous"]
backend = "wsgi:tests.support.cookie_shop:application"
binding = { cookies = { names = ["JSESSIONID"], certificate = "require" } }
"""


@attrs.frozen(kw_only=True)
class Example:
    """The example, running."""

    directory: Path
    port: int
    proxy: Proxy

    def ask(
        self, path: str, by: str = "", cookie: str = ""
    ) -> tuple[int, str, list[str]]:
        """Give status and body, and the cookies that are set."""
        own = self.directory / by
        shown = ("--cert", f"{own}.crt", "--key", f"{own}.key") if by else ()
        answer = curl(
            *("--cacert", self.directory / "ca.crt"),
            *("--resolve", f"{HOST}:{self.port}:127.0.0.1"),
            *shown,
            *(("-H", f"Cookie: {cookie}") if cookie else ()),
            f"https://{HOST}:{self.port}{path}",
        )
        return answer.status, answer.body.decode(), list(answer.values("set-cookie"))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    directory = tmp_path_factory.mktemp("example")
    (directory / "tls").mkdir()
    pki = Pki.create()
    pki.issue(HOST, dns=[HOST], server=True).write(directory / "tls", "app")
    pki.write(directory)
    for name in ("alice", "thief"):
        self_signed(name).write(directory, name)
    port = free_port()
    proxy = Proxy(directory)
    with wsgi_backend(Shop()) as backend:
        text = replaced(
            (ROOT / "etc" / "bound-cookies.toml").read_text(),
            {
                '"0.0.0.0"\nport = 8443': f'"127.0.0.1"\nport = {port}',
                "127.0.0.1:9000": f"127.0.0.1:{backend}",
            },
        )
        state = f'[server]\nstate_dir = "{directory}/state"\n'
        proxy.config.write_text(state + text + HOSTED)
        with proxy.start(program=REAL).wait_until_serving():
            yield Example(directory=directory, port=port, proxy=proxy)


@pytest.mark.parametrize("path", ["/", "/hosted/"])
def test_a_session_is_good_for_who_began_it(example: Example, path: str) -> None:
    status, body, (plain, sealed) = example.ask(path, "alice")
    assert (status, body) == (200, "1")
    assert plain == "lang=de; Path=/"
    pair, _, attributes = sealed.partition("; ")
    assert attributes == "Path=/; HttpOnly; Secure"
    assert "s3cr" not in sealed
    assert example.ask(path, "alice", f"lang=de; {pair}")[1] == "2"
    for thief in ("thief", ""):  # who is somebody new to the application
        assert example.ask(path, thief, f"lang=de; {pair}")[:2] == (200, "1")
    assert example.ask(path, "alice", f"lang=de; {pair}")[1] == "3"
    assert example.ask(path, "alice", "JSESSIONID=s3cr1")[1] == "1"


def test_who_has_no_certificate_gets_no_session_and_may_forget_one(
    example: Example,
) -> None:
    assert example.ask("/")[2] == ["lang=de; Path=/"]
    assert example.ask("/out")[2][-1] == "JSESSIONID=; Path=/; Max-Age=0; Secure"


def test_the_log_names_the_cookie_and_not_its_value(example: Example) -> None:
    example.ask("/", "thief", "JSESSIONID=s3cr-of-alice")
    example.proxy.wait_for_log("cookie-binding")
    assert "s3cr-of-alice" not in example.proxy.log()
