"""
Ten minutes of load with reconnects, aborts, upstream restarts and reloads.

Every error that a client sees must be one that a restart of the upstream explains;
aborts and reloads explain none.  Memory must stop to grow.  Ends with 1 if not.
"""

import argparse
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import attrs

from tests.bench import checks, fleet, peers, procs, reload, transfers
from tests.bench.aborts import Aborter
from tests.bench.fleet import Failure, FleetOptions
from tests.bench.material import MIB
from tests.bench.procs import BenchError, Running
from tests.bench.session import Session, session
from tests.bench.transfers import TransferOptions

MOST_GROWTH = 1.0
"""MiB a minute, in the last half."""
MOST_DESCRIPTORS = 160
"""More open than at the beginning: the upstream pool keeps up to 128."""
_GRACE = 2.0
_OUTAGE = 0.5
_EXPLAINED = ("status 502", "status 503", "status 504", "truncated")


@attrs.frozen
class Window:
    """A time in which the upstream was away; seconds of the monotonic clock."""

    begin: float
    end: float


@attrs.define(kw_only=True)
class Story:
    """
    What was done to the proxy, and what it cost in memory.

    Attributes:
        windows: When the upstream was away.
        reloads: How many took effect.
        memory: Times in seconds and resident octets.
    """

    windows: list[Window] = attrs.field(factory=list)
    reloads: int = 0
    memory: list[tuple[float, int]] = attrs.field(factory=list)


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.soak", description=__doc__
    )
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--rate", type=float, default=1500.0, help="requests a second")
    parser.add_argument("--every", type=float, default=10.0, help="seconds to an event")
    parser.add_argument(
        "--target", choices=(peers.OURS, peers.OURS_2), default=peers.OURS
    )
    parser.add_argument("--directory", type=Path, help="for files and logs")
    options = parser.parse_args(arguments)
    procs.exit_on_sigterm()
    with session(options.target, directory=options.directory) as run:
        return _soak(run, options)


def _soak(run: Session, options: argparse.Namespace) -> int:
    running = run.target.running
    seconds = options.minutes * 60
    before = running.descriptors()
    aborter = Aborter(run.target.port, run.things)
    with (
        ThreadPoolExecutor(2) as threads,
        fleet.running_fleets(_fleet_options(run, seconds, options.rate)) as processes,
    ):
        aborting = threads.submit(aborter.run)
        uploading = threads.submit(transfers.run, _uploads(run, seconds))
        try:
            story = _disturb(run, seconds, options.every)
        finally:
            aborter.stop()
        aborting.result()
        uploaded = uploading.result()
        results = [fleet.read_result(process) for process in processes]
    time.sleep(2 * _GRACE)
    checks.check(run.target, run.things)
    failures = [failure for result in results for failure in result.failures]
    explained, unexplained = judge(failures, story.windows)
    unexplained.update(uploaded.failures)
    unexplained.update(aborter.failures)
    return _report(
        [
            ("requests answered", sum(r.answered for r in results) + uploaded.done),
            ("connections", sum(r.opened for r in results)),
            ("broken off by clients", dict(aborter.caused)),
            ("reloads, upstream restarts", (story.reloads, len(story.windows))),
            ("errors that restarts explain", dict(explained)),
            ("resident MiB, by quarters", quarters(story.memory)),
        ],
        dict(unexplained),
        slope(story.memory),
        running.descriptors() - before,
    )


def _report(
    facts: Iterable[tuple[str, object]],
    unexplained: dict[str, int],
    growth: float,
    descriptors: int,
) -> int:
    print("| what | | |\n|---|---|---|")
    for what, value in facts:
        print(f"| {what} | {value} | |")
    verdicts = (
        ("errors without explanation", unexplained or "none", not unexplained),
        (
            f"growth in the last half, MiB a minute (less than {MOST_GROWTH})",
            f"{growth:.2f}",
            growth < MOST_GROWTH,
        ),
        (
            f"descriptors more than before (at most {MOST_DESCRIPTORS})",
            descriptors,
            descriptors <= MOST_DESCRIPTORS,
        ),
    )
    for what, value, passed in verdicts:
        print(f"| {what} | {value} | {'pass' if passed else 'FAIL'} |")
    return 0 if all(passed for _, _, passed in verdicts) else 1


def _fleet_options(run: Session, seconds: float, rate: float) -> list[FleetOptions]:
    """Keep-alive with a token; short connections without; large bodies down."""
    steady = FleetOptions(
        port=run.target.port,
        path="/api/1k",
        ca=str(run.things.ca),
        token=run.things.token(),
        seconds=seconds,
        rate=rate,
        requests_per_connection=2000,
    )
    short = attrs.evolve(
        steady,
        path="/1k",
        token=None,
        connections=16,
        rate=rate / 10,
        requests_per_connection=4,
        seed=2,
    )
    large = attrs.evolve(
        short, path="/10m", expect_length=10 * MIB, connections=4, rate=2.0, seed=3
    )
    return [steady, short, large]


def _uploads(run: Session, seconds: float) -> TransferOptions:
    return TransferOptions(
        kind="upload",
        port=run.target.port,
        path="/upload",
        ca=str(run.things.ca),
        threads=2,
        seconds=seconds,
        length=10 * MIB,
        pause=1.0,
    )


def _disturb(run: Session, seconds: float, every: float) -> Story:
    """Reload and restart the upstream in turn; watch the memory all the time."""
    story = Story()
    stopped = threading.Event()
    watcher = threading.Thread(
        target=_watch, args=(run.target.running, story.memory, stopped)
    )
    watcher.start()
    end = time.monotonic() + seconds
    try:
        while time.monotonic() < end - every:
            time.sleep(every)
            if len(story.windows) < story.reloads:
                story.windows.append(_restart(run))
            else:
                reload.reload(run, story.reloads)
                story.reloads += 1
        time.sleep(max(0.0, end - time.monotonic()))
    finally:
        stopped.set()
        watcher.join()
    return story


def _restart(run: Session) -> Window:
    begin = time.monotonic()
    run.behind.restart(run.things.directory, away=_OUTAGE)
    return Window(begin, time.monotonic() + _GRACE)


def _watch(
    running: Running, memory: list[tuple[float, int]], stopped: threading.Event
) -> None:
    while not stopped.wait(1.0):
        memory.append((time.monotonic(), running.rss()))


def judge(
    failures: Iterable[Failure], windows: Iterable[Window]
) -> tuple[Counter[str], Counter[str]]:
    """Count the failures that a restart of the upstream explains, and the others."""
    known = list(windows)
    explained: Counter[str] = Counter()
    unexplained: Counter[str] = Counter()
    for failure in failures:
        inside = any(w.begin <= failure.at and failure.sent <= w.end for w in known)
        fits = inside and failure.kind in _EXPLAINED
        (explained if fits else unexplained)[failure.kind] += 1
    return explained, unexplained


def quarters(memory: Sequence[tuple[float, int]]) -> list[float]:
    """Give what was resident at the begin, after each quarter and at the end."""
    last = len(memory) - 1
    return [round(memory[last * part // 4][1] / MIB, 1) for part in range(5)]


def slope(memory: Sequence[tuple[float, int]]) -> float:
    """Give the growth over the last half by least squares, in MiB a minute."""
    half = memory[len(memory) // 2 :]
    if len(half) < 2:
        raise BenchError("too short to say anything about memory")
    mean_time = sum(t for t, _ in half) / len(half)
    mean_size = sum(size for _, size in half) / len(half)
    covariance = sum((t - mean_time) * (size - mean_size) for t, size in half)
    variance = sum((t - mean_time) ** 2 for t, _ in half)
    return covariance / variance * 60 / MIB


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"soak: {error}")
