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
from tests.support.tokens_from_op import AUDIENCE, TokenDesk

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
_INTROSPECTION: Final = """
[authenticator.NAME.introspection]
client_id = "rs-basic"
client_secret_file = "{secret}"
"""
_PLACES: Final = '["header", "query", "cookie", "form", "basic"]'
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
    ("opaque", "opaque", _CLAIMS),
    ("encrypted", "encrypted", ""),
    ("opaque-strict", "opaque-strict", ""),
    ("clients", "clients", ""),
    ("opaque-write", "opaque", 'require = ["scope:orders.write"]'),
    ("opaque-bound", "opaque", _BOUND),
    ("opaque-dpop", "opaque", _DPOP),
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
    secret = directory / "rs-basic.secret"
    secret.touch(0o600)
    secret.write_text(desk.clients["rs-basic"].secret)
    asking = _INTROSPECTION.format(secret=secret)
    authenticators = {
        "jwt": jwks,
        "strict": f"{jwks}\nleeway = 0",
        "anywhere": f"{jwks}\ntoken_in = {_PLACES}",
        "encrypted": f'{jwks}\ndecryption_keys_file = "{decryption}"',
        "opaque": asking,
        "opaque-strict": f"leeway = 0\n{asking}",
        "clients": f'subject = ["sub", "client_id"]\n{asking}',
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
