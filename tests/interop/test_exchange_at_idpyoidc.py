"""Backends get tokens of their own, exchanged by PyPI's idpyoidc (RFC 8693)."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs
import pytest

from sso_proxy.specs.jose.compact import split_compact
from sso_proxy.specs.jose.expiry import read_claims
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.specs.jose.verify import check_signature
from sso_proxy.testing.pki import Pki
from tests.support.calling import Caller, bearer
from tests.support.idpyoidc_server import SECRET, TARGET, ExchangeServer
from tests.support.programs import RealProxy
from tests.support.recorder import Recorder

_CONFIG: Final = """
[[listener]]
address = "127.0.0.1"
port = 0
certificate = "server.crt"
key = "server.key"

[authenticator.people]
type = "bearer"
issuer = "{issuer}"
audience = ["sso-proxy"]
typ = "any"

[token.orders]
type = "exchange"
issuer = "{issuer}"
client_id = "sso-proxy"
client_secret_file = "{secret}"
requested_type = "access_token"

[token.legacy]
type = "exchange"
endpoint = "{issuer}/token"
client_id = "sso-proxy"
client_secret_file = "{secret}"
auth = "client_secret_post"
subject = "cookie:legacy"
subject_type = "access_token"

[token.refresh]
type = "exchange"
issuer = "{issuer}"
client_id = "sso-proxy"
client_secret_file = "{secret}"
requested_type = "refresh_token"

[token.stranger]
type = "exchange"
issuer = "{issuer}"
client_id = "nobody"
client_secret_file = "{secret}"
"""
_ROUTE: Final = """
[[route]]
host = "localhost"
path = "/{name}/"
authenticate = ["{who}"]
backend = "http://127.0.0.1:{port}"
token = [{{ name = "{token}", audience = "{audience}", on_error = "{otherwise}" }}]
"""
_ROUTES: Final = (
    ("orders", "people", "orders", TARGET, "deny"),
    ("elsewhere", "people", "orders", "https://elsewhere.example.com", "deny"),
    ("pass", "people", "orders", "https://elsewhere.example.com", "pass"),
    ("legacy", "anonymous", "legacy", TARGET, "deny"),
    ("refresh", "people", "refresh", TARGET, "deny"),
    ("stranger", "people", "stranger", TARGET, "deny"),
)


@attrs.frozen(kw_only=True)
class Scene(Caller):
    """The proxy, who issues tokens, and who gets them."""

    proxy: RealProxy
    server: ExchangeServer
    backend: Recorder

    def arrived(self, target: str, *headers: tuple[str, str]) -> str:
        """Give the token that the backend got."""
        self.backend.clear()
        answer = self.ask(target, *headers)
        assert answer.status == 200, (answer, self.proxy.log()[-2000:])
        (value,) = self.backend.wait_for(1)[0].values("authorization")
        return value.removeprefix("Bearer ")

    def reason(self, target: str, *headers: tuple[str, str]) -> tuple[int, str]:
        """Give the answer's status, and what the log says about it."""
        before = len(self.proxy.log())
        answer = self.ask(target, *headers)
        return answer.status, self.proxy.log()[before:]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    directory = tmp_path_factory.mktemp("exchange")
    pki = Pki.create()
    ca = pki.write(directory)
    pki.issue("localhost", dns=["localhost"], server=True).write(directory, "server")
    secret = directory / "secret"
    secret.touch(0o600)
    secret.write_text(SECRET)
    server = ExchangeServer(directory)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        with Recorder() as backend:
            text = _CONFIG.format(issuer=server.url, secret=secret)
            text += "".join(_route(backend.port, *row) for row in _ROUTES)
            state = directory / "state"
            with RealProxy(directory, text, state_dir=str(state)).serve() as proxy:
                yield Scene(
                    port=proxy.ports[0],
                    ca=ca,
                    proxy=proxy,
                    server=server,
                    backend=backend,
                )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _route(port: int, *row: str) -> str:
    name, who, token, audience, otherwise = row
    return _ROUTE.format(
        name=name,
        who=who,
        token=token,
        audience=audience,
        otherwise=otherwise,
        port=port,
    )


def test_a_backend_gets_a_token_that_is_for_it_alone(scene: Scene) -> None:
    theirs = scene.server.log_in()
    ours = scene.arrived("/orders/", bearer(theirs))
    claims: Any = read_claims(ours)
    assert ours != theirs
    assert claims["aud"] == [TARGET]
    assert claims["sub"] == (read_claims(theirs) or {})["sub"]
    keys = read_jwks(scene.server.public_keys())
    check_signature(split_compact(ours), keys, algorithms=frozenset({"ES256"}))
    asked = scene.server.asked[-1]
    assert asked["requested_token_type"].endswith(":access_token")
    assert asked["subject_token"] == theirs


def test_one_backends_token_is_not_taken_here(scene: Scene) -> None:
    """Who gets one must not be able to come back with it."""
    ours = scene.arrived("/orders/", bearer(scene.server.log_in()))
    assert scene.ask("/orders/", bearer(ours)).status == 401


def test_many_requests_make_one_exchange(scene: Scene) -> None:
    theirs = bearer(scene.server.log_in())
    before = len(scene.server.asked)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda n: scene.ask(f"/orders/{n}", theirs), range(16)))
    assert {answer.status for answer in found} == {200}
    assert len(scene.server.asked) == before + 1


def test_a_token_that_nobody_knows_is_refused(scene: Scene) -> None:
    """401 for who could log in; nobody in particular cannot, and is told 403."""
    status, log = scene.reason("/legacy/", ("Cookie", "legacy=garbage"))
    assert status == 403
    assert "token-refused invalid_request Subject token invalid" in log
    assert "garbage" not in log


def test_a_legacy_token_is_exchanged_and_taken_away(scene: Scene) -> None:
    theirs = scene.server.log_in()
    ours = scene.arrived("/legacy/", ("Cookie", f"a=b; legacy={theirs}"))
    assert (read_claims(ours) or {})["aud"] == [TARGET]
    assert scene.backend.seen[0].values("cookie") == ["a=b"]
    assert scene.server.asked[-1]["client_secret"] == SECRET


def test_who_presents_nothing_gets_nothing(scene: Scene) -> None:
    status, log = scene.reason("/legacy/")
    assert status == 403
    assert "token-missing" in log


def test_an_audience_that_the_server_does_not_know_is_forbidden(scene: Scene) -> None:
    who = bearer(scene.server.log_in())
    status, log = scene.reason("/elsewhere/", who)
    assert status == 403
    assert "token-target invalid_target Unknown audience" in log
    scene.backend.clear()
    assert scene.ask("/pass/", who).status == 200
    assert scene.backend.wait_for(1)[0].values("authorization") == []


def test_a_type_that_the_server_does_not_issue_is_refused(scene: Scene) -> None:
    status, log = scene.reason("/refresh/", bearer(scene.server.log_in()))
    assert status == 401
    assert "Unsupported requested token type" in log


def test_a_server_that_does_not_know_us_is_our_fault(scene: Scene) -> None:
    status, log = scene.reason("/stranger/", bearer(scene.server.log_in()))
    assert status == 502
    assert "does not take us for its client" in log
    assert SECRET not in log


def test_no_token_gets_into_the_log(scene: Scene) -> None:
    theirs = scene.server.log_in()
    ours = scene.arrived("/orders/", bearer(theirs))
    said = scene.proxy.log() + scene.proxy.audit.read_text()
    assert theirs not in said
    assert ours not in said
