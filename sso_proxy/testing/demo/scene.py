"""What the demo needs before anything runs: ports, certificates, a configuration."""

import secrets
import socket
import time
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.testing.demo.authorization_server import AuthorizationServer
from sso_proxy.testing.demo.provider import Client, OpenIdProvider
from sso_proxy.testing.pki import Issued, Pki, self_signed

HOST: Final = "127.0.0.1"
CLIENT: Final = "orders-app"
SCOPE: Final = "orders.read"
AUDIENCE: Final = "https://api.example.com"
DEVICE_LIFETIME: Final = 5
"""Seconds that the proof of a device is good for; elsewhere it would be minutes."""

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

# The same for people, who log in; a browser is asked for no certificate here.
[[listener]]
address = "{host}"
port = {ports.web}
certificate = "proxy.crt"
key = "proxy.key"

[authenticator.people]
type = "oidc"
title = "the demo provider"
issuer = "https://{host}:{ports.provider}"
client_id = "{client.client_id}"
client_secret_file = "client-secret"

[pages]
title = "sso-proxy demo"

[[route]]
host = "{host}"
path = "/"
authenticate = ["people"]
require = ["claims.groups contains 'staff' or claims.groups contains 'partner'"]
headers = {{ claims = ["name", "email", "groups"] }}
backend = "http://{host}:{ports.application}"

[[route]]
host = "{host}"
path = "/reports/"
authenticate = ["people"]
require = ["claims.groups contains 'staff'"]
headers = {{ claims = ["name", "email", "groups"] }}
backend = "http://{host}:{ports.application}"

# The same, at the first listener, for people whose machines have certificates: sessions
# are good only with the certificate that they began with.
[session.default]
type = "server"

[session.machine]
type = "server"
cookie = {{ name = "__Host-sso-machine" }}
binding = {{ certificate = "require" }}

[authenticator.machines]
type = "oidc"
title = "the demo provider"
issuer = "https://{host}:{ports.provider}"
client_id = "{client.client_id}"
client_secret_file = "client-secret"

[[route]]
host = "{host}"
path = "/machine/"
authenticate = ["machines"]
session = "machine"
endpoints = "/machine/.sso/"
headers = {{ claims = ["name", "email", "groups"] }}
backend = "http://{host}:{ports.application}"

[[route]]
host = "{host}"
path = "/orders/"
authenticate = ["api"]
binding = {{ certificate = "require" }}
require = ["scope:{scope}"]
backend = "http://{host}:{ports.api}"
"""


DEVICE_CONFIG: Final = """
# The same once more, for browsers that make a key: sessions are good on their device.
# A proof of the key is good for some seconds here, so that a copy can be seen to die.
[session.device]
type = "server"
cookie = {{ name = "__Host-sso-browser" }}
binding = {{ device = "prefer" }}

[session.device.device]
lifetime = {device_lifetime}
grace = {device_lifetime}

[authenticator.devices]
type = "oidc"
title = "the demo provider"
issuer = "https://{host}:{ports.provider}"
client_id = "{client.client_id}"
client_secret_file = "client-secret"

[[route]]
host = "{host}"
path = "/device/"
authenticate = ["devices"]
session = "device"
endpoints = "/device/.sso/"
headers = {{ claims = ["name", "email", "groups"] }}
backend = "http://{host}:{ports.application}"
"""


SINGLE_PAGE: Final = Path(__file__).parents[3] / "etc" / "single-page-application"
"""The page of the documentation; only the source has it."""

SINGLE_PAGE_CONFIG: Final = """
# A page for anybody, and an API that its script calls: docs/howto says how it works.
[[route]]
host = "{host}"
path = "/single-page/"
methods = ["GET", "HEAD"]
authenticate = ["anonymous"]
backend = "static:{page}"

[[route]]
host = "{host}"
path = "/api/"
authenticate = ["people"]
require = ["claims.groups contains 'staff' or claims.groups contains 'partner'"]
backend = "http://{host}:{ports.api}"

[route.session_info]
show = ["remote_user", "times", "access_token_expires"]
claims = ["name", "email"]
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
        web: The proxy, for browsers.
        provider: The OpenID Provider.
        application: The web application.
    """

    proxy: int
    issuer: int
    api: int
    web: int
    provider: int
    application: int


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
        login: What the OpenID Provider knows the proxy by.
    """

    directory: Path
    ports: Ports
    authority: Pki
    proxy: Issued
    issuer: Issued
    client: Issued
    other: Issued
    login: Client

    @property
    def issuer_url(self) -> str:
        """The authorization server."""
        return f"https://{HOST}:{self.ports.issuer}"

    @property
    def api_url(self) -> str:
        """The API, as clients reach it: through the proxy."""
        return f"https://{HOST}:{self.ports.proxy}/orders/42"

    @property
    def provider_url(self) -> str:
        """The OpenID Provider."""
        return f"https://{HOST}:{self.ports.provider}"

    @property
    def web_url(self) -> str:
        """The web application, as browsers reach it: through the proxy."""
        return web_url(self.ports)

    @property
    def machine_url(self) -> str:
        """The same, where sessions are bound to certificates."""
        return f"https://{HOST}:{self.ports.proxy}/machine/"

    @property
    def device_url(self) -> str:
        """The same, where sessions are bound to the browser's device."""
        return f"{self.web_url}/device/"

    @property
    def single_page_url(self) -> str:
        """The single-page application, likewise; empty if its files are not here."""
        return f"{self.web_url}/single-page/" if SINGLE_PAGE.is_dir() else ""

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

    def openid_provider(self) -> OpenIdProvider:
        """Make the provider that knows the proxy."""
        return OpenIdProvider(
            issuer=self.provider_url, client=self.login, now=time.time
        )


def web_url(ports: Ports) -> str:
    """Give where browsers reach the proxy."""
    return f"https://{HOST}:{ports.web}"


def choose_ports(first: int) -> Ports:
    """
    Take *first* and those after it, or any if it is 0.

    Raises:
        PortTakenError: One of them is not free.
    """
    names = [field.name for field in attrs.fields(Ports)]
    held = [socket.socket() for _ in names]
    try:
        for offset, sock in enumerate(held):
            port = first and first + offset
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                sock.bind((HOST, port))
            except OSError as e:
                raise PortTakenError(f"port {port} on {HOST}: {e.strerror}") from e
        found = {n: s.getsockname()[1] for n, s in zip(names, held, strict=True)}
    finally:
        for sock in held:
            sock.close()
    return Ports(**found)


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
        login=Client(
            client_id="demo",
            secret=secrets.token_urlsafe(32),
            redirect_uris=(
                f"{web_url(ports)}/.sso/callback/people",
                f"https://{HOST}:{ports.proxy}/machine/.sso/callback/machines",
                f"{web_url(ports)}/device/.sso/callback/devices",
            ),
        ),
    )
    authority.write(directory)
    for stem in ("proxy", "issuer", "client", "other"):
        getattr(scene, stem).write(directory, stem)
    write_secret(directory / "client-secret", scene.login.secret)
    text = CONFIG + (SINGLE_PAGE_CONFIG if scene.single_page_url else "")
    text += DEVICE_CONFIG
    scene.config.write_text(
        text.format(
            host=HOST,
            ports=ports,
            audience=AUDIENCE,
            scope=SCOPE,
            client=scene.login,
            page=SINGLE_PAGE,
            device_lifetime=DEVICE_LIFETIME,
        )
    )
    return scene


def keep_token(scene: Scene, token: str) -> Path:
    """Write the token as a header line, so that curl can be told ``-H @file``."""
    path = scene.directory / "authorization"
    write_secret(path, f"Authorization: Bearer {token}\n")
    return path


def write_secret(path: Path, text: str) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(text)
