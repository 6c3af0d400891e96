"""
The proxy and browsers that bind sessions to their device, with time moved by hand.

All is real from the octets of a request to those of the answer, as configured by a
file; only sockets, the backend and the provider are not there.
"""

import itertools
import json
import re
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, ClassVar, Final, Self
from urllib.parse import quote, urlsplit

import attrs
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from sso_proxy.admission import Connection
from sso_proxy.building import Builder
from sso_proxy.caches.memory import MemoryCacheConfig
from sso_proxy.config.key_ring import write_key_ring
from sso_proxy.config.load import load_config
from sso_proxy.edge.recorder import Recorder
from sso_proxy.edge.site import Rules, Site
from sso_proxy.interfaces import ITools
from sso_proxy.login import LogoutNotice
from sso_proxy.model import Request, Response
from sso_proxy.pipeline import Pipeline
from sso_proxy.session_desk import close_ended, manage_sessions
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import KEY_RING
from sso_proxy.tools import Tools
from tests.support.device_browser import Answer, Bound, DeviceBrowser, Sent
from tests.support.doubles import FakeUpstream, Scene, answer_ok
from tests.support.fake_login import FakeLogout
from tests.support.raw_client import read_answers
from tests.support.sessions import BrokenCache

HOST: Final = "app.example.com"
SESSION: Final = "__Host-sso"
BOUND: Final = "__Host-sso-bound"

CONFIG: Final = """
[[listener]]
address = "127.0.0.1"
port = 8443
tls = false
allow_plaintext = true

[server]
state_dir = "state"
audit = { to = "none" }

[authenticator.corp]
type = "tests.support.device_world:Login"

[cache.shared]
type = "tests.support.device_world:WorldCache"
world = "WORLD"

[session.main]
type = "KIND"
cache = "shared"
binding = { device = "LEVEL" }
MORE

[session.main.device]
OPTIONS

[[route]]
host = "app.example.com"
path = "/"
authenticate = ["corp"]
backend = "http://127.0.0.1:9000"
ROUTE

[[route]]
host = "app.example.com"
path = "/static/"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""

_caches: dict[str, BrokenCache] = {}
_numbers = itertools.count(1)


@attrs.frozen(kw_only=True)
class WorldCacheConfig:
    """
    A cache that instances share.

    Attributes:
        world: Whose.
    """

    world: str


class WorldCache:
    """Makes the cache of a world."""

    config_class = WorldCacheConfig

    @classmethod
    def from_config(cls, config: WorldCacheConfig, tools: ITools) -> BrokenCache:
        """Give it."""
        del tools
        return _caches[config.world]


@attrs.frozen(kw_only=True)
class LoginConfig:
    """Nothing can be said of it."""


@attrs.define
class Login(FakeLogout):
    """
    A provider that believes everybody.

    Attributes:
        told: What it tells of logouts.
    """

    config_class = LoginConfig
    told: ClassVar[LogoutNotice | None] = None

    @classmethod
    def from_config(cls, config: LoginConfig, tools: ITools) -> Self:
        """Make it."""
        del config
        return cls(name=tools.name, url="", data={"sid": "sid-1"})

    async def back_channel(self, request: Request) -> LogoutNotice | Response:
        """Tell it."""
        told = self.told
        return await super().back_channel(request) if told is None else told


class Lines:
    """An audit stream that keeps its lines."""

    def __init__(self) -> None:
        self.lines: list[bytes] = []

    def record(self, line: bytes) -> None:
        """Keep a line."""
        self.lines.append(line)

    def flush(self) -> None:
        """Do nothing."""


class Instance(Scene):
    """
    One process of the proxy.

    Attributes:
        parts: What its configuration has built.
    """

    def __init__(self, world: "DeviceWorld", file: Path) -> None:
        self.world = world
        self.backend = FakeUpstream()
        config = load_config(file)
        self.limits, self.hsts = config.server.limits, b""
        shared: dict[Any, Any] = {}
        tools = Tools(
            name="",
            clock=world.clock,
            http_client=world.http_client,
            reactor=Clock(),
            spawn=_spawn,
            shared=lambda key, make: shared.setdefault(key, make()),
        )
        self.parts = Builder(config, tools, lambda *_: self.backend).build()
        self.routes = self.parts.routes
        self._ids = itertools.count(1)
        self._lines = Lines()
        sink: Any = self._lines
        self._recorder = Recorder(json=[sink], combined=[], clock=world.clock)
        self.records, self.gone = [], []
        self.facts = Connection(
            listener="127.0.0.1:8443",
            scheme="https",
            port=443,
            peer="192.0.2.1",
            trusted=False,
        )
        self.site = Site("127.0.0.1:8443", self.make_rules(), world.clock)
        self.client, self.connection = self.connect()

    def make_rules(self) -> Rules:
        """Make rules of the configuration."""
        return Rules(
            pipeline=Pipeline(
                self.routes,
                clock=self.world.clock,
                trusted=lambda _: False,
                via="proxy",
                new_id=self.new_id,
            ),
            limits=self.limits,
            head_limits=HeadLimits(request_line=self.limits.request_line),
            managed=ManagedNames(["X-Remote-User"]),
            via="proxy",
            hsts=b"",
            record=self._recorder.record,
            new_id=self.new_id,
            pages=self.parts.pages,
        )

    def __call__(self, sent: Sent) -> Answer:
        """Answer a request, over a connection that is kept."""
        self.site.sweep(self.world.clock.monotonic())
        if self.client.closed:
            self.client, self.connection = self.connect()
        lines = [f"{sent.method} {sent.path} HTTP/1.1"]
        lines += [f"{name}: {value}" for name, value in sent.fields]
        head = "\r\n".join((*lines, "", "")).encode()
        self.client.take()
        asked = len(self.backend.asked)
        self.client.receive(head, *([sent.body] if sent.body else []))
        if len(self.backend.asked) > asked:
            answer_ok(self.backend.exchange)
        octets = self.client.take()
        assert octets, f"no answer to {sent}"
        (got,) = read_answers(octets, ended=self.client.closed)
        if got.values("connection") == ["close"]:
            self.client, self.connection = self.connect()
        fields = tuple((name.lower(), value) for name, value in got.headers)
        return Answer(status=got.status, fields=fields, body=got.body)

    def audit(self) -> list[dict[str, Any]]:
        """Give the audit records since this was last asked."""
        self._recorder.flush()
        found = [json.loads(line) for line in self._lines.lines]
        self._lines.lines.clear()
        return found

    def sweep(self) -> None:
        """Do what is done every second."""
        close_ended(self.parts.sessions, [self.site], _spawn)

    def seen(self) -> list[bytes]:
        """Give the heads that the backend got since this was last asked."""
        found = [outgoing.head for _, outgoing, _ in self.backend.asked]
        self.backend.asked.clear()
        return found

    def bodies(self) -> list[bytes]:
        """Give the bodies that the backend got."""
        return [sink.data for _, _, sink in self.backend.asked]

    def operate(self, **document: object) -> dict[str, Any]:
        """Ask as an operator does."""
        answers: list[dict[str, Any]] = []
        asked = manage_sessions(self.parts.sessions, document)
        Deferred.fromCoroutine(asked).addCallback(answers.append)
        return answers[0]


class DeviceWorld:
    """
    Instances of the proxy that share a cache and a key ring.

    Args:
        directory: For files.
        level: What becomes of who does not prove a device.
        kind: The type of the sessions.
        options: Of ``[session.main.device]``, as TOML.
        more: Of ``[session.main]``, as TOML.
        route: Of the route, as TOML.
        config: The file.

    Attributes:
        clock: The time.
        cache: What is shared.
        instance: The one that answers.
        http_client: Asks servers; None: nobody may.
    """

    http_client: Any = None

    def __init__(  # noqa: PLR0913
        self,
        directory: Path,
        level: str = "prefer",
        kind: str = "server",
        *,
        options: str = "",
        more: str = "",
        route: str = "",
        config: str = CONFIG,
    ) -> None:
        self.clock = SettableClock()
        self.cache = BrokenCache(MemoryCacheConfig(), self.clock)
        self.name = f"w{next(_numbers)}"
        _caches[self.name] = self.cache
        state = directory / "state"
        state.mkdir(mode=0o700, exist_ok=True)
        if not (state / "keys.json").exists():
            write_key_ring(state / "keys.json", KEY_RING, replace=False)
        for word, text in (
            ("WORLD", self.name),
            ("KIND", kind),
            ("LEVEL", level),
            ("MORE", more),
            ("OPTIONS", options),
            ("ROUTE", route),
        ):
            config = config.replace(word, text)
        self._file = directory / "proxy.toml"
        self._file.write_text(config)
        self.instance = self.start()

    def start(self) -> Instance:
        """Start another process."""
        return Instance(self, self._file)

    def restart(self) -> None:
        """Start the proxy again."""
        self.instance = self.start()

    def serve(self, sent: Sent) -> Answer:
        """Answer by the instance that is there now."""
        return self.instance(sent)

    def browser(self, **options: Any) -> DeviceBrowser:  # noqa: ANN401
        """Give a browser that nobody has used."""
        return DeviceBrowser(self.serve, self.clock.time, HOST, **options)

    def log_in(
        self, browser: DeviceBrowser | None = None, path: str = "/", user: str = "alice"
    ) -> DeviceBrowser:
        """Have somebody log in, and look at the page that they wanted."""
        browser = browser or self.browser()
        away = browser.page(path)
        assert away.location.startswith("https://login.example"), away
        query = urlsplit(away.location).query
        page = browser.page(f"/.sso/callback/corp?{query}&user={quote(user)}")
        assert (page.status, page.body) == (200, b"ok"), page
        return browser

    def pass_(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.advance(seconds)
        self.instance.sweep()

    def is_in(self, browser: DeviceBrowser, path: str = "/") -> bool:
        """Say whether somebody who looks at a page sees the application."""
        answer = browser.page(path)
        assert answer.status == 200 or answer.status in (302, 303, 401, 403), answer
        return (answer.status, answer.body) == (200, b"ok")


def paths(browser: DeviceBrowser) -> list[str]:
    """Give what was asked for, with nothing that differs from test to test."""
    found = [re.sub(r"[0-9a-f]{8}(?= \d)", "TAG", each) for each in browser.paths()]
    return [each for each in found if "/callback/" not in each]


def only(browser: DeviceBrowser) -> Bound:
    """Give the only session that a browser has bound."""
    (session,) = browser.sessions.values()
    return session


def reasons(world: DeviceWorld) -> list[str]:
    """Give the reasons on record since this was last asked."""
    return [record["reason"] for record in world.instance.audit()]


def _spawn(coroutine: Coroutine[Any, Any, Any]) -> None:
    Deferred.fromCoroutine(coroutine)
