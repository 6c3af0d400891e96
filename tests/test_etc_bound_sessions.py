"""etc/bound-sessions.toml runs: a stolen cookie is good for nobody else."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.password_scene import htpasswd_line
from tests.support.programs import CurlAnswer, RealProxy, curl
from tests.support.recorder import Recorder
from tests.support.running import eventually

EXAMPLE: Final = Path(__file__).parent.parent / "etc" / "bound-sessions.toml"
HOST: Final = "app.example.com"
PAGE: Final = (
    "Accept: text/html",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Dest: document",
)


@attrs.frozen
class Site:
    """The running example, and machines of the company and of others."""

    directory: Path
    port: int
    backend: Recorder
    proxy: RealProxy

    def ask(self, machine: str, path: str, *options: str | Path) -> CurlAnswer:
        """Look at a page from a machine, with the cookies in its jar, or none."""
        own: list[str | Path] = []
        if machine:
            certificate = self.directory / f"{machine}.crt"
            own = ["--cert", certificate, "--key", self.directory / f"{machine}.key"]
        for field in PAGE:
            own += ["-H", field]
        return curl(
            *("--cacert", self.directory / "ca.crt"),
            *("--resolve", f"{HOST}:{self.port}:127.0.0.1"),
            *own,
            *options,
            f"https://{HOST}:{self.port}{path}",
        )

    def wait_for_record(self, part: str) -> None:
        """Wait until there is such an audit record."""
        eventually(lambda: part in self.proxy.audit.read_text(), part)

    def log_in(self, machine: str, jar: Path) -> CurlAnswer:
        """Log in as alice; the cookies are in *jar* then."""
        cookies = ("-b", jar, "-c", jar)
        away = self.ask(machine, "/orders", *cookies)
        assert away.status == 303, away
        (location,) = away.values("location")
        page = self.ask(machine, location, *cookies).text
        (action,) = re.findall(r'<form action="([^"]*)"', page)
        (login,) = re.findall(r'name="login" value="([^"]*)"', page)
        form = {"login": unescape(login), "user": "alice", "password": "wonderland"}
        own = ("-H", f"Origin: https://{HOST}:{self.port}")
        data = ("--data", urlencode(form), "-H", "Sec-Fetch-Site: same-origin")
        return self.ask(machine, unescape(action), *cookies, *own, *data)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    pki = Pki.create()
    pki.write(tmp_path)
    tls = tmp_path / "tls"
    tls.mkdir()
    pki.issue(HOST, dns=[HOST], server=True).write(tls, "app")
    machines = Pki.create("Machines")
    (tls / "machines.crt").write_bytes(machines.ca_pem)
    for name in ("alices", "mallorys"):
        machines.issue(name, client=True).write(tmp_path, name)
    (tmp_path / "users").write_text(htpasswd_line("alice", "wonderland"))
    with Recorder() as backend:
        text = EXAMPLE.read_text()
        for old, new in (
            ('"0.0.0.0"', '"127.0.0.1"'),
            ("8443", "0"),
            ("127.0.0.1:9000", f"127.0.0.1:{backend.port}"),
        ):
            assert old in text
            text = text.replace(old, new)
        proxy = RealProxy(tmp_path, text, state_dir=str(tmp_path / "state"))
        with proxy.serve():
            yield Site(tmp_path, proxy.ports[0], backend, proxy)


def test_a_stolen_cookie_is_good_for_nobody_else(site: Site) -> None:
    jar = site.directory / "jar"
    assert site.log_in("alices", jar).status == 303
    stolen = ("-b", jar)
    assert site.ask("alices", "/orders", *stolen).status == 200
    assert [seen.values("X-Remote-User") for seen in site.backend.seen] == [["alice"]]
    assert site.ask("mallorys", "/orders", *stolen).status == 303
    assert site.ask("", "/orders", *stolen).status == 403
    assert len(site.backend.seen) == 1
    assert site.ask("alices", "/orders", *stolen).status == 200
    # Nobody logs in from a machine without one.
    found = site.ask("", "/orders")
    assert (found.status, "shown no key" in found.text) == (403, True)
    for problem in ("another", "missing"):
        site.proxy.wait_for_log(f"not used: certificate is {problem} (session-binding)")
    for part in ('"reason":"session-binding"', '"bindings":["certificate"]'):
        site.wait_for_record(part)
