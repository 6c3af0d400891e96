"""etc/device-cookies.toml: an application's cookie is good in one browser alone."""

import itertools
import time
from collections.abc import Iterator
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any, Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.chromium import PATIENCE, Chromium, key_hash
from tests.support.device_tab import WITHOUT_QUOTA, DeviceTab
from tests.support.programs import RealProxy
from tests.support.wsgi_backend import wsgi_backend
from tests.test_etc import replaced

EXAMPLE: Final = Path(__file__).parents[2] / "etc" / "device-cookies.toml"
HOST: Final = "app.example.com"


class Application:
    """Shows which session somebody has; at ``/out``, ends it."""

    def __init__(self) -> None:
        self._names = (f"session {number}" for number in itertools.count(1))

    def __call__(self, environ: dict[str, Any], start: Any) -> list[bytes]:  # noqa: ANN401
        cookies = SimpleCookie(environ.get("HTTP_COOKIE", ""))
        fields = [("Content-Type", "text/html")]
        if "JSESSIONID" in cookies:
            name = cookies["JSESSIONID"].value
        else:
            name = next(self._names)
            fields.append(("Set-Cookie", f'JSESSIONID="{name}"; Path=/; HttpOnly'))
        if environ["PATH_INFO"] == "/out":
            fields.append(("Set-Cookie", "JSESSIONID=; Path=/; Max-Age=0"))
        start("200 OK", fields)
        return [b"<!DOCTYPE html><link rel=icon href='data:,'><p>" + name.encode()]


@attrs.frozen
class Place:
    """The running example, and a browser whose contexts are people's."""

    proxy: RealProxy
    chromium: Chromium

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://{HOST}:{self.proxy.port}"


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "tls").mkdir()
    issued = Pki.create().issue(HOST, dns=[HOST], server=True)
    issued.write(tmp_path / "tls", "app")
    with wsgi_backend(Application()) as backend:
        text = replaced(
            EXAMPLE.read_text(),
            {
                'address = "0.0.0.0"\nport = 8443': 'address = "127.0.0.1"\nport = 0',
                '"tls/app.crt"': f'"{tmp_path}/tls/app.crt"',
                '"tls/app.key"': f'"{tmp_path}/tls/app.key"',
                "127.0.0.1:9000": f"127.0.0.1:{backend}",
                "grace = 60": "grace = 5",
            },
        )
        with (
            RealProxy(tmp_path, text, state_dir=str(tmp_path / "state")) as proxy,
            Chromium(key_hash(issued.cert_pem), features=WITHOUT_QUOTA) as chromium,
        ):
            yield Place(proxy.serve(), chromium)


def test_a_copy_is_worth_nothing_while_its_owner_goes_on(place: Place) -> None:
    chromium, url = place.chromium, place.url
    with chromium.tab() as tab, chromium.tab() as thief:
        device = DeviceTab.watch(tab)
        tab.go(f"{url}/")
        device.wait_for("creation", "Success")
        (bound,) = (name for name in device.cookies(url) if "-bound-" in name)
        device.expire(url, bound)
        device.copy_cookies(thief)
        deadline = time.monotonic() + PATIENCE
        thief.go(f"{url}/")
        while thief.text == "session 1":  # nothing need be proved for some seconds
            assert time.monotonic() < deadline
            thief.go(f"{url}/")
        assert thief.text == "session 2"  # somebody new to the application
        for _ in range(3):
            device.expire(url, bound)
            tab.go(f"{url}/")
            device.wait_for("refresh", "Refreshed")
            assert tab.text == "session 1"
        tab.go(f"{url}/out")
        assert not [name for name in device.cookies(url) if "-sso" in name]
