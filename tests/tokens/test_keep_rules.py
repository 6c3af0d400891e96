"""For how long a token is kept."""

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.token import Token
from sso_proxy.tokens.keep_rules import KeepRules, span_of

NOW = 1_800_000_000.0
RULES = KeepRules()

seconds = st.floats(-1e6, 1e8) | st.floats(0, 100)
moments = st.none() | seconds.map(lambda after: NOW + after)
rules = st.builds(
    KeepRules,
    max_age=st.floats(1, 1e7),
    unsaid=st.floats(0, 1e7),
    margin=st.floats(0, 3600),
)


def token(expires: float | None) -> Token:
    return Token(value="secret", expires=expires)


@given(expires=moments, until=moments, rules=rules)
def test_nothing_is_used_for_longer_than_anything_allows(
    expires: float | None, until: float | None, rules: KeepRules
) -> None:
    span = span_of(token(expires), until, NOW, rules)
    said = [end for end in (expires, until) if end is not None]
    if span is None:
        shortest = min([*said, NOW + rules.max_age, NOW + rules.unsaid])
        assert shortest <= NOW + 1e-6
        return
    assert NOW < span.renew <= span.ends
    assert all(span.ends <= end for end in said)
    assert span.ends <= NOW + rules.max_age
    if expires is None:
        assert span.ends <= NOW + rules.unsaid


@given(lasts=st.floats(0.001, 1e8), rules=rules)
def test_the_margin_is_never_more_than_a_tenth(lasts: float, rules: KeepRules) -> None:
    """A short lifetime is used, not thrown away."""
    span = span_of(token(NOW + lasts), None, NOW, rules)
    assert span is not None
    left = min(lasts, rules.max_age)
    assert span.ends - NOW >= left * 0.9 - 1e-6
    assert span.ends - NOW >= left - rules.margin - 1e-6


def test_a_token_of_ten_seconds_is_used_for_nine() -> None:
    span = span_of(token(NOW + 10), None, NOW, RULES)
    assert span is not None
    assert span.ends - NOW == pytest.approx(9)
    assert span.renew - NOW == pytest.approx(6.75)


def test_the_margin_is_kept_from_the_end_of_a_long_one() -> None:
    span = span_of(token(NOW + 1000), None, NOW, RULES)
    assert span is not None
    assert span.ends - NOW == pytest.approx(970)


def test_nothing_is_renewed_that_would_not_last_longer() -> None:
    """What it is made from ends: so does whatever is made of it later."""
    span = span_of(token(NOW + 1000), NOW + 500, NOW, RULES)
    assert span is not None
    assert span.renew == span.ends == NOW + 470


@pytest.mark.parametrize("left", [0, -1, float("-inf")])
def test_what_is_over_is_not_kept(left: float) -> None:
    assert span_of(token(NOW + 1000), NOW + left, NOW, RULES) is None
    assert span_of(token(NOW + left), None, NOW, RULES) is None


def test_what_nobody_knows_the_end_of_is_kept_for_as_long_as_the_operator_says() -> (
    None
):
    unsaid = attrs.evolve(RULES, unsaid=100.0)
    span = span_of(token(None), None, NOW, unsaid)
    assert span is not None
    assert span.ends - NOW == pytest.approx(90)
    assert span_of(token(None), None, NOW, attrs.evolve(RULES, unsaid=0.0)) is None
