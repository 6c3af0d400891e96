"""Two sites behind one proxy: a provider of logins, and one that people log in to."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Asked, Client, Grant, Reply
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.support.chromium import Tab, key_hash
from tests.support.login_proxy import write_secret
from tests.support.password_scene import htpasswd_line
from tests.support.programs import RealProxy
from tests.support.recorder import BODY, Recorder, answer

PROVIDER: Final = "login.example.com"
SITE: Final = "app.example.org"
CLAIMS: Final = ("provider_session_id", "provider_key")
PAGE: Final = b"<!DOCTYPE html><title>Application</title><p>Welcome"

_TEXT: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "{directory}/server.crt"
key = "{directory}/server.key"

[checker.users]
type = "htpasswd"
file = "{directory}/users"

[authenticator.people]
type = "form"
checker = "users"

[authenticator.op]
type = "oidc"
issuer = "{issuer}"
client_id = "proxy"
client_secret_file = "{directory}/client.secret"
id_token_algorithms = ["RS256"]

[session.login]
type = "server"
binding = {{ device = "prefer" }}
device = {{ federation = {{ relying = ["https://{site}"], wait = 10 }} }}

[session.app]
type = "server"
binding = {{ device = "prefer" }}
device = {{ federation = {{ provider = "https://{provider}" }} }}

[[route]]
host = "{provider}"
authenticate = ["people"]
session = "login"
headers = {{ claims = ["provider_session_id", "provider_key"] }}
backend = "{op}"
upstream = {{ ca = "{directory}/ca.crt" }}

[[route]]
host = "{site}"
authenticate = ["op"]
session = "app"
backend = "http://127.0.0.1:{backend}"
"""


@attrs.frozen(kw_only=True)
class FederatedScene:
    """
    The running proxy.

    Attributes:
        proxy: It.
        provider: What is behind the provider's host; it puts what it is told of
            devices into its ID tokens.
        trusted: Names the key of the proxy's certificate, for `Chromium`.
        lies: Claims of ID tokens that are not what it was told.
    """

    proxy: RealProxy
    provider: Provider
    trusted: str
    lies: dict[str, str] = attrs.field(factory=dict)

    @contextlib.contextmanager
    def telling(self, lies: dict[str, str]) -> Iterator[None]:
        """Have ID tokens say something else."""
        self.lies.update(lies)
        yield
        self.lies.clear()

    @property
    def ports(self) -> dict[str, int]:
        """Give where a browser finds both hosts, at the port of https."""
        return dict.fromkeys((PROVIDER, SITE), self.proxy.port)

    def told(self) -> list[dict[str, str]]:
        """Give what the provider was told of devices, with each login at the site."""
        asked = [asked for name, asked in self.provider.asked if name == "authorize"]
        return [told_by(each) for each in asked]


def told_by(asked: Asked) -> dict[str, str]:
    """Give what the proxy says of the browser's device."""
    fields = {name: f"x-claim-{name}" for name in CLAIMS}
    given = asked.headers
    return {name: given[field] for name, field in fields.items() if field in given}


def enter(tab: Tab, url: str = f"https://{PROVIDER}/") -> None:
    """Log in at the provider as alice, who wants to see *url*."""
    tab.go(url)
    tab.wait("document.title == 'Log in'")
    for field, text in (("user", "alice"), ("password", "wonderland")):
        tab.run(f"document.getElementById({field!r}).select()")
        tab.call("Input.insertText", text=text)
    tab.press("Enter")
    tab.wait("document.title == 'Provider' || document.title == 'Application'")


@contextlib.contextmanager
def federated_scene(directory: Path) -> Iterator[FederatedScene]:
    """Run everything as long as the block lasts."""
    pki = Pki.create()
    ca = pki.write(directory)
    served = pki.issue(PROVIDER, dns=[PROVIDER, SITE], server=True)
    served.write(directory, "server")
    write_secret(directory, "client.secret", Client().secret)
    (directory / "users").write_text(htpasswd_line("alice", "wonderland"))
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    with Host(issued, ca, directory) as host, Recorder() as backend:
        provider = _provider(host)
        backend.scripts["/"] = (
            BODY,
            answer(PAGE, "200 OK", b"Content-Type: text/html"),
        )
        text = _TEXT.format(
            directory=directory,
            issuer=provider.issuer,
            provider=PROVIDER,
            site=SITE,
            op=host.origin,
            backend=backend.port,
        )
        options: dict[str, Any] = {"outbound": {"ca": str(ca)}}
        options["state_dir"] = str(directory / "state")
        with RealProxy(directory, text, **options).serve() as proxy:
            trusted = key_hash(served.cert_pem)
            scene = FederatedScene(proxy=proxy, provider=provider, trusted=trusted)
            provider.changes.add(
                "id_token_claims", lambda claims, _: {**claims, **scene.lies}
            )
            yield scene


def _provider(host: Host) -> Provider:
    """Make a provider that people reach through the proxy alone."""
    provider = Provider(f"{host.origin}/op")
    host.answers["op"] = provider.answer
    host.answers[""] = lambda _: Reply(body=_FRONT, content_type="text/html")

    def found_elsewhere(metadata: dict[str, Any], _grant: Grant | None) -> Any:  # noqa: ANN401
        endpoint = f"https://{PROVIDER}/op/authorize"
        return {**metadata, "authorization_endpoint": endpoint}

    def told_of_devices(claims: dict[str, Any], _grant: Grant | None) -> Any:  # noqa: ANN401
        asked = [asked for name, asked in provider.asked if name == "authorize"]
        return {**claims, **told_by(asked[-1])}

    provider.changes.add("metadata", found_elsewhere)
    provider.changes.add("id_token_claims", told_of_devices)
    return provider


_FRONT: Final = b"<!DOCTYPE html><title>Provider</title><p>Welcome"
