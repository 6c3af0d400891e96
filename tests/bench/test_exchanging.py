"""What a measurement of exchanged tokens starts with."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.bench import checks, peers
from tests.bench.loads import EXCHANGED, HUNDRED, HUNDRED_EXCHANGED, LOADS, ONE
from tests.bench.material import Material, build_material
from tests.bench.peers import OURS, Backend
from tests.bench.table import RULES


@pytest.fixture
def things(tmp_path: Path) -> Material:
    return build_material(tmp_path, tokens=3)


@pytest.fixture
def behind(things: Material) -> Iterator[Backend]:
    with peers.backend(things) as running:
        yield running


def test_nothing_is_measured_before_the_exchange_works(
    things: Material, behind: Backend
) -> None:
    """The backend answers nobody who has not the token that was issued."""
    with peers.targets([OURS], things, behind) as running:
        checks.check(running[OURS], things)


@pytest.mark.parametrize(
    ("exchanged", "without"), [(EXCHANGED, ONE), (HUNDRED_EXCHANGED, HUNDRED)]
)
def test_what_is_compared_differs_by_the_exchange_alone(
    exchanged: str, without: str
) -> None:
    rules = [rule for rule in RULES if rule.ours == (exchanged, OURS)]
    assert [(rule.theirs, rule.limit) for rule in rules] == [((without, OURS), 1.15)]
    assert OURS in LOADS[exchanged].targets
    assert OURS in LOADS[without].targets
