"""What is not given may be anything; what follows from that is exact."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.compiling import compile_tree
from sso_proxy.authz.facts import NOTHING
from sso_proxy.authz.possible import facts_of, find_answers, outcome_of
from sso_proxy.model import Identity, Request
from sso_proxy.specs.expression import parse
from sso_proxy.testing.fakes import make_identity, make_request

ALICE = make_identity(claims={"a": 1}, scopes=("s",))
REQUEST = make_request(path="/x")


def outcome(text: str, *missing: str) -> str:
    node = parse(text)
    return outcome_of(find_answers(node, NOTHING, ALICE, REQUEST, frozenset(missing)))


@pytest.mark.parametrize(
    ("text", "facts"),
    [
        ("scope:s", {"scopes"}),
        ("claims.a == 1", {"claims"}),
        ("id_token.a == 1", {"id_token"}),
        ("acr == 'gold'", {"claims", "acr"}),
        ("auth_age <= 60", {"claims", "time"}),
        ("exists certificate.subject", {"certificate.subject", "certificate"}),
        ("tls.version == 'TLSv1.3'", {"tls.version", "tls"}),
        ("now in 'mon-fri 08:00-18:00 UTC'", {"time"}),
        ("method == 'GET'", {"method"}),
    ],
)
def test_conditions_name_what_they_look_at(text: str, facts: set[str]) -> None:
    assert facts_of(parse(text)) >= facts - {"acr"}


def test_what_is_known_is_hit_or_miss() -> None:
    assert outcome("claims.a == 1", "client") == "hit"
    assert outcome("claims.a == 2", "client") == "miss"
    assert outcome("claims.b == 2", "client") == "miss"
    assert outcome("not claims.b == 2", "client") == "miss"


def test_what_looks_at_something_not_given_may_hold() -> None:
    assert outcome("client in ['10.0.0.0/8']", "client") == "may"
    assert outcome("not client in ['10.0.0.0/8']", "client") == "may"
    assert outcome("acr == 'gold'", "claims") == "may"


def test_the_known_part_may_settle_it() -> None:
    assert outcome("client in ['10.0.0.0/8'] and claims.a == 2", "client") == "miss"
    assert outcome("client in ['10.0.0.0/8'] or claims.a == 1", "client") == "hit"
    assert outcome("client in ['10.0.0.0/8'] and claims.a == 1", "client") == "may"
    assert outcome("client in ['10.0.0.0/8'] and claims.b == 1", "client") == "miss"


LEAVES = ["scope:s", "scope:t", "claims.a == 1", "claims.b == 1", "not claims.a == 2"]
TEXTS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: "(" + " and ".join(parts) + ")"
        ),
        st.lists(inner, min_size=2, max_size=3).map(
            lambda parts: "(" + " or ".join(parts) + ")"
        ),
        inner.map(lambda part: f"not ({part})"),
    ),
    max_leaves=6,
)


def answers(text: str, who: Identity, what: Request) -> bool | None:
    return compile_tree(parse(text), NOTHING)(who, what)


@given(text=TEXTS)
def test_no_possible_answer_is_left_out(text: str) -> None:
    """Whatever scopes a caller turns out to have, the answer was among those told."""
    node, missing = parse(text), frozenset({"scopes"})
    told = find_answers(node, NOTHING, make_identity(claims={"a": 1}), REQUEST, missing)
    for count in range(3):
        for scopes in itertools.combinations(("s", "t"), count):
            who = make_identity(claims={"a": 1}, scopes=scopes)
            assert answers(text, who, REQUEST) in told


@given(text=TEXTS)
def test_with_everything_given_it_is_what_the_running_code_says(text: str) -> None:
    told = find_answers(parse(text), NOTHING, ALICE, REQUEST, frozenset({"client"}))
    assert told == {answers(text, ALICE, REQUEST)}
