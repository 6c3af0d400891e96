"""Every example in etc/ is read, and runs with nothing but names and ports replaced."""

import json
import socket
import tempfile
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Any

import pytest
from twisted.trial.unittest import TestCase
from twisted.web.server import Site

from sso_proxy.config.load import load_config
from sso_proxy.testing.demo.authorization_server import (
    AuthorizationServer,
    AuthorizationServerResource,
    tls_options,
)
from sso_proxy.testing.demo.call import Answer, ClientTls, Question, call
from sso_proxy.testing.demo.checks import fields_at_api
from sso_proxy.testing.demo.echo import Echo
from sso_proxy.testing.demo.proxy import ProxyProcess
from sso_proxy.testing.demo.scene import choose_ports, prepare
from sso_proxy.testing.pki import Issued, Pki
from sso_proxy.testing.tokens import TokenSigner
from tests.support.programs import Backend, CurlAnswer, curl, free_port
from tests.support.running import REAL, Proxy

ETC = Path(__file__).parent.parent / "etc"
RUN_HERE = {"aws-alb.toml", "certificate-bound.toml", "hosted.toml"}
RUN_ELSEWHERE = {
    "api-or-browser.toml",
    "form-and-basic.toml",
    "forward-auth.toml",
    "fleet.toml",
    "entra.toml",
    "from-mod-auth-openidc.toml",
    "many-providers.toml",
    "openid-connect.toml",
    "openid2.toml",
    "single-page-application.toml",
    "two-providers.toml",
    "dpop.toml",
    "bound-sessions.toml",
    "device-bound.toml",
    "token-binding.toml",
    "several-issuers.toml",
    "introspection.toml",
    "api-clients.toml",
    "stores.toml",
    "audience-per-application.toml",
    "signed-requests.toml",
    "legacy-backend.toml",
    "third-party-api.toml",
    "token-exchange.toml",
    "ws-trust.toml",
    "redis.toml",
    "ldap.toml",
    "policies.toml",
    "auth-tkt.toml",
    "pubtkt.toml",
    "authzen.toml",
    "decision-point.toml",
    "xacml.toml",
    "bound-cookies.toml",
    "device-cookies.toml",
    "login-server.toml",
    "login-server-auth-tkt.toml",
    "mapped-users.toml",
    "operations.toml",
    "upstreams.toml",
}
"""By tests/test_etc_dpop.py and its like, and by tests/docs/: tokens, clients, stores,
logins."""


@pytest.mark.parametrize("path", sorted(ETC.glob("*.toml")), ids=lambda p: p.name)
def test_example_is_read_without_mistakes(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INTROSPECTION_SECRET", "s3cret")
    monkeypatch.setenv("REDIS_PASSWORD", "s3cret")
    monkeypatch.setenv("LDAP_PASSWORD", "s3cret")
    monkeypatch.setenv("PDP_PASSWORD", "s3cret")
    monkeypatch.setenv("TICKET_SECRET", "s3cret")
    for name in ("CLIENT_SECRET", "STAFF_SECRET", "CUSTOMERS_SECRET", "STS_PASSWORD"):
        monkeypatch.setenv(name, "s3cret")
    load_config(path)


def test_every_example_is_run() -> None:
    assert {path.name for path in ETC.glob("*.toml")} == RUN_HERE | RUN_ELSEWHERE


def replaced(text: str, changes: dict[str, str]) -> str:
    """Replace what stands in an example exactly once."""
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


class CertificateBoundTests(TestCase):
    """etc/certificate-bound.toml"""

    async def start(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        ports = choose_ports(0)
        self.scene = prepare(directory, ports)
        tls = directory / "tls"
        tls.mkdir()
        names = ["api.example.com"]
        self.scene.authority.issue("api", dns=names, server=True).write(tls, "api")
        text = replaced(
            (ETC / "certificate-bound.toml").read_text(),
            {
                '"0.0.0.0"': '"127.0.0.1"',
                "8443": str(ports.proxy),
                "https://login.example.com/jwks": f"{self.scene.issuer_url}/jwks",
                "http://127.0.0.1:9000": f"http://127.0.0.1:{ports.api}",
            },
        )
        self.scene.config.write_text(text)
        self.listen()
        proxy = ProxyProcess(
            reactor,
            self.scene.config,
            self.scene.log,
            # The demo's CA takes the place of those that the system trusts.
            {"SSL_CERT_FILE": str(directory / "ca.crt")},
        )
        self.addCleanup(proxy.stop)
        proxy.start()
        await proxy.listening(ports.proxy)

    def listen(self) -> None:
        """Start the issuer and the API of the example."""
        self.issuer = AuthorizationServer(
            issuer="https://login.example.com",
            audience="https://api.example.com",
            clients={"orders-app": frozenset({"orders.read", "orders.write"})},
            now=self.reactor.seconds,
        )
        options = tls_options(self.scene.issuer, self.scene.authority)
        ports = self.scene.ports
        site = Site(AuthorizationServerResource(self.issuer))
        issuer = self.reactor.listenSSL(
            ports.issuer, site, options, interface="127.0.0.1"
        )
        self.addCleanup(issuer.stopListening)
        echo = Site(Echo())
        api = self.reactor.listenTCP(ports.api, echo, interface="127.0.0.1")
        self.addCleanup(api.stopListening)

    def token(self, scope: str = "orders.read", *, bound: bool = True) -> str:
        claims = self.issuer.claims("orders-app", scope, self.scene.client.der)
        if not bound:
            del claims["cnf"]
        return self.issuer.key.sign(claims)

    async def ask(
        self, token: str | None, certificate: Issued | None, path: str = "/orders/42"
    ) -> Answer:
        headers = {"Host": "api.example.com"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        tls = ClientTls(
            trust=self.scene.authority,
            certificate=certificate,
            server_name="api.example.com",
        )
        url = f"https://127.0.0.1:{self.scene.ports.proxy}{path}"
        return await call(self.reactor, tls, Question(url=url, headers=headers))

    async def test_what_the_example_says_is_what_happens(self) -> None:
        await self.start()
        mine, other = self.scene.client, self.scene.other
        passed = await self.ask(self.token(), mine)
        assert passed.status == 200, self.scene.log.read_text()
        assert fields_at_api(passed, "X-Remote-User") == ["orders-app"]
        assert fields_at_api(passed, "Authorization") == []

        refused = await self.ask(self.token(), other)
        assert refused.status == 401
        assert 'error="invalid_token"' in refused.headers["www-authenticate"]

        assert (await self.ask(self.token(), None)).status == 401
        assert (await self.ask(self.token(bound=False), mine)).status == 401

        unasked = await self.ask(None, mine)
        assert unasked.status == 401
        assert "error=" not in unasked.headers["www-authenticate"]

        narrow = await self.ask(self.token("orders.write"), mine)
        assert narrow.status == 403
        challenge = narrow.headers["www-authenticate"]
        assert 'error="insufficient_scope"' in challenge
        assert 'scope="orders.read"' in challenge

        assert (await self.ask(self.token(), mine, "/invoices/1")).status == 404


WIKI = """
def application(environ, start):
    start("200 OK", [("Content-Type", "text/plain")])
    return [environ["PATH_INFO"].encode(), b" ", environ["REMOTE_USER"].encode()]
"""


def test_hosted_application_and_files(tmp_path: Path) -> None:
    """etc/hosted.toml"""
    tls, static, port = tmp_path / "tls", tmp_path / "static", free_port()
    for directory in (tls, static, tmp_path / "wiki"):
        directory.mkdir()
    pki = Pki.create()
    pki.write(tls, "clients-ca")
    pki.issue("wiki", dns=["wiki.example.com"], server=True).write(tls, "wiki")
    pki.issue("alice").write(tls, "alice")
    (static / "style.css").write_text("p {}")
    (tmp_path / "wiki" / "web.py").write_text(WIKI)
    proxy = Proxy(tmp_path)
    changes = {
        '"0.0.0.0"': '"127.0.0.1"',
        "8443": str(port),
        "static:/srv/wiki/static": f"static:{static}",
    }
    text = replaced((ETC / "hosted.toml").read_text(), changes)
    proxy.config.write_text(f"[server]\nstate_dir = '{tmp_path}'\n{text}")

    def ask(path: str, *options: str) -> CurlAnswer:
        url = f"https://wiki.example.com:{port}{path}"
        connect = f"wiki.example.com:{port}:127.0.0.1"
        ca = tls / "clients-ca.crt"
        cert = ("--cert", tls / "alice.crt", "--key", tls / "alice.key")
        return curl("--cacert", ca, *cert, "--resolve", connect, *options, url)

    program = ("-c", "import sys; sys.path.insert(0, '.');" + REAL[1])
    with proxy.start(program=program).wait_until_serving():
        assert ask("/page", "-H", "X-Remote-User: root").text == "/page CN=alice"
        assert ask("/static/style.css").text == "p {}"
        assert ask("/static/").status == 404
        assert ask("/static/style.css", "-d", "x").status == 405


def keys_and_application(signer: TokenSigner, name: str) -> Backend:
    """Serve a key under a name, and everywhere else the head of the request."""

    def serve(connection: socket.socket, _number: int) -> None:
        head = b""
        with connection.makefile("rwb") as file:
            for line in file:
                head += line
                if line == b"\r\n":
                    asked = f"GET /keys/{name} ".encode()
                    body = signer.public_pem() if head.startswith(asked) else head
                    length = f"Content-Length: {len(body)}\r\n\r\n".encode()
                    file.write(b"HTTP/1.1 200 OK\r\n" + length + body)
                    file.flush()
                    head = b""

    return Backend(serve)


def alb_token(key: TokenSigner, kid: str, **changes: object) -> str:
    """Make what the load balancer of the example says about a user."""
    region = "arn:aws:elasticloadbalancing:eu-central-1"
    header = {
        "alg": "ES256",
        "kid": kid,
        "signer": f"{region}:123456789012:loadbalancer/app/shop/50dc6c495c0c9188",
        "iss": "https://login.example.com",
        "client": "shop",
        "exp": time.time() + 120,
        **changes,
    }
    parts = [
        urlsafe_b64encode(json.dumps(part).encode()).decode()
        for part in (header, {"sub": "alice"})
    ]
    signature = key.signature(".".join(parts).encode())
    return ".".join([*parts, urlsafe_b64encode(signature).decode()])


def test_users_of_a_load_balancer(tmp_path: Path) -> None:
    """etc/aws-alb.toml"""
    tls, port = tmp_path / "tls", free_port()
    tls.mkdir()
    pki = Pki.create()
    pki.issue("shop", dns=["shop.example.com"], server=True).write(tls, "shop")
    pki.write(tls, "ca")
    signer, kid = TokenSigner.create("ES256"), "09d4fa17-223e-40fa-b280-894e843d701f"
    proxy = Proxy(tmp_path)

    def ask(*options: str, data: str = "") -> CurlAnswer:
        return curl(
            "--cacert",
            tls / "ca.crt",
            *options,
            *("--resolve", f"shop.example.com:{port}:127.0.0.1"),
            *("-H", f"x-amzn-oidc-data: {data}", "-H", "x-amzn-oidc-identity: root"),
            f"https://shop.example.com:{port}/",
        )

    with keys_and_application(signer, kid) as backend:
        origin = f"http://127.0.0.1:{backend.port}"
        changes = {
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": str(port),
            "10.0.0.0/20": "127.0.0.1",
            "http://127.0.0.1:9000": origin,
            '"aws_alb"': f'"aws_alb"\nkeys = "{origin}/keys/"',
            "[server]": f"[server]\nstate_dir = '{tmp_path}'",
        }
        text = replaced((ETC / "aws-alb.toml").read_text(), changes)
        proxy.config.write_text(text)
        program = ("-c", "import sys; sys.path.insert(0, '.');" + REAL[1])
        with proxy.start(program=program).wait_until_serving():
            good = alb_token(signer, kid)
            passed = ask(data=good)
            assert passed.status == 200, passed
            assert "X-Remote-User: alice\r\n" in passed.text
            assert "x-amzn" not in passed.text.lower()

            assert ask("--interface", "127.0.0.2", data=good).status == 403
            other = alb_token(signer, kid, signer="arn:of:another")
            assert ask(data=other).status == 403
            forged = alb_token(TokenSigner.create("ES256"), kid)
            assert ask(data=forged).status == 403
            assert ask().status == 403
