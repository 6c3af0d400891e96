"""What a measurement makes of its samples."""

import math

import pytest

from tests.bench.fleet import Failure
from tests.bench.loads import NONE, ONE, Sample
from tests.bench.material import MIB
from tests.bench.peers import NGINX, OPENIDC, OURS
from tests.bench.procs import BenchError
from tests.bench.soak import Window, judge, slope
from tests.bench.table import RULES, any_failures, ratio, render_ratios, render_table


def sample(cpu: float, failures: dict[str, int] | None = None) -> Sample:
    return Sample(cpu_us=cpu, per_second=1.0, failures=failures or {})


def test_ratio_is_the_median_of_those_of_all_rounds() -> None:
    """The host was slow in one round, and something happened in another."""
    rule = next(r for r in RULES if r.theirs == (NONE, NGINX))
    results = {
        (NONE, OURS): [sample(30), sample(62), sample(900)],
        (NONE, NGINX): [sample(20), sample(40), sample(25)],
    }
    assert ratio(rule, results) == 1.55


def test_ratio_above_its_limit_fails_the_run() -> None:
    results = {(ONE, OURS): [sample(51)], (ONE, OPENIDC): [sample(200)]}
    text, passed = render_ratios(results)
    assert "FAIL" in text
    assert not passed


def test_ratio_at_its_limit_passes() -> None:
    results = {(ONE, OURS): [sample(50)], (ONE, OPENIDC): [sample(200)]}
    assert render_ratios(results)[1]


def test_ratio_of_nothing_is_not_measured() -> None:
    text, passed = render_ratios({})
    assert text.count("not measured") == len(RULES)
    assert passed


def test_ratio_that_is_no_number_fails_the_run() -> None:
    costs = [sample(1), sample(math.nan), sample(1)]
    results = {(ONE, OURS): costs, (ONE, OPENIDC): [sample(200)] * 3}
    assert not render_ratios(results)[1]


def test_failed_request_fails_the_run_and_stands_in_the_table() -> None:
    results = {(NONE, OURS): [sample(40), sample(40, {"status": 3})]}
    assert any_failures(results)
    assert "status: 3" in render_table(results)


def test_bad_gateway_while_the_upstream_is_away_is_explained() -> None:
    failures = [Failure(10.0, 10.1, "status 502")]
    explained, unexplained = judge(failures, [Window(9.0, 11.0)])
    assert explained.total() == 1
    assert not unexplained


def test_bad_gateway_at_another_time_is_not_explained() -> None:
    failures = [Failure(12.0, 12.1, "status 502")]
    explained, unexplained = judge(failures, [Window(9.0, 11.0)])
    assert not explained
    assert unexplained == {"status 502": 1}


@pytest.mark.parametrize(
    "kind", ["refused", "reset", "closed", "timeout", "status 401"]
)
def test_what_no_restart_causes_is_never_explained(kind: str) -> None:
    explained, unexplained = judge([Failure(10.0, 10.1, kind)], [Window(9.0, 11.0)])
    assert not explained
    assert unexplained == {kind: 1}


def test_growth_is_that_of_the_last_half() -> None:
    memory = [(t, 5 * MIB * t) for t in range(300)]
    memory += [(t, 1500 * MIB + 2 * MIB * (t - 300) // 60) for t in range(300, 600)]
    assert slope(memory) == pytest.approx(2.0, rel=0.01)


def test_growth_of_a_moment_is_refused() -> None:
    with pytest.raises(BenchError):
        slope([(0.0, 1), (1.0, 2)])
