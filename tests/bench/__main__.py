"""
The benchmark: the same work for all proxies in one run, interleaved, medians.

Ends with 1 if a required ratio is missed or any request failed.
"""

import argparse
import contextlib
import json
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import attrs

from tests.bench import checks, peers, procs, table
from tests.bench.loads import LOADS, NONE, ONE, Sample, Setting
from tests.bench.material import build_material
from tests.bench.peers import APACHE, NGINX, OURS, TARGETS, Target
from tests.bench.table import Cell
from tests.support import compiled

SHARE_OF_PEAK = 0.6


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    options = _parse(arguments)
    procs.exit_on_sigterm()
    with contextlib.ExitStack() as stack:
        directory = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory))
        )
        _say("signing tokens, starting proxies")
        things = build_material(directory, tokens=options.tokens)
        behind = stack.enter_context(peers.backend(things))
        running = stack.enter_context(
            peers.targets(options.targets, things, behind, packages=options.packages)
        )
        for target in running.values():
            checks.check(target, things)
        setting = Setting(
            things=things, seconds=options.seconds, tokens=options.tokens, rate=0
        )
        setting = attrs.evolve(setting, rate=_open_loop_rate(running, setting))
        results = _measure(running, setting, options.only, options.rounds)
    return _report(results, setting, options)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each run")
    parser.add_argument("--tokens", type=int, default=10000, help="different ones")
    parser.add_argument(
        "--only", type=_some_of(LOADS), default=list(LOADS), help="loads"
    )
    parser.add_argument("--targets", type=_some_of(TARGETS), default=list(TARGETS))
    parser.add_argument("--directory", type=Path, help="for files and logs")
    parser.add_argument("--json", type=Path, help="write all samples there")
    parser.add_argument(
        "--pure",
        action="store_const",
        const=None,
        default=compiled.DIRECTORY if compiled.is_current() else None,
        dest="packages",
        help="our own proxies as they stand in the source tree, though there is"
        " a current build/compiled",
    )
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of one second, sso-proxy beside nginx, small requests",
    )
    options = parser.parse_args(arguments)
    if options.quick:
        options.rounds, options.seconds, options.tokens = 1, 1, 100
        options.only, options.targets = [NONE, ONE], [NGINX, OURS]
    return options


def _some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Make a reader of lists with commas, of names that are *known*."""
    names = list(known)

    def read(text: str) -> list[str]:
        chosen = [name.strip() for name in text.split(",")]
        if unknown := [name for name in chosen if name not in names]:
            message = f"{unknown} are not among {names}"
            raise argparse.ArgumentTypeError(message)
        return chosen

    return read


def _open_loop_rate(running: dict[str, Target], setting: Setting) -> float:
    """Give 60 % of what Apache does at its peak; without Apache, of a small server."""
    if APACHE not in running:
        return 2000.0
    peaks = [LOADS[NONE].run(running[APACHE], setting).per_second for _ in range(3)]
    return statistics.median(peaks) * SHARE_OF_PEAK


def _measure(
    running: dict[str, Target], setting: Setting, only: Sequence[str], rounds: int
) -> dict[Cell, list[Sample]]:
    """Do every load to every proxy, once a round, in an order that moves on."""
    results: dict[Cell, list[Sample]] = {
        (load, name): []
        for load in only
        for name in LOADS[load].targets
        if name in running
    }
    for number in range(rounds):
        for load in only:
            names = [name for name in LOADS[load].targets if name in running]
            shift = number % max(1, len(names))
            for name in names[shift:] + names[:shift]:
                _say(f"round {number + 1} of {rounds}: {LOADS[load].title}: {name}")
                results[load, name].append(LOADS[load].run(running[name], setting))
    return results


def _report(
    results: dict[Cell, list[Sample]], setting: Setting, options: argparse.Namespace
) -> int:
    ratios, passed = table.render_ratios(results)
    print(_heading(setting, options))
    print(table.render_table(results))
    print()
    print(ratios)
    print(f"\nThe open loop's own lateness, p99: {table.lag(results):.2f} ms")
    failed = table.any_failures(results)
    if failed:
        print("\nRequests failed; the figures mean nothing.")
    if options.json:
        values = [
            {"load": load, "proxy": name, "samples": [attrs.asdict(s) for s in samples]}
            for (load, name), samples in results.items()
        ]
        options.json.write_text(json.dumps(values, indent=1))
    return 0 if passed and not failed else 1


def _heading(setting: Setting, options: argparse.Namespace) -> str:
    """Say what was measured where."""
    versions = [_version("nginx", "-v"), _version("apache2", "-v")]
    form = "pure" if options.packages is None else "compiled"
    return (
        f"{options.rounds} rounds of {options.seconds} s; sso-proxy {form}, Python"
        f" {platform.python_version()}, {ssl.OPENSSL_VERSION}, {', '.join(versions)},"
        f" Linux {platform.release()}; open loop at {setting.rate:,.0f} requests/s\n"
    )


def _version(program: str, option: str) -> str:
    done = subprocess.run(
        [peers.find(program), option], capture_output=True, text=True, check=False
    )
    return (done.stderr + done.stdout).splitlines()[0].partition(": ")[2]


def _say(what: str) -> None:
    print(what, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except procs.BenchError as error:
        sys.exit(f"bench: {error}")
