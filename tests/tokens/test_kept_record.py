"""What processes write down for each other about tokens."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.keep_rules import KeepRules, Span
from sso_proxy.tokens.kept_record import (
    SKEW,
    Kept,
    read_refusal,
    read_token,
    write_refusal,
    write_token,
)

NOW = 1_800_000_000.0
RULES = KeepRules()
TOKEN = Token(value="secret", token_type="N_A", kind="urn:saml2", expires=NOW + 500)
KEPT = Kept(token=TOKEN, made=NOW, span=Span(renew=NOW + 300, ends=NOW + 470))


def changed(**members: Any) -> bytes:  # noqa: ANN401
    return json.dumps(json.loads(write_token(KEPT)) | members).encode()


def test_what_was_written_is_read() -> None:
    assert read_token(write_token(KEPT), NOW, RULES) == KEPT


def test_a_token_is_over_at_its_end() -> None:
    assert read_token(write_token(KEPT), NOW + 469, RULES) is not None
    assert read_token(write_token(KEPT), NOW + 470, RULES) is None


@given(st.floats(-SKEW, 1e6))
def test_by_no_clock_it_lasts_longer_than_from_its_beginning(passed: float) -> None:
    now = NOW + passed
    kept = read_token(write_token(KEPT), now, RULES)
    assert kept is None or now < kept.span.ends <= min(now + 470.001, NOW + 470)


def test_one_from_the_future_is_none() -> None:
    """The clock was set back: nobody knows how old it is."""
    with pytest.raises(ValueError, match="still to come"):
        read_token(write_token(KEPT), NOW - SKEW - 1, RULES)


def test_whoever_may_keep_less_does() -> None:
    kept = read_token(write_token(KEPT), NOW, KeepRules(max_age=100))
    assert kept is not None
    assert kept.span == Span(renew=NOW + 100, ends=NOW + 100)


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"{",
        b"[]",
        b"\xff",
        b"null",
        changed(f=2),
        changed(value=1),
        changed(ends="late"),
        write_token(KEPT)[:-5],
    ],
)
def test_what_is_no_record_is_told(octets: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - of json, or ours
        read_token(octets, NOW, RULES)
    with pytest.raises(ValueError):  # noqa: PT011
        read_refusal(octets)


def test_members_of_later_releases_are_passed_over() -> None:
    assert read_token(changed(more=[1]), NOW, RULES) == KEPT


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_is_read(status: int) -> None:
    refusal = NotIssued(reason="token-refused", status=status, detail="access_denied")
    assert read_refusal(write_refusal(refusal, NOW)) == (refusal, NOW)


def test_only_refusals_are() -> None:
    trouble = NotIssued(reason="token-unusable", status=502)
    with pytest.raises(ValueError, match="not the record"):
        read_refusal(write_refusal(trouble, NOW))
