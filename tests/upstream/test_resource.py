import http.client
import signal
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request

from sso_proxy.errors import ConfigError
from sso_proxy.testing.fakes import make_request
from sso_proxy.testing.pki import Pki
from sso_proxy.upstream.resource import caller_of, check_hosted, hosted_resource
from sso_proxy.upstream.target import Target
from tests.support.hosted import Asking, make_outgoing
from tests.support.programs import RealProxy, curl
from tests.support.running import REAL


class Leaf(Resource):
    """Notes each request, and does as its path says."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.request: Request
        self.broken: list[Failure] = []

    def render(self, request: Request) -> bytes | int:
        self.request = request
        transport: Any = request.transport
        match (request.postpath or [b""])[-1]:
            case b"raise":
                raise ValueError("no")
            case b"wait":
                request.notifyFinish().addErrback(self.broken.append)
                return NOT_DONE_YET
            case b"abort":
                transport.abortConnection()
                return NOT_DONE_YET
            case b"chunks":
                request.write(b"a")
                request.write(b"b")
                request.finish()
                return NOT_DONE_YET
            case b"switch":
                transport.write(
                    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                    b"Connection: Upgrade\r\n\r\n"
                )
                return NOT_DONE_YET
            case b"large":
                return bytes(3_000_000)
            case _:
                return b"content"


class ResourceUpstreamTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        self.leaf = Leaf()
        self.asking = Asking(reactor, self.leaf)

    async def test_resource_answers(self) -> None:
        answer = await self.asking.ask("/")
        assert (answer.status, answer.body) == (200, b"content")
        assert answer.header("server") is None
        assert self.asking.upstream.counts() == (0, 0)

    async def test_nothing_is_answered_before_forward_returns(self) -> None:
        exchange = self.asking.begin(make_outgoing("/"))
        assert exchange.reply is None
        await exchange.over

    async def test_resource_that_raises_is_500_without_details(self) -> None:
        answer = await self.asking.ask("/raise")
        assert answer.status == 500
        assert b"Error" not in answer.body
        assert len(self.flushLoggedErrors(ValueError)) == 1

    async def test_resource_that_aborts_is_502(self) -> None:
        assert (await self.asking.ask("/abort")).failed == (502, "backend-closed")

    async def test_content_in_parts(self) -> None:
        answer = await self.asking.ask("/chunks")
        assert answer.body == b"ab"
        assert answer.header("transfer-encoding") is None

    async def test_large_content(self) -> None:
        assert len((await self.asking.ask("/large")).body) == 3_000_000

    async def test_head_has_no_content(self) -> None:
        answer = await self.asking.ask("/", "HEAD")
        assert (answer.status, answer.body) == (200, b"")
        assert answer.header("content-length") == "7"

    async def test_nothing_is_tunnelled(self) -> None:
        answer = await self.asking.ask(
            "/switch",
            headers={"Connection": "Upgrade", "Upgrade": "websocket"},
            upgrade="websocket",
        )
        assert answer.failed == (502, "backend-switched-unasked")

    async def test_head_as_large_as_the_edge_takes(self) -> None:
        fields = {f"X-Field-{i}": "x" * 900 for i in range(600)}
        assert (await self.asking.ask("/", headers=fields)).status == 200

    async def test_resource_is_told_that_the_client_is_gone(self) -> None:
        self.asking.begin(make_outgoing("/wait"))
        self.asking.connection.abandon()
        assert len(self.leaf.broken) == 1
        assert self.asking.upstream.counts() == (0, 0)

    async def test_client_gone_while_it_sends_its_content(self) -> None:
        self.asking.begin(make_outgoing("/", "POST", body=b"content"))
        self.asking.connection.write(b"con")
        self.asking.connection.abandon()
        assert self.asking.upstream.counts() == (0, 0)

    async def test_resource_that_takes_too_long_is_504(self) -> None:
        exchange = self.asking.begin(make_outgoing("/wait"))
        self.asking.ticker.tick(59.0)
        assert not self.leaf.broken
        self.asking.ticker.tick(61.0)
        assert exchange.failed == (504, "backend-timeout")
        assert len(self.leaf.broken) == 1
        self.asking.ticker.tick(62.0)
        assert self.asking.ticker.listeners == []

    async def test_push_producer_waits_for_a_slow_client(self) -> None:
        exchange = self.asking.begin(make_outgoing("/wait"))
        producer = Producer(self.leaf.request)
        exchange.full = True
        producer.start()
        await deferLater(self.reactor, 0.05)
        assert producer.told == ["pause"]
        exchange.full = False
        self.asking.connection.resume()
        await deferLater(self.reactor, 0.05)
        assert producer.told == ["pause", "resume"]
        self.asking.connection.abandon()
        assert producer.told[-1] == "stop"

    async def test_resource_learns_where_a_request_comes_from(self) -> None:
        request = make_request(client="192.0.2.9")
        await self.asking.ask("/", request=request, user="bob")
        assert self.leaf.request.getClientAddress().host == "192.0.2.9"
        assert self.leaf.request.isSecure()
        assert caller_of(self.leaf.request).user == "bob"

    async def test_plain_request_is_not_secure(self) -> None:
        await self.asking.ask("/", request=make_request(tls=False))
        assert not self.leaf.request.isSecure()

    def test_request_of_another_server_has_no_caller(self) -> None:
        with pytest.raises(TypeError, match="did not come through"):
            caller_of(object())  # type: ignore[arg-type]


class Producer:
    def __init__(self, request: Request) -> None:
        self.request = request
        self.told: list[str] = []

    def start(self) -> None:
        self.request.registerProducer(self, True)
        self.request.write(b"first")

    def pauseProducing(self) -> None:
        self.told.append("pause")

    def resumeProducing(self) -> None:
        self.told.append("resume")

    def stopProducing(self) -> None:
        self.told.append("stop")


@pytest.mark.parametrize(
    ("kind", "found"), [("wsgi", 1), ("resource", 1), ("resource", "text")]
)
def test_object_that_cannot_serve_is_refused(kind: str, found: object) -> None:
    with pytest.raises(TypeError, match=r"is no WSGI|provides no IResource"):
        check_hosted(kind, found)


def test_resource_class_is_made_and_an_object_taken() -> None:
    made = hosted_resource(Target(name="x", kind="resource", application=Leaf), None)
    assert isinstance(made, Leaf)
    same = hosted_resource(Target(name="x", kind="resource", application=made), None)
    assert same is made


@pytest.mark.parametrize("maker", [dict, lambda: 1 / 0])
def test_what_makes_no_resource_is_a_mistake_of_the_configuration(maker: Any) -> None:  # noqa: ANN401
    target = Target(name="resource:x:y", kind="resource", application=maker)
    with pytest.raises(ConfigError, match="resource:x:y"):
        hosted_resource(target, None)


APPLICATION = """
import time
from twisted.web.resource import Resource
from sso_proxy.upstream.resource import caller_of

def application(environ, start):
    if environ["PATH_INFO"] == "/hang":
        open("hanging", "w").close()
        time.sleep(1000)
    start("200 OK", [("Content-Type", "text/plain")])
    content = environ["wsgi.input"].read()
    keys = sorted(k for k in environ if "USER" in k or "CLIENT" in k or "PROXY" in k)
    yield repr({key: environ[key] for key in keys}).encode() + b"\\n"
    yield b"%s %s %d\\n" % (environ["SCRIPT_NAME"].encode(),
                          environ["PATH_INFO"].encode(), len(content))

class Who(Resource):
    isLeaf = True
    def render_GET(self, request):
        transport = request.transport
        key = transport.getHandle().export_keying_material(b"EXPORTER-Test", 32)
        subject = caller_of(request).request.tls.certificate.subject
        shown = transport.getPeerCertificate() is not None
        return f"{request.isSecure()} {shown} {subject} {key.hex()}".encode()
"""

LISTENER = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "proxy.crt"
key = "proxy.key"
client_certificate = "required"
client_ca = "ca.crt"
[authenticator.cert]
type = "mtls"
[[route]]
host = "*"
path = "/app/"
authenticate = ["cert"]
backend = "wsgi:hosted_for_test:application"
limits = { body_bytes = 3000000 }
[[route]]
host = "*"
path = "/who"
authenticate = ["cert"]
backend = "resource:hosted_for_test:Who"
[[route]]
host = "*"
path = "/"
authenticate = ["cert"]
encoded_slashes = true
backend = "static:DIRECTORY/www"
"""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealProxy]:
    directory = tmp_path_factory.mktemp("hosted")
    pki = Pki.create()
    pki.write(directory, "ca")
    pki.issue("proxy", dns=["localhost"], server=True).write(directory, "proxy")
    pki.issue("alice").write(directory, "alice")
    (directory / "www" / ".sso").mkdir(parents=True)
    (directory / "www" / "a.txt").write_text("file")
    (directory / "www" / ".sso" / "x").write_text("secret")
    (directory / "hosted_for_test.py").write_text(APPLICATION)
    text = LISTENER.replace("DIRECTORY", str(directory))
    with RealProxy(directory, text, drain_timeout=1.0) as running:
        running.start(
            program=(
                "-c",
                "import sys; sys.path.insert(0, '.');" + REAL[1],
            )
        ).wait_until_serving()
        yield running


def ask(proxy: RealProxy, path: str, *options: str, body: bytes = b"") -> Any:  # noqa: ANN401
    at = proxy.directory
    port = proxy.ports[0]
    return curl(
        "--cacert",
        at / "ca.crt",
        "--cert",
        at / "alice.crt",
        "--key",
        at / "alice.key",
        "--path-as-is",
        *options,
        f"https://localhost:{port}{path}",
        body=body,
    )


FORGED = (
    "X-Remote-User",
    "X_Remote_User",
    "x.remote.user",
    "X~Remote^User",
    "Remote-User",
    "REMOTE_USER",
    "X-Forwarded-User",
    "Proxy",
    "Client-Cert",
    "Client_Cert",
    "SSL_CLIENT_S_DN",
    "X-SSL-Client-DN",
)


def test_application_is_told_the_user_by_us_alone(proxy: RealProxy) -> None:
    options = [part for name in FORGED for part in ("-H", f"{name}: mallory")]
    answer = ask(proxy, "/app/x", *options)
    assert answer.status == 200
    assert "mallory" not in answer.text
    assert "'REMOTE_USER': 'CN=alice'" in answer.text
    assert "'HTTP_X_REMOTE_USER': 'CN=alice'" in answer.text


def test_application_reads_what_is_sent(proxy: RealProxy) -> None:
    content = bytes(2_000_000)
    for options in ((), ("-H", "Transfer-Encoding: chunked")):
        answer = ask(proxy, "/app/a%20b", "--data-binary", "@-", *options, body=content)
        assert answer.text.splitlines()[1] == "/app /a b 2000000"


def test_content_beyond_the_limit_does_not_reach_the_application(
    proxy: RealProxy,
) -> None:
    content = bytes(4_000_000)
    for options in ((), ("-H", "Transfer-Encoding: chunked")):
        answer = ask(proxy, "/app/x", "--data-binary", "@-", *options, body=content)
        assert answer.status == 413


def test_resource_reaches_the_clients_connection(proxy: RealProxy) -> None:
    answer = ask(proxy, "/who")
    secure, shown, subject, key = answer.text.split()
    assert (secure, shown, subject, len(key)) == ("True", "True", "CN=alice", 64)


def test_answers_follow_each_other_on_one_connection(proxy: RealProxy) -> None:
    context = ssl.create_default_context(cafile=str(proxy.directory / "ca.crt"))
    context.load_cert_chain(
        proxy.directory / "alice.crt", proxy.directory / "alice.key"
    )
    connection = http.client.HTTPSConnection(
        "localhost", proxy.ports[0], timeout=5, context=context
    )
    try:
        for path in ("/a.txt", "/app/x", "/missing", "/a.txt", "/app/y", "/who"):
            for method in ("GET", "HEAD"):
                connection.request(method, path)
                answer = connection.getresponse()
                content = answer.read()
                assert answer.status == (404 if path == "/missing" else 200)
                assert bool(content) == (method == "GET")
                if path.startswith("/app/") and method == "GET":
                    assert b" /" + path[5:].encode() in content
    finally:
        connection.close()


def test_client_that_is_slow_costs_little_memory(proxy: RealProxy) -> None:
    big = proxy.directory / "www" / "big"
    big.write_bytes(b"")
    with big.open("r+b") as file:
        file.truncate(200_000_000)
    ask(proxy, "/a.txt")
    before = resident(proxy.pid)
    context = ssl.create_default_context(cafile=str(proxy.directory / "ca.crt"))
    context.load_cert_chain(
        proxy.directory / "alice.crt", proxy.directory / "alice.key"
    )
    with (
        socket.create_connection(("127.0.0.1", proxy.ports[0]), timeout=5) as sock,
        context.wrap_socket(sock, server_hostname="localhost") as tls,
    ):
        tls.sendall(b"GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n")
        tls.recv(1)
        time.sleep(0.5)
        assert resident(proxy.pid) - before < 20_000


def resident(pid: int) -> int:
    """Give the resident memory of a process in KiB."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1])


@pytest.mark.parametrize(
    "path",
    [
        "/.sso/",
        "/.sso/x",
        "/%2Esso/x",
        "/%2esso/x",
        "/./.sso/x",
        "//.sso//x",
        "/app/../.sso/x",
        "/.sso%2Fx",
        "/.sso%5Cx",
        "/.sso",
    ],
)
def test_own_path_that_there_is_not_gets_our_page(proxy: RealProxy, path: str) -> None:
    answer = ask(proxy, path, "-H", "Accept: text/html")
    assert answer.status == 404
    assert answer.values("content-type") == ["text/html; charset=utf-8"]
    assert answer.values("x-request-id")[0] in answer.text
    problem = ask(proxy, path, "-H", "Accept: application/json")
    assert problem.values("content-type") == ["application/problem+json"]


def test_own_paths_are_compared_with_case(proxy: RealProxy) -> None:
    (proxy.directory / "www" / "SSO").mkdir()
    (proxy.directory / "www" / "SSO" / "x").write_text("another")
    assert ask(proxy, "/SSO/x").text == "another"


def test_hanging_application_does_not_hold_up_the_end(proxy: RealProxy) -> None:
    ask(proxy, "/app/hang", "--max-time", "0.5")
    assert (proxy.directory / "hanging").exists()
    began = time.monotonic()
    proxy.signal(signal.SIGTERM)
    assert proxy.wait() == 0
    assert time.monotonic() - began < 5
