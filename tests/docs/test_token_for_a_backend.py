"""The code in docs/howto/token-for-a-backend.md checks tokens as it says."""

import json
import os
import re
import subprocess
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from http.server import ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sso_proxy.interfaces import IClock
from sso_proxy.model import Caller
from sso_proxy.net.clock import SystemClock
from sso_proxy.specs.jose.public_jwk import jwks_document
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.jwt import JwtSource
from sso_proxy.tokens.jwt_config import JwtTokenConfig
from tests.support.issuing import Issuer, Quiet, serving
from tests.support.node import PLACE, find_node
from tests.support.programs import Running, curl, free_port, nginx
from tests.support.running import PATIENCE, REAL, Proxy

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "docs" / "howto" / "token-for-a-backend.md").read_text("utf-8")
CODE: Final[dict[str, str]] = dict(
    re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
)

ISSUER: Final = "https://sso.example.com"
ORDERS: Final = "https://orders.example.com"
STOCK: Final = "https://stock.example.com"
JWKS: Final = "https://orders.example.com/.sso/jwks"


def replaced(language: str, **changes: str) -> str:
    """Give code of the page with names and ports of this machine."""
    text = CODE[language]
    for old, new in changes.items():
        found = {"jwks": JWKS, "port": "9001", "audience": f"{ORDERS}"}.get(old, old)
        assert found in text
        text = text.replace(found, new)
    return text


def write_key(file: Path, key: rsa.RSAPrivateKey) -> str:
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(pem)
    return str(file)


class Mint:
    """What signs tokens, and its public keys, as the proxy has both."""

    def __init__(self, directory: Path) -> None:
        self.key = rsa.generate_private_key(65537, 2048)
        self.file = write_key(directory / "token.pem", self.key)
        (public,) = self.source(SystemClock()).public_keys
        self.signer = TokenSigner(alg="RS256", kid=public["kid"], key=self.key)
        self.document = jwks_document([public])
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _jwks(self.document))
        self.jwks = f"http://127.0.0.1:{self.server.server_port}/jwks"

    def source(self, clock: IClock) -> JwtSource:
        config = JwtTokenConfig(issuer=ISSUER, keys=(self.file,))
        return JwtSource.from_config(config, FakeTools(clock=clock))  # type: ignore[arg-type]

    def token(self, audience: str = ORDERS, age: float = 0.0) -> str:
        """Give what the proxy gave *age* seconds ago."""
        caller = Caller(request=make_request(), identity=make_identity(), user="alice")
        source = self.source(SettableClock(time.time() - age))
        token = outcome_of(source.token_for(caller, Audience(name=audience)))
        assert isinstance(token, Token)
        return token.value

    def claims(self, **changes: object) -> dict[str, Any]:
        now = int(time.time())
        given = {"iss": ISSUER, "aud": ORDERS, "sub": "alice", "exp": now + 60}
        return {**given, "iat": now, **changes}


def _jwks(document: bytes) -> type[Quiet]:
    class Request(Quiet):
        def do_GET(self) -> None:  # noqa: N802
            self.reply(200, document)

    return Request


def run_flask(directory: Path, mint: Mint, port: int) -> Running:
    file = directory / "app.py"
    file.write_text(replaced("python", jwks=mint.jwks))
    return flask(directory, file, port)


def flask(directory: Path, file: Path, port: int, *variables: str) -> Running:
    command = [sys.executable, "-m", "flask", "--app", str(file), "run"]
    command = ["/usr/bin/env", *variables, *command, "--port", str(port)]
    return Running(directory, *command).wait_for_port(port)


def run_express(directory: Path, mint: Mint, port: int) -> Running:
    node = find_node()
    assert node is not None
    (directory / "node_modules").symlink_to(PLACE / "node_modules")
    file = directory / "server.mjs"
    file.write_text(replaced("js", jwks=mint.jwks, port=str(port)))
    return Running(directory, str(node), str(file)).wait_for_port(port)


def run_nginx(directory: Path, mint: Mint, port: int) -> Running:
    keys, code = directory / "jwks.json", directory / "token.js"
    keys.write_bytes(mint.document)
    code.write_text(replaced("javascript", **{"/etc/nginx/jwks.json": str(keys)}))
    (directory / "index.html").write_text("Hello alice")
    names = {
        "/etc/nginx/token.js": str(code),
        "/var/www/orders": str(directory),
        "# For what nginx passes on: proxy_set_header": "add_header",
    }
    servers = replaced("nginx", port=str(port), **names)
    module = "/usr/lib/nginx/modules/ngx_http_js_module.so"
    return nginx(directory, servers, port, modules=(module,))


BACKENDS: Final = {"flask": run_flask, "express": run_express, "nginx": run_nginx}


@pytest.fixture(scope="module")
def mint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mint]:
    made = Mint(tmp_path_factory.mktemp("mint"))
    with serving(made.server):
        yield made


@attrs.frozen
class Verifier:
    """An application with the page's code."""

    name: str
    url: str

    def ask(self, token: str = "", scheme: str = "Bearer") -> tuple[int, str]:
        field = ("-H", f"Authorization: {scheme} {token}") if token else ()
        answer = curl(*field, self.url)
        return answer.status, answer.text


@pytest.fixture(scope="module", params=BACKENDS)
def verifier(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    mint: Mint,
) -> Iterator[Verifier]:
    port = free_port()
    directory = tmp_path_factory.mktemp(request.param)
    with BACKENDS[request.param](directory, mint, port):
        yield Verifier(request.param, f"http://127.0.0.1:{port}/")


def test_the_right_token_is_good(verifier: Verifier, mint: Mint) -> None:
    assert verifier.ask(mint.token()) == (200, "Hello alice")


def test_nginx_knows_the_user(verifier: Verifier, mint: Mint) -> None:
    answer = curl("-H", f"Authorization: Bearer {mint.token()}", verifier.url)
    assert answer.values("x-user") == (["alice"] if verifier.name == "nginx" else [])


def test_without_a_token_there_is_nothing(verifier: Verifier, mint: Mint) -> None:
    assert verifier.ask()[0] == 401
    assert verifier.ask("nonsense")[0] == 401
    assert verifier.ask(mint.token(), "Basic")[0] == 401


def test_another_applications_token_is_refused(verifier: Verifier, mint: Mint) -> None:
    assert verifier.ask(mint.token(STOCK))[0] == 401
    without = mint.claims()
    del without["aud"]
    assert verifier.ask(mint.signer.sign(without))[0] == 401


def test_an_expired_token_is_refused(verifier: Verifier, mint: Mint) -> None:
    assert verifier.ask(mint.token(age=70))[0] == 401
    without = mint.claims()
    del without["exp"]
    assert verifier.ask(mint.signer.sign(without))[0] == 401


def test_another_issuers_token_is_refused(verifier: Verifier, mint: Mint) -> None:
    other = mint.claims(iss="https://evil.example.com")
    assert verifier.ask(mint.signer.sign(other))[0] == 401


def test_a_token_without_a_signature_is_refused(verifier: Verifier, mint: Mint) -> None:
    head, payload, _ = mint.token().split(".")
    assert verifier.ask(f"{head}.{payload}.")[0] == 401
    header = {"alg": "none", "kid": mint.signer.kid, "typ": "JWT"}
    none = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
    assert verifier.ask(f"{none}.{payload}.")[0] == 401
    assert verifier.ask(f"{none}.{payload}.AAAA")[0] == 401


def test_a_token_of_another_key_is_refused(verifier: Verifier, mint: Mint) -> None:
    other = TokenSigner.create("RS256", kid=mint.signer.kid)
    assert verifier.ask(other.sign(mint.claims()))[0] == 401
    assert verifier.ask(other.renamed("unknown").sign(mint.claims()))[0] == 401
    assert verifier.ask(mint.signer.sign(mint.claims()))[0] == 200


def test_our_public_key_is_no_secret(verifier: Verifier, mint: Mint) -> None:
    """Whoever takes the algorithm from the token could be made to check a MAC."""
    mac = TokenSigner.of_secret(mint.signer.public_pem()).renamed(mint.signer.kid)
    assert verifier.ask(mac.sign(mint.claims()))[0] == 401


def test_what_is_changed_is_refused(verifier: Verifier, mint: Mint) -> None:
    head, _, signature = mint.token().split(".")
    claims = json.dumps(mint.claims(sub="admin")).encode()
    payload = urlsafe_b64encode(claims).rstrip(b"=").decode()
    assert verifier.ask(f"{head}.{payload}.{signature}")[0] == 401


class TwoApplications:
    """etc/audience-per-application.toml, and both applications with the page's code."""

    def __init__(self, directory: Path, issuer: Issuer) -> None:
        self.directory = directory
        self.port, self.orders, self.stock = free_port(), free_port(), free_port()
        tls = directory / "tls"
        tls.mkdir()
        pki = Pki.create()
        self.ca = pki.write(tls, "ca")
        hosts = ["orders.example.com", "stock.example.com", "localhost"]
        pki.issue("apps", dns=hosts, server=True).write(tls, "apps")
        write_key(tls / "token.pem", rsa.generate_private_key(65537, 2048))
        text = (ROOT / "etc" / "audience-per-application.toml").read_text()
        for old, new in {
            '"https://login.example.com"': f'"{issuer.url}"',
            '"0.0.0.0"': '"127.0.0.1"',
            "8443": str(self.port),
            "127.0.0.1:9001": f"127.0.0.1:{self.orders}",
            "127.0.0.1:9002": f"127.0.0.1:{self.stock}",
            # Names of example.com mean nothing here.
            'claims = ["email"]': 'claims = ["email"]\npublish_at = ["localhost"]',
        }.items():
            assert text.count(old) == 1, old
            text = text.replace(old, new)
        self.proxy = Proxy(directory)
        self.proxy.config.write_text(f"[server]\nstate_dir = '{directory}'\n{text}")

    def run(self, stack: ExitStack) -> None:
        stack.enter_context(self.proxy.start(program=REAL)).wait_until_serving()
        for name, port in (("orders", self.orders), ("stock", self.stock)):
            file = self.directory / f"{name}.py"
            code = replaced("python", jwks=f"https://localhost:{self.port}/.sso/jwks")
            code = code.replace(
                f'AUDIENCE = "{ORDERS}"', f'AUDIENCE = "https://{name}.example.com"'
            )
            file.write_text(code + SHOW)
            stack.enter_context(
                flask(self.directory, file, port, f"SSL_CERT_FILE={self.ca}")
            )

    def options(self) -> list[str]:
        found = ["--cacert", str(self.ca)]
        for host in ("orders.example.com", "stock.example.com"):
            found += ["--resolve", f"{host}:{self.port}:127.0.0.1"]
        return found


SHOW: Final = """

@app.get("/token")
def token() -> str:
    return request.headers["Authorization"].split()[1]
"""
"""What no application should do: shows the token that it got."""


def test_one_applications_token_is_refused_at_another(tmp_path: Path) -> None:
    issuer = Issuer()
    scene = TwoApplications(tmp_path, issuer)
    brought = issuer.token(aud="https://apps.example.com", email="alice@example.com")
    with ExitStack() as stack:
        stack.enter_context(serving(issuer))
        scene.run(stack)
        field = ("-H", f"Authorization: Bearer {brought}")
        url = f"{ORDERS}:{scene.port}/token"
        got = curl(*scene.options(), *field, url).text
        assert got.count(".") == 2, scene.proxy.log()
        assert got != brought
        text = CODE["sh"].replace("example.com/", f"example.com:{scene.port}/")
        text = text.replace(":9001", f":{scene.orders}").replace(
            ":9002", f":{scene.stock}"
        )
        options = " ".join(f"'{option}'" for option in scene.options())
        done = subprocess.run(  # noqa: S603
            [
                "/bin/bash",
                "-c",
                text.replace(
                    "curl -s", f"curl -s --noproxy '*' --max-time 10 {options}"
                ),
            ],
            env={**os.environ, "TOKEN": brought, "GOT": got},
            capture_output=True,
            check=True,
            text=True,
            timeout=PATIENCE,
        )
        said = re.findall(r"# (\d+):", CODE["sh"])
        assert done.stdout.split() == said, scene.proxy.log()
        assert said == ["200", "200", "200", "401", "401", "401"]
