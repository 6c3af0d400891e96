"""The real proxy in front of a backend, with one misbehaving provider for each row."""

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Client, thumbprint
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.conformance.tokens import private_half, signer
from tests.support.browser import Browser, Page
from tests.support.login_proxy import LoginProxy, Site, login_proxy, write_secret
from tests.support.programs import RealProxy

PATIENCE: Final = 5.0
_SECRET: Final = 'client_secret_file = "client.secret"'


@attrs.frozen(kw_only=True)
class Case:
    """
    A provider and what the proxy is told of it.

    Attributes:
        prepare: Changes a good provider.
        options: Of the authenticator, as TOML; ``{issuer}`` stands for the provider's.
        client: Who the proxy is there; unset, a client with a secret.
        authenticate: What the route has instead of this provider alone.
        route: Further options of the route, and tables after it, likewise.
        issuer: What the proxy is told that the issuer is.
    """

    prepare: Callable[[Provider], None] = attrs.field(default=lambda _provider: None)
    options: str = 'id_token_algorithms = ["RS256"]'
    client: Callable[[Pki, Path], Client] | None = None
    authenticate: Sequence[str] = ()
    route: str = ""
    issuer: Callable[[Provider], str] = attrs.field(default=lambda op: op.issuer)


@attrs.frozen(kw_only=True)
class World(LoginProxy):
    """
    The proxy and all around it.

    Attributes:
        providers: By the names of their rows.
    """

    providers: Mapping[str, Provider]

    def logs(self) -> "Logs":
        """Remember where the logs end now."""
        return Logs(self.proxy)

    def check_login(self, name: str, browser: Browser | None = None) -> Browser:
        """Log in at a good provider; gives the browser."""
        logs, before = self.logs(), len(self.arrived(name))
        browser = browser or self.browser()
        page = browser.go(self.url(name, "page?a=b"))
        story = f"{self.story(browser, page)}\n{logs.since()}"
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
            told: What is in them since then.
            arrived: Requests that were rightly let through before.
        """
        story = f"{self.story(browser, page)}\n{logs.since()}"
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

    def wait_for(self, text: str) -> None:
        """Wait until a line says *text*."""
        until = time.monotonic() + PATIENCE
        while text not in self.since():
            assert time.monotonic() < until, f"nothing of {text!r}: {self.since()}"
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
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    write_secret(directory, "client.secret", Client().secret)
    write_secret(directory, "client-enc.pem", private_half("RS256", "client-enc"))
    write_secret(directory, "client-dpop.pem", private_half("ES256", "client-dpop"))
    with Host(issued, ca, directory) as host:
        providers, sites = {}, {}
        for name, case in cases.items():
            client = case.client(pki, directory) if case.client else Client()
            provider = providers[name] = Provider(f"{host.origin}/{name}", client)
            provider.fetch = lambda url: _fetch(ca, url)
            case.prepare(provider)
            host.answers[name] = provider.answer
            secret = _SECRET if client.auth.startswith("client_secret") else ""
            told = case.options.replace("{issuer}", provider.issuer)
            options = f"{secret}\n{told}"
            sites[name] = Site(
                issuer=case.issuer(provider),
                options=options,
                authenticate=case.authenticate,
                route=case.route.replace("{issuer}", provider.issuer),
            )
        with login_proxy(directory, pki, sites) as running:
            yield World(
                proxy=running.proxy,
                backend=running.backend,
                ca=ca,
                providers=providers,
            )


def _fetch(ca: Path, url: str) -> tuple[str, str]:
    """Get what a provider is told to fetch; gives its type, too."""
    page = Browser(ca).fetch(url)
    return page.value("content-type"), page.text


def with_key(_pki: Pki, directory: Path) -> Client:
    """Give a client that signs, with ``client-sign.pem``."""
    write_secret(directory, "client-sign.pem", private_half("PS256", "client-sign"))
    keys = (signer("PS256", "client-sign").public_jwk(),)
    return Client(auth="private_key_jwt", keys=keys)


def with_certificate(pki: Pki, directory: Path) -> Client:
    """Give a client that shows a certificate, ``client.crt`` and ``client.key``."""
    issued = pki.issue("proxy", dns=["proxy.example.com"], client=True)
    issued.write(directory, "client")
    return Client(auth="tls_client_auth", thumbprint=thumbprint(issued.der))
