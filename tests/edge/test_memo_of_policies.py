"""What a policy obliges us to on one path does not come along to the next."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.authz.policies import Named, Policies
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import (
    MatchConfig,
    ObligationConfig,
    RuleConfig,
    RulesConfig,
)
from sso_proxy.testing.fakes import FakeTools
from tests.support.doubles import Scene, answer_ok
from tests.support.repeating import check_as_fresh, request_of, scene_by_token

PURPOSE = ObligationConfig(do="set-header", name="X-Purpose", value="audit")
RULES = RulesConfig(
    rule=(
        RuleConfig(name="all", effect="permit"),
        RuleConfig(
            name="audited",
            effect="permit",
            match=MatchConfig(path="/audited/"),
            obligations=(PURPOSE,),
        ),
    )
)


def test_each_path_has_the_fields_that_its_own_rules_set() -> None:
    rules = RulesPolicy.from_config(RULES, FakeTools())
    scene = Scene(
        policies=Policies([Named("main", rules)]), settable=frozenset({"x-purpose"})
    )
    for path in (b"/audited/", b"/plain", b"/audited/", b"/audited/", b"/plain"):
        scene.client.receive(
            b"GET " + path + b" HTTP/1.1\r\nHost: app.example.com\r\n\r\n"
        )
        audited = b"\r\nX-Purpose: audit\r\n" in scene.backend.head
        assert audited is path.startswith(b"/audited"), path
        answer_ok(scene.backend.exchange)


MIXED = RulesConfig(
    groups={"staff": ("alice", "bob")},
    rule=(
        RuleConfig(name="read", effect="permit", match=MatchConfig(method=("GET",))),
        RuleConfig(
            name="staff",
            effect="permit",
            match=MatchConfig(path="/staff/"),
            when="subject in groups.staff",
        ),
        RuleConfig(
            name="own",
            effect="deny",
            match=MatchConfig(path="/own/{name}/"),
            when="not path.name == 'alice' or subject == 'carol'",
        ),
        RuleConfig(
            name="closed",
            effect="deny",
            match=MatchConfig(path="/closed/"),
            when="subject != 'alice'",
        ),
        RuleConfig(
            name="audited",
            effect="permit",
            match=MatchConfig(path="/audited/"),
            obligations=(PURPOSE,),
        ),
    ),
)


def scene_of_rules() -> Scene:
    rules = RulesPolicy.from_config(MIXED, FakeTools())
    policies = Policies([Named("main", rules)])
    return scene_by_token(policies=policies, settable=frozenset({"x-purpose"}))


PATHS = ["/", "/staff/x", "/own/alice/", "/own/bob/", "/closed/", "/audited/1"]


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 1),
            st.sampled_from([b"alice", b"bob", b"carol"]),
            st.sampled_from(["GET", "HEAD"]),
            st.sampled_from([*PATHS, *(path + "?q" for path in PATHS)]),
        ),
        max_size=15,
    )
)
def test_whoever_asks_for_what_gets_what_they_would_get_first(
    asked: list[tuple[int, bytes, str, str]],
) -> None:
    """Rules remember callers, and heads are remembered, too."""
    scene = scene_of_rules()
    clients = [scene.client, scene.connect()[0]]
    for number, name, method, path in asked:
        request = request_of(name, f"{method} {path} HTTP/1.1".encode())
        client = clients[number]
        exchange = check_as_fresh(scene, scene_of_rules, request, client)
        if exchange is not None:
            answer_ok(exchange, b"" if method == "HEAD" else b"ok")


def test_who_may_do_something_here_is_not_asked_about_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Rules that look at nothing else need no request made for them."""
    scene = scene_of_rules()
    scene.client.receive(request_of(b"alice", b"GET /staff/1 HTTP/1.1"))
    answer_ok(scene.backend.exchange)
    monkeypatch.setattr(RulesPolicy, "check", None)
    scene.client.receive(request_of(b"alice", b"GET /staff/2 HTTP/1.1"))
    assert scene.backend.lines()[-1] == b"GET /staff/2 HTTP/1.1"
