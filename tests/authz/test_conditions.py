"""Tests for `sso_proxy.authz.conditions`."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.conditions import (
    Condition,
    compile_condition,
    compile_requirements,
)
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.model import PERMIT, Decision, Effect
from sso_proxy.testing.checks import check_policy, outcome_of
from sso_proxy.testing.fakes import NOW, make_identity, make_request

REQUEST = make_request()
AT_NOW = make_request(time=NOW)


def condition(text: str) -> Condition:
    return compile_condition(text, "route[0].require[0]")


def holds(text: str, claims: dict[str, Any] | None = None, scopes: str = "") -> bool:
    identity = make_identity(claims=claims, scopes=scopes.split())
    return condition(text).holds(identity, REQUEST)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("claims.a == 'x'", {"a": "x"}),
        ("claims.a != 'x'", {"a": "y"}),
        ("claims.a == 1", {"a": 1}),
        ("claims.a == 1", {"a": 1.0}),
        ("claims.a == true", {"a": True}),
        ("claims.a != true", {"a": False}),
        ("claims.a.b == 'x'", {"a": {"b": "x"}}),
        ("claims.a in ['x', 'y']", {"a": "y"}),
        ("claims.a not in ['x', 'y']", {"a": "z"}),
        ("claims.a contains 'x'", {"a": ["w", "x"]}),
        ("claims.a contains 1", {"a": ["1", 1]}),
        ("claims.a not contains 'x'", {"a": ["w"]}),
        ("claims.a not contains 'x'", {"a": []}),
        ("exists claims.a", {"a": False}),
        ("not exists claims.a", {"a": None}),
        ("not exists claims.a.b", {"a": "x"}),
        ("any(claims.a == 'x', claims.b == 'y')", {"b": "y"}),
        ("claims.a == 'x' or claims.b == 'y'", {"a": "x"}),
        ("all(claims.a == 'x', claims.b == 'y')", {"a": "x", "b": "y"}),
        ("not (claims.a == 'x' and claims.b == 'y')", {"a": "w"}),
    ],
)
def test_a_condition_that_is_true_holds(text: str, claims: dict[str, Any]) -> None:
    assert holds(text, claims)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("claims.a == 'x'", {"a": "X"}),
        ("claims.a == 'x'", {"a": "x "}),
        ("claims.a == 'x'", {"a": ["x"]}),
        ("claims.a == '1'", {"a": 1}),
        ("claims.a == 1", {"a": True}),
        ("claims.a == 1", {"a": "1"}),
        ("claims.a == true", {"a": 1}),
        ("claims.a == true", {"a": "true"}),
        ("claims.a in [1, 2]", {"a": True}),
        ("claims.a in ['x']", {"a": ["x"]}),
        ("claims.a contains 'x'", {"a": "x y"}),
        ("claims.a contains 'x'", {"a": {"x": 1}}),
        ("claims.a contains 1", {"a": [True, "1", [1]]}),
        ("claims.a.b == 'x'", {"a.b": "x"}),
        ("exists claims.a", {}),
        ("exists claims.a", {"a": None}),
        ("any(claims.a == 'x', claims.b == 'y')", {}),
        ("all(claims.a == 'x', claims.b == 'y')", {"a": "x"}),
    ],
)
def test_a_condition_that_is_not_true_does_not_hold(
    text: str, claims: dict[str, Any]
) -> None:
    assert not holds(text, claims)


@pytest.mark.parametrize(
    "text",
    [
        "claims.a != 'x'",
        "not claims.a == 'x'",
        "claims.a not in ['x']",
        "claims.a not contains 'x'",
        "not (claims.a == 'x' or claims.a == 'y')",
        "not (exists claims.b and claims.a == 'x')",
        "not all(claims.a == 'x')",
        "not any(claims.a == 'x')",
        "not not claims.a != 'x'",
    ],
)
@pytest.mark.parametrize(
    "claims", [{"b": 1}, {"b": 1, "a": None}, {"b": 1, "a": 5}, {"b": 1, "a": {"x": 1}}]
)
def test_what_cannot_be_told_is_not_true_and_its_opposite_neither(
    text: str, claims: dict[str, Any]
) -> None:
    """An issuer that leaves a claim out does not get anybody in."""
    assert not holds(text, claims)


def test_a_scope_is_one_of_the_tokens() -> None:
    assert holds("scope:orders.read", scopes="a orders.read")
    assert not holds("scope:orders.read", scopes="orders orders.readwrite Orders.Read")
    assert not holds("scope:orders.read", {"scope": "orders.read"})


def test_the_method_is_compared_as_it_is() -> None:
    reads = condition("method in [GET, HEAD]")
    assert reads.holds(make_identity(), make_request("HEAD"))
    assert not reads.holds(make_identity(), make_request("POST"))
    assert not reads.holds(make_identity(), make_request("get"))


@pytest.mark.parametrize(
    "text",
    [
        "subject == 'alice'",
        "issuer == 'https://login.example.com'",
        "authenticator in ['fake', 'other']",
        "subject != 'bob'",
    ],
)
def test_facts_of_the_identity_are_compared(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    ("text", "depends"),
    [
        ("scope:a", False),
        ("claims.method == 'GET'", False),
        ("method == GET", True),
        ("scope:a and not (claims.b == 1 or method != GET)", True),
    ],
)
def test_a_condition_knows_whether_it_depends_on_the_request(
    text: str, *, depends: bool
) -> None:
    assert condition(text).depends_on_request is depends
    assert compile_requirements(["scope:z", text], "r").depends_on_request is depends


def test_a_condition_asks_for_the_logins_that_it_wants() -> None:
    found = condition(
        "any(acr in ['a', 'b'], not acr != 'c', acr != 'd', auth_age <= 60,"
        " not (auth_age <= 30 or acr == 'e'), claims.x in ['f'])"
    )
    assert found.acr_values == ("a", "b", "c")
    assert found.ages == (60,)
    assert len(found.clocks) == 2


def test_a_condition_asks_for_the_scopes_that_it_wants() -> None:
    text = "scope:a and not scope:b and any(not (not scope:c), scope:a)"
    assert condition(text).scopes == ("a", "c")


def test_a_mistake_names_its_place_and_column() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_condition("claims.a = 'x'", "route[3].require[1]")
    (mistake,) = caught.value.mistakes
    assert mistake.path == "route[3].require[1]"
    assert mistake.problem.startswith("column 10 of \"claims.a = 'x'\": cannot read")


def test_all_mistakes_are_found_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        compile_requirements(["(", "scope:a", "x"], "route[0].require")
    assert [m.path for m in caught.value.mistakes] == [
        "route[0].require[0]",
        "route[0].require[2]",
    ]
    assert all(isinstance(m, Mistake) for m in caught.value.mistakes)


def decide(
    texts: list[str], scopes: str = "", claims: dict[str, Any] | None = None
) -> Decision:
    identity = make_identity(scopes=scopes.split(), claims=claims)
    return compile_requirements(texts, "r").check(identity, REQUEST)


def test_without_conditions_everybody_may() -> None:
    assert decide([]) == PERMIT


def test_all_conditions_must_hold() -> None:
    texts = ["scope:a", "claims.x == 1"]
    assert decide(texts, "a", {"x": 1}) == PERMIT
    assert decide(texts, "a").effect is Effect.DENY
    assert decide(texts, "", {"x": 1}).effect is Effect.DENY


def test_the_first_condition_that_does_not_hold_is_the_reason() -> None:
    assert decide(["scope:a", "claims.x == 1", "scope:b"], "a").reasons == (
        "require[1]",
    )


def test_the_scopes_that_are_enough_are_told() -> None:
    """RFC 6750 section 3: those that the resource needs, held ones too."""
    assert decide(["scope:a", "scope:b", "claims.x == 1"], "a", {"x": 1}).scope == (
        "a",
        "b",
    )


def test_of_alternatives_the_first_is_enough() -> None:
    assert decide(["any(scope:a, scope:b)"]).scope == ("a",)


def test_no_scopes_are_told_if_they_would_not_be_enough() -> None:
    """A client must not be sent for a token that would be refused again."""
    assert decide(["scope:a", "claims.x == 1"]).scope == ()
    assert decide(["not scope:a"], "a").scope == ()


AN_HOUR_AGO = {"auth_time": NOW - 3600}


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("acr == 'gold'", {"acr": "gold"}),
        ("acr in ['silver', 'gold']", {"acr": "gold"}),
        ("acr != 'gold'", {"acr": "silver"}),
        ("auth_age <= 3600", AN_HOUR_AGO),
        ("auth_age <= 0", {"auth_time": NOW}),
        ("auth_age <= 0", {"auth_time": NOW + 60}),
        ("not auth_age <= 3599", AN_HOUR_AGO),
    ],
)
def test_a_login_that_is_asked_for_holds(text: str, claims: dict[str, Any]) -> None:
    assert holds(text, claims)


@pytest.mark.parametrize(
    ("text", "claims"),
    [
        ("acr == 'gold'", {"acr": "Gold"}),
        ("acr == 'gold'", {"acr": ["gold"]}),
        ("acr == 'gold'", {}),
        ("acr != 'gold'", {}),
        ("auth_age <= 3599", AN_HOUR_AGO),
    ],
)
def test_another_login_does_not(text: str, claims: dict[str, Any]) -> None:
    assert not holds(text, claims)


@pytest.mark.parametrize(
    "auth_time",
    [None, "1800000000", True, [1], 1e300, -1e300, float("inf"), NOW + 61],
    ids=repr,
)
def test_when_the_user_logged_in_cannot_be_told(auth_time: object) -> None:
    """Neither condition nor opposite holds, whatever stands in place of a time."""
    claims = {"auth_time": auth_time}
    assert not holds("auth_age <= 300", claims)
    assert not holds("not auth_age <= 300", claims)


def test_without_a_time_of_the_request_no_age_holds() -> None:
    within = condition("auth_age <= 300")
    assert not within.holds(make_identity(claims=AN_HOUR_AGO), make_request(time=None))


def test_contexts_that_are_enough_are_told() -> None:
    """RFC 9470 section 3: in order of preference."""
    decision = decide(["acr in ['gold', 'silver']"], claims={"acr": "bronze"})
    assert decision.effect is Effect.STEP_UP
    assert decision.reasons == ("require[0]",)
    assert decision.acr_values == ("gold", "silver")
    assert decision.max_age is None
    assert decision.scope == ()


def test_an_age_that_is_enough_is_told() -> None:
    decision = decide(["auth_age <= 300"], claims=AN_HOUR_AGO)
    assert decision.effect is Effect.STEP_UP
    assert (decision.acr_values, decision.max_age) == ((), 300)


def test_context_and_age_are_told_together() -> None:
    decision = decide(["acr == 'gold'", "auth_age <= 300"], claims=AN_HOUR_AGO)
    assert decision.effect is Effect.STEP_UP
    assert (decision.acr_values, decision.max_age) == (("gold",), 300)


def test_only_what_is_missing_is_told() -> None:
    texts = ["acr == 'gold'", "auth_age <= 7200"]
    assert decide(texts, claims=AN_HOUR_AGO).max_age is None
    texts = ["acr == 'gold'", "auth_age <= 300"]
    assert decide(texts, claims={**AN_HOUR_AGO, "acr": "gold"}).acr_values == ()


def test_of_alternative_logins_the_lesser_is_enough() -> None:
    texts = ["any(auth_age <= 60, auth_age <= 300)"]
    assert decide(texts, claims=AN_HOUR_AGO).max_age == 300
    texts = ["auth_age <= 60", "auth_age <= 300"]
    assert decide(texts, claims=AN_HOUR_AGO).max_age == 60
    texts = ["any(acr == 'gold', auth_age <= 60)"]
    assert decide(texts, claims=AN_HOUR_AGO).acr_values == ("gold",)


def test_no_login_is_asked_for_that_would_not_be_enough() -> None:
    """A user must not log in again to be refused again."""
    assert decide(["acr == 'gold'", "claims.x == 1"]).effect is Effect.DENY
    assert decide(["acr != 'gold'"], claims={"acr": "gold"}).effect is Effect.DENY
    assert decide(["not auth_age <= 300"], claims={"auth_time": NOW}).effect is (
        Effect.DENY
    )
    assert decide(["acr == 'gold'", "not scope:a"], "a").effect is Effect.DENY
    assert decide(["claims.acr == 'gold'"]).effect is Effect.DENY


def test_scopes_that_are_missing_too_are_told_with_the_login() -> None:
    """RFC 9470 section 3: the challenge may have the scopes."""
    decision = decide(["acr == 'gold'", "scope:a", "any(scope:b, scope:c)"], "x")
    assert decision.effect is Effect.STEP_UP
    assert decision.acr_values == ("gold",)
    assert decision.scope == ("a", "b")


def test_if_scopes_are_enough_no_login_is_asked_for() -> None:
    decision = decide(["any(acr == 'gold', scope:a)"])
    assert decision.effect is Effect.DENY
    assert decision.scope == ("a",)


def test_an_answer_is_steady_until_a_limit_passes() -> None:
    requirements = compile_requirements(
        ["any(auth_age <= 300, not auth_age <= 600, scope:a)"], "r"
    )
    assert requirements.depends_on_time

    def steady(age: float) -> float:
        identity = make_identity(claims={"auth_time": NOW - age})
        return requirements.steady_for(identity, AT_NOW)

    assert steady(0) == 300
    assert steady(299.5) == 0.5
    assert steady(300) == 0
    assert steady(400) == 200
    assert steady(601) == math.inf
    assert requirements.steady_for(make_identity(), AT_NOW) == math.inf
    assert not compile_requirements(["acr == 'a'"], "r").depends_on_time


@given(age=st.integers(0, 1000), later=st.integers(0, 1000))
def test_until_then_it_is_the_same(age: int, later: int) -> None:
    requirements = compile_requirements(["auth_age <= 300 or not auth_age <= 600"], "r")
    identity = make_identity(claims={"auth_time": NOW - age})
    if later <= requirements.steady_for(identity, AT_NOW):
        now, then = (
            requirements.check(identity, make_request(time=NOW + seconds)).effect
            for seconds in (0, later)
        )
        assert now is then or now is not Effect.PERMIT


def test_decide_is_check() -> None:
    requirements = compile_requirements(["scope:a"], "r")
    identity = make_identity()
    assert outcome_of(requirements.decide(identity, REQUEST)) == requirements.check(
        identity, REQUEST
    )


def test_it_keeps_the_contract_of_policies() -> None:
    check_policy(compile_requirements([], "r"))
    texts = [
        "any(scope:a, claims.email == 'a', claims.groups contains 'staff')",
        "not claims.name in ['x'] or exists claims.sub or method == GET",
    ]
    check_policy(compile_requirements(texts, "r"), [(make_identity(), REQUEST)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from("abc"), inner, max_size=3)
    ),
    max_leaves=6,
)
LEAVES = st.sampled_from(
    [
        "claims.a == ''",
        "claims.a.b == 1",
        "claims.a in [true]",
        "claims.a contains 0",
        "exists claims.b.c",
        "scope:x",
        "method != GET",
        "acr in ['a', 'b']",
        "auth_age <= 300",
    ]
)
TEXTS = st.recursive(
    LEAVES,
    lambda inner: (
        inner.map("not ({})".format)
        | st.tuples(inner, inner).map("any({0[0]}, {0[1]})".format)
        | st.tuples(inner, inner).map("({0[0]} and {0[1]})".format)
    ),
    max_leaves=6,
)


@given(
    TEXTS,
    st.dictionaries(st.sampled_from(["a", "b", "acr", "auth_time"]), JSON, max_size=4),
)
def test_a_condition_and_its_opposite_never_both_hold(
    text: str, claims: dict[str, Any]
) -> None:
    """Neither do they raise, whatever the claims are."""
    assert not (holds(text, claims) and holds(f"not ({text})", claims))
