"""What a policy obliges us to on one path does not come along to the next."""

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
