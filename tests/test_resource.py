import base64
import json
import os
import socket
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request, Site

from sso_proxy.assembly import Gateway
from sso_proxy.config.key_ring import write_key_ring
from sso_proxy.config.load import load_config
from sso_proxy.resource import ProxyResource
from sso_proxy.specs.http.digest import build_content_digest
from sso_proxy.testing.demo.authorization_server import tls_options
from sso_proxy.testing.demo.echo import Echo
from sso_proxy.testing.fakes import KEY_RING
from sso_proxy.testing.pki import Pki
from tests.support.programs import CurlAnswer, curl

CONFIG = """
[server]
state_dir = "{directory}"
audit = {{ to = "file", file = "{directory}/audit" }}
timing = {{ networks = ["127.0.0.1"] }}
[server.limits]
body_bytes = 3000000
[[listener]]
address = "127.0.0.1"
port = 1
tls = false
allow_plaintext = true
[[route]]
host = "*"
path = "/echo"
authenticate = ["anonymous"]
headers = {{ client_certificate = true }}
backend = "http://127.0.0.1:{port}"
[[route]]
host = "*"
path = "/wait"
authenticate = ["anonymous"]
backend = "resource:tests_resource_backend:WAITS"
[[route]]
host = "*"
path = "/slow"
authenticate = ["anonymous"]
limits = {{ request_timeout = 0.3 }}
backend = "resource:tests_resource_backend:WAITS"
[authenticator.named]
type = "tests.support.header_login:HeaderLogin"
[session.main]
type = "server"
[[route]]
host = "*"
path = "/held"
authenticate = ["named"]
backend = "resource:tests_resource_backend:WAITS"
[[route]]
host = "*"
path = "/kept/"
authenticate = ["named"]
backend = "http://127.0.0.1:{port}"
[[route]]
host = "*"
path = "/shop"
authenticate = ["anonymous"]
cors = {{ origins = ["https://page.example"] }}
backend = "http://127.0.0.1:{port}"
[[route]]
host = "*"
path = "/www/"
authenticate = ["anonymous"]
backend = "static:{directory}"
[[route]]
host = "*"
path = "/signed/"
authenticate = ["anonymous"]
signature = {{ secret = "env:SIGNING_SECRET", keyid = "k", digest = true }}
backend = "http://127.0.0.1:{port}"
[[route]]
host = "*"
path = "/gone/"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9"
"""


class Waits(Resource):
    """Answers nothing, or half."""

    isLeaf = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: Deferred[None] = Deferred()
        self.lost: list[object] = []

    def render(self, request: Request) -> int:
        if not self.asked.called:
            self.asked.callback(None)
        request.notifyFinish().addErrback(self.lost.append)
        if request.postpath == [b"half"]:
            transport: Any = request.transport
            request.setHeader(b"content-length", b"10")
            request.write(b"half")
            transport.loseConnection()
        return NOT_DONE_YET


class ProxyResourceTests(TestCase):
    reactor: Any

    async def start(self) -> None:
        import sys  # noqa: PLC0415
        from types import ModuleType  # noqa: PLC0415

        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor = reactor
        listen: Any = reactor
        self.waits = Waits()
        module = ModuleType("tests_resource_backend")
        vars(module)["WAITS"] = self.waits
        sys.modules[module.__name__] = module
        self.addCleanup(sys.modules.pop, module.__name__)
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        echo: Any = listen.listenTCP(0, Site(Echo()), interface="127.0.0.1")
        self.addCleanup(echo.stopListening)
        self.patch(os, "environ", {**os.environ, "SIGNING_SECRET": "s" * 32})
        write_key_ring(self.directory / "keys.json", KEY_RING, replace=False)
        config = self.directory / "proxy.toml"
        config.write_text(
            CONFIG.format(directory=self.directory, port=echo.getHost().port)
        )
        sock = socket.create_server(("127.0.0.1", 0))
        sock.setblocking(False)
        self.gateway = Gateway(self.reactor, load_config(config), [sock])
        self.gateway.start()
        self.addCleanup(lambda: ensureDeferred(self.gateway.drain()))
        resource = ProxyResource(self.gateway.listeners[0].site)
        port = listen.listenTCP(0, Site(resource), interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.url = f"http://127.0.0.1:{port.getHost().port}"
        self.pki = Pki.create()
        server = self.pki.issue("proxy", dns=["localhost"], server=True)
        options = tls_options(server, self.pki)
        tls = listen.listenSSL(0, Site(resource), options, interface="127.0.0.1")
        self.addCleanup(tls.stopListening)
        self.tls_url = f"https://localhost:{tls.getHost().port}"

    async def ask(self, path: str, *options: str, body: bytes = b"") -> CurlAnswer:
        return await deferToThread(
            curl, "--path-as-is", *options, self.url + path, body=body
        )

    def records(self) -> list[dict[str, Any]]:
        self.gateway.reopen_logs()
        lines = (self.directory / "audit").read_text().splitlines()
        return [json.loads(line) for line in lines]

    async def test_requests_pass_by_the_same_rules(self) -> None:
        await self.start()
        answer = await self.ask("/echo/a", "-H", "X_Remote-User: root")
        assert answer.status == 200
        assert "root" not in answer.text
        assert answer.values("via") == ["1.1 sso-proxy"]
        assert len(answer.values("x-request-id")) == 1
        assert len(answer.values("date")) == 1

    async def test_content_passes_both_ways(self) -> None:
        await self.start()
        content = bytes(2_000_000)
        for options in ((), ("-H", "Transfer-Encoding: chunked")):
            answer = await self.ask(
                "/echo/", "--data-binary", "@-", *options, body=content
            )
            assert answer.status == 200, answer
            assert self.records()[-1]["received"] == 2_000_000
        (self.directory / "big").write_bytes(content)
        assert (await self.ask("/www/big")).body == content
        head = await self.ask("/www/big", "-I")
        assert head.values("content-length") == ["2000000"]

    async def test_refusals_are_ours(self) -> None:
        await self.start()
        for path, status in (
            ("/nowhere", 404),
            ("/echo/..%2fx", 400),
            ("/../x", 400),
            ("/echo/%zz", 400),
            ("/.sso/x", 404),
            ("/gone/", 502),
        ):
            answer = await self.ask(path)
            assert answer.status == status, path
            assert answer.values("content-type") == ["application/problem+json"]
            assert answer.values("x-request-id")[0] in answer.text

    async def test_content_beyond_the_limit_is_refused(self) -> None:
        await self.start()
        answer = await self.ask("/echo/", "--data-binary", "@-", body=bytes(4_000_000))
        assert answer.status == 413

    async def test_content_that_is_signed_goes_with_its_head(self) -> None:
        await self.start()
        answer = await self.ask("/signed/", "--data-binary", "@-", body=b"content")
        assert answer.status == 200, answer
        assert json.loads(answer.text)["body_octets"] == 7
        assert build_content_digest(b"content") in answer.text
        assert self.records()[-1]["received"] == 7
        answer = await self.ask("/signed/", "--data-binary", "@-", body=bytes(2**20))
        assert answer.status == 200
        answer = await self.ask("/signed/", "--data-binary", "@-", body=bytes(1048577))
        assert answer.status == 413

    async def test_answers_have_what_is_ours_to_say(self) -> None:
        await self.start()
        answer = await self.ask("/shop", "-H", "Origin: https://page.example")
        allowed = answer.values("access-control-allow-origin")
        assert allowed == ["https://page.example"]

    async def test_operators_are_told_where_the_time_goes(self) -> None:
        await self.start()
        for path in ("/echo/a", "/nowhere"):
            answer = await self.ask(path)
            (timing,) = answer.values("server-timing")
            assert "total;dur=" in timing

    async def test_what_takes_longer_than_it_may_is_ended(self) -> None:
        await self.start()
        answer = await self.ask("/slow")
        assert (answer.status, self.records()[-1]["reason"]) == (504, "request-timeout")
        assert len(self.waits.lost) == 1
        assert not self.gateway.listeners[0].site.connections

    async def test_what_is_open_ends_with_its_session(self) -> None:
        await self.start()
        self.pki.write(self.directory, "ca")
        trust = ("--cacert", str(self.directory / "ca.crt"))
        answer = await deferToThread(
            curl, *trust, "-H", "X-Login: alice", f"{self.tls_url}/kept/"
        )
        (cookie,) = answer.values("set-cookie")
        said = ("-H", f"Cookie: {cookie.partition(';')[0]}")
        held = deferToThread(curl, *trust, *said, f"{self.tls_url}/held")
        await self.waits.asked
        user = {"issuer": "https://test.example", "subject": "alice"}
        told = await self.gateway.sessions({"do": "end", **user})
        assert told["status"] == 200
        assert (await held).status == 403
        assert self.records()[-1]["reason"] == "session-ended"
        assert len(self.waits.lost) == 1

    async def test_every_request_is_recorded(self) -> None:
        await self.start()
        for path in ("/echo/a", "/nowhere", "/echo/%zz"):
            await self.ask(path)
        told = [(r["status"], r["decision"], r["path"]) for r in self.records()]
        assert told[:2] == [(200, "permit", "/echo/a"), (404, "deny", "/nowhere")]
        assert told[2][:2] == (400, "error")

    async def test_half_an_answer_does_not_look_complete(self) -> None:
        await self.start()
        answer = await self.ask("/wait/half")
        assert answer.code != 0
        assert self.records()[-1]["reason"] == "backend-cut"

    async def test_backend_is_told_that_the_client_is_gone(self) -> None:
        await self.start()
        await self.ask("/wait/x", "--max-time", "0.3")
        await deferLater(self.reactor, 0.05)
        assert len(self.waits.lost) == 1
        assert self.records()[-1]["reason"] == "client-gone"

    async def test_client_certificate_is_a_fact_and_not_verified(self) -> None:
        await self.start()
        alice = self.pki.issue("alice")
        self.pki.write(self.directory, "ca")
        alice.write(self.directory, "alice")
        self.url = self.tls_url
        ca, certificate = self.directory / "ca.crt", self.directory / "alice.crt"
        key = self.directory / "alice.key"
        answer = await self.ask(
            *("/echo/", "--cacert", str(ca)),
            *("--cert", str(certificate), "--key", str(key)),
        )
        assert answer.status == 200, answer
        assert base64.b64encode(alice.der).decode() in answer.text
        shown = self.records()[-1]["tls"]["certificate"]
        assert shown["verified"] is False
