"""What an issuer says about a token is believed, as far as it is about us and now."""

from collections.abc import Coroutine, Mapping
from typing import Any

import pytest

from sso_proxy.authn.verifiers import Verified
from sso_proxy.authn.verifiers.introspection import (
    IntrospectionVerifier,
    SignedAndActive,
)
from sso_proxy.errors import TokenError, UnavailableError
from sso_proxy.specs.oauth.claims import ClaimRules
from sso_proxy.testing.clock import SettableClock

NOW = SettableClock().time()
ISSUER = "https://login.example.com"
SAID = {"active": True, "iss": ISSUER, "aud": "api", "sub": "alice"}


class Issuer:
    """Answers what it is told to; counts how often it is asked."""

    def __init__(self, answer: Mapping[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked = 0

    async def ask(self, token: str) -> Mapping[str, Any]:  # noqa: ARG002
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


class Says:
    """A verifier that says what it is told."""

    def __init__(self, *answers: Verified | Exception) -> None:
        self.answers = [*answers]
        self.asked = 0

    async def verify(self, token: str) -> Verified:  # noqa: ARG002
        self.asked += 1
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


def verifier(issuer: Issuer) -> IntrospectionVerifier:
    return IntrospectionVerifier(
        rules=ClaimRules(issuer=ISSUER, audiences=frozenset({"api"})),
        max_bytes=256,
        keep=60.0,
        introspector=issuer,
        clock=SettableClock(),
    )


def result(coroutine: Coroutine[Any, Any, Verified]) -> Verified:
    with pytest.raises(StopIteration) as end:
        coroutine.send(None)
    verified: Verified = end.value.value
    return verified


def verify(**changes: object) -> Verified:
    return result(verifier(Issuer({**SAID, **changes})).verify("token"))


def refusal(**changes: object) -> str:
    with pytest.raises(TokenError) as caught:
        verifier(Issuer({**SAID, **changes})).verify("token").send(None)
    return caught.value.reason


def test_what_is_said_holds_for_a_while() -> None:
    assert verify() == Verified(claims=SAID, expires=None, until=NOW + 60)


def test_it_holds_no_longer_than_the_token() -> None:
    verified = verify(exp=NOW + 30)
    assert (verified.expires, verified.until) == (NOW + 30, NOW + 30)
    verified = verify(exp=NOW + 90)
    assert (verified.expires, verified.until) == (NOW + 90, NOW + 60)


def test_an_active_token_may_still_not_be_for_us() -> None:
    assert refusal(aud="other") == "token-audience"
    assert refusal(iss="https://other.example.com") == "token-issuer"
    assert refusal(exp=NOW) == "token-expired"


def test_a_dpop_token_has_to_say_which_key_it_is_bound_to() -> None:
    """RFC 9449 6.2; without it, nobody would ask for a proof."""
    bound = {"jkt": "x"}
    assert verify(token_type="DPoP", cnf=bound).claims["cnf"] == bound
    assert refusal(token_type="DPoP") == "token-not-dpop"
    other = {"x5t#S256": "x"}
    assert refusal(token_type="dpop", cnf=other) == "token-not-dpop"
    assert refusal(token_type="DPoP", cnf={}) == "cnf-malformed"


def test_nobody_is_asked_about_what_is_too_long() -> None:
    issuer = Issuer(SAID)
    with pytest.raises(TokenError):
        verifier(issuer).verify("x" * 257).send(None)
    assert issuer.asked == 0


def test_no_answer_is_no_fault_of_the_token() -> None:
    asking = verifier(Issuer(UnavailableError("it", status=504))).verify("x")
    with pytest.raises(UnavailableError):
        asking.send(None)


SIGNED = Verified(claims={"sub": "alice"}, expires=90.0, until=90.0)
ACTIVE = Verified(claims={"sub": "other", "x": 1}, expires=None, until=60.0)


def both(signed: Says, active: Says) -> Verified:
    return result(SignedAndActive(signed=signed, active=active).verify("token"))


def refused(signed: Says, active: Says) -> str:
    asking = SignedAndActive(signed=signed, active=active).verify("token")
    with pytest.raises(TokenError) as caught:
        asking.send(None)
    return caught.value.reason


def test_a_signed_token_that_is_active_says_what_was_signed() -> None:
    verified = both(Says(SIGNED), Says(ACTIVE))
    assert verified == Verified(claims=SIGNED.claims, expires=90.0, until=60.0)


def test_nobody_is_asked_about_a_wrong_signature() -> None:
    active = Says(ACTIVE)
    wrong = TokenError("wrong", reason="token-signature")
    assert refused(Says(wrong), active) == "token-signature"
    assert active.asked == 0


def test_a_signed_token_that_was_withdrawn_is_refused() -> None:
    inactive = TokenError("inactive", reason="token-inactive")
    assert refused(Says(SIGNED), Says(inactive)) == "token-inactive"


def test_a_key_that_goes_while_the_issuer_is_asked_is_noticed() -> None:
    gone = TokenError("gone", reason="token-key-unknown")
    assert refused(Says(SIGNED, gone), Says(ACTIVE)) == "token-key-unknown"


def test_a_token_is_bound_if_either_says_so() -> None:
    bound = {"cnf": {"jkt": "x"}}
    told = Verified(claims=bound, expires=None, until=60.0)
    assert both(Says(SIGNED), Says(told)).claims == {"sub": "alice", **bound}
    signed = Verified(claims=bound, expires=90.0, until=90.0)
    assert both(Says(signed), Says(ACTIVE)).claims == bound
    assert both(Says(signed), Says(told)).claims == bound
    other = Verified(claims={"cnf": {"jkt": "y"}}, expires=None, until=60.0)
    assert refused(Says(signed), Says(other)) == "cnf-contradictory"
