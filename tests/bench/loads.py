"""The loads: what is sent to whom, and what it cost the proxy."""

import secrets
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.bench import browsing, fleet, proving, smallgets, ticketing, transfers
from tests.bench.fleet import FleetOptions
from tests.bench.material import MIB, Material
from tests.bench.peers import (
    APACHE,
    COOKIE_PATH,
    DEVICE_PATH,
    NGINX,
    OAUTH2,
    OPENIDC,
    OPENIDC_COOKIE,
    OURS,
    OURS_2,
    PUBTKT,
    SERVER_PATH,
    Target,
)
from tests.bench.smallgets import Tokens
from tests.bench.transfers import TransferOptions

SESSIONS = 100
"""Different sessions that are used in turn."""

NEW_PER_SECOND = 10000
"""Tokens that are made for each second of a load that uses each once."""


@attrs.frozen(kw_only=True)
class Sample:
    """
    One load on one proxy in one round.

    Attributes:
        cpu_us: Microseconds on a CPU for each request, connection or transfer.
        per_second: How many of these in a second.
        p50: Milliseconds, where latency is measured.
        p99: The same.
        lag: Milliseconds that the generator of an open loop was late itself, 99th
            percentile.
        failures: How many of each kind.
    """

    cpu_us: float
    per_second: float
    p50: float | None = None
    p99: float | None = None
    lag: float | None = None
    failures: dict[str, int]


@attrs.frozen(kw_only=True)
class Setting:
    """
    What is the same for all runs.

    Attributes:
        things: Keys, tokens, files.
        seconds: How long one run takes.
        tokens: How many different tokens.
        rate: Requests a second of the open loop.
    """

    things: Material
    seconds: int
    tokens: int
    rate: float


@attrs.frozen
class Load:
    """
    One kind of work.

    Attributes:
        title: In the table.
        targets: Who is measured with it.
        run: Does it to one of them.
    """

    title: str
    targets: tuple[str, ...]
    run: Callable[[Target, Setting], Sample]


def _small(
    path: str, tokens: Callable[[Target, Setting], Tokens]
) -> Callable[..., Sample]:
    def run(target: Target, setting: Setting) -> Sample:
        chosen = tokens(target, setting)
        before = target.running.cpu_ns()
        got = smallgets.run(
            target.port,
            path,
            setting.things,
            tokens=chosen,
            seconds=setting.seconds,
        )
        return Sample(
            cpu_us=(target.running.cpu_ns() - before) / 1000 / max(1, got.requests),
            per_second=got.requests / got.seconds,
            failures=got.failures or _none_if(got.requests),
        )

    return run


def _same(count: Callable[[Setting], int]) -> Callable[[Target, Setting], Tokens]:
    """Use tokens of the file that is there, in turn."""
    return lambda _, setting: Tokens(count=count(setting))


def _some(setting: Setting) -> int:
    """Use so many tokens that hardly any connection has one twice in a row."""
    return min(100, setting.tokens)


def _opaque(count: int) -> Callable[[Target, Setting], Tokens]:
    """Use new tokens that say nothing; 0: as many as are needed, each once."""

    def make(_target: Target, setting: Setting) -> Tokens:
        wanted = count or setting.seconds * NEW_PER_SECOND
        file = setting.things.directory / "opaque-tokens"
        lines = (secrets.token_urlsafe(32) + "\n" for _ in range(wanted))
        file.write_text("".join(lines))
        return Tokens(count=wanted, file=file, once=count == 0)

    return make


def _proven(path: str) -> Callable[[Target, Setting], Tokens]:
    """Use new tokens, each with its proof, each once."""

    def make(target: Target, setting: Setting) -> Tokens:
        wanted = setting.seconds * NEW_PER_SECOND
        uri = f"https://localhost:{target.port}{path}"
        file: Path = setting.things.proving.write(uri, wanted)
        return Tokens(count=wanted, file=file, once=True)

    return make


def _sessions(path: str, count: int) -> Callable[[Target, Setting], Tokens]:
    """Use new sessions in turn, of as many users."""

    def make(target: Target, setting: Setting) -> Tokens:
        file = setting.things.directory / "cookies"
        cookies = (
            browsing.log_in(target, setting.things, path, number)
            for number in range(count)
        )
        file.write_text("".join(f"{cookie}\n" for cookie in cookies))
        return Tokens(count=count, file=file, field="Cookie")

    return make


def _tickets(count: int) -> Callable[[Target, Setting], Tokens]:
    """Use tickets in turn, of as many users."""

    def make(_target: Target, setting: Setting) -> Tokens:
        file = setting.things.ticketing.write(count)
        return Tokens(count=count, file=file, field="Cookie")

    return make


def _checks_alone(_target: Target, setting: Setting) -> Sample:
    got = proving.measure_checks(setting.seconds)
    return Sample(cpu_us=got["cpu_us"], per_second=got["per_second"], failures={})


def _transfer(options: TransferOptions, *, mtls: bool = False) -> Callable[..., Sample]:
    def run(target: Target, setting: Setting) -> Sample:
        things = setting.things
        chosen = attrs.evolve(
            options,
            port=target.mtls_port if mtls else target.port,
            ca=str(things.ca),
            certificate=str(things.client_certificate) if mtls else None,
            key=str(things.client_key) if mtls else None,
            seconds=setting.seconds,
        )
        before = target.running.cpu_ns()
        got = transfers.run(chosen)
        cost = target.running.cpu_ns() - before
        failures = dict(got.failures) or _none_if(got.done)
        if got.resumed:
            failures["resumed"] = got.resumed
        return Sample(
            cpu_us=cost / 1000 / max(1, got.done),
            per_second=got.done / got.seconds,
            failures=failures,
        )

    return run


def _open_loop(path: str, *, with_token: bool) -> Callable[..., Sample]:
    def run(target: Target, setting: Setting) -> Sample:
        before = target.running.cpu_ns()
        got = fleet.run(
            FleetOptions(
                port=target.port,
                path=path,
                ca=str(setting.things.ca),
                token=setting.things.token() if with_token else None,
                seconds=setting.seconds,
                rate=setting.rate,
            )
        )
        return Sample(
            cpu_us=(target.running.cpu_ns() - before) / 1000 / max(1, got.answered),
            per_second=got.rate,
            p50=got.p50,
            p99=got.p99,
            lag=got.lag_p99,
            failures=got.kinds() or _none_if(got.answered),
        )

    return run


def _none_if(done: int) -> dict[str, int]:
    """Say that nothing at all was answered, if so."""
    return {} if done else {"no answer": 1}


_PLAIN = (NGINX, APACHE, OURS)

NONE = "none"
ONE = "one"
MANY = "many"
CONNECT = "connect"
CONNECT_CERT = "connect-cert"
DOWN = "down"
UP = "up"
OPEN = "open"
OPEN_ONE = "open-one"
CACHED = "introspection-cached"
UNCACHED = "introspection-uncached"
DPOP = "dpop"
CHECKS = "dpop-checks"
EXCHANGED = "exchanged"
RULED = "ruled"
HUNDRED = "hundred"
HUNDRED_RULED = "hundred-ruled"
HUNDRED_EXCHANGED = "hundred-exchanged"
SESSION_SERVER = "session-server"
SESSION_COOKIE = "session-cookie"
SESSION_DEVICE = "session-device"
SESSIONS_SERVER = "sessions-server"
SESSIONS_COOKIE = "sessions-cookie"
SESSIONS_DEVICE = "sessions-device"
TICKET = "ticket"
TICKETS = "tickets"

LOADS = {
    NONE: Load("1 KiB, no check", (*_PLAIN, OURS_2), _small("/1k", _same(lambda _: 0))),
    ONE: Load(
        "1 KiB, one token",
        (OPENIDC, OAUTH2, OURS, OURS_2),
        _small("/api/1k", _same(lambda _: 1)),
    ),
    MANY: Load(
        "1 KiB, different tokens",
        (OPENIDC, OAUTH2, OURS),
        _small("/api/1k", _same(lambda setting: setting.tokens)),
    ),
    CONNECT: Load(
        "new connection, one request",
        _PLAIN,
        _transfer(TransferOptions(kind="connect", port=0, path="/1k", ca="")),
    ),
    CONNECT_CERT: Load(
        "the same, client certificate",
        _PLAIN,
        _transfer(
            TransferOptions(kind="connect", port=0, path="/1k", ca=""), mtls=True
        ),
    ),
    DOWN: Load(
        "10 MiB down",
        _PLAIN,
        _transfer(
            TransferOptions(
                kind="download", port=0, path="/10m", ca="", length=10 * MIB
            )
        ),
    ),
    UP: Load(
        "10 MiB up",
        _PLAIN,
        _transfer(
            TransferOptions(
                kind="upload", port=0, path="/upload", ca="", length=10 * MIB
            )
        ),
    ),
    OPEN: Load("open loop, no check", _PLAIN, _open_loop("/1k", with_token=False)),
    OPEN_ONE: Load(
        "open loop, one token", (OURS,), _open_loop("/api/1k", with_token=True)
    ),
    CACHED: Load(
        "1 KiB, one opaque token", (OAUTH2, OURS), _small("/opaque/1k", _opaque(1))
    ),
    UNCACHED: Load(
        "1 KiB, opaque tokens never seen",
        (OAUTH2, OURS),
        _small("/opaque/1k", _opaque(0)),
    ),
    DPOP: Load(
        "1 KiB, tokens never seen, DPoP",
        (OAUTH2, OURS),
        _small("/dpop/1k", _proven("/dpop/1k")),
    ),
    CHECKS: Load("two ES256 checks alone", (OURS,), _checks_alone),
    EXCHANGED: Load(
        "1 KiB, one token, exchanged for another",
        (OURS,),
        _small("/exchanged/1k", _same(lambda _: 1)),
    ),
    RULED: Load(
        "1 KiB, one token, a hundred rules",
        (OURS,),
        _small("/ruled/1k", _same(lambda _: 1)),
    ),
    HUNDRED: Load(
        "1 KiB, a hundred tokens",
        (OURS,),
        _small("/api/1k", _same(_some)),
    ),
    HUNDRED_RULED: Load(
        "1 KiB, a hundred tokens, a hundred rules",
        (OURS,),
        _small("/ruled/1k", _same(_some)),
    ),
    HUNDRED_EXCHANGED: Load(
        "1 KiB, a hundred tokens, exchanged for others",
        (OURS,),
        _small("/exchanged/1k", _same(_some)),
    ),
    SESSION_SERVER: Load(
        "1 KiB, one session in a store",
        (OPENIDC, OURS),
        _small(SERVER_PATH, _sessions(SERVER_PATH, 1)),
    ),
    SESSION_COOKIE: Load(
        "1 KiB, one session in its cookie",
        (OPENIDC_COOKIE, OURS),
        _small(COOKIE_PATH, _sessions(COOKIE_PATH, 1)),
    ),
    SESSION_DEVICE: Load(
        "1 KiB, one session in a store, bound to its device",
        (OURS,),
        _small(DEVICE_PATH, _sessions(DEVICE_PATH, 1)),
    ),
    SESSIONS_SERVER: Load(
        "1 KiB, different sessions in a store",
        (OPENIDC, OURS),
        _small(SERVER_PATH, _sessions(SERVER_PATH, SESSIONS)),
    ),
    SESSIONS_DEVICE: Load(
        "1 KiB, different sessions in a store, bound to their devices",
        (OURS,),
        _small(DEVICE_PATH, _sessions(DEVICE_PATH, SESSIONS)),
    ),
    SESSIONS_COOKIE: Load(
        "1 KiB, different sessions in their cookies",
        (OPENIDC_COOKIE, OURS),
        _small(COOKIE_PATH, _sessions(COOKIE_PATH, SESSIONS)),
    ),
    TICKET: Load(
        "1 KiB, one ticket", (PUBTKT, OURS), _small(ticketing.PATH, _tickets(1))
    ),
    TICKETS: Load(
        "1 KiB, 10,000 tickets",
        (PUBTKT, OURS),
        _small(ticketing.PATH, _tickets(10_000)),
    ),
}
