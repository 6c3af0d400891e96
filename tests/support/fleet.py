"""A fleet as etc/fleet.toml and etc/haproxy.cfg have it, with other names and ports."""

import asyncio
import contextlib
import json
import os
import re
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import attrs

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.proofs import ProofSigner
from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import Running, free_port, program
from tests.support.redis_servers import RedisServer
from tests.support.running import REAL, Proxy
from tests.support.sts import TokenServer
from tests.support.sts_serving import listen

ETC = Path(__file__).parent.parent.parent / "etc"
COUNT = 3
APP, API = "app.example.com", "api.example.com"
ISSUER = "https://login.example.com"
AUDIENCE = "https://api.example.com"
_OIDC = re.compile(r'type = "oidc"\n.*?\n\n', re.DOTALL)
_REDIS = re.compile(r'server = "redis.*?\n\n', re.DOTALL)
_ORDERS = """
[token.orders]
type = "exchange"
endpoint = "{url}"
ca = "{ca}"
client_id = "proxy"
auth = "none"

[[route]]
host = "api.example.com"
path = "/orders/"
authenticate = ["api"]
binding = {{ dpop = "require" }}
token = [{{ name = "orders", audience = "https://orders.example.com" }}]
backend = "{backend}"
"""
_LOGIN = """type = "tests.support.header_login:HeaderLogin"
calls = "{calls}"

"""


@attrs.frozen
class Got:
    """An answer: its status, what the backend said, and which proxy asked it."""

    status: int
    user: str
    proxy: str


@attrs.define
class Person:
    """
    Somebody who sends requests: a browser with cookies, or a program with a key.

    Attributes:
        fleet: Where to.
        address: The loopback address that the requests come from.
        token: A program's token; a browser has cookies.
    """

    fleet: "Fleet"
    address: str
    token: str = ""
    cookies: dict[str, str] = attrs.field(factory=dict)
    sent: int = 0
    proxy: str = ""
    _streams: Any = None

    @property
    def host(self) -> str:
        """The host that is asked."""
        return API if self.token else APP

    async def connect(self, port: int | None = None) -> None:
        """Connect to haproxy, or as haproxy does to the proxy at *port*."""
        await self.close()
        to = self.fleet.port if port is None else port
        come_from = self.address if port is None else "127.0.0.1"
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", to, local_addr=(come_from, 0)
        )
        if port is not None:
            writer.write(_preface(self.address))
        self._streams, self.proxy = (reader, writer), ""
        await writer.start_tls(self.fleet.client_tls, server_hostname=self.host)

    @property
    def is_connected(self) -> bool:
        """Whether nobody has closed the connection."""
        return self._streams is not None and not self._streams[0].at_eof()

    async def ask(
        self, *, proof: str | None = None, below: str = "of", **fields: str
    ) -> Got:
        """Send a request over the connection, and take cookies of the answer."""
        reader, writer = self._streams
        self.sent += 1
        path = f"/{below}/{self.address}/{self.sent}"
        lines = [f"{name.replace('_', '-')}: {v}" for name, v in fields.items()]
        if self.token:
            proof = proof or self.fleet.prove(self.token, path)
            lines += [f"Authorization: DPoP {self.token}", f"DPoP: {proof}"]
        elif self.cookies:
            text = "; ".join(f"{n}={v}" for n, v in self.cookies.items())
            lines.append(f"Cookie: {text}")
        head = [f"GET {path} HTTP/1.1", f"Host: {self.host}", *lines, "", ""]
        writer.write("\r\n".join(head).encode())
        answer = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        found = [line.partition(": ")[::2] for line in answer[1:-2]]
        values = {name.lower(): value for name, value in found}
        body = await reader.readexactly(int(values.get("content-length", 0)))
        for name, value in found:
            if name == "Set-Cookie":
                cookie, _, content = value.partition(";")[0].partition("=")
                self.cookies[cookie] = content
        status = int(answer[0].split()[1])
        told = body.decode() if status == 200 else ""
        user, _, proxy = told.partition(" via ")
        self.proxy = proxy or self.proxy
        return Got(status, user, proxy)

    async def close(self) -> None:
        """Close the connection."""
        if self._streams is not None:
            (_, writer), self._streams = self._streams, None
            writer.transport.abort()
            with contextlib.suppress(OSError):
                await writer.wait_closed()


@attrs.define
class Fleet:
    """
    Three proxies behind haproxy, over one Redis.

    Attributes:
        directory: Where their files are.
        redis: What they share.
        port: haproxy's.
        proxies: The proxies.
        ports: Theirs.
        exchanges: Where tokens for backends below ``/orders/`` are got.
        ca: The CA of its certificate.
        served: Paths of the requests that backends got.
        presented: The credentials of those below ``/orders/``.
    """

    directory: Path
    redis: RedisServer
    port: int
    proxies: list[Proxy]
    ports: list[int]
    client_tls: ssl.SSLContext
    backend: socket.socket
    key: TokenSigner
    exchanges: TokenServer
    ca: Path
    signer: ProofSigner = attrs.field(factory=ProofSigner.create)
    served: list[str] = attrs.field(factory=list)
    presented: list[str] = attrs.field(factory=list)
    people: list[Person] = attrs.field(factory=list)

    @property
    def calls(self) -> list[str]:
        """A line for each time that a session was renewed."""
        file = self.directory / "calls"
        return file.read_text().splitlines() if file.exists() else []

    def person(self, token: str = "") -> Person:
        """Give a browser, or a program with *token*; each has an address of its own."""
        address = f"127.0.0.{20 + len(self.people) % 200}"
        self.people.append(Person(self, address, token))
        return self.people[-1]

    def token(self, subject: str) -> str:
        """Issue a token that is bound to our key."""
        claims: dict[str, object] = {"iss": ISSUER, "aud": AUDIENCE, "sub": subject}
        claims |= {"exp": int(time.time()) + 600, "cnf": self.signer.confirmation}
        return self.key.sign(claims)

    def prove(self, token: str, path: str) -> str:
        """Sign a request."""
        uri = f"https://{API}{path}"
        return self.signer.prove("GET", uri, token, time.time())

    def run(self, conversation: Any) -> None:  # noqa: ANN401
        """Hold *conversation*, a coroutine function, with the fleet and a backend."""
        asyncio.run(asyncio.wait_for(self._run(conversation), 100))

    async def _run(self, conversation: Any) -> None:  # noqa: ANN401
        backend = await asyncio.start_server(self._serve, sock=self.backend.dup())
        try:
            await conversation(self)
        finally:
            for person in self.people:
                await person.close()
            self.people.clear()
            backend.close()

    async def _serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Answer as a backend: with the user and the proxy that it is told."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                self.served.append(head.split(" ")[1])
                told = dict(re.findall(r"\r\n([\w-]+): ([^\r]*)", head))
                if self.served[-1].startswith("/orders/"):
                    self.presented.append(told["Authorization"])
                proxy = told["Via"].split()[-1]
                body = f"{told['X-Remote-User']} via {proxy}".encode()
                await asyncio.sleep(0.005)  # as an application does
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


@contextmanager
def running_fleet(directory: Path) -> Iterator[Fleet]:
    """Run one."""
    pki, key = Pki.create(), TokenSigner.create()
    with ExitStack() as stack:
        redis = stack.enter_context(RedisServer(directory))
        backend = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        exchanges = TokenServer()
        at = stack.enter_context(listen(exchanges, directory, Pki.create()))
        ports = [free_port() for _ in range(COUNT)]
        ring = KeyRing((make_key(time.time(), os.urandom),))
        fleet = Fleet(
            directory=directory,
            redis=redis,
            port=free_port(),
            proxies=[],
            ports=ports,
            client_tls=ssl.create_default_context(cadata=pki.ca_pem.decode()),
            backend=backend,
            key=key,
            exchanges=exchanges,
            ca=at.ca,
        )
        for number, port in enumerate(ports):
            place = directory / f"proxy-{number}"
            (place / "tls").mkdir(parents=True)
            pki.issue("example", dns=[APP, API], server=True).write(
                place / "tls", "example"
            )
            (place / "key.json").write_text(_jwk(key))
            write_key_ring(place / "keys.json", ring, replace=False)
            proxy = stack.enter_context(Proxy(place))
            proxy.config.write_text(fleet_config(fleet, place, number, port))
            fleet.proxies.append(proxy)
            proxy.start(program=REAL)
        for proxy in fleet.proxies:
            proxy.wait_until_serving()
        stack.enter_context(haproxy_before(fleet))
        yield fleet


def fleet_config(fleet: Fleet, place: Path, number: int, port: int) -> str:
    """Give etc/fleet.toml for one of these machines."""
    text = (ETC / "fleet.toml").read_text()
    backend = f"http://127.0.0.1:{fleet.backend.getsockname()[1]}"
    replacements = {
        '"proxy-1"': f'"proxy-{number + 1}"\nstate_dir = "{place / "state"}"',
        "unix:/run/sso-proxy/admin.sock": f"unix:{place / 'admin.sock'}",
        "/var/log/sso-proxy/audit.log": str(place / "audit.log"),
        "stale = 30.0": "stale = 5.0",
        '"0.0.0.0"': '"127.0.0.1"',
        "port = 8443": f"port = {port}",
        '["192.0.2.10", "192.0.2.11"]': '["127.0.0.1"]',
        'jwks_uri = "https://login.example.com/jwks"': 'jwk_file = "key.json"',
        "http://127.0.0.1:9000": backend,
        "http://127.0.0.1:9001": backend,
    }
    for old, new in replacements.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    text, count = _OIDC.subn(_LOGIN.format(calls=fleet.directory / "calls"), text)
    assert count == 1
    text, count = _REDIS.subn(f'server = "{fleet.redis.address}"\n\n', text)
    assert count == 1
    url = fleet.exchanges.url
    return text + _ORDERS.format(url=url, ca=fleet.ca, backend=backend)


@contextmanager
def haproxy_before(fleet: Fleet) -> Iterator[None]:
    """Run haproxy as etc/haproxy.cfg has it."""
    text = (ETC / "haproxy.cfg").read_text()
    assert text.count(":443\n") == 1
    text = text.replace(":443\n", f"127.0.0.1:{fleet.port}\n")
    for number, port in enumerate(fleet.ports):
        old = f"192.0.2.2{number + 1}:8443"
        assert text.count(old) == 1
        text = text.replace(old, f"127.0.0.1:{port}")
    config = fleet.directory / "haproxy.cfg"
    config.write_text(text)
    command = (program("haproxy"), "-db", "-f", str(config))
    with Running(fleet.directory, *command).wait_for_port(fleet.port):
        yield


def _preface(address: str) -> bytes:
    """Say as haproxy does who the client is: version 2, TCP over IPv4."""
    ends = socket.inet_aton(address) + socket.inet_aton("127.0.0.1")
    return b"\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c" + ends + b"\x30\x39\x01\xbb"


def _jwk(key: TokenSigner) -> str:
    return json.dumps(key.public_jwk())
