"""docs/howto/xacml.md: its examples are read, and answers do what its table says."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest

from sso_proxy.authz.obligations import Obligations
from sso_proxy.authz.policies import Named, Policies
from sso_proxy.authz.xacml import XacmlPolicy
from sso_proxy.authz.xacml_config import XacmlConfig
from sso_proxy.callers import judge
from sso_proxy.config.structure import structure
from sso_proxy.equipment import Equipment
from sso_proxy.errors import UnavailableError
from sso_proxy.model import Effect
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import make_identity, make_request
from tests.support.doubles import FakeUpstream, make_route
from tests.support.pdp import XACML
from tests.support.policy_scene import PolicyScene, answer

PAGE: Final = (Path(__file__).parents[2] / "docs/howto/xacml.md").read_text("utf-8")
CODE: Final = re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
ROW = re.compile(
    r"^\| `(deny|permit)` \| `(.+)` \| (passes|\d+ [\w-]+) \|$", re.MULTILINE
)
ROWS: Final = ROW.findall(PAGE)
URL: Final = "https://pdp.example.com/pdp"


def tables() -> list[dict[str, Any]]:
    """Give every policy of the page."""
    found = [tomllib.loads(text) for language, text in CODE if language == "toml"]
    return [policy for one in found for policy in one["policy"].values()]


def scene(policy: dict[str, Any]) -> PolicyScene:
    """Make one of them, without a network."""
    options = {name: value for name, value in policy.items() if name != "type"}
    config = structure(options, XacmlConfig, path="policy", directory=Path())
    given = {name: getattr(config, name) for name in options}
    return PolicyScene(XacmlPolicy, answer("", XACML), **given)


@pytest.mark.parametrize("number", range(4))
def test_every_policy_of_the_page_can_be_made(number: int) -> None:
    """As it stands there, and there are no more than these."""
    assert len(tables()) == 4
    scene(tables()[number])


def test_the_request_is_what_the_page_shows() -> None:
    """To the last member."""
    (shown,) = [text for language, text in CODE if language == "json"]
    here = scene(tables()[0])
    here.said = answer('{"Response": [{"Decision": "Permit"}]}', XACML)
    here.decide(request=make_request(path="/orders/17", query="page=2"))
    assert json.loads(here.asked[0].body) == json.loads(shown)


def test_the_table_has_both_biases() -> None:
    """So that the test below tests something."""
    assert {bias for bias, _, _ in ROWS} == {"deny", "permit"}
    assert len(ROWS) == PAGE.count('| `{"Response"')


@pytest.mark.parametrize(("bias", "said", "outcome"), ROWS)
def test_an_answer_does_what_the_table_says(bias: str, said: str, outcome: str) -> None:
    """With obligations carried out as on a route."""
    here = PolicyScene(XacmlPolicy, answer(said, XACML), url=URL, bias=bias)
    route = make_route(
        FakeUpstream(),
        policies=Policies([Named("central", here.policy)]),
        obligations=Obligations(),
    )
    try:
        decision = outcome_of(
            judge(route, make_request(), make_identity(), Equipment())
        )
    except UnavailableError as e:
        found = f"{e.status} {e.reason}"
    else:
        found = "passes"
        if decision is not None:
            assert decision.effect is Effect.DENY
            reason = decision.reasons[0].removeprefix("central/")
            found = f"403 {reason.partition('/')[0]}"
    assert found == outcome
