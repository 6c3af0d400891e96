"""Browser sessions of two real proxies that share a real store."""

import asyncio
import signal
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import pytest

from sso_proxy.sessions.names import decode
from sso_proxy.testing.pki import Pki
from tests.support.memcached import Memcached
from tests.support.redis_servers import RedisServer
from tests.support.running import environment, eventually
from tests.support.session_traffic import Connection, Desk, within
from tests.support.sessions import Browser

COMMAND = "import sys; from sso_proxy.cli import main; sys.exit(main())"
ALICE = ("--issuer", "https://test.example", "--subject", "alice")
SESSIONS = {
    "server": '[session.main]\ntype = "server"\n',
    "cookie": '[session.main]\ntype = "cookie"\ncache = "shared"\n',
    "unlisted": '[session.main]\ntype = "server"\nlisted = false\n',
}


@attrs.frozen
class Place:
    """Two proxies, and the store that they share."""

    desk: Desk
    store: RedisServer | Memcached


@pytest.fixture(
    scope="module", params=["server-redis", "cookie-redis", "unlisted-memcached"]
)
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:
    kind, _, program = request.param.partition("-")
    directory = tmp_path_factory.mktemp("place")
    store: RedisServer | Memcached
    with ExitStack() as stack:
        if program == "redis":
            store = stack.enter_context(RedisServer(directory))
            options = f'type = "redis"\nserver = "{store.address}"\n'
        else:
            store = stack.enter_context(Memcached(directory))
            options = f'type = "memcached"\nservers = ["{store.name}"]\n'
        bound = 'binding = { certificate = "prefer" }\n'
        table = f"[cache.shared]\n{options}\n{SESSIONS[kind]}{bound}"
        desk = stack.enter_context(Desk(directory, table, count=2, terminated=True))
        yield Place(desk, store)


async def everywhere(desk: Desk) -> list[Connection]:
    """Give connections to all workers of both proxies, as good as certainly."""
    return [desk.connect(number % 2) for number in range(16)]


def test_a_session_is_good_at_each_proxy_until_it_ends(place: Place) -> None:
    async def conversation(desk: Desk) -> None:
        browser = Browser()
        connections = await everywhere(desk)
        await connections[0].ask(browser, X_Login="alice")
        for connection in connections:
            assert (await connection.ask(browser)).body == "alice"
        copy = dict(browser.cookies)
        assert (await connections[0].ask(browser, X_Logout="1")).status == 401
        for connection in await everywhere(desk):
            assert (await connection.ask(Browser(**copy))).status == 401

    place.desk.run(conversation)


def test_a_session_is_bound_to_one_certificate_at_each_proxy(place: Place) -> None:
    pki = Pki.create()
    ours, others = (
        f":{b64encode(pki.issue(name, client=True).der).decode()}:"
        for name in ("alice", "mallory")
    )

    async def conversation(desk: Desk) -> None:
        browser = Browser()
        connections = await everywhere(desk)
        await connections[0].ask(browser, X_Login="alice", Client_Cert=ours)
        for connection in connections:
            assert (await connection.ask(browser, Client_Cert=ours)).body == "alice"
        await connections[0].ask(browser, Client_Cert=ours, X_Renew="1")
        cookies = dict(browser.cookies)
        for connection in connections:
            stolen = Browser(**cookies)
            assert (await connection.ask(stolen, Client_Cert=others)).status == 401
            assert (await connection.ask(stolen)).status == 401
            assert (await connection.ask(stolen, X_Logout="1")).status == 401
        for connection in connections:
            assert (await connection.ask(browser, Client_Cert=ours)).body == "alice"

    place.desk.run(conversation)


def test_a_hundred_requests_at_two_proxies_renew_once(place: Place) -> None:
    async def conversation(desk: Desk) -> None:
        browser = Browser()
        await desk.connect().ask(browser, X_Login="alice")
        browsers = [Browser(**browser.cookies) for _ in range(100)]
        connections = [desk.connect() for _ in browsers]
        for connection in connections:
            await connection.ask(browser)
        answers = await asyncio.gather(
            *(c.ask(b, X_Renew="1") for c, b in zip(connections, browsers, strict=True))
        )
        assert {(got.status, got.body) for got in answers} == {(200, "alice")}
        assert len(desk.calls.read_text().splitlines()) == 1

    place.desk.run(conversation)


@pytest.mark.alone
def test_all_sessions_of_a_user_end_at_both_proxies_within_a_second(
    place: Place,
) -> None:
    """One proxy is told; both close tunnels and forget what they have decided."""
    if isinstance(place.store, Memcached):
        revoke_none(place.desk)
        return

    async def conversation(desk: Desk) -> None:
        browser, other = Browser(), Browser()
        connections = await everywhere(desk)
        await connections[0].ask(browser, X_Login="alice")
        await connections[0].ask(other, X_Login="bob")
        for connection in connections * 2:
            assert (await connection.ask(browser)).body == "alice"
        tunnels = [await desk.connect(n % 2).switch(browser) for n in range(8)]
        ends = [asyncio.wait_for(reader.read(1), 20.0) for reader, _ in tunnels]
        closed = asyncio.gather(*ends, return_exceptions=True)
        await asyncio.to_thread(revoke, desk, *ALICE)
        ended = time.monotonic()

        async def refused() -> bool:
            copies = [Browser(**browser.cookies) for _ in connections]
            answers = [
                await connection.ask(copy)
                for connection, copy in zip(connections, copies, strict=True)
            ]
            return all(got.status == 401 for got in answers)

        await within(1.0, refused, "the end of the sessions")
        for end in await closed:
            assert end == b"" or isinstance(end, ConnectionError)
        assert time.monotonic() - ended < 1.5
        for connection in connections:
            assert (await connection.ask(other)).body == "bob"

    place.desk.run(conversation)


def test_a_store_that_is_gone_lets_nobody_in_and_holds_nobody_up(place: Place) -> None:
    async def conversation(desk: Desk) -> None:
        browser = Browser()
        connections = await everywhere(desk)
        await connections[0].ask(browser, X_Login="alice")
        place.store.kill()
        await nobody_is_let_in(connections, browser)
        place.store.start()
        await logins_work(connections)

    place.desk.run(conversation)


def test_a_store_that_stops_lets_nobody_in_and_holds_nobody_up(place: Place) -> None:
    async def conversation(desk: Desk) -> None:
        browser = Browser()
        connections = await everywhere(desk)
        await connections[0].ask(browser, X_Login="alice")
        process = place.store.process
        assert process is not None
        process.send_signal(signal.SIGSTOP)
        await asyncio.to_thread(eventually, lambda: has_stopped(process.pid), "a stop")
        await nobody_is_let_in(connections, browser)
        process.send_signal(signal.SIGCONT)
        await logins_work(connections)
        assert (await connections[0].ask(browser)).body == "alice"

    place.desk.run(conversation)


def has_stopped(pid: int) -> bool:
    """Say whether no thread does anything any more: they stop one after the other."""
    stats = [task / "stat" for task in Path(f"/proc/{pid}/task").iterdir()]
    return all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in stats)


async def nobody_is_let_in(connections: list[Connection], browser: Browser) -> None:
    """Ask for what a session is needed for, and for what none is."""

    async def ask(connection: Connection, status: int, browser: Browser) -> None:
        begun = time.monotonic()
        assert (await connection.ask(browser)).status == status
        assert time.monotonic() - begun < (6.0 if status == 503 else 2.0)

    half = len(connections) // 2
    await asyncio.gather(
        *(ask(each, 503, Browser(**browser.cookies)) for each in connections[:half]),
        *(ask(each, 401, Browser()) for each in connections[half:]),
    )


async def logins_work(connections: list[Connection]) -> None:
    """Wait until whoever logs in is let in again."""

    async def works() -> bool:
        for connection in connections:
            browser = Browser()
            await connection.ask(browser, X_Login="bob")
            if (await connection.ask(browser)).body != "bob":
                return False
        return True

    await within(15.0, works, "a login")


def test_new_keys_log_nobody_out_at_any_time(tmp_path: Path) -> None:
    """Two proxies read the file one after the other, while people log in at both."""

    async def conversation(desk: Desk) -> None:
        kids: set[bytes] = set()
        begun = 0

        async def visit(number: int) -> None:
            browser = Browser()
            for turn in range(5):
                fields = {} if turn else {"X_Login": "alice"}
                connection = desk.connect(number + turn)
                assert (await connection.ask(browser, **fields)).body == "alice"
                await connection.close()
            octets = decode(browser.cookies["__Host-sso"].removeprefix("1."))
            assert octets is not None
            kids.add(octets[2 : 2 + octets[1]])

        async def visit_all() -> None:
            nonlocal begun
            while len(kids) < 2 or begun < 100:
                begun += 1
                await visit(begun)

        async def rotate() -> None:
            ring = str(desk.directory / "keys.json")
            await asyncio.to_thread(
                run, "key", "rotate", "--file", ring, "--after", "5"
            )
            for proxy in desk.proxies:
                await asyncio.to_thread(proxy.reload)
                await asyncio.sleep(0.5)

        await asyncio.gather(visit_all(), visit_all(), rotate())
        assert len(kids) == 2

    Desk(tmp_path, '[session.main]\ntype = "cookie"\n', count=2).run(conversation)


def revoke_none(desk: Desk) -> None:
    """Be told that this cannot be done where no list is kept."""
    with pytest.raises(AssertionError, match="which is not kept"):
        revoke(desk, *ALICE)


def revoke(desk: Desk, *which: str) -> None:
    """End sessions by the command, which asks the first proxy."""
    config = str(desk.proxies[0].config)
    assert run("session", "revoke", "--config", config, *which) == "ended: main\n"


def run(*command: str) -> str:
    """Run our command; gives what it says."""
    done = subprocess.run(  # noqa: S603
        [sys.executable, "-c", COMMAND, *command],
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        env=environment(),
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
