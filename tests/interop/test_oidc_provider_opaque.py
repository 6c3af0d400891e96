"""Opaque tokens of npm oidc-provider, which the real proxy asks it about."""

import secrets
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from sso_proxy.testing.pki import Issued, self_signed
from tests.support.calling import bearer
from tests.support.gateway import Gateway
from tests.support.gateway import gateway as run_gateway
from tests.support.running import eventually
from tests.support.tokens_from_op import SCOPE, TokenDesk, resource

if TYPE_CHECKING:
    from tests.interop.conftest import Files

INVALID = "401 Bearer invalid_token"
QUESTION = "POST /token/introspection"


def held_by(desk: TokenDesk, client: str) -> Issued:
    certificate = desk.clients[client].certificate
    assert certificate is not None
    return certificate


def questions(desk: TokenDesk, ask: Callable[[], object]) -> int:
    """Count what the server is asked during *ask*."""
    before = desk.server.requests(QUESTION)
    ask()
    last = f"/{secrets.token_hex(8)}"
    desk.post("rs-basic", last, {})
    eventually(lambda: desk.server.requests(f"POST {last}") == 1, "the last request")
    return desk.server.requests(QUESTION) - before


def test_what_the_server_says_arrives(desk: TokenDesk, gateway: Gateway) -> None:
    seen = gateway.arrived("/opaque/", bearer(desk.token("service", resource())))
    assert seen.values("X-Remote-User") == ["service"]
    assert seen.values("X-Claim-Scope") == [SCOPE]
    assert seen.values("X-Claim-Tenant") == ["acme"]
    assert "authorization" not in seen.names


def test_an_issuer_is_asked_about_opaque_tokens_alone(
    desk: TokenDesk, gateway: Gateway
) -> None:
    """Its signed ones are checked here."""
    token = desk.token("service", resource(alg="ES256"))
    assert questions(desk, lambda: gateway.arrived("/opaque/", bearer(token))) == 0


def test_one_answer_is_good_for_many_requests(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource())

    def ask() -> None:
        for _ in range(5):
            assert gateway.ask("/opaque/", bearer(token)).status == 200

    assert questions(desk, ask) == 1


def test_one_answer_is_good_for_many_requests_with_a_bad_token(
    desk: TokenDesk, gateway: Gateway
) -> None:
    def ask() -> None:
        for _ in range(5):
            assert gateway.ask("/opaque/", bearer("no-token")).verdict == INVALID

    assert questions(desk, ask) == 1


def test_a_token_for_another_audience_is_refused(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("service", resource("https://other.example.com"))
    assert gateway.ask("/opaque/", bearer(token)).verdict == INVALID


def test_a_token_of_too_small_a_scope_is_forbidden(
    desk: TokenDesk, gateway: Gateway
) -> None:
    small = desk.token("service", resource())
    large = desk.token("service", resource(), scope="orders.write")
    answer = gateway.ask("/opaque-write/", bearer(small))
    assert answer.verdict == "403 Bearer insufficient_scope"
    assert gateway.ask("/opaque-write/", bearer(large)).status == 200


def test_a_token_is_refused_once_it_has_expired(
    desk: TokenDesk, gateway: Gateway
) -> None:
    """Whatever is remembered of it."""
    token = desk.token("service", resource(ttl=2))
    expires = desk.introspect("rs-basic", token).json()["exp"]
    assert gateway.ask("/opaque-strict/", bearer(token)).status == 200
    time.sleep(max(0.0, expires - time.time()))
    assert gateway.ask("/opaque-strict/", bearer(token)).verdict == INVALID


def test_a_client_without_a_subject_can_be_named_by_its_id(
    desk: TokenDesk, gateway: Gateway
) -> None:
    token = desk.token("nobody", resource())
    seen = gateway.arrived("/clients/", bearer(token))
    assert seen.values("X-Remote-User") == ["nobody"]
    assert gateway.ask("/opaque/", bearer(token)).verdict == INVALID


@pytest.mark.parametrize("client", ["mtls", "self-signed"])
def test_a_bound_token_is_good_with_its_certificate_alone(
    desk: TokenDesk, gateway: Gateway, client: str
) -> None:
    token = desk.token(client, resource())
    own = held_by(desk, client)
    seen = gateway.arrived("/opaque-bound/", bearer(token), certificate=own)
    assert seen.values("X-Remote-User") == [client]
    for path in ("/opaque-bound/", "/opaque/"):
        for certificate in (None, self_signed(client), held_by(desk, "rs-tls")):
            answer = gateway.ask(path, bearer(token), certificate=certificate)
            assert answer.verdict == INVALID


def test_while_it_is_away_nobody_is_told_that_a_token_is_bad(
    own: TokenDesk, files: "Files"
) -> None:
    """Nor that it is good, unless the answer is known."""
    known, unknown = (own.token("service", resource()) for _ in range(2))
    with run_gateway(files.place(), own) as gate:
        assert gate.ask("/opaque/", bearer(known)).status == 200
        own.server.stop()
        assert gate.ask("/opaque/", bearer(unknown)).verdict == "502"
        assert gate.ask("/opaque/", bearer(known)).status == 200
        own.server.start()
        fresh = own.token("service", resource())
        eventually(lambda: gate.ask("/opaque/", bearer(fresh)).status == 200, "answer")
