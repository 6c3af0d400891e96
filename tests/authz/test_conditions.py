"""Tests for `sso_proxy.authz.conditions`."""

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
from sso_proxy.testing.fakes import make_identity, make_request

REQUEST = make_request()


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


@given(TEXTS, st.dictionaries(st.sampled_from("abc"), JSON, max_size=3))
def test_a_condition_and_its_opposite_never_both_hold(
    text: str, claims: dict[str, Any]
) -> None:
    """Neither do they raise, whatever the claims are."""
    assert not (holds(text, claims) and holds(f"not ({text})", claims))
