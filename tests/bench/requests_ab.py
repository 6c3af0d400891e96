"""
What a change costs requests: two trees in turn, without sockets, in one minute.

Give the directories of trees, two for each pair: ``git archive COMMIT | tar x -C DIR``.
Each process decides on requests of a listener with TLS, in memory: one head again and
again, a hundred tokens in turn, and tokens that nobody has shown before.  Ends with 1
if the second tree of a pair takes more than 2 % longer, in the median of five pairs.
"""

import gc
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
from zope.interface import implementer

from sso_proxy.config.limits import LimitsConfig
from sso_proxy.edge.exchange import Exchange
from sso_proxy.interfaces import IAuthenticator
from sso_proxy.model import Authenticated, Outcome, Refusal, Request, TlsFacts
from sso_proxy.testing.fakes import make_identity
from tests.support.doubles import (
    HOST,
    FakeStream,
    FakeUpstream,
    Scene,
    answer_ok,
    make_route,
)

MOST = 1.02
PAIRS = 5
BATCHES = 6
COUNTS = {"again": 4000, "hundred": 1000, "new": 500}
"""Requests in a batch."""

_BROWSER = b"".join(b"X-Field-%d: something of a browser's\r\n" % n for n in range(10))


@implementer(IAuthenticator)
class _ByToken:
    """The token is the subject's name."""

    consumes: tuple[str, ...] = ("authorization",)

    async def authenticate(self, request: Request) -> Outcome:
        return Authenticated(make_identity(request.head.values("authorization")[0]))

    def challenge(self, request: Request) -> None: ...

    def refusal(self, request: Request, refusal: Refusal) -> None: ...


class _Client(FakeStream):
    """A client that forgets what it was sent."""

    def write(self, data: bytes) -> None:
        assert data.startswith(b"HTTP/1.1 200 ")


class _Backend(FakeUpstream):
    """Answers at once, and forgets that."""

    def forward(self, exchange: Exchange, outgoing: object) -> object:  # type: ignore[override]
        del outgoing
        answer_ok(exchange)
        return None


def _request(token: int) -> bytes:
    line = b"GET /orders/%d HTTP/1.1\r\n" % (token % 7)
    return b"%b%bAuthorization: Bearer %064d\r\n%b\r\n" % (line, HOST, token, _BROWSER)


def _connect() -> tuple[Scene, _Client]:
    """Let a client connect to a listener with TLS."""
    route = make_route(
        _Backend(),
        authenticators=(_ByToken(),),
        consumed=frozenset({"authorization", "dpop"}),
    )
    limits = LimitsConfig(requests_per_connection=1_000_000)
    scene = Scene(limits=limits, routes=lambda _: [route], handshake=False)
    scene.facts = attrs.evolve(
        scene.facts, tls=TlsFacts(version="TLSv1.3", cipher="TLS_AES_128_GCM_SHA256")
    )
    _, connection = scene.connect(handshake=False)
    client = _Client(connection)
    connection.stream = client
    connection.ready(scene.facts)
    return scene, client


def measure() -> dict[str, float]:
    """Give the microseconds that a request of each kind takes, in the best batch."""
    scene, client = _connect()
    tokens = itertools.count(1000)
    best = dict.fromkeys(COUNTS, float("inf"))
    gc.disable()
    for _ in range(BATCHES):
        for kind, count in COUNTS.items():
            heads: Sequence[bytes]
            if kind == "again":
                heads = [_request(7)] * count
            elif kind == "hundred":
                heads = [_request(n % 100) for n in range(count)]
            else:
                heads = [_request(next(tokens)) for _ in range(count)]
            gc.collect()
            began = time.process_time()
            for head in heads:
                client.receive(head)
            took = time.process_time() - began
            assert len(scene.records) == count
            scene.records.clear()
            best[kind] = min(best[kind], took / count * 1e6)
    return best


def run(tree: Path) -> dict[str, float]:
    """Measure in a process of its own, with the code of *tree*."""
    done = subprocess.run(
        [sys.executable, "-P", str(Path(__file__).absolute()), "--one"],
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONHASHSEED": "0"},
        cwd=tree,
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
    )
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def compare(pairs: Sequence[tuple[Path, Path]]) -> Iterator[bool]:
    """Measure all in turn, print, and say of each pair whether it is good."""
    ratios: dict[tuple[int, str], list[float]] = {}
    least: dict[tuple[int, str], float] = {}
    for turn in range(PAIRS):
        for number, pair in enumerate(pairs):
            order = (0, 1) if turn % 2 == 0 else (1, 0)
            found = {which: run(pair[which]) for which in order}
            for kind in COUNTS:
                ratio = found[1][kind] / found[0][kind]
                ratios.setdefault((number, kind), []).append(ratio)
                key = number, kind
                least[key] = min(least.get(key, float("inf")), found[1][kind])
    for (number, kind), of_pairs in ratios.items():
        median = statistics.median(of_pairs)
        each = " ".join(f"{ratio:.3f}" for ratio in of_pairs)
        took = f"{least[number, kind]:.1f} µs"
        print(f"{pairs[number][1].name} {kind}: {median:.3f} of {each}; {took}")
        yield median <= MOST


def main(arguments: Sequence[str]) -> int:
    """Compare trees, or measure this one."""
    if arguments == ["--one"]:
        print(json.dumps(measure()))
        return 0
    trees = [Path(argument).absolute() for argument in arguments]
    if not trees or len(trees) % 2:
        print(__doc__)
        return 2
    return (
        0 if all(list(compare(list(zip(trees[::2], trees[1::2], strict=True))))) else 1
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
