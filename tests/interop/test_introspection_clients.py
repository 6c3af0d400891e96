"""The real proxy asks npm oidc-provider about opaque tokens, as each kind of client."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest

from tests.support.calling import bearer
from tests.support.gateway import Gateway
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder
from tests.support.running import eventually
from tests.support.tokens_from_op import AUDIENCE, OpClient, TokenDesk, resource

if TYPE_CHECKING:
    from tests.interop.conftest import Files

KINDS: Final = {
    "rs-basic": "",
    "rs-post": 'auth = "client_secret_post"',
    "rs-secret-jwt": 'auth = "client_secret_jwt"',
    "rs-key-jwt": 'auth = "private_key_jwt"\nassertion_key = "rs.key"'
    '\nassertion_kid = "rs-key"',
    "rs-tls": 'auth = "tls_client_auth"\ncertificate = "rs-tls.crt"'
    '\nkey = "rs-tls.key"\nca = "ca.crt"',
    "rs-signed": 'answer = "jwt"',
}
HEAD: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"
"""
ONE: Final = """
[authenticator.{name}]
type = "bearer"
issuer = "{{issuer}}"
audience = ["{{audience}}"]
cache_seconds = 1

[authenticator.{name}.introspection]
client_id = "{client}"
{options}

[[route]]
host = "localhost"
path = "/{name}/"
authenticate = ["{name}"]
backend = "http://127.0.0.1:{{backend}}"
"""


def configure(client: OpClient, directory: Path) -> str:
    """Write the files of *client* and give its part of the configuration."""
    options = KINDS[client.name]
    if client.auth.startswith("client_secret"):
        file = directory / f"{client.name}.secret"
        file.touch(mode=0o600)
        file.write_text(client.secret)
        options += f'\nclient_secret_file = "{file.name}"'
    if client.key is not None:
        (directory / "rs.key").write_text(client.key.pem)
    if client.certificate is not None:
        client.certificate.write(directory, client.name)
    return ONE.format(name=client.name, client=client.name, options=options)


@pytest.fixture(scope="module")
def asking(files: "Files", desk: TokenDesk) -> Iterator[Gateway]:
    """Give a proxy that asks as every kind of client, and once with a wrong secret."""
    directory = files.place()
    wrong = directory / "wrong.secret"
    wrong.touch(mode=0o600)
    wrong.write_text("wrong")
    options = f'client_secret_file = "{wrong.name}"'
    text = HEAD + ONE.format(name="wrong", client="rs-basic", options=options)
    text += "".join(configure(desk.clients[name], directory) for name in KINDS)
    ca = directory / "ca.crt"
    with Recorder() as backend:
        filled = text.format(
            issuer=desk.server.issuer, audience=AUDIENCE, backend=backend.port
        )
        with RealProxy(directory, filled, outbound={"ca": str(ca)}).serve() as proxy:
            yield Gateway(port=proxy.port, ca=ca, proxy=proxy, backend=backend)


@pytest.mark.parametrize("kind", KINDS)
def test_an_opaque_token_is_asked_about(
    desk: TokenDesk, asking: Gateway, kind: str
) -> None:
    token = desk.token("service", resource())
    assert "." not in token
    seen = asking.arrived(f"/{kind}/", bearer(token))
    assert seen.values("X-Remote-User") == ["service"]
    assert "authorization" not in seen.names


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_server_does_not_know_is_refused(asking: Gateway, kind: str) -> None:
    verdict = asking.ask(f"/{kind}/", bearer("unknown-token")).verdict
    assert verdict == "401 Bearer invalid_token"


@pytest.mark.parametrize("kind", ["rs-basic", "rs-signed"])
def test_a_token_that_is_taken_back_is_refused_soon(
    desk: TokenDesk, asking: Gateway, kind: str
) -> None:
    token = desk.token("service", resource())
    assert asking.ask(f"/{kind}/", bearer(token)).status == 200
    desk.revoke("service", token)
    eventually(
        lambda: asking.ask(f"/{kind}/", bearer(token)).status == 401, "a refusal"
    )


def test_a_wrong_secret_of_ours_is_no_verdict_about_a_token(
    desk: TokenDesk, asking: Gateway
) -> None:
    token = desk.token("service", resource())
    statuses = {asking.ask("/wrong/", bearer(token)).status for _ in range(5)}
    assert statuses <= {502, 503}
    assert asking.ask("/rs-basic/", bearer(token)).status == 200
