"""Browser sessions of the real proxy, with two workers, in thousands."""

import asyncio
import os
import random
import signal
from pathlib import Path

import pytest

from tests.support.running import eventually, is_alive
from tests.support.session_traffic import TYPES, Desk, ask_all, within
from tests.support.sessions import Browser

SESSIONS = 2000


@pytest.fixture(params=sorted(TYPES))
def desk(request: pytest.FixtureRequest, tmp_path: Path) -> Desk:
    return Desk(tmp_path, TYPES[request.param])


def test_two_thousand_sessions_never_cross(desk: Desk) -> None:
    """Whoever asks, over whichever connection, in whatever order (C10)."""

    async def conversation(desk: Desk) -> None:
        browsers = {f"user{n}": Browser() for n in range(SESSIONS)}
        work = [(user, {"X_Login": user}) for user in browsers]
        await ask_all(desk, browsers, work)
        again = [(user, dict[str, str]()) for user in browsers] * 2
        random.Random(1).shuffle(again)  # noqa: S311
        await ask_all(desk, browsers, again)
        seen = {browser.cookies["__Host-sso"] for browser in browsers.values()}
        assert len(seen) == SESSIONS

    desk.run(conversation)


def test_the_end_of_a_session_is_known_everywhere_within_a_second(desk: Desk) -> None:
    """In both workers, to repeated requests and to open tunnels."""

    async def conversation(desk: Desk) -> None:
        browser, other = Browser(), Browser()
        connections = [desk.connect() for _ in range(12)]
        await connections[0].ask(browser, X_Login="alice")
        await connections[0].ask(other, X_Login="bob")
        for connection in connections * 3:
            assert (await connection.ask(browser)).body == "alice"
        tunnels = [await desk.connect().switch(browser) for _ in range(6)]
        others = [await desk.connect().switch(other) for _ in range(6)]
        copy = Browser(**browser.cookies)
        assert (await desk.connect().ask(browser, X_Logout="1")).status == 401
        assert browser.cookies == {}

        async def refused() -> bool:
            answers = [await each.ask(Browser(**copy.cookies)) for each in connections]
            return all(got.status == 401 for got in answers)

        ends = [asyncio.wait_for(reader.read(1), 1.0) for reader, _ in tunnels]
        await within(1.0, refused, "the end of the session")
        for end in await asyncio.gather(*ends, return_exceptions=True):
            assert end == b"" or isinstance(end, ConnectionError)
        for reader, writer in others:
            writer.write(b"x")
            assert await asyncio.wait_for(reader.read(1), 1.0) == b"x"

    desk.run(conversation)


def test_a_hundred_requests_at_once_renew_once(desk: Desk) -> None:
    """
    In both workers together; all go on with what came of it (C31).

    An authorization server would take a refresh token a second time for a theft.
    """

    async def conversation(desk: Desk) -> None:
        browser = Browser()
        await desk.connect().ask(browser, X_Login="alice")
        cookies = dict(browser.cookies)
        connections = [desk.connect() for _ in range(100)]
        await asyncio.gather(*(each.ask(Browser(**cookies)) for each in connections))
        late = [Browser(**cookies) for _ in connections]
        answers = await asyncio.gather(
            *(
                connection.ask(each, X_Renew="1")
                for connection, each in zip(connections, late, strict=True)
            )
        )
        assert {got.status for got in answers} == {200}
        assert len(desk.calls.read_text().splitlines()) == 1
        for each in late:
            assert (await connections[0].ask(each)).body == "alice"

    desk.run(conversation)


def test_sessions_outlive_the_processes(desk: Desk) -> None:
    async def conversation(desk: Desk) -> None:
        browser = Browser()
        await desk.connect().ask(browser, X_Login="alice")
        workers = desk.proxies[0].workers()
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        gone = lambda: not any(map(is_alive, workers))  # noqa: E731
        await asyncio.to_thread(eventually, gone, "the end of the workers")

        async def known() -> bool:
            try:
                return (await desk.connect().ask(browser)).body == "alice"
            except (ConnectionError, asyncio.IncompleteReadError):
                return False

        await within(20.0, known, "a session after a crash")

    desk.run(conversation)


def test_sessions_in_browsers_need_no_store(tmp_path: Path) -> None:
    desk = Desk(tmp_path, '[session.main]\ntype = "cookie"\n')

    async def conversation(desk: Desk) -> None:
        browser = Browser()
        connections = [desk.connect() for _ in range(6)]
        await connections[0].ask(browser, X_Login="alice")
        for connection in connections:
            assert (await connection.ask(browser)).body == "alice"
        await connections[1].ask(browser, X_Logout="1")
        assert (await connections[2].ask(browser)).status == 401

    desk.run(conversation)
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["keys.json"]
