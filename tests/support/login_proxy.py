"""The real proxy in front of a backend, with a route for each way to log in."""

import contextlib
import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser, Page
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder, Seen

HOST: Final = "app.example.com"

_LISTENER: Final = """
[[listener]]
address = "127.0.0.1"
port = {port}
certificate = "server.crt"
key = "server.key"

[session.main]
type = "server"
"""
_SITE: Final = """
[authenticator.{name}]
type = "oidc"
issuer = "{issuer}"
client_id = "{client_id}"
{options}

[[route]]
host = "{host}"
path = "/{name}/"
authenticate = {authenticate}
headers = {{ claims = ["email"] }}
backend = "http://127.0.0.1:{backend}"
{route}
"""


@attrs.frozen(kw_only=True)
class Site:
    """
    A route whose users log in.

    Attributes:
        issuer: Where.
        client_id: What the proxy is called there.
        options: Further options of the authenticator, as TOML.
        authenticate: What the route has instead of this authenticator alone.
        route: Further options of the route, and tables after it, as TOML; ``{backend}``
            stands for the backend.
    """

    issuer: str
    client_id: str = "proxy"
    options: str = ""
    authenticate: Sequence[str] = ()
    route: str = ""


@attrs.frozen(kw_only=True)
class LoginProxy:
    """
    The proxy, what is behind it, and browsers in front.

    Attributes:
        proxy: It.
        backend: What is behind it.
        ca: Whom browsers trust.
        called: Its host.
    """

    proxy: RealProxy
    backend: Recorder
    ca: Path
    called: str = HOST
    _numbers: Iterator[int] = attrs.field(factory=lambda: itertools.count(1))

    @property
    def origin(self) -> str:
        """Give the proxy's origin."""
        return f"https://{self.called}:{self.proxy.port}"

    def url(self, name: str, path: str = "") -> str:
        """Give the URL of something on a route."""
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

    def story(self, browser: Browser, page: Page) -> str:
        """Tell what happened, for a test that fails."""
        trail = "\n".join(map(str, browser.trail))
        audit = self.proxy.audit.read_text() if self.proxy.audit.exists() else ""
        ends = f"{self.proxy.log()[-1500:]}\n{audit[-1500:]}"
        return f"{page}\n{page.text[:1500]}\n{trail}\n{ends}"


@contextlib.contextmanager
def login_proxy(
    directory: Path,
    pki: Pki,
    sites: Mapping[str, Site],
    port: int = 0,
    host: str = HOST,
    **options: object,
) -> Iterator[LoginProxy]:
    """
    Run the proxy as long as the block lasts.

    Args:
        directory: For its files; files that options name are there.
        pki: The authority of all certificates.
        sites: By the names of authenticators and routes.
        port: Where it listens, if a provider has to know before.
        host: What it is called.
        options: Further options of ``[server]``.
    """
    ca = pki.write(directory)
    pki.issue(host, dns=[host], server=True).write(directory, "server")
    server: dict[str, Any] = {"outbound": {"ca": str(ca)}, **options}
    server["state_dir"] = str(directory / "state")
    with Recorder() as backend:
        parts = [_LISTENER.format(port=port)]
        parts += [
            _SITE.format(
                name=name,
                issuer=site.issuer,
                client_id=site.client_id,
                options=site.options,
                authenticate=json.dumps([*site.authenticate] or [name]),
                route=site.route.replace(
                    "{backend}", f"http://127.0.0.1:{backend.port}"
                ),
                host=host,
                backend=backend.port,
            )
            for name, site in sites.items()
        ]
        with RealProxy(directory, "".join(parts), **server).serve() as proxy:
            yield LoginProxy(proxy=proxy, backend=backend, ca=ca, called=host)


def write_secret(directory: Path, name: str, text: str) -> None:
    """Write a file that its owner alone may read."""
    path = directory / name
    path.touch(mode=0o600)
    path.write_text(text)
