"""What the demo needs before anything runs: ports, certificates, a configuration."""

import socket
import time
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo.authorization_server import AuthorizationServer
from sso_proxy.testing.pki import Issued, Pki, self_signed

HOST: Final = "127.0.0.1"
CLIENT: Final = "orders-app"
SCOPE: Final = "orders.read"
AUDIENCE: Final = "https://api.example.com"

CONFIG: Final = """\
# Made by `make demo`, anew at each start.  File names start at this file's directory.

[server]
state_dir = "state"
drain_timeout = 2.0
audit = {{ to = "file", file = "audit.log" }}
outbound = {{ ca = "ca.crt" }}

[[listener]]
address = "{host}"
port = {ports.proxy}
certificate = "proxy.crt"
key = "proxy.key"
client_certificate = "optional_no_ca"

[authenticator.api]
type = "bearer"
issuer = "https://{host}:{ports.issuer}"
audience = ["{audience}"]
jwks_uri = "https://{host}:{ports.issuer}/jwks"

[[route]]
host = "{host}"
path = "/orders/"
authenticate = ["api"]
binding = {{ certificate = "require" }}
require = ["scope:{scope}"]
backend = "http://{host}:{ports.api}"
"""


class PortTakenError(SsoProxyError):
    """Somebody listens there already."""


@attrs.frozen(kw_only=True)
class Ports:
    """
    Where everything listens, on 127.0.0.1.

    Attributes:
        proxy: The proxy.
        issuer: The authorization server.
        api: The API.
    """

    proxy: int
    issuer: int
    api: int


@attrs.frozen(kw_only=True)
class Scene:
    """
    Everything that is made before anything runs.

    Attributes:
        directory: Where the files are.
        ports: Where everything listens.
        authority: The demo's CA; servers and clients trust no other.
        proxy: The proxy's certificate.
        issuer: The authorization server's.
        client: The certificate of the client that gets a token.
        other: A certificate that vouches for itself, of somebody else.
    """

    directory: Path
    ports: Ports
    authority: Pki
    proxy: Issued
    issuer: Issued
    client: Issued
    other: Issued

    @property
    def issuer_url(self) -> str:
        """The authorization server."""
        return f"https://{HOST}:{self.ports.issuer}"

    @property
    def api_url(self) -> str:
        """The API, as clients reach it: through the proxy."""
        return f"https://{HOST}:{self.ports.proxy}/orders/42"

    @property
    def config(self) -> Path:
        """The proxy's configuration file."""
        return self.directory / "sso-proxy.toml"

    @property
    def log(self) -> Path:
        """What the proxy logs."""
        return self.directory / "proxy.log"

    def authorization_server(self) -> AuthorizationServer:
        """Make the server that knows the client."""
        return AuthorizationServer(
            issuer=self.issuer_url,
            audience=AUDIENCE,
            clients={CLIENT: frozenset({SCOPE})},
            now=time.time,
        )


def choose_ports(first: int) -> Ports:
    """
    Take *first* and the two after it, or any three if it is 0.

    Raises:
        PortTakenError: One of them is not free.
    """
    held = [socket.socket() for _ in range(3)]
    try:
        for offset, sock in enumerate(held):
            port = first and first + offset
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError as e:
                raise PortTakenError(f"port {port} on {HOST}: {e.strerror}") from e
        proxy, issuer, api = (sock.getsockname()[1] for sock in held)
    finally:
        for sock in held:
            sock.close()
    return Ports(proxy=proxy, issuer=issuer, api=api)


def prepare(directory: Path, ports: Ports) -> Scene:
    """Make the CA, all certificates and the configuration, and write them."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    authority = Pki.create("sso-proxy demo CA")
    scene = Scene(
        directory=directory,
        ports=ports,
        authority=authority,
        proxy=authority.issue("the proxy", ips=[HOST], server=True),
        issuer=authority.issue("the authorization server", ips=[HOST], server=True),
        client=authority.issue(CLIENT, client=True),
        other=self_signed("somebody else"),
    )
    authority.write(directory)
    for stem in ("proxy", "issuer", "client", "other"):
        getattr(scene, stem).write(directory, stem)
    scene.config.write_text(
        CONFIG.format(host=HOST, ports=ports, audience=AUDIENCE, scope=SCOPE)
    )
    return scene


def keep_token(scene: Scene, token: str) -> Path:
    """Write the token as a header line, so that curl can be told ``-H @file``."""
    path = scene.directory / "authorization"
    path.touch(mode=0o600)
    path.write_text(f"Authorization: Bearer {token}\n")
    return path
