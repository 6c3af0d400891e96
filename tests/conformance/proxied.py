"""The real proxy in front of a backend, with one misbehaving provider for each row."""

import contextlib
import itertools
import re
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Client, thumbprint
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.conformance.tokens import private_half
from tests.support.browser import Browser, Page
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder, Seen

HOST: Final = "app.example.com"
PATIENCE: Final = 5.0

_LISTENER: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[session.main]
type = "server"
"""
_AUTHENTICATOR: Final = """
[authenticator.{name}]
type = "oidc"
issuer = "{issuer}"
client_id = "proxy"
{options}

[[route]]
host = "{host}"
path = "/{name}/"
authenticate = ["{name}"]
headers = {{ claims = ["email"] }}
backend = "http://127.0.0.1:{backend}"
"""
_SECRET: Final = 'client_secret_file = "client.secret"'


@attrs.frozen(kw_only=True)
class Case:
    """
    A provider and what the proxy is told of it.

    Attributes:
        prepare: Changes a good provider.
        options: Of the authenticator, as TOML.
        client: Who the proxy is there; unset, a client with a secret.
    """

    prepare: Callable[[Provider], None] = attrs.field(default=lambda _provider: None)
    options: str = 'id_token_algorithms = ["RS256"]'
    client: Callable[[Pki, Path], Client] | None = None


@attrs.frozen(kw_only=True)
class World:
    """
    The proxy and all around it.

    Attributes:
        proxy: It.
        backend: What is behind it.
        providers: By the names of their rows.
        ca: Whom browsers trust.
    """

    proxy: RealProxy
    backend: Recorder
    providers: Mapping[str, Provider]
    ca: Path
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    @property
    def origin(self) -> str:
        """Give the proxy's origin."""
        return f"https://{HOST}:{self.proxy.port}"

    def url(self, name: str, path: str = "") -> str:
        """Give the URL of something that people have to log in for at a provider."""
        return f"{self.origin}/{name}/{path}"

    def callback(self, name: str) -> str:
        """Give the URL that a provider sends people back to."""
        return f"{self.origin}/.sso/callback/{name}"

    def browser(self) -> Browser:
        """Give a browser that nobody used, on a machine of its own."""
        number = next(self._numbers)
        return Browser(self.ca, f"127.0.{1 + number // 250}.{1 + number % 250}")

    def arrived(self, name: str) -> list[Seen]:
        """Give what the backend saw of a route."""
        return [seen for seen in self.backend.seen if seen.path.startswith(f"/{name}/")]

    def logs(self) -> "Logs":
        """Remember where the logs end now."""
        return Logs(self.proxy)

    def check_login(self, name: str, browser: Browser | None = None) -> Browser:
        """Log in at a good provider; gives the browser."""
        logs, before = self.logs(), len(self.arrived(name))
        browser = browser or self.browser()
        page = browser.go(self.url(name, "page?a=b"))
        story = f"{page}\n{browser.trail}\n{logs.since()}"
        assert page.status == 200, story
        assert page.url == self.url(name, "page?a=b"), story
        assert self.providers[name].complaints == []
        seen = self.arrived(name)[before:]
        assert [each.target for each in seen] == [f"/{name}/page?a=b"], story
        assert seen[0].values("X-Remote-User") == ["alice"], story
        return browser

    def check_refused(  # noqa: PLR0913
        self,
        name: str,
        browser: Browser,
        page: Page,
        logs: "Logs",
        *,
        told: str,
        arrived: int = 0,
    ) -> None:
        """
        Check the four things that every refused login has.

        Args:
            name: The row's.
            browser: Whose login it was.
            page: Where that ended.
            logs: Where the logs ended before it.
            told: What is in them since then: a regular expression.
            arrived: Requests that were rightly let through before.
        """
        story = f"{page}\n{page.text[:2000]}\n{browser.trail}\n{logs.since()}"
        assert 400 <= page.status < 600, story
        logs.wait_for(told)
        again = browser.fetch(self.url(name))
        assert 400 <= again.status < 600, (again, story)
        assert len(self.arrived(name)) == arrived, story
        assert page.url.startswith(self.origin), "an error page of the provider's"


class Logs:
    """What is logged from now on."""

    def __init__(self, proxy: RealProxy) -> None:
        self._proxy = proxy
        self._from = [len(text) for text in self._texts()]

    def _texts(self) -> list[str]:
        audit = self._proxy.audit
        return [self._proxy.log(), audit.read_text() if audit.exists() else ""]

    def since(self) -> str:
        """Give what was logged since then."""
        texts = zip(self._texts(), self._from, strict=True)
        return "\n".join(text[start:] for text, start in texts)

    def wait_for(self, pattern: str) -> None:
        """Wait until a line says *pattern*."""
        until = time.monotonic() + PATIENCE
        while re.search(pattern, self.since()) is None:
            assert time.monotonic() < until, f"nothing of {pattern}: {self.since()}"
            time.sleep(0.02)


@contextlib.contextmanager
def world(directory: Path, pki: Pki, cases: Mapping[str, Case]) -> Iterator[World]:
    """
    Run everything as long as the block lasts.

    Args:
        directory: For its files.
        pki: The authority of all certificates.
        cases: By the names of authenticators and routes.
    """
    ca = pki.write(directory)
    pki.issue(HOST, dns=[HOST], server=True).write(directory, "server")
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    _write_secrets(directory)
    with Host(issued, ca, directory) as host, Recorder() as backend:
        parts, providers = [_LISTENER], {}
        for name, case in cases.items():
            client = case.client(pki, directory) if case.client else Client()
            provider = Provider(f"{host.origin}/{name}", client)
            case.prepare(provider)
            providers[name] = provider
            host.answers[name] = provider.answer
            options = case.options
            if client.auth.startswith("client_secret"):
                options = f"{_SECRET}\n{options}"
            parts.append(
                _AUTHENTICATOR.format(
                    name=name,
                    issuer=provider.issuer,
                    options=options,
                    host=HOST,
                    backend=backend.port,
                )
            )
        server = {"outbound": {"ca": str(ca)}, "state_dir": str(directory / "state")}
        with RealProxy(directory, "".join(parts), **server).serve() as proxy:
            yield World(proxy=proxy, backend=backend, providers=providers, ca=ca)


def with_certificate(pki: Pki, directory: Path) -> Client:
    """Give a client that shows a certificate, ``client.crt`` and ``client.key``."""
    issued = pki.issue("proxy", dns=["proxy.example.com"], client=True)
    issued.write(directory, "client")
    return Client(auth="tls_client_auth", thumbprint=thumbprint(issued.der))


def _write_secrets(directory: Path) -> None:
    """Write what the proxy alone may read: ``client.secret`` and private keys."""
    secrets = {
        "client.secret": Client().secret,
        "client-enc.pem": private_half("RS256", "client-enc"),
        "client-dpop.pem": private_half("ES256", "client-dpop"),
    }
    for name, text in secrets.items():
        path = directory / name
        path.touch(mode=0o600)
        path.write_text(text)
