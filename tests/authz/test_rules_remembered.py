"""What rules remember of callers never makes them say something else."""

import gc
from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.authz import rules as rules_module
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import (
    MatchConfig,
    ObligationConfig,
    RuleConfig,
    RulesConfig,
)
from sso_proxy.model import Decision, Effect, Identity, Request
from sso_proxy.testing.fakes import (
    NOW,
    FakeTools,
    make_certificate,
    make_identity,
    make_request,
)

GROUPS = {"admins": ("alice",), "clients": ("192.0.2.1",)}
LOG = ObligationConfig(do="log", message="seen")


def policy(*rules: RuleConfig, first: bool = False) -> RulesPolicy:
    combine: Any = "first_applicable" if first else "deny_overrides"
    config = RulesConfig(rule=rules, groups=GROUPS, combine=combine)
    return RulesPolicy.from_config(config, FakeTools())


def knows(made: RulesPolicy, identity: Identity, request: Request) -> bool:
    """Ask without anything that a request has besides."""
    head = request.head
    return made.is_known_to_permit(identity, head.method, head.host, head.path)


SIMPLE = st.sampled_from(
    [
        "scope:a",
        "method == GET",
        "method in [POST, PUT]",
        "claims.a == 'x'",
        "claims.a != 'x'",
        "exists claims.b",
        "claims.until > now",
        "auth_age <= 60",
        "now in 'mon-sun 08:00-18:00 UTC'",
        "subject in groups.admins",
        "client in groups.clients",
        "client in ['192.0.2.0/24']",
        "path.id == '1'",
        "path like '/orders/*'",
        "host == 'app.example.com'",
        "bindings contains 'dpop'",
        "certificate.verified == true",
        "tls.version == 'TLSv1.3'",
        "acr == 'gold'",
    ]
)
CONDITIONS = st.recursive(
    SIMPLE,
    lambda below: st.one_of(
        below.map(lambda text: f"not ({text})"),
        st.lists(below, min_size=2, max_size=3).map(" and ".join),
        st.lists(below, min_size=2, max_size=3).map(" or ".join),
    ).map(lambda text: f"({text})"),
    max_leaves=4,
)


def _rule(effect: Any, whens: Any, match: MatchConfig, **more: Any) -> RuleConfig:  # noqa: ANN401
    return RuleConfig(name="r", effect=effect, match=match, when=whens, **more)


MATCHES = st.builds(
    MatchConfig,
    host=st.sampled_from([(), ("app.example.com",), ("*.example.com",)]),
    path=st.sampled_from(["/{id}/", "/orders/{id}/", "/{id}/1/"]),
    method=st.sampled_from([(), ("GET",), ("POST", "PUT")]),
    hours=st.sampled_from([None, None, "mon-fri 08:00-18:00 UTC"]),
    certificate=st.sampled_from([None, None, "verified"]),
)
WHENS = st.lists(CONDITIONS, max_size=2).map(tuple)
RULES = st.one_of(
    st.builds(_rule, st.just("permit"), WHENS, MATCHES),
    st.builds(_rule, st.just("permit"), WHENS, MATCHES, obligations=st.just((LOG,))),
    st.builds(_rule, st.just("deny"), WHENS, MATCHES),
    st.builds(
        _rule,
        st.just("step_up"),
        WHENS,
        MATCHES,
        acr_values=st.sampled_from([(), ("gold",)]),
        max_age=st.just(60),
    ),
    st.builds(_rule, st.just("step_up"), WHENS, MATCHES, acr_values=st.just(("gold",))),
)
IDENTITIES = st.builds(
    make_identity,
    st.sampled_from(["alice", "bob"]),
    scopes=st.frozensets(st.just("a")),
    claims=st.fixed_dictionaries(
        {},
        optional={
            "a": st.sampled_from(["x", "y"]),
            "b": st.just(1),
            "acr": st.sampled_from(["gold", "silver"]),
            "auth_time": st.sampled_from([NOW - 30, NOW - 90]),
            "until": st.sampled_from([NOW - 1, NOW + 50]),
        },
    ),
)
REQUESTS = st.builds(
    lambda bindings, **given: attrs.evolve(make_request(**given), bindings=bindings),
    bindings=st.sampled_from([(), ("dpop",)]),
    method=st.sampled_from(["GET", "POST", "PUT"]),
    path=st.sampled_from(["/orders/1", "/orders/2", "/else/1"]),
    host=st.sampled_from(["app.example.com", "www.example.com", "other"]),
    client=st.sampled_from(["192.0.2.1", "192.0.2.2", "2001:db8::1"]),
    time=st.sampled_from([None, NOW, NOW + 40, NOW + 12 * 3600, NOW + 3 * 86400]),
    certificate=st.sampled_from([None, make_certificate(), make_certificate("x")]),
)


def alike(request: Request) -> list[Request]:
    """Give it, and others that differ in one thing."""
    head, tls = request.head, request.tls
    return [
        request,
        attrs.evolve(request, time=NOW + 40),
        attrs.evolve(request, time=NOW + 14 * 3600),
        attrs.evolve(request, client=attrs.evolve(request.client, address="::1")),
        attrs.evolve(request, bindings=("dpop",)),
        attrs.evolve(request, tls=tls and attrs.evolve(tls, certificate=None)),
        attrs.evolve(request, head=attrs.evolve(head, path="/orders/2")),
        attrs.evolve(request, head=attrs.evolve(head, host="www.example.com")),
        attrs.evolve(request, head=attrs.evolve(head, method="GET")),
        request,
    ]


@settings(max_examples=60)
@given(
    rules=st.lists(RULES, min_size=1, max_size=6),
    first=st.booleans(),
    callers=st.lists(IDENTITIES, min_size=1, max_size=4),
    asked=st.lists(st.tuples(st.integers(0, 3), REQUESTS), max_size=4),
)
def test_who_has_been_here_hears_what_a_stranger_hears(
    rules: list[RuleConfig],
    first: bool,  # noqa: FBT001
    callers: list[Identity],
    asked: list[tuple[int, Request]],
) -> None:
    """A policy that has seen nobody says the same, in whatever order they come."""
    named = [attrs.evolve(r, name=f"r{n}") for n, r in enumerate(rules)]
    kept = policy(*named, first=first)
    each = [(callers[n % len(callers)], like) for n, r in asked for like in alike(r)]
    for identity, request in each:
        fresh = RulesPolicy(kept.rules, first=first)
        wanted = fresh.check(identity, request)
        if knows(kept, identity, request):
            assert (wanted.effect, wanted.obligations) == (Effect.PERMIT, ())
        assert kept.check(identity, request) == wanted
        assert kept.check(identity, request) == wanted
        traces = kept.explain(identity, request)
        assert wanted.effect in kept.effects(traces)


LATER = make_request(time=NOW + 60)


@pytest.mark.parametrize(
    ("options", "other"),
    [
        ({"when": "claims.until > now"}, LATER),
        ({"when": "not (claims.until <= now)"}, LATER),
        ({"when": "claims.a == 'x' and claims.until > now"}, LATER),
        ({"when": "auth_age <= 60"}, LATER),
        ({"match": MatchConfig(hours="mon-sun 08:00-08:01 UTC")}, LATER),
        ({"when": "client == '192.0.2.1'"}, make_request(client="192.0.2.2")),
        ({"match": MatchConfig(client=("192.0.2.1",))}, make_request(client="::1")),
        ({"match": MatchConfig(tls_version=("TLSv1.3",))}, make_request(tls=False)),
        ({"when": "host == 'app.example.com'"}, make_request(host="b.example")),
        ({"when": "path == '/'"}, make_request(path="/b")),
        ({"match": MatchConfig(method=("GET",))}, make_request("POST")),
        ({"match": MatchConfig(host=("app.example.com",))}, make_request(host="b")),
    ],
)
def test_what_permitted_once_denies_once_it_is_over(
    options: dict[str, Any], other: Request
) -> None:
    claims = {"a": "x", "until": NOW + 50, "auth_time": NOW - 30}
    alice = make_identity(claims=claims)
    made = policy(RuleConfig(name="r", effect="permit", **options))
    for request, effect in ((make_request(), Effect.PERMIT), (other, Effect.DENY)) * 2:
        assert made.check(alice, request).effect is effect
        assert made.check(alice, request).effect is effect


def test_a_login_that_was_new_enough_is_not_so_for_ever() -> None:
    made = policy(
        RuleConfig(name="r", effect="permit"),
        RuleConfig(name="s", effect="step_up", max_age=60),
    )
    alice = make_identity(claims={"auth_time": NOW - 30})
    assert made.check(alice, make_request()).effect is Effect.PERMIT
    assert not knows(made, alice, make_request())
    assert made.check(alice, LATER).effect is Effect.STEP_UP


def test_a_rule_about_the_caller_is_read_once_for_each() -> None:
    made = policy(RuleConfig(name="r", effect="permit", when="claims.a == 'x'"))
    looked: list[str] = []

    class Watched(dict[str, Any]):
        def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401
            looked.append(key)
            return super().get(key, default)

    alice = attrs.evolve(make_identity(), claims=Watched(a="x"))
    for path in ("/a", "/b", "/a"):
        assert made.check(alice, make_request(path=path)).effect is Effect.PERMIT
    assert looked == ["a"]
    bob = attrs.evolve(make_identity("bob"), claims=Watched(a="y"))
    assert made.check(bob, make_request(path="/a")).effect is Effect.DENY


def test_an_equal_caller_is_another_one() -> None:
    """Only the very same value cannot have become another: its claims may be a dict."""
    made = policy(RuleConfig(name="r", effect="permit", when="claims.a == 'x'"))
    claims = {"a": "x"}
    alice = make_identity(claims=claims)
    assert made.check(alice, make_request()).effect is Effect.PERMIT
    again = attrs.evolve(alice, claims={"a": "y"})
    assert made.check(again, make_request()).effect is Effect.DENY


def test_who_is_forgotten_elsewhere_is_not_kept_here() -> None:
    """What was in one place in memory is not what somebody else is there later."""
    made = policy(RuleConfig(name="r", effect="permit", when="subject == 'alice'"))
    for number in range(200):
        somebody = make_identity("alice" if number % 2 else "bob")
        wanted = Effect.PERMIT if number % 2 else Effect.DENY
        assert not knows(made, somebody, make_request())
        assert made.check(somebody, make_request()).effect is wanted
        assert knows(made, somebody, make_request()) is (wanted is Effect.PERMIT)
        del somebody
    gc.collect()
    living = [known() for known, _ in made._known.values()]  # noqa: SLF001
    assert not any(living)


def test_each_configuration_has_a_memory_of_its_own() -> None:
    """A reload makes new rules, of new groups."""
    rule = RuleConfig(name="r", effect="permit", when="subject in groups.g")
    alice, request = make_identity("alice"), make_request()
    for members, effect in ((("alice",), Effect.PERMIT), (("bob",), Effect.DENY)):
        config = RulesConfig(rule=(rule,), groups={"g": members})
        made = RulesPolicy.from_config(config, FakeTools())
        for _ in range(2):
            assert made.check(alice, request).effect is effect


def test_callers_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "MOST_REMEMBERED", 10)
    made = policy(RuleConfig(name="r", effect="permit", when="scope:a"))
    alice = make_identity(scopes=["a"])
    for number in range(100):
        request = make_request(method=f"M{number}")
        assert made.check(alice, request).effect is Effect.PERMIT
        assert len(made._known) <= 10  # noqa: SLF001
    before = dict(made._known)  # noqa: SLF001
    long = make_request(method="M" * 1000)
    assert made.check(alice, long).effect is Effect.PERMIT
    assert made._known == before  # noqa: SLF001


def test_rules_that_are_left_take_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "MOST_REMEMBERED", 10)
    many = [
        RuleConfig(name=f"r{number}", effect="permit", when="client == '192.0.2.1'")
        for number in range(64)
    ]
    made, alice = policy(*many), make_identity()
    for number in range(20):
        request = make_request(method=f"M{number}")
        assert made.check(alice, request).effect is Effect.PERMIT
        assert 1 <= len(made._known) <= 3  # noqa: SLF001


def test_what_is_obliged_is_remembered_with_the_answer() -> None:
    made = policy(RuleConfig(name="r", effect="permit", obligations=(LOG,)))
    alice = make_identity()
    answers: list[Decision] = [made.check(alice, make_request()) for _ in range(3)]
    assert [a.obligations for a in answers] == [(("log", {"message": "seen"}),)] * 3


@pytest.mark.parametrize(
    ("rule", "known"),
    [
        (RuleConfig(name="r", effect="permit", when="claims.a == 'x'"), True),
        (RuleConfig(name="r", effect="permit", when="claims.a == 'y'"), False),
        (RuleConfig(name="r", effect="deny"), False),
        (RuleConfig(name="r", effect="permit", obligations=(LOG,)), False),
        (RuleConfig(name="r", effect="permit", when="path like '/*'"), False),
        (RuleConfig(name="r", effect="permit", when="claims.until > now"), False),
        (RuleConfig(name="r", effect="step_up", acr_values=("gold",)), False),
    ],
)
def test_who_was_permitted_something_for_good_is_known(
    rule: RuleConfig, *, known: bool
) -> None:
    made = policy(rule)
    alice = make_identity(claims={"a": "x", "until": NOW + 1})
    asked = make_request(path="/a")
    assert not knows(made, alice, asked)
    made.check(alice, asked)
    assert knows(made, alice, asked) is known
    assert knows(made, alice, make_request(path="/b")) is known
    assert not knows(made, alice, make_request("POST", "/a"))
    assert not knows(made, attrs.evolve(alice), asked)
