"""
Many keep-alive TLS connections in one process, with a schedule that does not wait.

With a rate the load is open: every request has an intended time, and its latency
counts from then, however long it waited for a free connection.  Thus a proxy that
stalls is charged for all the requests that should have been sent meanwhile.
Without a rate each connection sends again as soon as it has its answer.
"""

import contextlib
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator

import attrs

from tests.bench.procs import LOAD_CORE, ROOT, BenchError, pinned

Process = subprocess.Popen[str]
"""A running fleet."""


@attrs.frozen(kw_only=True)
class FleetOptions:
    """
    What a fleet does.

    Attributes:
        port: The proxy's.
        path: What is asked for.
        ca: The CA of its certificate.
        token: An access token to send.
        expect_length: Octets of the right answer's body.
        connections: How many at once.
        seconds: How long requests are sent.
        rate: Requests a second, at random times; 0 sends without pause.
        requests_per_connection: Mean requests until a connection is closed and made
            anew; 0 keeps them.
        timeout: Seconds after which a request has failed.
        seed: Of all chance.
    """

    port: int
    path: str
    ca: str
    token: str | None = attrs.field(default=None, repr=False)
    expect_length: int = 1024
    connections: int = 64
    seconds: float = 2.0
    rate: float = 0.0
    requests_per_connection: int = 0
    timeout: float = 15.0
    seed: int = 1


@attrs.frozen
class Failure:
    """
    A request that was not answered as it should be.

    Attributes:
        sent: When it was sent, or the connection begun; seconds of the system's
            monotonic clock.
        at: When it failed.
        kind: ``refused``, ``reset``, ``closed`` (before any octet of an answer),
            ``truncated``, ``timeout``, ``tls``, ``status 502``, ``length``.
    """

    sent: float
    at: float
    kind: str


@attrs.frozen(kw_only=True)
class FleetResult:
    """
    What came of it.

    Attributes:
        answered: Requests answered as they should be.
        rate: Of these, a second.
        p50: Milliseconds from the intended time to the last octet, median.
        p99: The same, 99th percentile.
        p999: The same, 99.9th percentile.
        lag_p99: Milliseconds that the generator itself was late, 99th percentile.
        opened: Connections made.
        closed_idle: Connections that the proxy closed while they were idle.
        failures: All failures.
    """

    answered: int
    rate: float
    p50: float
    p99: float
    p999: float
    lag_p99: float
    opened: int
    closed_idle: int
    failures: list[Failure]

    def kinds(self) -> dict[str, int]:
        """Count the failures of each kind."""
        return dict(Counter(failure.kind for failure in self.failures))


def launch(options: FleetOptions) -> Process:
    """Start a fleet in a process of its own, on the core of the load."""
    arguments = json.dumps(attrs.asdict(options))
    command = [sys.executable, "-m", "tests.bench.engine", arguments]
    return subprocess.Popen(
        pinned(LOAD_CORE, command), stdout=subprocess.PIPE, text=True, cwd=ROOT
    )


def read_result(process: Process) -> FleetResult:
    """
    Wait for the end of a fleet and give its result.

    Raises:
        BenchError: It did not come to one.
    """
    output, _ = process.communicate()
    if process.returncode:
        raise BenchError(f"the load generator ended with {process.returncode}")
    values = json.loads(output)
    values["failures"] = [Failure(**failure) for failure in values["failures"]]
    return FleetResult(**values)


def finish(process: Process) -> FleetResult:
    """End a fleet before its time and give its result."""
    process.terminate()
    return read_result(process)


def run(options: FleetOptions) -> FleetResult:
    """Run a fleet in a process of its own."""
    return read_result(launch(options))


@contextlib.contextmanager
def running_fleets(options: Iterable[FleetOptions]) -> Iterator[list[Process]]:
    """Run load generators; whoever still runs at the end of the block is killed."""
    processes: list[Process] = []
    try:
        processes.extend(map(launch, options))
        yield processes
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
