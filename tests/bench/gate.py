"""
A quick gate: CPU per request of ours against plain Apache's in the same minute.

For a machine that is shared: three short interleaved rounds, two ratios.  Ends with
1 if one is above its limit or a request failed.
"""

import argparse
import contextlib
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench import checks, peers, procs
from tests.bench.loads import LOADS, NONE, ONE, Setting
from tests.bench.material import build_material
from tests.bench.peers import APACHE, OURS, Target
from tests.bench.procs import BenchError

LIMITS = {NONE: 0.6, ONE: 0.75}
"""The largest CPU per request for each load, in units of Apache's without a check."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.gate", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=1, help="of each run")
    options = parser.parse_args(arguments)
    procs.exit_on_sigterm()
    with contextlib.ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        things = build_material(directory, tokens=1)
        behind = stack.enter_context(peers.backend(things))
        running = stack.enter_context(peers.targets([APACHE, OURS], things, behind))
        for target in running.values():
            checks.check(target, things)
        setting = Setting(things=things, seconds=options.seconds, tokens=1, rate=0)
        ratios = measure(running, setting, options.rounds)
    for load, ratio in ratios.items():
        print(f"{LOADS[load].title}: {ratio:.3f} of Apache, at most {LIMITS[load]}")
    return 0 if all(ratios[load] <= LIMITS[load] for load in ratios) else 1


def measure(
    running: dict[str, Target], setting: Setting, rounds: int
) -> dict[str, float]:
    """
    Give our CPU per request for each load, in units of Apache's without a check.

    Raises:
        BenchError: A request failed.
    """
    base: list[float] = []
    ours: dict[str, list[float]] = {load: [] for load in LIMITS}
    for _ in range(rounds):
        base.append(_cost(NONE, running[APACHE], setting))
        for load, costs in ours.items():
            costs.append(_cost(load, running[OURS], setting))
    unit = statistics.median(base)
    return {load: statistics.median(costs) / unit for load, costs in ours.items()}


def _cost(load: str, target: Target, setting: Setting) -> float:
    sample = LOADS[load].run(target, setting)
    if sample.failures:
        raise BenchError(f"{LOADS[load].title}: {target.name}: {sample.failures}")
    return sample.cpu_us


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"gate: {error}")
