"""Three proxies behind haproxy, over one Redis, as the examples in etc/ have them."""

import asyncio
import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import attrs
import pytest

from tests.support.fleet import APP, ISSUER, Fleet, Person, running_fleet
from tests.support.running import REAL, environment
from tests.support.session_traffic import within
from tests.support.sts import TokenServer

COMMAND = "import sys; from sso_proxy.cli import main; sys.exit(main())"
PEOPLE = 12
"""Browsers; and as many programs."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    with running_fleet(tmp_path_factory.mktemp("fleet")) as running:
        yield running


@attrs.frozen
class Broken:
    """A request that got no answer, and which proxy had the connection."""

    proxy: str
    sent: float
    ended: float


async def logged_in(fleet: Fleet, name: str) -> Person:
    person = fleet.person()
    await person.connect()
    assert (await person.ask(X_Login=name)).status == 200
    return person


async def at_each(fleet: Fleet, person: Person) -> list[int]:
    """Ask each proxy itself; gives the statuses."""
    found = []
    for port in fleet.ports:
        other = attrs.evolve(person, streams=None, cookies=dict(person.cookies))
        other.sent = person.sent
        await other.connect(port)
        found.append((await other.ask()).status)
        person.sent = other.sent
        await other.close()
    return found


def run(fleet: Fleet, *command: str) -> str:
    """Run our command at the first machine; gives what it says."""
    where = ("--config", str(fleet.proxies[0].config))
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", COMMAND, *command, *where],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_proof_that_one_has_seen_the_others_refuse(fleet: Fleet) -> None:
    async def conversation(fleet: Fleet) -> None:
        token = fleet.token("alice")
        person = fleet.person(token)
        proof = fleet.prove(token, f"/of/{person.address}/1")
        for port, status in zip(fleet.ports, (200, 401, 401), strict=True):
            await person.connect(port)
            person.sent = 0
            assert (await person.ask(proof=proof)).status == status

    fleet.run(conversation)


def test_hundred_requests_at_three_proxies_renew_once(fleet: Fleet) -> None:
    async def conversation(fleet: Fleet) -> None:
        person = await logged_in(fleet, "renewing")
        before = len(fleet.calls)
        many = []
        for number in range(99):
            other = fleet.person()
            other.cookies = dict(person.cookies)
            many.append(other)
            await other.connect(fleet.ports[number % 3])
        answers = await asyncio.gather(*(each.ask(X_Renew="1") for each in many))
        assert {(got.status, got.user) for got in answers} == {(200, "renewing")}
        assert {got.proxy for got in answers} == {"proxy-1", "proxy-2", "proxy-3"}
        assert len(fleet.calls) == before + 1

    fleet.run(conversation)


@pytest.mark.parametrize("outcome", ["issued", "refused"])
def test_many_requests_at_three_proxies_exchange_a_token_once(
    fleet: Fleet, outcome: str
) -> None:
    """Whoever asks has a lock in Redis; what it is told there all others find."""

    async def conversation(fleet: Fleet) -> None:
        server = fleet.exchanges
        server.members = {"error": "invalid_grant"} if outcome == "refused" else {}
        server.fail("held")
        before, presented = server.count, len(fleet.presented)
        token = fleet.token(outcome)
        programs = [fleet.person(token) for _ in range(60)]
        for number, program in enumerate(programs):
            await program.connect(fleet.ports[number % 3])
        asking = [asyncio.create_task(each.ask(below="orders")) for each in programs]
        await within(20.0, lambda: at_least(server, before + 1), "a question")
        for port in fleet.ports:  # each has read what came before, and waits
            last = fleet.person(token)
            await last.connect(port)
            assert (await last.ask()).status == 200
        assert not any(each.done() for each in asking)
        server.release()
        answers = await asyncio.gather(*asking)
        assert server.count == before + 1
        if outcome == "refused":
            assert {got.status for got in answers} == {401}
            assert len(fleet.presented) == presented
        else:
            assert {got.proxy for got in answers} == {"proxy-1", "proxy-2", "proxy-3"}
            issued = f"Bearer {server.issued[-1]}"
            assert fleet.presented[presented:] == [issued] * len(programs)

    fleet.run(conversation)


async def at_least(server: TokenServer, count: int) -> bool:
    return server.count >= count


def test_logout_at_one_holds_at_all(fleet: Fleet) -> None:
    async def conversation(fleet: Fleet) -> None:
        person = await logged_in(fleet, "leaving")
        copy = dict(person.cookies)
        assert await at_each(fleet, person) == [200, 200, 200]
        assert (await person.ask(X_Logout="1")).status == 401
        person.cookies = copy
        assert await at_each(fleet, person) == [401, 401, 401]

    fleet.run(conversation)


@pytest.mark.alone
@pytest.mark.parametrize("kind", ["session", "token"])
def test_what_is_revoked_at_one_is_over_at_all_within_a_second(
    fleet: Fleet, kind: str
) -> None:
    """On connections that are open, too."""

    async def conversation(fleet: Fleet) -> None:
        people = []
        for port in fleet.ports:
            person = fleet.person(fleet.token("mallory") if kind == "token" else "")
            await person.connect(port)
            first = {} if kind == "token" else {"X_Login": "mallory"}
            for fields in (first, {}, {}):
                assert (await person.ask(**fields)).status == 200
            people.append(person)
        if kind == "session":
            which = ("--issuer", "https://test.example", "--subject", "mallory")
            await asyncio.to_thread(run, fleet, "session", "revoke", *which)
        else:
            which = ("--issuer", ISSUER, "--subject", "mallory")
            told = await asyncio.to_thread(run, fleet, "revoke", *which)
            assert told.startswith("in force")

        async def refused() -> bool:
            return all([(await person.ask()).status == 401 for person in people])

        await within(1.0, refused, "the end at all proxies")

    fleet.run(conversation)


@pytest.mark.alone
def test_killed_proxy_costs_only_what_was_on_its_wire(fleet: Fleet) -> None:
    """Nobody is logged out, and no request but those that it was working on is lost."""

    async def conversation(fleet: Fleet) -> None:
        people = [await logged_in(fleet, f"user-{n}") for n in range(PEOPLE)]
        for number in range(PEOPLE):
            program = fleet.person(fleet.token(f"program-{number}"))
            await program.connect()
            people.append(program)
        ending = asyncio.Event()
        broken: list[Broken] = []
        work = [asyncio.create_task(load(p, ending, broken)) for p in people]
        await within(20.0, lambda: all_are_busy(people), "load at all proxies")
        killed = time.monotonic()
        victim = fleet.proxies[1]
        victim.signal(signal.SIGKILL)
        victim.wait()
        sent = [person.sent for person in people]

        async def all_went_on() -> bool:
            return all(p.sent > n + 30 for p, n in zip(people, sent, strict=True))

        await within(20.0, all_went_on, "requests after the kill")
        ending.set()
        await asyncio.gather(*work)
        for each in broken:
            assert each.proxy in {"proxy-2", ""}, "another proxy lost a request"
            assert each.sent <= killed + 1.0
            assert each.ended >= killed
        assert len(broken) <= len(people)

    fleet.run(conversation)
    check_audit(fleet)
    fleet.proxies[1].start(program=REAL)
    fleet.proxies[1].wait_for_log("serving on", times=2)


async def load(person: Person, ending: asyncio.Event, broken: list[Broken]) -> None:
    """Ask one request after the other; connect again where that has ended."""
    name = ""
    while not ending.is_set():
        begun = time.monotonic()
        try:
            if not person.is_connected:
                await person.connect()
            got = await person.ask()
        except (OSError, EOFError):
            broken.append(Broken(person.proxy, begun, time.monotonic()))
            await person.close()
            continue
        assert got.status == 200, "logged out"
        name = name or got.user
        assert got.user == name


async def all_are_busy(people: list[Person]) -> bool:
    """Say whether each has asked a few times, and each proxy serves some."""
    served = {person.proxy for person in people}
    return all(person.sent > 20 for person in people) and len(served) == 3


def check_audit(fleet: Fleet) -> None:
    """See that each proxy knew whose requests these were."""
    for number in (0, 2):
        file = fleet.proxies[number].directory / "audit.log"
        seen = set()
        for line in file.read_text().splitlines(keepends=True):
            if not line.endswith("\n"):
                break  # it is just being written
            record = json.loads(line)
            if record["path"].startswith("/of/"):
                address = record["path"].split("/")[2]
                assert record["client"] == address
                seen.add(address)
        assert len(seen) > 2


@pytest.mark.alone
def test_without_redis_nobody_is_let_in_and_then_everybody_is_again(
    fleet: Fleet,
) -> None:
    async def conversation(fleet: Fleet) -> None:
        program = fleet.person(fleet.token("patient"))
        await program.connect()

        async def let_in() -> bool:
            return (await program.ask()).status == 200

        assert await let_in()
        fleet.redis.signal(signal.SIGSTOP)
        try:
            assert (await program.ask()).status == 503
        finally:
            fleet.redis.signal(signal.SIGCONT)
        await within(10.0, let_in, "answers")

    fleet.run(conversation)
    assert APP in (fleet.proxies[0].directory / "audit.log").read_text()
