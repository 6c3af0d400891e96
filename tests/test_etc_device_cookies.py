"""
The example etc/device-cookies.toml runs with nothing but names and ports replaced.

And with a key that is asked for at once, so that nobody has to wait for its end.
"""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from wsgiref.simple_server import WSGIServer

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.cookie_shop import Shop
from tests.support.device_browser import Answer, DeviceBrowser, Sent
from tests.support.programs import curl, free_port
from tests.support.running import REAL, Proxy
from tests.test_etc import replaced
from tests.test_etc_token_binding import Quiet

ROOT = Path(__file__).parent.parent
HOST = "app.example.com"


@attrs.frozen(kw_only=True)
class Example:
    """The example, running."""

    directory: Path
    port: int
    proxy: Proxy

    def __call__(self, sent: Sent) -> Answer:
        """Answer as what runs there does."""
        given = {"user-agent": "", "accept": "", **dict(sent.fields)}
        shown = [("-H", f"{name}: {value}") for name, value in given.items()]
        answer = curl(
            *("--cacert", self.directory / "ca.crt", "-X", sent.method),
            *("--connect-to", f"{HOST}:443:127.0.0.1:{self.port}"),
            *(option for each in shown for option in each),
            f"https://{HOST}{sent.path}",
            body=sent.body or b"",
        )
        fields = [each for each in answer.fields if "lang=de" not in each[1]]
        return Answer(status=answer.status, fields=tuple(fields), body=answer.body)

    def browser(self) -> DeviceBrowser:
        """Give a browser that knows nothing yet."""
        return DeviceBrowser(self, time.time, HOST)


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Example]:
    directory = tmp_path_factory.mktemp("example")
    (directory / "tls").mkdir()
    pki = Pki.create()
    pki.issue(HOST, dns=[HOST], server=True).write(directory / "tls", "app")
    pki.write(directory)
    server = WSGIServer(("127.0.0.1", 0), Quiet)
    server.set_app(Shop())
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    port = free_port()
    proxy = Proxy(directory)
    text = replaced(
        (ROOT / "etc" / "device-cookies.toml").read_text(),
        {
            'address = "0.0.0.0"\nport = 8443': f'address = "127.0.0.1"\nport = {port}',
            "127.0.0.1:9000": f"127.0.0.1:{server.server_port}",
            "grace = 60": "grace = 0",
        },
    )
    proxy.config.write_text(f'[server]\nstate_dir = "{directory}/state"\n{text}')
    try:
        with proxy.start(program=REAL).wait_until_serving():
            yield Example(directory=directory, port=port, proxy=proxy)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_session_goes_on_where_it_began_and_nowhere_else(example: Example) -> None:
    browser = example.browser()
    assert browser.visit("/").text == "1"
    assert browser.events == ["registered"]
    assert browser.visit("/").text == "2"
    for _ in range(2):
        (bound,) = (name for name in browser.cookies if "-bound-" in name)
        del browser.cookies[bound]  # as if its time were over
        thief = browser.copy_cookies()
        assert thief.visit("/").text == "1"  # somebody new to the application
        count = int(browser.visit("/").text)
    assert (count, browser.events) == (4, ["registered", "refreshed", "refreshed"])
    example.proxy.wait_for_log("device-missing")
    assert browser.visit("/out").status == 200
    assert {name for name in browser.cookies if "-sso" in name} == set()
