"""
Memory: large bodies must not pile up, idle connections must be cheap.

Ends with 1 if a limit is missed.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.bench import peers, procs, transfers
from tests.bench.material import KIB, MIB
from tests.bench.procs import LOAD_CORE, ROOT, BenchError, pinned
from tests.bench.session import Session, session
from tests.bench.transfers import TransferOptions

LARGE = 1024 * MIB
MOST_GROWTH = 20 * MIB
MOST_PER_CONNECTION = 30 * KIB
CONNECTIONS = 1000
_SETTLE = 1.5


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.memory", description=__doc__
    )
    parser.add_argument("--target", choices=peers.TARGETS, default=peers.OURS)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--directory", type=Path, help="for files and logs")
    options = parser.parse_args(arguments)
    procs.exit_on_sigterm()
    print("| what | measured | at most | |\n|---|--:|--:|---|")
    verdicts: list[bool] = []
    with session(options.target, directory=options.directory) as run:
        for what, path, kind in (
            ("1 GiB down: growth, MiB", "/1g", "download"),
            ("1 GiB up: growth, MiB", "/upload", "upload"),
        ):
            grown = growth(run, path, kind) / MIB
            verdicts.append(_row(what, grown, MOST_GROWTH / MIB))
    for what, asked in (
        ("idle connection after its handshake, KiB", 0),
        ("idle connection after a request, KiB", 1),
    ):
        with session(options.target, directory=options.directory) as run:
            each = per_connection(run, options.connections, asked) / KIB
            verdicts.append(_row(what, each, MOST_PER_CONNECTION / KIB))
    return 0 if all(verdicts) else 1


def _row(what: str, measured: float, limit: float) -> bool:
    passed = measured <= limit
    verdict = "pass" if passed else "FAIL"
    print(f"| {what} | {measured:.1f} | {limit:.0f} | {verdict} |", flush=True)
    return passed


def growth(run: Session, path: str, kind: str, length: int = LARGE) -> int:
    """
    Send *length* octets through the proxy; give its largest growth, in octets.

    Raises:
        BenchError: The transfer failed.
    """
    assert kind in ("download", "upload")
    options = TransferOptions(
        kind="download" if kind == "download" else "upload",
        port=run.target.port,
        path=path,
        ca=str(run.things.ca),
        threads=1,
        seconds=0.1,
        length=length,
    )
    running = run.target.running
    running.reset_peak_rss()
    before = running.rss()
    got = transfers.run(options)
    if got.failures or got.done != 1:
        raise BenchError(f"{kind} of {length} octets: {got}")
    return running.peak_rss() - before


def per_connection(run: Session, count: int, asked: int) -> float:
    """
    Give what an idle TLS connection costs the proxy, in octets.

    Args:
        run: The proxy; its first connections warm it up and do not count.
        count: How many connections.
        asked: Requests that each was used for before.
    """
    _with_idle(run, 50, asked, lambda: None)
    time.sleep(_SETTLE)
    before = run.target.running.pss()
    after = 0

    def look() -> None:
        nonlocal after
        time.sleep(_SETTLE)
        after = run.target.running.pss()

    _with_idle(run, count, asked, look)
    return (after - before) / count


def _with_idle(run: Session, count: int, asked: int, act: Callable[[], None]) -> None:
    """Do something while *count* connections are open and idle."""
    numbers = [str(run.target.port), str(run.things.ca), str(count), str(asked)]
    command = [sys.executable, "-m", "tests.bench.idle", *numbers, run.things.token()]
    with subprocess.Popen(
        pinned(LOAD_CORE, command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as holder:
        assert holder.stdout is not None
        if holder.stdout.readline() != "open\n":
            raise BenchError(f"cannot open {count} connections")
        act()
        assert holder.stdin is not None
        holder.stdin.close()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"memory: {error}")
