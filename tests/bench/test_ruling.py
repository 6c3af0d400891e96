"""What a measurement of rules starts with."""

from pathlib import Path

import pytest

from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import RulesConfig
from sso_proxy.model import Effect
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from tests.bench.loads import HUNDRED, HUNDRED_RULED, LOADS, ONE, RULED
from tests.bench.peers import OURS
from tests.bench.ruling import COUNT, write_rules
from tests.bench.table import RULES


def test_a_hundred_rules_permit_who_may_read(tmp_path: Path) -> None:
    write_rules(tmp_path, "orders.read")
    config = RulesConfig(files=(str(tmp_path / "rules" / "*.toml"),))
    policy = RulesPolicy.from_config(config, FakeTools())
    assert len(policy.rules) == COUNT
    request = make_request(path="/ruled/1k")
    reader = make_identity(scopes=["orders.read"])
    assert policy.check(reader, request).effect is Effect.PERMIT
    assert policy.check(make_identity(), request).effect is Effect.DENY


@pytest.mark.parametrize(("ruled", "without"), [(RULED, ONE), (HUNDRED_RULED, HUNDRED)])
def test_what_is_compared_differs_by_the_rules_alone(ruled: str, without: str) -> None:
    rules = [rule for rule in RULES if rule.ours == (ruled, OURS)]
    assert [(rule.theirs, rule.limit) for rule in rules] == [((without, OURS), 1.1)]
    assert OURS in LOADS[ruled].targets
