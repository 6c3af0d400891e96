"""
Reloads under load: not one request may be refused, reset or answered wrongly.

Ends with 1 if one was.
"""

import argparse
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import attrs

from tests.bench import fleet, peers, procs, transfers
from tests.bench.client import Client, context_for
from tests.bench.fleet import FleetOptions
from tests.bench.material import MIB
from tests.bench.procs import BenchError, wait_until
from tests.bench.session import Session, rewrite, session
from tests.bench.transfers import TransferOptions

_MARK = """
[[route]]
host = "localhost"
path = "/reload-{number}/"
authenticate = ["api"]
backend = "http://127.0.0.1:{port}"
"""
_LONGEST = 3600.0


@attrs.frozen(kw_only=True)
class ReloadReport:
    """
    What clients saw of the reloads.

    Attributes:
        reloads: How many took effect.
        answered: Requests answered as they should be.
        opened: Connections that were made.
        failures: How many of each kind; must be empty.
    """

    reloads: int
    answered: int
    opened: int
    failures: dict[str, int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Reload, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.reload", description=__doc__
    )
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between")
    parser.add_argument("--rate", type=float, default=1000.0, help="requests a second")
    parser.add_argument(
        "--target", choices=(peers.OURS, peers.OURS_2), default=peers.OURS
    )
    options = parser.parse_args(arguments)
    procs.exit_on_sigterm()
    with session(options.target) as run:
        report = reload_under_load(
            run, times=options.times, pause=options.pause, rate=options.rate
        )
    print(report)
    return 1 if report.failures else 0


def reload_under_load(
    run: Session, *, times: int, pause: float, rate: float, connections: int = 64
) -> ReloadReport:
    """
    Reload the proxy again and again while clients keep asking.

    There are keep-alive connections that stay, connections that last three requests,
    and large bodies in both directions.

    Args:
        run: The proxy.
        times: How many reloads.
        pause: Seconds before each.
        rate: Requests a second; a quarter more comes on the short connections.
        connections: How many keep-alive connections.

    Raises:
        BenchError: A reload did not take effect.
    """
    failures: Counter[str] = Counter()
    with (
        ThreadPoolExecutor(2) as threads,
        fleet.running_fleets(_fleet_options(run, rate, connections)) as fleets,
    ):
        seconds = times * pause
        bulk = [
            threads.submit(transfers.run, options)
            for options in _bulk_options(run, seconds)
        ]
        for number in range(times):
            time.sleep(pause)
            reload(run, number)
        time.sleep(min(pause, 1.0))
        results = [fleet.finish(process) for process in fleets]
        for transfer in bulk:
            failures.update(transfer.result().failures)
    for result in results:
        failures.update(result.kinds())
    return ReloadReport(
        reloads=times,
        answered=sum(result.answered for result in results),
        opened=sum(result.opened for result in results),
        failures=dict(failures),
    )


def reload(run: Session, number: int) -> None:
    """
    Add a route to the configuration, reload, wait until the route is there.

    Raises:
        BenchError: It does not come.
    """
    config = run.target.config
    mark = _MARK.format(number=number, port=run.behind.port)
    rewrite(config, config.read_text() + mark)
    run.target.running.send(signal.SIGHUP)
    wait_until(
        lambda: _status(run, f"/reload-{number}/1k") == 401,
        f"reload {number} to take effect",
        timeout=20.0,
    )


def _status(run: Session, path: str) -> int:
    client = Client.connect(run.target.port, context_for(run.things))
    try:
        return client.get(path, close=True).status
    finally:
        client.close()


def _fleet_options(run: Session, rate: float, connections: int) -> list[FleetOptions]:
    steady = FleetOptions(
        port=run.target.port,
        path="/api/1k",
        ca=str(run.things.ca),
        token=run.things.token(),
        connections=connections,
        seconds=_LONGEST,
        rate=rate,
    )
    short = attrs.evolve(
        steady,
        path="/1k",
        token=None,
        connections=max(1, connections // 4),
        rate=rate / 4,
        requests_per_connection=3,
    )
    return [steady, short]


def _bulk_options(run: Session, seconds: float) -> list[TransferOptions]:
    down = TransferOptions(
        kind="download",
        port=run.target.port,
        path="/10m",
        ca=str(run.things.ca),
        threads=2,
        seconds=seconds,
        length=10 * MIB,
        pause=0.1,
    )
    return [down, attrs.evolve(down, kind="upload", path="/upload")]


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BenchError as error:
        sys.exit(f"reload: {error}")
