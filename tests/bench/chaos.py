"""
Everything around the proxy fails in turn, under load.

A worker is killed, Redis is killed and comes back, the authorization server is slow and
then down, the upstream flaps, the proxy reloads ten times, its certificate changes, the
disk with its audit log is full, and then the one with its state directory.  Each answer
but 200 must be one that the fault of that time explains, and in the end memory and
descriptors are where they were.  Ends with 1 if not.
"""

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import attrs

from tests.bench.chaos_scene import MAY_MOUNT, Scene, running_scene
from tests.bench.procs import Running

GRACE = 2.5
"""Seconds after a fault in which it still explains: what waits for it has a timeout."""
MOST_GROWTH = 24
"""MiB that processes may have more in the end."""
MOST_DESCRIPTORS = 24
PAUSE = 0.05
"""Seconds between two requests of a client."""
CLIENTS = 4
"""Of each kind."""
BROKEN = "broken off"
NOBODY_KNOWS = frozenset({"503", "502", "504"})
EVERYTHING = ("plain", "signed", "asked", "session", "kept")
USES = 5
"""Requests with one session that is kept in the state directory."""
SETTLES = 40.0
"""Seconds after which health has nothing to say of what was, but is no more."""

Expected: TypeAlias = dict[str, frozenset[str]]
"""The outcomes that a fault explains, by the kind of request."""


@attrs.frozen(kw_only=True)
class Fault:
    """
    Something that happens.

    Attributes:
        name: What.
        act: Does it, and undoes it.
        expected: What it explains.
        later: What it explains for longer, because it was remembered meanwhile.
        lasts: Seconds after it in which it does.
    """

    name: str
    act: Callable[[Scene], Coroutine[Any, Any, None]]
    expected: Expected = attrs.field(factory=dict)
    later: Expected = attrs.field(factory=dict)
    lasts: float = 0.0


@attrs.frozen(kw_only=True)
class Outcome:
    """
    What came of one request.

    Attributes:
        kind: Which route it was for.
        result: A status, or `BROKEN`.
        sent: When it was sent.
        ended: When this was known.
    """

    kind: str
    result: str
    sent: float
    ended: float


@attrs.frozen(kw_only=True)
class Window:
    """When a fault was there."""

    fault: Fault
    begin: float
    end: float

    def explains(self, outcome: Outcome) -> bool:
        """Say whether *outcome* is what the fault does."""
        fault, kind, after = self.fault, outcome.kind, outcome.sent - self.end
        if outcome.ended < self.begin:
            return False
        return (after <= GRACE and outcome.result in fault.expected.get(kind, ())) or (
            after <= fault.lasts and outcome.result in fault.later.get(kind, ())
        )


@attrs.frozen(kw_only=True)
class Report:
    """
    What came of it all.

    Attributes:
        answered: Requests with 200.
        explained: Others, by the fault, the kind of request, and what came.
        unexplained: Those that no fault explains.
        growth: MiB more than before.
        descriptors: More than before.
        missing: What health still misses in the end, and is not well.
        took: Seconds that each fault took, the last time.
    """

    answered: int
    explained: Counter[tuple[str, str, str]]
    unexplained: Counter[tuple[str, str]]
    growth: float
    descriptors: int
    missing: str
    took: dict[str, float]

    @property
    def is_good(self) -> bool:
        """Whether all is as it should be."""
        return (
            not self.unexplained
            and self.growth < MOST_GROWTH
            and self.descriptors < MOST_DESCRIPTORS
            and not self.missing
        )


def of(kinds: Iterable[str], *results: str) -> Expected:
    """Say that a fault explains these results for these kinds."""
    return {kind: frozenset(results) for kind in kinds}


async def kill_worker(scene: Scene) -> None:
    """Kill one of the two workers, and wait for the next one."""
    await scene.kill_worker()


async def kill_redis(scene: Scene) -> None:
    """Redis is away for a second, and has forgotten all."""
    scene.redis.kill()
    await asyncio.sleep(1.0)
    await asyncio.to_thread(scene.redis.start)


async def slow_provider(scene: Scene) -> None:
    """The authorization server takes longer than it is waited for."""
    scene.provider_delay = 4.0
    await asyncio.sleep(1.5)
    scene.provider_delay = 0.0


async def no_provider(scene: Scene) -> None:
    """The authorization server is down."""
    async with scene.provider.away():
        await asyncio.sleep(1.0)


async def flapping_upstream(scene: Scene) -> None:
    """The upstream goes and comes, five times."""
    for _ in range(5):
        async with scene.upstream.away():
            await asyncio.sleep(0.1)
        await asyncio.sleep(0.1)


async def ten_reloads(scene: Scene) -> None:
    """Reload ten times."""
    for _ in range(10):
        await asyncio.to_thread(scene.proxy.reload)


async def new_certificate(scene: Scene) -> None:
    """Serve another certificate, from the next connection on."""
    before = await asyncio.to_thread(scene.certificate)
    scene.write_certificate()
    await asyncio.to_thread(scene.proxy.reload)
    assert await asyncio.to_thread(scene.certificate) != before


async def full_disk(scene: Scene) -> None:
    """No record can be written; that is said, and nobody has to wait."""
    scene.write_config(audit="/dev/full")
    await asyncio.to_thread(scene.proxy.reload)
    await asyncio.to_thread(scene.wait_until_missing, "No space left")
    scene.write_config()
    await asyncio.to_thread(scene.proxy.reload)


async def full_state(scene: Scene) -> None:
    """Nobody can log in where sessions are kept on that disk; who is, goes on."""
    scene.disk.fill()
    await asyncio.to_thread(scene.wait_until_missing, "the cache here: mdb_")
    await asyncio.sleep(1.0)
    scene.disk.make_room()


FULL_STATE = Fault(
    name="state directory full", act=full_state, expected=of(["kept"], "503")
)
FAULTS = (
    # First those that explain nothing: soon after others, these would explain it.
    Fault(name="ten reloads", act=ten_reloads),
    Fault(name="new certificate", act=new_certificate),
    Fault(name="full disk", act=full_disk),
    FULL_STATE,
    Fault(name="worker killed", act=kill_worker, expected=of(EVERYTHING, BROKEN)),
    Fault(
        name="Redis killed",
        act=kill_redis,
        expected=of(["session"], "503", "401"),
        # What was decided about a session holds for so long, unless somebody ends it.
        later=of(["session"], "401"),
        lasts=30.0 + GRACE,
    ),
    Fault(
        name="provider slow",
        act=slow_provider,
        expected=of(["asked"], *NOBODY_KNOWS),
    ),
    Fault(
        name="provider down",
        act=no_provider,
        expected=of(["asked"], *NOBODY_KNOWS),
    ),
    Fault(
        name="upstream flapping",
        act=flapping_upstream,
        expected=of(EVERYTHING, "502", BROKEN),
    ),
)


class Client:
    """Sends requests of one kind, one after the other, over a connection that stays."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self.kind = kind
        self.outcomes: list[Outcome] = []
        self._scene = scene
        self._cookie = ""
        self._uses = 0
        self._streams: Any = None

    async def run(self, ending: asyncio.Event) -> None:
        """Ask until it ends."""
        try:
            while not ending.is_set():
                begun = time.monotonic()
                try:
                    result = str(await asyncio.wait_for(self._ask(), 15.0))
                except (OSError, EOFError, TimeoutError):
                    result = BROKEN
                    self._close()
                if result == "401":
                    self._cookie = ""  # and log in
                ended = time.monotonic()
                self.outcomes.append(
                    Outcome(kind=self.kind, result=result, sent=begun, ended=ended)
                )
                await asyncio.sleep(PAUSE)
        finally:
            self._close()

    async def _ask(self) -> int:
        if self._streams is None or self._streams[0].at_eof():
            self._close()
            self._streams = await asyncio.open_connection(
                "127.0.0.1",
                self._scene.proxy.port,
                ssl=self._scene.client_tls,
                server_hostname="localhost",
            )
        reader, writer = self._streams
        head = f"GET /{self.kind}/ HTTP/1.1\r\nHost: localhost\r\n{self._field()}\r\n"
        writer.write(head.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        values = dict(line.split(": ", 1) for line in head.split("\r\n")[1:-2])
        await reader.readexactly(int(values.get("Content-Length", 0)))
        if "Set-Cookie" in values and self.kind in {"session", "kept"}:
            self._cookie = values["Set-Cookie"].partition(";")[0]
        if values.get("Connection") == "close":
            self._close()
        return int(head.split(" ")[1])

    def _field(self) -> str:
        match self.kind:
            case "signed":
                return f"Authorization: Bearer {self._scene.token}\r\n"
            case "asked":
                return f"Authorization: Bearer {secrets.token_urlsafe(16)}\r\n"
            case "session" | "kept":
                self._uses += 1
                again = self.kind == "kept" and not self._uses % USES
                if self._cookie and not again:
                    return f"Cookie: {self._cookie}\r\n"
                name = f"person-{secrets.token_hex(4)}" if again else "alice"
                return f"X-Login: {name}\r\n"
            case _:
                return ""

    def _close(self) -> None:
        if self._streams is not None:
            self._streams[1].transport.abort()
            self._streams = None


def judge(
    outcomes: Iterable[Outcome], windows: Sequence[Window]
) -> tuple[int, Counter[tuple[str, str, str]], Counter[tuple[str, str]]]:
    """Count what went well, what a fault explains, and what none does."""
    answered = 0
    explained: Counter[tuple[str, str, str]] = Counter()
    unexplained: Counter[tuple[str, str]] = Counter()
    for each in outcomes:
        if each.result == "200":
            answered += 1
            continue
        reason = next(
            (w.fault.name for w in reversed(windows) if w.explains(each)), None
        )
        if reason is None:
            unexplained[each.kind, each.result] += 1
        else:
            explained[reason, each.kind, each.result] += 1
    return answered, explained, unexplained


async def settled(scene: Scene) -> str:
    """Give what is missing when all is over."""
    until = time.monotonic() + SETTLES
    while missing := await asyncio.to_thread(scene.missing):
        if time.monotonic() > until:
            break
        await asyncio.sleep(0.5)
    return missing


async def torment(
    scene: Scene, faults: Sequence[Fault], *, rounds: int, pause: float
) -> Report:
    """Have all *faults* happen *rounds* times; *pause* seconds between two."""
    clients = [Client(scene, kind) for kind in EVERYTHING for _ in range(CLIENTS)]
    running = Running(
        name="sso-proxy", process=scene.process, log=scene.directory / "output"
    )
    windows: list[Window] = []
    ending = asyncio.Event()
    async with scene.serving():
        work = [asyncio.create_task(client.run(ending)) for client in clients]
        await asyncio.sleep(1.5)
        memory, descriptors = running.rss(), running.descriptors()
        for fault in [*faults] * rounds:
            begin = time.monotonic()
            await fault.act(scene)
            windows.append(Window(fault=fault, begin=begin, end=time.monotonic()))
            await asyncio.sleep(pause)
        await asyncio.sleep(1.0)
        growth = (running.rss() - memory) / 2**20
        more = running.descriptors() - descriptors
        missing = await settled(scene)
        ending.set()
        await asyncio.gather(*work)
    outcomes = [each for client in clients for each in client.outcomes]
    answered, explained, unexplained = judge(outcomes, windows)
    return Report(
        answered=answered,
        explained=explained,
        unexplained=unexplained,
        growth=growth,
        descriptors=more,
        missing=missing,
        took={w.fault.name: w.end - w.begin for w in windows},
    )


def run(faults: Sequence[Fault], *, rounds: int, pause: float) -> Report:
    """Do it in a directory of its own."""
    with (
        tempfile.TemporaryDirectory() as name,
        running_scene(Path(name)) as scene,
    ):
        limit = 60.0 + SETTLES + rounds * len(faults) * (pause + 20.0)
        work = torment(scene, faults, rounds=rounds, pause=pause)
        return asyncio.run(asyncio.wait_for(work, limit))


def main(arguments: Sequence[str] | None = None) -> int:
    """Torment, print, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.chaos", description=__doc__
    )
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two")
    options = parser.parse_args(arguments)
    faults = [each for each in FAULTS if MAY_MOUNT or each is not FULL_STATE]
    report = run(faults, rounds=options.rounds, pause=options.pause)
    print(f"| answered | {report.answered} | |\n|---|---|---|")
    for (fault, kind, result), count in sorted(report.explained.items()):
        print(f"| {fault}: {kind}, {result} | {count} | |")
    for (kind, result), count in sorted(report.unexplained.items()):
        print(f"| without explanation: {kind}, {result} | {count} | FAIL |")
    if FULL_STATE not in faults:
        print(f"| {FULL_STATE.name}: NOT TRIED, only root may mount a disk | | |")
    for name, seconds in report.took.items():
        print(f"| seconds of {name} | {seconds:.1f} | |")
    print(f"| growth, MiB (less than {MOST_GROWTH}) | {report.growth:.1f} | |")
    print(f"| descriptors (less than {MOST_DESCRIPTORS}) | {report.descriptors} | |")
    print(f"| missing in the end | {report.missing or 'nothing'} | |")
    print(f"| all together | {'pass' if report.is_good else 'FAIL'} | |")
    return 0 if report.is_good else 1


if __name__ == "__main__":
    sys.exit(main())
