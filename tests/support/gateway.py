"""The real proxy in front of a backend that notes, with tokens of oidc-provider."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Issued
from tests.support.calling import Caller
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder, Seen
from tests.support.tokens_from_op import AUDIENCE

CONFIG: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
client_certificate = "optional_no_ca"

[authenticator.jwt]
type = "bearer"
issuer = "{issuer}"
jwks_uri = "{issuer}/jwks"
audience = ["{audience}"]

[authenticator.strict]
type = "bearer"
issuer = "{issuer}"
jwks_uri = "{issuer}/jwks"
audience = ["{audience}"]
leeway = 0

[authenticator.anywhere]
type = "bearer"
issuer = "{issuer}"
jwks_uri = "{issuer}/jwks"
audience = ["{audience}"]
token_in = ["header", "query", "cookie"]

[[route]]
host = "localhost"
path = "/anywhere/"
authenticate = ["anywhere"]
backend = "{backend}"

[[route]]
host = "localhost"
path = "/jwt/"
authenticate = ["jwt"]
headers = {{ claims = ["scope", "tenant"] }}
backend = "{backend}"

[[route]]
host = "localhost"
path = "/strict/"
authenticate = ["strict"]
backend = "{backend}"

[[route]]
host = "localhost"
path = "/write/"
authenticate = ["jwt"]
require = ["scope:orders.write"]
backend = "{backend}"

[[route]]
host = "localhost"
path = "/bound/"
authenticate = ["jwt"]
binding = {{ certificate = "require" }}
backend = "{backend}"
"""


@attrs.frozen(kw_only=True)
class Gateway(Caller):
    """A proxy that believes the authorization server, and what is behind it."""

    proxy: RealProxy
    backend: Recorder

    def arrived(
        self, path: str, *headers: tuple[str, str], certificate: Issued | None = None
    ) -> Seen:
        """Give the request as the backend got it."""
        self.backend.clear()
        answer = self.ask(path, *headers, certificate=certificate)
        assert answer.status == 200, (answer, self.proxy.audit.read_text()[-2000:])
        return self.backend.wait_for(1)[0]


@contextlib.contextmanager
def gateway(directory: Path, server: OidcProvider, text: str = "") -> Iterator[Gateway]:
    """
    Run the proxy as long as the block lasts.

    Args:
        directory: Has its certificate, and the authority's as ``ca.crt``.
        server: Whose tokens it believes.
        text: Another configuration than `CONFIG`, with the same placeholders.
    """
    with Recorder() as backend:
        filled = (text or CONFIG).format(
            issuer=server.issuer,
            audience=AUDIENCE,
            backend=f"http://127.0.0.1:{backend.port}",
        )
        ca = directory / "ca.crt"
        with RealProxy(directory, filled, outbound={"ca": str(ca)}).serve() as proxy:
            yield Gateway(port=proxy.port, ca=ca, proxy=proxy, backend=backend)
