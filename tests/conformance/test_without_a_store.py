"""Logins and sessions that are kept in browsers alone."""

from pathlib import Path
from typing import Any, Final

from sso_proxy.testing.pki import Pki
from tests.conformance.parts import Client
from tests.conformance.provider import Provider
from tests.conformance.serving import Host
from tests.support.browser import Browser
from tests.support.login_proxy import HOST, write_secret
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder

TEXT: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[session.main]
type = "cookie"

[authenticator.corp]
type = "oidc"
issuer = "{issuer}"
client_id = "proxy"
client_secret_file = "client.secret"
keep = ["refresh_token"]
cache = ""

[[route]]
host = "{host}"
authenticate = ["corp"]
backend = "http://127.0.0.1:{backend}"
"""


def test_nothing_is_kept_but_our_own_keys(pki: Pki, tmp_path: Path) -> None:
    """No store is opened for any of it, and an answer is still good once."""
    ca, state = pki.write(tmp_path), tmp_path / "state"
    pki.issue(HOST, dns=[HOST], server=True).write(tmp_path, "server")
    issued = pki.issue("localhost", dns=["localhost"], server=True)
    write_secret(tmp_path, "client.secret", Client().secret)
    with Host(issued, ca, tmp_path) as host, Recorder() as backend:
        provider = Provider(f"{host.origin}/op")
        host.answers["op"] = provider.answer
        text = TEXT.format(issuer=provider.issuer, host=HOST, backend=backend.port)
        server: dict[str, Any] = {"outbound": {"ca": str(ca)}, "state_dir": str(state)}
        with RealProxy(tmp_path, text, **server).serve() as proxy:
            url, browser = f"https://{HOST}:{proxy.port}/page", Browser(ca)
            back = f"https://{HOST}:{proxy.port}/.sso/callback/corp"
            answer = browser.go(url, stop=back).location
            assert answer is not None
            copied = browser.copy()
            assert browser.go(answer).status == 200
            assert browser.fetch(url).status == 200
            assert copied.go(answer).status == 403, "the provider takes a code once"
            assert copied.fetch(url).status == 401
            assert [path.name for path in state.iterdir()] == ["keys.json"]
