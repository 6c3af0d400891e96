"""nginx and Caddy, configured as docs/howto/forward-auth.md says, ask and forward."""

import re
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import attrs
import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.programs import (
    CurlAnswer,
    RealProxy,
    Running,
    curl,
    free_port,
    nginx,
    program,
)
from tests.support.recorder import Recorder, Seen

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "howto" / "forward-auth.md").read_text("utf-8")
EXAMPLE: Final = (ROOT / "etc" / "forward-auth.toml").read_text("utf-8")
RENEWED: Final = """
[authenticator.named]
type = "tests.support.forward_auth_scene:Name"

[[route]]
host = "app.example.com"
path = "/renewed/"
authenticate = ["named"]
backend = "forward-auth:"
"""
"""A route whose answers have cookies of ours in them."""
HOST: Final = "app.example.com"
ALICE: Final = ("-u", "alice:alice")


def block(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


@attrs.define
class Estate:
    """
    One proxy that forwards, ours that it asks, and a backend.

    Attributes:
        kind: Which one forwards.
        port: Where it listens.
        ca: Whom everybody trusts.
        backend: Is behind it.
        proxy: Ours.
    """

    kind: str
    port: int
    ca: Path
    backend: Recorder
    proxy: RealProxy

    def ask(self, path: str, *options: str) -> CurlAnswer:
        """Ask as a client does, with the path as it is written."""
        where = f"{HOST}:{self.port}"
        resolve = ("--resolve", f"{where}:127.0.0.1", "--cacert", self.ca)
        url = f"https://{where}{path}"
        return curl("--path-as-is", *resolve, *options, url)

    def send(self, request: str) -> str:
        """Send *request* as it is, without ALPN; gives all that comes back."""
        trust = ssl.create_default_context(cafile=self.ca)
        said = b""
        with (
            socket.create_connection(("127.0.0.1", self.port), 20.0) as plain,
            trust.wrap_socket(plain, server_hostname=HOST) as sock,
        ):
            sock.sendall(request.encode())
            while piece := sock.recv(65536):
                said += piece
        return said.decode()

    def seen(self) -> list[Seen]:
        """Give what the backend got since this was last asked."""
        found = [*self.backend.seen]
        self.backend.seen.clear()
        return found


def _started(kind: str, directory: Path, port: int, text: str) -> Running:
    if kind == "nginx":
        return nginx(directory, text, port)
    file = directory / "Caddyfile"
    admin = "{\n    admin off\n    auto_https off\n}\n"
    file.write_text(admin + text.replace(f"{HOST} {{", f"https://{HOST}:{port} {{"))
    command = ("/usr/bin/env", f"HOME={directory}", program("caddy"), "run")
    arguments = ("--config", str(file), "--adapter", "caddyfile")
    return Running(directory, *command, *arguments).wait_for_port(port)


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def estate(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Estate]:
    kind = request.param
    directory = tmp_path_factory.mktemp(kind)
    pki = Pki.create()
    ca = pki.write(directory)
    pki.issue(HOST, dns=[HOST], server=True).write(directory, "app")
    users = directory / "users"
    command = [program("htpasswd"), "-cbBC5", str(users), "alice", "alice"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)  # noqa: S603
    text = EXAMPLE.replace('"nginx"', f'"{kind}"', 1)
    head, _, rest = text.partition("[[listener]]")
    rest = re.sub(r"418[01]", "0", f"[[listener]]{rest}{RENEWED}")
    assert "trusted_proxies" in head
    with ExitStack() as stack:
        backend = stack.enter_context(Recorder())
        trusted = {"trusted_proxies": ["127.0.0.1"], "state_dir": str(directory / "s")}
        proxy = RealProxy(directory, rest, **trusted)
        stack.enter_context(proxy)
        first, second = proxy.serve().ports
        port = free_port()
        text = block("nginx" if kind == "nginx" else "caddyfile")
        for old, new in {
            "8443": str(port),
            ":4180": f":{first}",
            ":4181": f":{second}",
            ":9000": f":{backend.port}",
            "/etc/nginx/": f"{directory}/",
            "/etc/caddy/": f"{directory}/",
        }.items():
            text = text.replace(old, new)
        stack.enter_context(_started(kind, directory, port, text))
        yield Estate(kind, port, ca, backend, proxy)


def test_the_backend_is_told_who_calls_and_gets_no_credentials(estate: Estate) -> None:
    cookie = ("-H", "Cookie: __Host-sso=x; theme=dark")
    answer = estate.ask("/orders?all=1&x=%2e", *ALICE, *cookie)
    assert answer.status == 200, answer
    (seen,) = estate.seen()
    assert seen.target == "/orders?all=1&x=%2e"
    assert seen.values("x-remote-user") == ["alice"]
    assert "".join(seen.values("authorization")) == ""
    assert seen.values("cookie") == ["theme=dark"]
    assert not [name for name in seen.names if name.startswith("x-sso")]


def test_cookies_that_are_renewed_on_the_way_get_to_the_client(estate: Estate) -> None:
    answer = estate.ask("/renewed/", "-H", "Authorization: Name renewed")
    assert answer.values("set-cookie") == ["a=1; Path=/", "b=2; Path=/"], answer
    (seen,) = estate.seen()
    assert seen.values("x-remote-user") == ["renewed"]
    ours = [name for name in seen.names if name.startswith("x-sso")]
    assert ("set-cookie" in seen.names, ours) == (False, [])


def test_answers_with_many_cookies_get_through(estate: Estate) -> None:
    cookie = "; ".join(f"name-{n}={'x' * 200}" for n in range(30))
    answer = estate.ask("/orders", *ALICE, "-H", f"Cookie: {cookie}")
    assert answer.status == 200, answer
    (seen,) = estate.seen()
    assert seen.values("cookie") == [cookie]


def test_a_body_is_forwarded_and_not_asked_about(estate: Estate) -> None:
    answer = estate.ask("/orders", *ALICE, "--data", "a" * 5000)
    assert answer.status == 200
    (seen,) = estate.seen()
    assert (seen.method, seen.body) == ("POST", b"a" * 5000)


def test_people_log_in_and_out_on_pages_of_ours(estate: Estate) -> None:
    browser = Browser(estate.ca)
    origin = f"https://{HOST}:{estate.port}"
    page = browser.go(f"{origin}/orders?all")
    assert page.url.startswith(f"{origin}/.sso/"), page
    page = browser.submit(page, user="alice", password="alice")
    assert (page.url, page.status) == (f"{origin}/orders?all", 200)
    (seen,) = estate.seen()
    assert seen.values("x-remote-user") == ["alice"]
    assert "__Host-sso" not in "".join(seen.values("cookie"))
    browser.go(f"{origin}/.sso/logout")
    assert browser.go(f"{origin}/orders").url.startswith(f"{origin}/.sso/")
    assert estate.seen() == []


def test_who_may_not_pass_hears_it_from_us(estate: Estate) -> None:
    answer = estate.ask("/orders", "-H", "Accept: application/json")
    assert answer.status == 401
    assert answer.values("www-authenticate") == [
        'Basic realm="Example Ltd", charset="UTF-8"'
    ]
    answer = estate.ask("/orders", "-u", "alice:wrong")
    assert answer.status == 401
    assert estate.seen() == []


ATTACKS: Final = {
    "user": ("/public/x", "X-Remote-User: admin"),
    "user-alias": ("/public/x", "X_Remote_User: admin"),
    "user-dots": ("/public/x", "X.Remote.User: admin"),
    "uri": ("/orders", "X-Forwarded-Uri: /public/x"),
    "uri-original": ("/orders", "X-Original-URI: /public/x"),
    "url-original": ("/orders", "X-Original-URL: https://app.example.com/public/x"),
    "rewrite": ("/orders", "X-Rewrite-URL: /public/x"),
    "method": ("/orders", "X-Forwarded-Method: OPTIONS"),
    "host": ("/orders", "X-Forwarded-Host: other.example.com"),
    "proto": ("/orders", "X-Forwarded-Proto: http"),
    "forwarded": ("/orders", "Forwarded: for=127.0.0.1;host=other;proto=http"),
    "override": ("/public/x", "X-HTTP-Method-Override: DELETE"),
    "connection": ("/orders", "Connection: X-Original-URI, X-Forwarded-Uri"),
    "dots": ("/public/../orders", "A: b"),
    "dots-escaped": ("/public/%2e%2e/orders", "A: b"),
    "dots-slash": ("/public/..%2forders", "A: b"),
    "backslash": ("/public/..%5Corders", "A: b"),
    "parameters": ("/public/..;/orders", "A: b"),
    "slashes": ("/public//../orders", "A: b"),
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_nobody_gets_further_by_what_they_say(estate: Estate, attack: str) -> None:
    """Refused, or forwarded without it and with nobody's name."""
    path, field = ATTACKS[attack]
    answer = estate.ask(path, "-H", field, "-H", "Accept: application/json")
    found = estate.seen()
    if answer.status == 200:
        assert path == "/public/x", answer
        assert [seen.path for seen in found] == ["/public/x"]
        assert "admin" not in str((found[0].headers, answer.fields)), found[0].headers
    else:
        assert (answer.status in {400, 401, 403, 404}, found) == (True, []), answer


def test_what_caddy_copies_is_not_the_clients_to_give(estate: Estate) -> None:
    """To nginx, fields of these names mean nothing: it copies to variables."""
    said = ("Cookie: u=admin", "Authorization: Basic admin", "Set-Cookie-1: u=admin")
    options = [each for field in said for each in ("-H", f"X-Sso-{field}")]
    answer = estate.ask("/public/x", *options)
    (seen,) = estate.seen()
    assert answer.values("set-cookie") == []
    assert "".join(seen.values("cookie") + seen.values("authorization")) == ""
    left = [name for name in seen.names if name.startswith("x-sso")]
    assert estate.kind == "nginx" or left == []


def test_no_way_leads_to_answers_for_backends(estate: Estate) -> None:
    """Neither by the place where nginx asks, nor by questions to our endpoints."""
    by_nginx = ("-H", "X-Original-Method: GET", "-H", "X-Original-URI: /orders")
    by_caddy = ("-H", "X-Forwarded-Method: GET", "-H", "X-Forwarded-Uri: /orders")
    for path in ("/sso-question", "/.sso/auth", "/.sso/", "/.sso/x"):
        answer = estate.ask(path, *ALICE, *by_nginx, *by_caddy)
        assert answer.values("x-remote-user") == []
        assert answer.status in {400, 401, 403, 404}, (path, answer)
    assert estate.seen() == []


def test_a_name_that_connection_lists_arrives_all_the_same(estate: Estate) -> None:
    answer = estate.ask("/orders", *ALICE, "-H", "Connection: close, X-Remote-User")
    assert answer.status == 200
    (seen,) = estate.seen()
    assert seen.values("x-remote-user") == ["alice"]


def test_the_host_that_decides_is_the_one_that_is_forwarded_to(estate: Estate) -> None:
    target = f"https://{HOST}:{estate.port}/orders"
    options = ("--request-target", target, "-H", "Host: public.example.com")
    answer = estate.ask("/", *options, *ALICE)
    found = estate.seen()
    assert [seen.target for seen in found] == ["/orders"] * (estate.kind == "nginx")
    assert not found or found[0].values("x-remote-user") == ["alice"], answer


KNOWN: Final = "Authorization: Basic YWxpY2U6YWxpY2U=\r\n"


def status_of(said: str) -> int:
    """Give the status of the last answer."""
    return int(re.findall(r"^HTTP/1\.[01] (\d+)", said, re.MULTILINE)[-1])


def test_programs_that_speak_http_1_0_are_asked_about(estate: Estate) -> None:
    """Without ALPN: Caddy ends the handshake of who offers http/1.0 there."""
    where = f"Host: {HOST}:{estate.port}\r\n"
    said = estate.send(f"GET /orders HTTP/1.0\r\n{where}\r\n")
    assert (status_of(said), estate.seen()) == (401, []), said
    said = estate.send(f"GET /orders HTTP/1.0\r\n{where}{KNOWN}\r\n")
    assert status_of(said) == 200, said
    (seen,) = estate.seen()
    assert seen.values("x-remote-user") == ["alice"]


@pytest.mark.parametrize("expected", ["100-continue", "200-ok", "100-continue, x"])
def test_nothing_that_is_expected_leads_past_us(estate: Estate, expected: str) -> None:
    rest = f"Host: {HOST}:{estate.port}\r\nExpect: {expected}\r\n"
    rest += "Connection: close\r\nContent-Length: 3\r\n"
    said = estate.send(f"POST /orders HTTP/1.1\r\n{rest}\r\nabc")
    assert status_of(said) in {400, 401, 417}, said
    assert estate.seen() == []
    said = estate.send(f"POST /orders HTTP/1.1\r\n{rest}{KNOWN}\r\nabc")
    found = [(seen.body, seen.values("x-remote-user")) for seen in estate.seen()]
    if status_of(said) == 200:
        assert found == [(b"abc", ["alice"])]
    else:
        assert (status_of(said), found) == (417, []), said
