"""The example about several servers runs before real ones: nginx, of which one ends."""

import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from sso_proxy.checking import check
from sso_proxy.config.load import load_config
from sso_proxy.testing.pki import Pki
from tests.support.programs import (
    Backend,
    CurlAnswer,
    RealProxy,
    curl,
    free_port,
    nginx,
    read_request,
)
from tests.support.running import eventually
from tests.test_etc import ETC, replaced

HOST: Final = "www.example.com"
SLOW: Final = 2.0
"""Seconds until a server of the search that is back gets its whole share."""
MANY: Final = 12
_SERVER: Final = """
server {{
    listen 127.0.0.1:{port} ssl;
    ssl_certificate {tls}/inside.crt;
    ssl_certificate_key {tls}/inside.key;
    ssl_client_certificate {tls}/inside-ca.crt;
    ssl_verify_client on;
    location = /health {{ return 200; }}
    location = /old {{ return 302 /cart; }}
    location / {{
        add_header Set-Cookie "basket=1; Path=/";
        return 200 "{name} $uri $http_x_remote_user";
    }}
}}
"""


def certificates(tls: Path) -> None:
    tls.mkdir()
    public, inside = Pki.create(), Pki.create("inside")
    public.write(tls, "ca")
    public.issue(HOST, dns=[HOST], server=True).write(tls, "www")
    inside.write(tls, "inside-ca")
    name = "shop.internal.example.com"
    inside.issue("inside", dns=[name], server=True).write(tls, "inside")
    inside.issue("proxy").write(tls, "proxy")
    customers = Pki.create("customers")
    customers.write(tls, "customers-ca")
    for number in range(8):
        customers.issue(f"c{number}").write(tls, f"c{number}")


def test_a_shop_on_several_servers(tmp_path: Path) -> None:
    """etc/upstreams.toml"""
    tls = tmp_path / "tls"
    certificates(tls)
    names = ("one", "two", "three")
    ports = {name: free_port() for name in names}
    changes = {'"0.0.0.0"': '"127.0.0.1"', "port = 8443": "port = 0"}
    for number, port in enumerate(ports.values(), 1):
        changes[f"10.0.0.{number}:8443"] = f"127.0.0.1:{port}"
    search = [free_port(), free_port()]
    for number, port in enumerate(search, 4):
        changes[f"10.0.0.{number}:9000"] = f"127.0.0.1:{port}"
    changes["pause = 10 "] = "pause = 0.5 "
    changes["slow_start = 30 "] = f"slow_start = {SLOW} "
    text = replaced((ETC / "upstreams.toml").read_text(), changes)
    running = []
    for name, port in ports.items():
        (tmp_path / name).mkdir()
        block = _SERVER.format(port=port, tls=tls, name=name)
        running.append(nginx(tmp_path / name, block, port))
    state = str(tmp_path / "state")
    with (
        running[0],
        running[1],
        running[2],
        Searching(search[0]),
        Searching(search[1]) as leaves,
        RealProxy(tmp_path, text, state_dir=state).serve() as proxy,
    ):

        def ask(user: str, path: str = "/shop/cart") -> CurlAnswer:
            return curl(
                "--cacert", tls / "ca.crt",
                "--cert", tls / f"{user}.crt", "--key", tls / f"{user}.key",
                "--resolve", f"{HOST}:{proxy.port}:127.0.0.1",
                f"https://{HOST}:{proxy.port}{path}",
            )  # fmt: skip

        assert check(load_config(proxy.config)).notes == ()
        users = [f"c{number}" for number in range(8)]
        before = {}
        for user in users:
            answer = ask(user)
            assert answer.status == 200, answer
            before[user], path, _ = answer.body.decode().split(" ", 2)
            assert path == "/cart"
            assert answer.values("set-cookie") == ["basket=1; Path=/shop"]
        assert {user: said(ask(user)) for user in users} == before
        assert len(set(before.values())) > 1
        where = ask("c0", "/shop/old").values("location")
        assert where == [f"https://{HOST}:{proxy.port}/shop/cart"]

        search_goes_on(lambda: ask("c0", "/search/x").status, proxy, search, leaves)

        lost = before["c0"]
        with running[names.index(lost)]:
            pass  # it ends
        url = f"https://127.0.0.1:{ports[lost]}"
        down = f'sso_proxy_upstream_server_up{{server="{url}",upstream="shop"}} 0.0'
        after = {user: said(ask(user)) for user in users}
        for user in users:
            assert after[user] != lost
            assert before[user] in {lost, after[user]}
        eventually(lambda: down in proxy.ask_admin("/metrics")[1], "down")
        assert f"{url} is down" in proxy.ask_admin("/health/ready")[1]

        (tmp_path / "maintenance").touch()
        eventually(lambda: ask("c1").status == 503, "maintenance")
        assert ask("c1").values("retry-after") == ["600"]
        (tmp_path / "maintenance").unlink()
        eventually(lambda: ask("c1").status == 200, "no maintenance")


def search_goes_on(
    ask: Callable[[], int], proxy: RealProxy, ports: Sequence[int], leaves: Backend
) -> None:
    """See that nobody notices when the second server leaves, and when it is back."""

    def state_of(port: int) -> str:
        start = f'server_up{{server="http://127.0.0.1:{port}",upstream="search"}} '
        return proxy.ask_admin("/metrics")[1].partition(start)[2][:1]

    asked_at = 0.0

    def is_back() -> bool:
        nonlocal asked_at
        asked_at = time.monotonic()
        assert ask() == 200
        return state_of(ports[1]) == "1"

    assert ask() == 200
    leaves.close()
    for _ in range(MANY):
        assert ask() == 200
    assert (state_of(ports[0]), state_of(ports[1])) == ("1", "0")
    with Searching(ports[1]) as returned:
        eventually(is_back, "the request that tries it out")
        back, before = time.monotonic(), returned.asked
        most = 2.5  # turns that it has not had before
        while time.monotonic() < asked_at + SLOW / 2:
            assert returned.asked - before <= most, "it is not warm yet"
            assert ask() == 200
            most += max(0.05, (time.monotonic() - asked_at) / SLOW)
        eventually(lambda: time.monotonic() > back + SLOW, "its whole share")
        before = returned.asked
        for _ in range(MANY):
            assert ask() == 200
        assert MANY // 3 <= returned.asked - before <= MANY - MANY // 3


class Searching(Backend):
    """
    A server that counts what it is asked.

    Attributes:
        asked: How many requests it had.
    """

    def __init__(self, port: int) -> None:
        self.asked = 0
        super().__init__(self._answer, socket.create_server(("127.0.0.1", port)))

    def _answer(self, sock: socket.socket, _number: int) -> None:
        while read_request(sock):
            self.asked += 1
            sock.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def said(answer: CurlAnswer) -> str:
    """Give the name of the server that answered."""
    assert answer.status == 200, answer
    return answer.body.decode().split(" ")[0]
