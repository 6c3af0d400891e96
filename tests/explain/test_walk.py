"""A request's whole way, explained; and the pipeline comes to the same."""

from pathlib import Path

import pytest

from sso_proxy.explain.report import Explanation, Step
from tests.support.explain_scene import (
    ALICE,
    CONFIG,
    NOBODY,
    explain,
    make_situation,
)


def step(explanation: Explanation, phase: str, begin: str = "") -> Step:
    return next(
        each
        for each in explanation.steps
        if each.phase == phase and each.text.startswith(begin)
    )


def rule(explanation: Explanation, text: str) -> Step:
    parts = step(explanation, "policy").parts
    return next(each for each in parts if each.text == text)


def test_what_permits_is_said_and_what_the_backend_gets() -> None:
    situation = make_situation(who=ALICE, scopes="orders.read", client="192.0.2.1")
    explanation = explain(situation)
    assert explanation.verdict == "permit"
    assert explanation.decided_by == ("main/rule:sales-read",)
    assert explanation.headers == (
        ("X-Remote-User", "alice"),
        ("X-Claim-email", "a@example.com"),
        ("X-Purpose", "sales"),
    )
    assert rule(explanation, "permit sales-read").decides
    assert rule(explanation, "deny inside").outcome == "miss"
    assert step(explanation, "backend").text == "http://127.0.0.1:9000"


def test_what_nobody_gave_may_be() -> None:
    explanation = explain(make_situation())
    assert explanation.verdict == "unknown"
    assert rule(explanation, "permit sales-read").outcome == "may"
    assert step(explanation, "require").outcome == "may"


def test_a_claim_that_is_known_to_be_missing_is_a_miss() -> None:
    who = {name: value for name, value in ALICE.items() if name != "department"}
    situation = make_situation(who=who, scopes="orders.read", client="192.0.2.1")
    explanation = explain(situation)
    assert (explanation.verdict, explanation.status) == ("deny", 403)
    assert explanation.reason == "main/no-rule"
    parts = rule(explanation, "permit sales-read").parts
    assert [part.outcome for part in parts] == ["hit", "hit", "miss"]


def test_a_missing_fact_that_changes_nothing_is_passed_over() -> None:
    situation = make_situation(who={"sub": "bob"}, client="10.1.2.3")
    explanation = explain(situation)
    assert (explanation.verdict, explanation.reason) == ("deny", "require[0]")


def test_a_rule_that_denies_overrides_one_that_might_permit() -> None:
    explanation = explain(make_situation(who=ALICE, client="10.1.2.3"))
    assert explanation.decided_by == ("main/rule:inside",)
    assert explanation.summary == "denied: 403 main/rule:inside"


def test_another_login_is_asked_for() -> None:
    given = {"scopes": "orders.read", "client": "192.0.2.1"}
    asked = make_situation("/orders/secret", ALICE, **given)
    explanation = explain(asked)
    assert (explanation.verdict, explanation.status) == ("step_up", 401)
    assert explanation.reason == "main/rule:gold"
    gold = make_situation("/orders/secret", {**ALICE, "acr": "gold"}, **given)
    assert explain(gold).verdict == "permit"


def test_shadows_are_explained_and_decide_nothing() -> None:
    explanation = explain(make_situation(who=ALICE, client="10.1.2.3"))
    shadow = step(explanation, "shadow")
    assert (shadow.outcome, shadow.decides) == ("hit", False)
    assert explanation.verdict == "deny"


def test_no_credential_is_a_login_or_401() -> None:
    explanation = explain(make_situation(who=NOBODY))
    assert (explanation.verdict, explanation.status) == ("deny", 401)


def test_anonymous_callers_pass_where_that_is_written() -> None:
    for who in (NOBODY, None):
        explanation = explain(make_situation("/open/", who))
        assert (explanation.verdict, explanation.headers) == ("permit", ())


def with_route(*lines: str) -> str:
    return CONFIG.replace(
        'require = ["exists claims.email"]\npolicy = ["main"]\nshadow = ["next"]',
        "\n".join(lines),
    )


def test_keys_that_were_not_said_to_be_proved_may_be() -> None:
    text = with_route('binding = { dpop = "require" }') + "[binding.dpop]\n"
    explanation = explain(make_situation(who=ALICE), text)
    assert explanation.verdict == "unknown"
    given = make_situation(who=ALICE, bindings=("dpop",))
    assert explain(given, text).verdict == "permit"


BOUND = """
[authenticator.corp]
type = "tests.support.header_login:HeaderLogin"
[session.main]
type = "cookie"
binding = { certificate = "prefer" }
"""


@pytest.mark.parametrize(
    "line",
    [
        'binding = { certificate = "require" }',
        "require = [\"bindings contains 'certificate'\"]",
    ],
)
def test_a_session_may_be_bound_to_what_a_route_requires(line: str) -> None:
    text = with_route(line).replace('["api"]', '["corp"]', 1) + BOUND
    text = text.replace(
        "allow_plaintext = true",
        'allow_plaintext = true\nforwarded_certificate = "unverified"',
    )
    trusted = '[server]\ntrusted_proxies = ["127.0.0.1"]\n'
    explanation = explain(make_situation(who=ALICE), trusted + text)
    assert explanation.verdict == "unknown"
    given = make_situation(who=ALICE, bindings=("certificate",))
    assert explain(given, trusted + text).verdict == "permit"


def test_a_token_of_an_unknown_confirmation_is_refused() -> None:
    who = {**ALICE, "cnf": {"strange": "x"}}
    explanation = explain(make_situation(who=who), with_route())
    assert (explanation.status, explanation.reason) == (401, "unknown-confirmation")


def test_mappers_name_the_user_or_refuse() -> None:
    text = with_route('map_user = ["staff"]')
    text += '[mapper.staff]\ntype = "static"\nusers = { alice = "al" }\n'
    explanation = explain(make_situation(who=ALICE), text)
    assert (explanation.user, explanation.verdict) == ("al", "permit")
    bob = make_situation(who={**ALICE, "sub": "bob"})
    explanation = explain(bob, text)
    assert (explanation.status, explanation.reason) == (403, "user-unmapped")
    assert explain(make_situation(), text).verdict == "unknown"


def test_a_mapper_that_asks_somebody_may_name_the_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "asking.py").write_text(
        "import attrs\n"
        "from twisted.internet.defer import Deferred\n"
        "from zope.interface import implementer\n"
        "from sso_proxy.interfaces import IUserMapper\n"
        "@attrs.frozen\n"
        "class Config:\n"
        "    fails: bool = False\n"
        "@implementer(IUserMapper)\n"
        "class Mapper:\n"
        "    config_class = Config\n"
        "    def __init__(self, config):\n"
        "        self.config = config\n"
        "    @classmethod\n"
        "    def from_config(cls, config, tools):\n"
        "        return cls(config)\n"
        "    async def map_user(self, identity):\n"
        "        if self.config.fails:\n"
        "            None.callLater(1)\n"
        "        await Deferred()\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    for fails in ("false", "true"):
        text = with_route('map_user = ["far"]')
        text += f'[mapper.far]\ntype = "asking:Mapper"\nfails = {fails}\n'
        explanation = explain(make_situation(who=ALICE), text)
        assert explanation.verdict == "unknown"
        assert "cannot be asked here" in step(explanation, "user").text


def test_tokens_are_named_with_their_audiences(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "s" * 32)
    token = 'token = [{ name = "orders", audience = "https://orders.example.com" }]'
    text = with_route(token) + (
        '[token.orders]\ntype = "client_credentials"\n'
        'endpoint = "https://login.example.com/token"\n'
        'client_id = "proxy"\nclient_secret = "env:SECRET"\n'
    )
    explanation = explain(make_situation(who=ALICE), text)
    said = step(explanation, "token").text
    assert "orders for https://orders.example.com" in said
    assert "authorization" in said


def test_a_claim_that_no_header_can_hold_is_refused() -> None:
    who = {**ALICE, "email": {"an": "object"}}
    explanation = explain(make_situation(who=who), with_route())
    assert (explanation.status, explanation.reason) == (403, "header-value")


@pytest.mark.parametrize("kind", ["certificate", "dpop"])
def test_an_obligation_to_prove_a_key_denies_who_has_not(kind: str) -> None:
    obligation = f'obligations = [{{ do = "require-binding", kind = "{kind}" }}]'
    text = CONFIG.replace('name = "all"', f'name = "all"\n{obligation}')
    text = text.replace('policy = ["main"]\nshadow = ["next"]', 'policy = ["next"]')
    explanation = explain(make_situation(who=ALICE), text)
    assert explanation.reason == "obligation/require-binding"


def test_routes_that_are_decision_points_are_explained_like_others() -> None:
    text = CONFIG.replace("http://127.0.0.1:9001", "decisions:next")
    situation = make_situation("/open/access/v1/evaluation", NOBODY)
    explanation = explain(situation, text)
    assert step(explanation, "backend").text == "decisions:next"
