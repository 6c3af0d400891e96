"""The load of small requests: wrk, 64 connections, as fast as they are answered."""

import json
import os
import subprocess
from pathlib import Path

import attrs

from tests.bench.material import BROWSER_HEADERS, Material
from tests.bench.peers import find
from tests.bench.procs import LOAD_CORE, BenchError, pinned

SCRIPT = Path(__file__).parent / "report.lua"
CONNECTIONS = 64


@attrs.frozen(kw_only=True)
class Tokens:
    """
    The access tokens to use.

    Attributes:
        count: How many different ones; 0 sends none.
        file: Where they are, one a line, with its DPoP proof if it has one; unset,
            those that all proxies are measured with.
        once: Whether each is good once; otherwise they are used in turn.
        field: The field that they go into, if that is not ``Authorization``.
    """

    count: int
    file: Path | None = None
    once: bool = False
    field: str = ""


@attrs.frozen(kw_only=True)
class SmallGets:
    """
    What wrk counted.

    Attributes:
        requests: Answers.
        seconds: How long it took.
        p50: Milliseconds, closed loop.
        p99: The same.
        failures: How many of each kind.
    """

    requests: int
    seconds: float
    p50: float
    p99: float
    failures: dict[str, int]


def run(
    port: int, path: str, things: Material, *, tokens: Tokens, seconds: float
) -> SmallGets:
    """
    Ask for *path* for some seconds.

    Args:
        port: The proxy's.
        path: A file of 1 KiB.
        things: Where the tokens are.
        tokens: What it sends.
        seconds: How long.

    Raises:
        BenchError: wrk did not run.
    """
    headers = things.directory / "headers"
    headers.write_text("".join(f"{n}: {v}\n" for n, v in BROWSER_HEADERS))
    command = [find("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{seconds:g}s"]
    command += [
        "--timeout",
        "15s",
        "-s",
        str(SCRIPT),
        f"https://localhost:{port}{path}",
    ]
    environment = os.environ | {
        "BENCH_HEADERS": str(headers),
        "BENCH_HOST": f"localhost:{port}" if tokens.once else "localhost",
        "BENCH_TOKENS": str(tokens.file or things.tokens),
        "BENCH_COUNT": str(tokens.count),
        "BENCH_ONCE": str(int(tokens.once)),
        "BENCH_FIELD": tokens.field,
    }
    done = subprocess.run(
        pinned(LOAD_CORE, command),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    if done.returncode:
        raise BenchError(f"wrk: {done.stdout}{done.stderr}")
    return _read(json.loads(done.stdout.splitlines()[-1]))


def _read(values: dict[str, float]) -> SmallGets:
    kinds = ("connect", "read", "write", "status", "timeout")
    failures = {kind: int(values[kind]) for kind in kinds if values[kind]}
    requests = int(values["requests"])
    if values["octets"] < requests * 1024:
        failures["short answers"] = requests
    return SmallGets(
        requests=requests,
        seconds=values["seconds"],
        p50=values["p50"],
        p99=values["p99"],
        failures=failures,
    )
