"""docs/howto/authzen.md: its examples are read, and do what the page says."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from sso_proxy.authz.authzen import AuthzenPolicy
from sso_proxy.authz.authzen_config import AuthzenConfig
from sso_proxy.authz.obligations import Obligations
from sso_proxy.authz.policies import Named, Policies
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.callers import judge
from sso_proxy.config.structure import structure
from sso_proxy.equipment import Equipment
from sso_proxy.errors import UnavailableError
from sso_proxy.specs.authzen.values import WELL_KNOWN
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from tests.conformance.parts import Asked
from tests.support.decision_scene import DecisionScene
from tests.support.doubles import FakeUpstream, make_route
from tests.support.policy_scene import URL, PolicyScene, answer
from tests.support.sts_faults import Said

PAGE: Final = (Path(__file__).parents[2] / "docs/howto/authzen.md").read_text("utf-8")
BLOCKS: Final = re.findall(
    r"^```\{code-block\} (\w+)\n:caption: (\w+)\n(.*?)^```$",
    PAGE,
    re.MULTILINE | re.DOTALL,
)
TABLES: Final = {name: text for language, name, text in BLOCKS if language == "toml"}
QUESTIONS: Final = {n: json.loads(t) for language, n, t in BLOCKS if language == "json"}
ANSWERS: Final = re.findall(
    r"^\| `(.+)` \| (passes|\d{3} [\w-]+) \|$", PAGE, re.MULTILINE
)
DECISIONS: Final = re.findall(
    r"^\| `(\{.+?\})` \| `(\w+)` \| `(\{.+?\})` \| `(\{.+\})` \|$", PAGE, re.MULTILINE
)
ALICE: Final = make_identity(
    claims={"email": "alice@example.com", "roles": ["editor"], "acr": "silver"}
)
PUT: Final = make_request("PUT", "/todos/7", host="api.example.com", query="page=2")
METADATA: Final = answer(
    json.dumps(
        {
            "policy_decision_point": URL,
            "access_evaluation_endpoint": f"{URL}/access/v1/evaluation",
        }
    )
)


class Scene(PolicyScene):
    """A policy of the page, and a decision point with metadata."""

    def __init__(self, name: str, said: Said) -> None:
        options = tomllib.loads(TABLES[name])["policy"]["pdp"]
        assert options.pop("type") == "authzen"
        config = structure(options, AuthzenConfig, path="", directory=Path())
        given = {option: getattr(config, option) for option in options}
        super().__init__(AuthzenPolicy, said, **given)
        self.server.said = self.answer

    def answer(self, asked: Asked) -> Said:
        return METADATA if asked.path == WELL_KNOWN else self.said


def test_everything_of_the_page_is_looked_at() -> None:
    assert {*TABLES} == {"gateway", "records", "obligations", "rules"}
    assert len(BLOCKS) == PAGE.count("{code-block}") == 6
    assert len(ANSWERS) + len(DECISIONS) == len(re.findall(r"(?m)^\| `", PAGE)) == 18


@pytest.mark.parametrize("name", ["gateway", "records"])
def test_what_is_asked_is_what_the_page_shows(name: str) -> None:
    """To the last member."""
    here = Scene(name, answer('{"decision": true}'))
    here.decide(ALICE, PUT)
    assert json.loads(here.asked[-1].body) == QUESTIONS[name]


@pytest.mark.parametrize(("said", "outcome"), ANSWERS)
def test_an_answer_does_what_the_table_says(said: str, outcome: str) -> None:
    """With obligations carried out as on a route."""
    here = Scene("gateway", answer(said))
    assert found_by(here) == outcome


def found_by(here: PolicyScene) -> str:
    """Say what becomes of a request."""
    route = make_route(
        FakeUpstream(),
        policies=Policies([Named("pdp", here.policy)]),
        obligations=Obligations(),
    )
    equipment = Equipment(settable=here.policy.sets)
    try:
        decision = outcome_of(judge(route, PUT, ALICE, equipment))
    except UnavailableError as e:
        return f"{e.status} {e.reason}"
    if decision is None:
        return "passes"
    status = 401 if decision.effect.value == "step-up" else 403
    reason = decision.reasons[0].removeprefix("pdp/")
    return f"{status} {reason.partition('/')[0]}"


@pytest.mark.parametrize(
    ("obligation", "outcome"),
    [
        ({"id": "1", "type": "notification", "properties": {"text": "hi"}}, "passes"),
        (
            {
                "id": "urn:example:filter",
                "type": "custom",
                "properties": {"expression": "a = 1"},
            },
            "passes",
        ),
        ({"id": "urn:example:filter", "type": "custom"}, "403 obligation"),
        ({"id": "urn:example:other", "type": "custom"}, "403 obligation"),
    ],
)
def test_obligations_are_done_as_the_page_says(
    obligation: dict[str, Any], outcome: str
) -> None:
    said = {"decision": True, "context": {"obligations": [obligation]}}
    assert found_by(Scene("obligations", answer(json.dumps(said)))) == outcome


@pytest.mark.parametrize(("subject", "action", "resource", "said"), DECISIONS)
def test_rules_answer_as_the_table_says(
    subject: str, action: str, resource: str, said: str
) -> None:
    options = tomllib.loads(TABLES["rules"])["policy"]["main"]
    assert options.pop("type") == "rules"
    config = structure(options, RulesConfig, path="", directory=Path())
    scene = DecisionScene(RulesPolicy.from_config(config, FakeTools()))
    asked = {
        "subject": json.loads(subject),
        "action": {"name": action},
        "resource": json.loads(resource),
    }
    assert scene.ask(asked).members == json.loads(said)
