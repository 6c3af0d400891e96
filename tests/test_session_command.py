"""``sso-proxy session`` speaks to the proxy that runs."""

import asyncio
import json
from pathlib import Path

import pytest

from sso_proxy.cli import main
from tests.support.session_traffic import TYPES, Desk
from tests.support.sessions import Browser

ALICE = ("--issuer", "https://test.example", "--subject", "alice")


def test_sessions_are_listed_and_ended_in_all_workers(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(desk: Desk, *arguments: str) -> tuple[int, list[str]]:
        action, *rest = arguments
        command = ["session", action, "--config", str(desk.proxies[0].config), *rest]
        status = await asyncio.to_thread(main, command)
        read = capsys.readouterr()
        return status, (read.out + read.err).splitlines()

    async def conversation(desk: Desk) -> None:
        one, two = Browser(), Browser()
        connections = [desk.connect() for _ in range(6)]
        for browser in (one, two):
            await connections[0].ask(browser, X_Login="alice")
        status, lines = await run(desk, "list", *ALICE)
        first, second = map(json.loads, lines)
        assert status == 0
        assert first["in"] == "main"
        assert first["created"] <= second["created"]
        assert await run(desk, "revoke", "--id", first["id"]) == (0, ["ended: main"])
        status, lines = await run(desk, "revoke", "--id", first["id"])
        assert status == 1
        assert "no such session" in lines[0]
        assert len((await run(desk, "list", *ALICE))[1]) == 1
        assert await run(desk, "revoke", *ALICE) == (0, ["ended: main"])
        await asyncio.sleep(1.0)
        for connection in connections:
            assert (await connection.ask(two)).status == 401
        status, lines = await run(desk, "revoke", "--subject", "alice")
        assert (status, lines[0]) == (1, "command line: name --issuer and --subject")

    Desk(tmp_path, TYPES["server"]).run(conversation)


def test_what_only_browsers_know_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def conversation(desk: Desk) -> None:
        command = ["session", "revoke", "--config", str(desk.proxies[0].config), *ALICE]
        assert await asyncio.to_thread(main, command) == 1
        assert "not done: session.main: " in capsys.readouterr().err

    Desk(tmp_path, '[session.main]\ntype = "cookie"\n').run(conversation)
