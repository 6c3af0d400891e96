"""The real proxy in front of a backend that notes, with tokens of oidc-provider."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.testing.pki import Issued
from tests.support.calling import Caller
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder, Seen
from tests.support.tokens_from_op import AUDIENCE, OpClient, TokenDesk

ASKING: Final = ("rs-basic", "rs-post", "rs-secret-jwt", "rs-key-jwt", "rs-tls")
"""The names under which the proxy asks about opaque tokens, one at each route."""

_LISTENER: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
client_certificate = "optional_no_ca"
"""
_AUTHENTICATOR: Final = """
[authenticator.{name}]
type = "bearer"
issuer = "{issuer}"
audience = ["{audience}"]
{options}
"""
_ROUTE: Final = """
[[route]]
host = "localhost"
path = "/{path}/"
authenticate = ["{authenticator}"]
{options}
backend = "http://127.0.0.1:{backend}"
"""
_CLAIMS: Final = 'headers = { claims = ["scope", "tenant"] }'
_BOUND: Final = 'binding = { certificate = "require" }'
_DPOP: Final = 'binding = { dpop = "require" }'
_ROUTES: Final = (
    ("jwt", "jwt", _CLAIMS),
    ("strict", "strict", ""),
    ("anywhere", "anywhere", ""),
    ("write", "jwt", 'require = ["scope:orders.write"]'),
    ("bound", "jwt", _BOUND),
    ("dpop", "jwt", _DPOP),
    ("opaque", "rs-basic", _CLAIMS),
    ("signed", "rs-signed", ""),
    ("encrypted", "encrypted", ""),
    ("briefly", "briefly", ""),
    ("opaque-strict", "opaque-strict", ""),
    ("clients", "clients", ""),
    ("opaque-write", "rs-basic", 'require = ["scope:orders.write"]'),
    ("opaque-bound", "rs-basic", _BOUND),
    ("opaque-dpop", "rs-basic", _DPOP),
    *((f"by-{name}", name, "") for name in ASKING),
)


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
def gateway(directory: Path, desk: TokenDesk, more: str = "") -> Iterator[Gateway]:
    """
    Run the proxy as long as the block lasts.

    Args:
        directory: Has its certificate, and the authority's as ``ca.crt``.
        desk: Whose tokens it believes, and as whom it asks about them.
        more: Further tables of its configuration.
    """
    with Recorder() as backend:
        text = _configuration(directory, desk, backend.port) + more
        ca, state = directory / "ca.crt", directory / "state"
        options = {"outbound": {"ca": str(ca)}, "state_dir": str(state)}
        with RealProxy(directory, text, **options).serve() as proxy:
            yield Gateway(port=proxy.port, ca=ca, proxy=proxy, backend=backend)


def _configuration(directory: Path, desk: TokenDesk, backend: int) -> str:
    jwks = f'jwks_uri = "{desk.server.issuer}/jwks"'
    decryption = directory / "decryption.pem"
    decryption.touch(0o600)
    decryption.write_text(desk.server.decryption_pem)
    asking = {
        name: _introspection(directory, desk.clients[name])
        for name in (*ASKING, "rs-signed")
    }
    authenticators = {
        "jwt": jwks,
        "strict": f"{jwks}\nleeway = 0",
        "anywhere": f'{jwks}\ntoken_in = ["header", "query", "cookie"]',
        "encrypted": f'{jwks}\ndecryption_keys_file = "{decryption}"',
        "briefly": f"cache_seconds = 1\n{asking['rs-basic']}",
        "opaque-strict": f"leeway = 0\n{asking['rs-basic']}",
        "clients": f'subject = ["sub", "client_id"]\n{asking["rs-basic"]}',
        **asking,
    }
    issuer = desk.server.issuer
    parts = [_LISTENER]
    parts += [
        _AUTHENTICATOR.format(
            name=name, issuer=issuer, audience=AUDIENCE, options=options
        ).replace("NAME", name)
        for name, options in authenticators.items()
    ]
    parts += [
        _ROUTE.format(path=path, authenticator=name, options=options, backend=backend)
        for path, name, options in _ROUTES
    ]
    return "".join(parts)


def _introspection(directory: Path, client: OpClient) -> str:
    """Write how *client* asks about tokens; its secrets go into files."""
    options = {"client_id": client.name, "auth": client.auth}
    if client.key is not None:
        options["assertion_key"] = _secret(directory, client.name, client.key.pem)
    elif client.certificate is not None:
        certificate, key = client.certificate.write(directory, client.name)
        options |= {"certificate": str(certificate), "key": str(key)}
    else:
        secret = _secret(directory, client.name, client.secret)
        options["client_secret_file"] = secret
    if client.signed_answers:
        options["answer"] = "jwt"
    lines = [f'{name} = "{value}"' for name, value in options.items()]
    return "\n".join(["[authenticator.NAME.introspection]", *lines])


def _secret(directory: Path, name: str, text: str) -> str:
    path = directory / f"{name}.secret"
    path.touch(0o600)
    path.write_text(text)
    return str(path)
