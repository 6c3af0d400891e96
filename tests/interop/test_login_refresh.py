"""Sessions whose tokens expire get new ones from npm oidc-provider, once."""

import asyncio
import time
from collections.abc import Iterator
from typing import Final

import pytest

from sso_proxy.testing.pki import Pki
from tests.support.browser import Browser
from tests.support.login_proxy import HOST, LoginProxy, login_proxy
from tests.support.logins_at_op import LoginClient, LoginKeys
from tests.support.oidc_provider import OidcProvider
from tests.support.programs import free_port
from tests.support.tokens_from_op import client_context

AT_ONCE: Final = 100
TTL: Final = 8
DUE: Final = TTL / 2 + 0.3
"""Seconds after which tokens are refreshed that last for `TTL`."""
TOKEN: Final = "POST /token "

Scene = tuple[LoginProxy, OidcProvider]


@pytest.fixture(scope="module")
def scene(pki: Pki, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    """Run a proxy of two processes, and the provider."""
    directory, keys, port = (
        tmp_path_factory.mktemp("refresh"),
        LoginKeys(pki),
        free_port(),
    )
    client = LoginClient()
    keys.write(directory)
    known = [keys.registration("basic", client, port)]
    with OidcProvider(pki, known, token_ttl=TTL) as server:
        sites = {"basic": client.site("basic", server.issuer)}
        with login_proxy(directory, pki, sites, port, workers=2) as gate:
            yield gate, server


async def ask_at_once(gate: LoginProxy, browser: Browser, due: float) -> list[int]:
    """Connect often, wait until *due*, and ask on all connections at the same time."""
    tls = client_context(gate.ca)
    cookies = "; ".join(
        f"{c.name}={c.value}" for c in browser.cookies if c.host == HOST
    )
    head = (
        f"GET /basic/ HTTP/1.1\r\nHost: {HOST}:{gate.proxy.port}\r\n"
        f"Accept: application/json\r\nCookie: {cookies}\r\n\r\n"
    ).encode()
    streams = [
        await asyncio.open_connection(
            "127.0.0.1", gate.proxy.port, ssl=tls, server_hostname=HOST
        )
        for _ in range(AT_ONCE)
    ]
    await asyncio.sleep(due - time.monotonic())
    for _, writer in streams:
        writer.write(head)
    lines = await asyncio.gather(*(reader.readline() for reader, _ in streams))
    for _, writer in streams:
        writer.transport.abort()
    return [int(line.split()[1]) for line in lines]


def test_a_hundred_requests_at_expiry_make_one_refresh(scene: Scene) -> None:
    """Counted where the tokens are from; twice, as the refresh token is a new one."""
    gate, server = scene
    browser = gate.browser()
    page = browser.submit(browser.go(gate.url("basic")), login="alice")
    assert page.status == 200, gate.story(browser, page)
    for _ in range(2):
        due = time.monotonic() + DUE
        before = server.requests(TOKEN)
        statuses = asyncio.run(ask_at_once(gate, browser, due))
        assert statuses == [200] * AT_ONCE
        assert server.requests(TOKEN) - before == 1
    assert server.requests(f"{TOKEN}200") == server.requests(TOKEN)
    assert {seen.values("X-Remote-User")[0] for seen in gate.backend.seen} == {"alice"}
