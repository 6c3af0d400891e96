"""Plain listeners that redirect, names, and what the handshake agrees on."""

import re
import subprocess
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import (
    Backend,
    RealProxy,
    curl,
    program,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Files

TLS = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
"""
ROUTE = """
[[route]]
host = "localhost"
authenticate = ["anonymous"]
headers = {{ client_certificate = true }}
upgrade = ["websocket"]
backend = "http://127.0.0.1:{port}"
"""


REDIRECT = """
[[listener]]
address = "127.0.0.1"
port = 0
tls = false
redirect_port = 8443
"""
NAMED = """
[[listener.name]]
host = ["other.example"]
certificate = "other.crt"
key = "other.key"
"""


@pytest.fixture(scope="module")
def site(files: "Files", echo: Backend) -> Iterator[RealProxy]:
    """Give a proxy with a TLS listener of two names and one that redirects."""
    other = files.authority.issue("other", dns=["other.example"], server=True)
    other.write(files.directory, "other")
    text = TLS + "hsts = 600\n" + NAMED + REDIRECT
    text += ROUTE.format(port=echo.port).replace('"localhost"', '"*"')
    with RealProxy(files.place(), text).serve() as proxy:
        yield proxy


@pytest.mark.parametrize(("method", "status"), [("GET", 301), ("POST", 308)])
def test_plain_listener_sends_to_https(
    site: RealProxy, method: str, status: int
) -> None:
    _, plain = site.ports
    answer = curl("-X", method, f"http://127.0.0.1:{plain}/a/%2e./b?c=d")
    assert answer.status == status
    assert answer.values("location") == ["https://127.0.0.1:8443/b?c=d"]
    assert answer.values("strict-transport-security") == []


def test_answers_over_tls_say_that_it_stays_so(files: "Files", site: RealProxy) -> None:
    secure, _ = site.ports
    for path in ("/", "/.sso/nothing"):
        answer = files.ask(f"https://localhost:{secure}{path}")
        assert answer.values("strict-transport-security") == ["max-age=600"]


@pytest.mark.parametrize("name", ["localhost", "other.example"])
def test_name_gets_its_certificate(files: "Files", site: RealProxy, name: str) -> None:
    secure, _ = site.ports
    resolve = ("--resolve", f"{name}:{secure}:127.0.0.1")
    answer = files.ask(f"https://{name}:{secure}/", *resolve)
    assert answer.status == 200, answer


@pytest.mark.parametrize(
    ("offered", "agreed"),
    [("h2,http/1.1", "ALPN protocol: http/1.1"), ("http/1.1", "ALPN protocol: http")],
)
def test_protocol_is_agreed_on(site: RealProxy, offered: str, agreed: str) -> None:
    assert agreed in s_client(site.ports[0], "-alpn", offered)


def test_protocol_that_is_not_spoken_is_refused(site: RealProxy) -> None:
    """RFC 7301 section 3.2: no_application_protocol."""
    assert "no application protocol" in s_client(site.ports[0], "-alpn", "h2")


@pytest.mark.parametrize("old", ["-tls1", "-tls1_1"])
def test_old_versions_are_refused(site: RealProxy, old: str) -> None:
    said = s_client(site.ports[0], old, "-cipher", "ALL:@SECLEVEL=0")
    assert re.search(r"alert|no protocols available", said)


def s_client(port: int, *options: str) -> str:
    done = subprocess.run(  # noqa: S603
        [program("openssl"), "s_client", "-connect", f"127.0.0.1:{port}", *options],
        input=b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=15,
        check=False,
    )
    return done.stdout.decode("latin-1")
