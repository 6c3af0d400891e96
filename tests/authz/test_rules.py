"""What rules come to: the same as a slow and simple reading of them."""

import math
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.authz.rules import NO_RULE, RulesPolicy
from sso_proxy.authz.rules_config import (
    MatchConfig,
    ObligationConfig,
    RuleConfig,
    RulesConfig,
)
from sso_proxy.errors import ConfigError
from sso_proxy.model import Decision, Effect, Identity, Request
from sso_proxy.testing.checks import check_policy, outcome_of
from sso_proxy.testing.fakes import (
    NOW,
    FakeTools,
    make_certificate,
    make_identity,
    make_request,
)

ALICE = make_identity(claims={"department": "sales", "acr": "silver"}, scopes=["a"])


def rule(effect: Any, name: str = "r", when: Any = (), **options: Any) -> RuleConfig:  # noqa: ANN401
    more = {
        key: options.pop(key)
        for key in ("acr_values", "max_age", "obligations")
        if key in options
    }
    match = MatchConfig(**options)
    return RuleConfig(name=name, effect=effect, match=match, when=when, **more)


def policy(*rules: RuleConfig, **options: Any) -> RulesPolicy:  # noqa: ANN401
    return RulesPolicy.from_config(RulesConfig(rule=rules, **options), FakeTools())


def decide(
    *rules: RuleConfig,
    request: Request | None = None,
    identity: Identity = ALICE,
    **options: Any,  # noqa: ANN401
) -> Decision:
    made = policy(*rules, **options)
    asked = request or make_request(path="/orders/17")
    decision: Decision = outcome_of(made.decide(identity, asked))
    assert decision == made.check(identity, asked)
    return decision


def test_nothing_that_matches_denies() -> None:
    assert decide(rule("permit", path="/other/")) == NO_RULE
    assert decide(rule("permit", when="scope:b")) == NO_RULE


def test_one_that_denies_overrides() -> None:
    found = decide(rule("permit", "a"), rule("deny", "b"), rule("permit", "c"))
    assert (found.effect, found.reasons) == (Effect.DENY, ("rule:b",))


def test_the_first_decides_if_that_is_wanted() -> None:
    rules = (rule("permit", "a"), rule("deny", "b"))
    assert decide(*rules, combine="first_applicable").effect is Effect.PERMIT
    assert decide(*rules[::-1], combine="first_applicable").effect is Effect.DENY


def test_another_login_overrides_those_that_permit_until_it_is_there() -> None:
    rules = (
        rule("permit", "a"),
        rule("step_up", "b", acr_values=("gold",), max_age=60),
    )
    found = decide(*rules)
    assert (found.effect, found.acr_values, found.max_age) == (
        Effect.STEP_UP,
        ("gold",),
        60,
    )
    gold = make_identity(claims={"acr": "gold", "auth_time": NOW - 59})
    assert decide(*rules, identity=gold).effect is Effect.PERMIT
    old = make_identity(claims={"acr": "gold", "auth_time": NOW - 61})
    assert decide(*rules, identity=old).effect is Effect.STEP_UP


def test_what_cannot_be_told_does_not_apply() -> None:
    """A rule that denies by a claim that nobody has denies nobody."""
    rules = (rule("permit", "a"), rule("deny", "b", "claims.blocked == true"))
    assert decide(*rules).effect is Effect.PERMIT


@pytest.mark.parametrize(
    ("options", "fits"),
    [
        ({"host": ("app.example.com",)}, True),
        ({"host": ("*.example.com",)}, True),
        ({"host": ("*",)}, True),
        ({"host": ("example.com", "*.app.example.com")}, False),
        ({"path": "/"}, True),
        ({"path": "/orders/"}, True),
        ({"path": "/orders/17/"}, True),
        ({"path": "/orders/17/more/"}, False),
        ({"path": "/order/"}, False),
        ({"path": "/{kind}/17/"}, True),
        ({"path": "/{kind}/18/"}, False),
        ({"method": ("GET", "HEAD")}, True),
        ({"method": ("POST",)}, False),
        ({"client": ("192.0.2.0/24",)}, True),
        ({"client": ("198.51.100.0/24", "2001:db8::/32")}, False),
        ({"hours": "mon-sun 00:00-24:00 UTC"}, True),
        ({"hours": "mon-sun 00:00-00:01 UTC"}, False),
        ({"tls_version": ("TLSv1.3",)}, True),
        ({"tls_version": ("TLSv1.2",)}, False),
        ({"certificate": "any"}, True),
        ({"certificate": "verified"}, False),
        ({"path": "/orders/{id}/", "when": "path.id == '17'"}, True),
        ({"when": ("scope:a", "claims.department == 'sales'")}, True),
        ({"when": ("scope:a", "claims.department == 'it'")}, False),
    ],
)
def test_a_rule_is_about_some_requests(options: dict[str, Any], *, fits: bool) -> None:
    shown = make_certificate(verified=False)
    request = make_request(path="/orders/17", certificate=shown)
    found = decide(rule("permit", **options), request=request)
    assert (found.effect is Effect.PERMIT) is fits


def test_paths_are_compared_as_routes_are() -> None:
    at = rule("permit", path="/@home/")
    request = make_request(path="/%40home/x")
    assert decide(at, request=request).effect is Effect.PERMIT


def test_all_that_permit_oblige_us() -> None:
    def logs(text: str) -> ObligationConfig:
        return ObligationConfig(do="log", message=text)

    found = decide(
        rule("permit", "a", obligations=(logs("a"),)),
        rule("permit", "b"),
        rule("permit", "c", obligations=(logs("c"),)),
    )
    assert found.obligations == (("log", {"message": "a"}), ("log", {"message": "c"}))
    assert found.reasons == ("rule:a",)


def test_no_client_sends_what_a_rule_sets() -> None:
    sets = ObligationConfig(do="set-header", name="X-Purpose", value="v")
    assert policy(rule("permit", obligations=(sets,))).sets == {"x-purpose"}


def test_an_answer_is_steady_until_a_rule_changes() -> None:
    made = policy(rule("permit", hours="mon-sun 00:00-24:00 UTC"))
    assert made.steady_for(ALICE, make_request(time=NOW)) == 57600.0
    assert policy(rule("permit")).steady_for(ALICE, make_request()) == math.inf


def test_a_rule_without_a_path_does_not_depend_on_it() -> None:
    assert not policy(rule("permit", host=("app.example.com",))).depends_on_request
    assert policy(rule("permit", path="/a/")).depends_on_request
    assert policy(rule("permit", method=("GET",))).depends_on_request


def test_rules_keep_the_contract_of_policies() -> None:
    check_policy(policy(rule("permit")), [(ALICE, make_request())])


def test_a_policy_without_rules_is_a_mistake() -> None:
    with pytest.raises(ConfigError):
        policy()


def test_every_mistake_is_said() -> None:
    with pytest.raises(ConfigError) as caught:
        policy(
            rule("permit", "a", ("scope:a", "nonsense(")),
            rule("deny", "b", "subject in groups.none"),
        )
    assert [m.path for m in caught.value.mistakes] == [
        "rule[0].when[1]",
        "rule[1].when",
    ]


def test_an_explanation_names_every_part() -> None:
    made = policy(
        rule("permit", "a", "scope:a", path="/orders/", host=("app.example.com",)),
        rule("deny", "b", "claims.none == 1", method=("GET",)),
        rule("step_up", "c", acr_values=("silver",), path="/other/"),
    )
    first, second, third = made.explain(ALICE, make_request(path="/orders/17"))
    assert (first.outcome, first.parts) == (
        "hit",
        (("host app.example.com", "hit"), ("path /orders/", "hit"), ("scope:a", "hit")),
    )
    assert (second.outcome, second.parts) == (
        "miss",
        (("method in [GET]", "hit"), ("claims.none == 1", "miss")),
    )
    assert (third.outcome, third.satisfied) == ("miss", "hit")


# A slow and simple reading

HOSTS = ("a.example", "b.example", "*.example", "*")
PATHS = ("/", "/x/", "/x/y/", "/{p}/", "/{p}/y/", "/x/{p}/")
WHENS = ("scope:a", "scope:b", "not scope:a", "claims.n == 1", "path like '/x/**'")
RULES = st.builds(
    lambda effect, host, path, when, acr: RuleConfig(
        name="r",
        effect=effect,
        match=MatchConfig(host=host, path=path),
        when=when,
        acr_values=acr if effect == "step_up" else (),
    ),
    effect=st.sampled_from(["permit", "deny", "step_up"]),
    host=st.lists(st.sampled_from(HOSTS), max_size=2).map(tuple),
    path=st.sampled_from(PATHS),
    when=st.lists(st.sampled_from(WHENS), max_size=2).map(tuple),
    acr=st.sampled_from([("gold",), ("silver", "gold")]),
)


def naive(rules: list[RuleConfig], first: bool, who: Identity, what: Request) -> Effect:  # noqa: FBT001
    """Read the rules word for word, one after another, all of them."""
    found = []
    for each in rules:
        host, path = what.head.host, what.head.path
        hosts = each.match.host
        below = "*." + host.split(".", 1)[1]
        if hosts and not {host, below, "*"} & set(hosts):
            continue
        wanted = [part for part in each.match.path.split("/") if part]
        given = [part for part in path.split("/") if part]
        if len(given) < len(wanted):
            continue
        if any(w not in {g, "{p}"} for w, g in zip(wanted, given, strict=False)):
            continue
        truths = {
            "scope:a": "a" in who.scopes,
            "scope:b": "b" in who.scopes,
            "not scope:a": "a" not in who.scopes,
            "claims.n == 1": who.claims.get("n") == 1,
            "path like '/x/**'": path.startswith("/x/"),
        }
        if not all(truths[text] for text in each.when):
            continue
        if each.effect == "step_up" and who.claims.get("acr") in each.acr_values:
            continue
        found.append(each.effect)
    effects = {"permit": Effect.PERMIT, "deny": Effect.DENY, "step_up": Effect.STEP_UP}
    if not found:
        return Effect.DENY
    if first:
        return effects[found[0]]
    return next(effects[e] for e in ("deny", "step_up", "permit") if e in found)


@given(
    rules=st.lists(RULES, min_size=1, max_size=6),
    first=st.booleans(),
    scopes=st.frozensets(st.sampled_from("ab")),
    claims=st.fixed_dictionaries(
        {}, optional={"n": st.integers(0, 1), "acr": st.sampled_from(["gold", "x"])}
    ),
    host=st.sampled_from(["a.example", "b.example", "c.example", "x.a.example"]),
    path=st.sampled_from(["/", "/x", "/x/", "/x/y", "/z/y", "/x/y/z"]),
)
def test_compiled_rules_agree_with_a_naive_reading(  # noqa: PLR0913, PLR0917
    rules: list[RuleConfig],
    first: bool,  # noqa: FBT001
    scopes: frozenset[str],
    claims: dict[str, Any],
    host: str,
    path: str,
) -> None:
    named = [attrs.evolve(each, name=f"r{number}") for number, each in enumerate(rules)]
    combine: Any = "first_applicable" if first else "deny_overrides"
    made = policy(*named, combine=combine)
    who = make_identity(scopes=scopes, claims=claims)
    what = make_request(host=host, path=path)
    assert made.check(who, what).effect is naive(rules, first, who, what)


def test_rules_of_a_hundred_are_found_by_host_and_path(tmp_path: Path) -> None:
    text = "\n".join(
        f"[[rule]]\nname = 'r{n}'\neffect = 'permit'\nmatch = {{path = '/p{n}/'}}"
        for n in range(100)
    )
    file = tmp_path / "rules.toml"
    file.write_text(text)
    made = policy(files=(str(file),))
    found = made._index.find("app.example.com", "/p7/x")  # noqa: SLF001
    assert [each.name for each in found.rules] == ["r7"]
