"""etc/device-bound.toml, with seconds instead of minutes, for Chromium."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Pki
from tests.support.chromium import Tab, key_hash
from tests.support.device_tab import DeviceTab
from tests.support.password_scene import htpasswd_line
from tests.support.programs import Backend, RealProxy
from tests.support.recorder import BODY, Recorder, answer

EXAMPLE: Final = Path(__file__).parents[2] / "etc" / "device-bound.toml"
HOST: Final = "app.example.com"
BOUND: Final = "__Host-sso-bound"
SESSION: Final = "__Host-sso"
LIFETIME: Final = 5
"""Seconds that a proof is good for, and that nothing has to be proved after a login."""

_PAGE: Final = (
    b"<!DOCTYPE html><title>Application</title><link rel=icon href='data:,'><p>Welcome"
)


@attrs.frozen(kw_only=True)
class DeviceSite:
    """
    The running example.

    Attributes:
        directory: Of its files.
        text: Its configuration, but for ``[server]``.
        trusted: Names the key of its certificate, for `Chromium`.
        backend: The application.
    """

    directory: Path
    text: str
    trusted: str
    backend: Recorder

    def proxy(self, name: str = "proxy", more: str = "") -> RealProxy:
        """Make a proxy with a state of its own."""
        state = str(self.directory / f"{name}-state")
        place = self.directory / name
        place.mkdir(exist_ok=True)
        return RealProxy(place, self.text + more, state_dir=state)

    def log_in(self, tab: Tab, url: str) -> DeviceTab:
        """Log in as alice, and wait until the browser has registered a key."""
        device = DeviceTab.watch(tab)
        enter(tab, url)
        device.wait_for("creation", "Success")
        return device


def enter(tab: Tab, url: str) -> None:
    """Log in as alice."""
    tab.go(url)
    tab.wait("document.title == 'Log in'")
    tab.run(
        "document.getElementById('user').value = 'alice';"
        "document.getElementById('password').value = 'wonderland';"
        "document.forms[0].requestSubmit()"
    )
    tab.wait("document.title == 'Application'")


def fetch(tab: Tab, path: str, body: str | None = None) -> int:
    """Have a script of the page ask for something, and give the status."""
    how = "" if body is None else f", {{method: 'POST', body: {body!r}}}"
    return int(tab.value(f"fetch({path!r}{how}).then(r => r.status)"))


@contextlib.contextmanager
def device_site(directory: Path) -> Iterator[DeviceSite]:
    """Write all files, and run the application as long as the block lasts."""
    tls = directory / "tls"
    tls.mkdir()
    issued = Pki.create().issue(HOST, dns=[HOST], server=True)
    issued.write(tls, "app")
    (directory / "users").write_text(htpasswd_line("alice", "wonderland"))
    with Recorder() as backend:
        text = EXAMPLE.read_text()
        for old, new in (
            ('"0.0.0.0"', '"127.0.0.1"'),
            ("8443", "0"),
            ('"tls/', f'"{directory}/tls/'),
            ('file = "users"', f'file = "{directory}/users"'),
            ("lifetime = 300", f"lifetime = {LIFETIME}"),
            ("grace = 60", f"grace = {LIFETIME}"),
            ("127.0.0.1:9000", f"127.0.0.1:{backend.port}"),
        ):
            assert old in text, old
            text = text.replace(old, new)
        page = (BODY, answer(_PAGE, "200 OK", b"Content-Type: text/html"))
        backend.scripts.update(dict.fromkeys(("/", "/orders", "/admin/"), page))
        yield DeviceSite(
            directory=directory,
            text=text,
            trusted=key_hash(issued.cert_pem),
            backend=backend,
        )


class Switch:
    """
    Passes connections on to one port or another, as a load balancer does.

    Attributes:
        to: Where connections go from now on.
    """

    def __init__(self, to: int) -> None:
        self.to = to
        self._backend = Backend(self._join)

    @property
    def port(self) -> int:
        """Where it listens."""
        return self._backend.port

    def turn(self, to: int) -> None:
        """Send everybody to another port."""
        self.to = to
        self._backend.drop()

    def _join(self, here: socket.socket, _number: int) -> None:
        with socket.create_connection(("127.0.0.1", self.to)) as there:
            back = threading.Thread(target=_pump, args=(there, here), daemon=True)
            back.start()
            _pump(here, there)
            back.join()

    def close(self) -> None:
        """End it."""
        self._backend.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
