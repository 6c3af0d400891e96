"""The keys of an authorization server that changes them, or is away."""

import http.client
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from sso_proxy.testing.tokens import TokenSigner
from tests.support.calling import bearer
from tests.support.gateway import Gateway
from tests.support.gateway import gateway as run_gateway
from tests.support.running import PATIENCE, eventually
from tests.support.tokens_from_op import (
    TokenDesk,
    client_context,
    read_claims,
    resource,
)

if TYPE_CHECKING:
    from tests.interop.conftest import Files

INVALID = "401 Bearer invalid_token"
FETCH = "GET /jwks 200"


@pytest.fixture
def gate(files: "Files", own: TokenDesk) -> Iterator[Gateway]:
    """Give a proxy that believes it, and has its keys."""
    with run_gateway(files.place(), own) as running:
        assert running.ask("/jwt/", bearer(es256(own))).status == 200
        yield running


def es256(desk: TokenDesk) -> str:
    return desk.token("service", resource(alg="ES256"))


def test_a_new_key_is_fetched_and_the_old_one_is_forgotten(
    own: TokenDesk, gate: Gateway
) -> None:
    """Also for a token that was taken before."""
    old = es256(own)
    assert gate.ask("/jwt/", bearer(old)).status == 200
    own.server.rotate("ES256")
    assert gate.ask("/jwt/", bearer(es256(own))).status == 200
    assert gate.ask("/jwt/", bearer(old)).verdict == INVALID
    eventually(lambda: own.server.requests(FETCH) == 2, "two fetches")


def test_a_thousand_unknown_keys_cause_one_fetch(own: TokenDesk, gate: Gateway) -> None:
    claims = read_claims(es256(own))
    stranger = TokenSigner.create("ES256")
    connection = http.client.HTTPSConnection(
        "localhost", gate.port, timeout=PATIENCE, context=client_context(gate.ca)
    )
    seen = set()
    for number in range(1000):
        token = stranger.renamed(f"unknown-{number}").sign(claims)
        connection.request("GET", "/jwt/", headers=dict([bearer(token)]))
        answer = connection.getresponse()
        answer.read()
        seen.add(answer.status)
    connection.close()
    assert seen == {401}
    assert gate.ask("/jwt/", bearer(es256(own))).status == 200
    assert own.server.requests(FETCH) == 2, "the first, and one for all of them"


def test_while_it_is_away_its_last_keys_are_used(own: TokenDesk, gate: Gateway) -> None:
    """Whether a key that is not among them is good, nobody can say."""
    known = es256(own)
    stranger = TokenSigner.create("ES256", "unknown").sign(read_claims(known))
    own.server.stop()
    assert gate.ask("/jwt/", bearer(known)).status == 200
    answer = gate.ask("/jwt/", bearer(stranger))
    assert answer.verdict == "503"
    assert gate.ask("/jwt/", bearer(known)).status == 200


def test_without_its_keys_nobody_is_told_that_a_token_is_bad(
    own: TokenDesk, files: "Files"
) -> None:
    token = es256(own)
    own.server.stop()
    with run_gateway(files.place(), own) as gate:
        assert gate.ask("/jwt/", bearer(token)).verdict == "503"
        assert gate.ask("/jwt/").verdict == "401 Bearer"
        own.server.start()
        eventually(lambda: gate.ask("/jwt/", bearer(token)).status == 200, "its keys")
