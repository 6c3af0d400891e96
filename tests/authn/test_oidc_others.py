"""Claims of others are believed if they are signed by whom the operator names."""

from collections.abc import Mapping
from typing import Any

import pytest
from twisted.trial.unittest import TestCase

from sso_proxy.authn.oidc_others import Others
from sso_proxy.errors import UnavailableError
from sso_proxy.net.http_client import HttpReply
from sso_proxy.net.jwks import FixedKeys
from sso_proxy.specs.jose.keys import read_jwks
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.tokens import TokenSigner, jwks
from tests.support.caching import now

BANK = "https://bank.example"
SIGNER = TokenSigner.create("ES256", "bank")
SAID = {"iss": BANK, "sub": "alice", "credit": 7, "email": "a@bank.example"}


class Web:
    """Has claims at one address."""

    def __init__(self) -> None:
        self.reply = HttpReply(
            status=200,
            headers=(("content-type", "application/jwt"),),
            body=SIGNER.sign(SAID, typ="JWT").encode(),
        )
        self.asked: list[tuple[str, Mapping[str, str]]] = []
        self.down = False

    async def get(
        self, url: str, headers: Mapping[str, str], *, max_bytes: int
    ) -> HttpReply:
        assert max_bytes
        self.asked.append((url, headers))
        if self.down:
            raise UnavailableError("bank.example")
        return self.reply


def passed_on(text: str) -> dict[str, Any]:
    """Give what a provider says that passes *text* on."""
    return {
        "_claim_names": {"credit": "bank"},
        "_claim_sources": {"bank": {"JWT": text}},
    }


def elsewhere(endpoint: str = BANK + "/claims") -> dict[str, Any]:
    """Give what a provider says that only says where claims are."""
    source = {"endpoint": endpoint, "access_token": "for-the-bank"}
    return {"_claim_names": {"credit": "bank"}, "_claim_sources": {"bank": source}}


class OthersTests(TestCase):
    """A bank says something about Alice."""

    def setUp(self) -> None:
        self.web: Any = Web()

    def found(
        self, claims: Mapping[str, Any], issuers: tuple[str, ...] = (BANK,)
    ) -> dict[str, Any]:
        keys = FixedKeys(read_jwks(jwks(SIGNER)))
        others = Others(
            keys=dict.fromkeys(issuers, keys),
            origins=(BANK,),
            client_id="app",
            leeway=10,
            http_client=self.web,
            clock=SettableClock(),
        )
        return now(others.claims_of(claims, "alice"))

    def test_what_is_passed_on_is_believed_as_far_as_it_was_announced(self) -> None:
        assert self.found(passed_on(SIGNER.sign(SAID, typ="JWT"))) == {"credit": 7}
        assert not self.web.asked

    def test_what_is_elsewhere_is_fetched_with_its_token(self) -> None:
        assert self.found(elsewhere()) == {"credit": 7}
        ((url, headers),) = self.web.asked
        assert url == BANK + "/claims"
        assert headers == {"Authorization": "Bearer for-the-bank"}

    def test_nothing_is_looked_at_unless_the_operator_names_somebody(self) -> None:
        assert self.found(elsewhere(), issuers=()) == {}
        assert self.found(passed_on(SIGNER.sign(SAID)), issuers=()) == {}
        assert not self.web.asked

    def test_nobody_is_sent_anywhere_else(self) -> None:
        for endpoint in ("https://metadata.internal/x", "http://bank.example/claims"):
            assert self.found(elsewhere(endpoint)) == {}
        assert not self.web.asked

    def test_what_is_not_to_be_believed_is_left_out(self) -> None:
        stranger = TokenSigner.create("ES256", "bank")
        for text in (
            stranger.sign(SAID, typ="JWT"),
            SIGNER.sign({**SAID, "sub": "mallory"}, typ="JWT"),
            SIGNER.sign({**SAID, "iss": "https://other.example"}, typ="JWT"),
            SIGNER.sign({**SAID, "exp": 1}, typ="JWT"),
            "e30.e30.",
            "no token",
        ):
            assert self.found(passed_on(text)) == {}

    def test_a_source_that_is_down_is_left_out(self) -> None:
        self.web.down = True
        assert self.found(elsewhere()) == {}

    def test_what_cannot_be_read_is_left_out(self) -> None:
        assert self.found({"_claim_names": {"credit": "nowhere"}}) == {}


@pytest.mark.parametrize("status", [302, 401, 404, 500])
def test_anything_but_an_answer_is_none(status: int) -> None:
    case = OthersTests("test_a_source_that_is_down_is_left_out")
    case.setUp()
    case.web.reply = HttpReply(status=status)
    assert case.found(elsewhere()) == {}
