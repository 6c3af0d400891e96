"""
What is remembered changes nothing: each answer is that of a proxy without a memory.

Connections of all kinds, credentials, routes and policies, while time goes by, users
are revoked and the configuration is loaded again.
"""

from collections.abc import Sequence
from contextlib import ExitStack
from random import Random
from typing import Final, TypeVar

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sso_proxy.admission import Connection
from tests.support.doubles import FakeStream, FakeUpstream, answer_ok
from tests.support.memory_world import World, WorldScene, make_facts, make_routes
from tests.support.repeating import check_as_fresh

T = TypeVar("T")

FACTS: Final = make_facts()
METHODS: Final = ["GET", "HEAD", "OPTIONS", "POST"]
PATHS: Final = [
    ["/", "/?q", "/a", "/a%2Eb", "/?access_token=x", "/?t=bob"],
    ["/rules/", "/rules/staff/1", "/rules/near/1", "/rules/own/alice/"],
    ["/rules/own/bob/", "/rules/fresh/", "/rules/hours/", "/rules/audited/"],
    *(["/rules/audited/", "/rules/"], ["/for/"], ["/age/"], ["/path/a", "/path/b"]),
    ["/both/", "/both/a"],
    *(["/get/"], ["/own/"], ["/cors/"], ["/asked/"], ["/token/"], ["/ids/"], ["/in/"]),
    ["/query/", "/query/?t=alice", "/query/?t=bob&u"],
    ["/open/", "/own/"],
    ["/strip/a", "/strip/a;b"],
]
NAMES: Final = ["alice", "bob", "carol.e45", "alice.u20", "bob.a0", "bad"]
NAMES_TOO: Final = ["alice.a-30", "bob.a5", "bob.n", "alice.b", "bad.e20"]
CREDENTIALS: Final = [
    "",
    *(f"Authorization: Bearer {name}\r\n" for name in (*NAMES, *NAMES_TOO)),
    *(f"Cookie: a=b; t={name}; c=d\r\n" for name in NAMES),
    "Authorization: Bearer alice.b\r\nDPoP: alice-GET-_\r\n",
    "Authorization: Bearer alice.b\r\nDPoP: alice-GET-_rules_\r\n",
    "Authorization: Bearer bob.b\r\nDPoP: bob-GET-_\r\n",
    "Authorization: Bearer alice\r\nCookie: t=bob\r\n",
]
FIELDS: Final = [
    *("", "", "", "Accept: text/html\r\n", "Origin: https://a.example\r\n"),
    "Origin: https://b.example\r\n",
    "Origin: https://a.example\r\nAccess-Control-Request-Method: GET\r\n",
    *("Max-Forwards: 0\r\n", "Max-Forwards: 3\r\n", "Via: 1.1 x\r\n"),
    *("X-Forwarded-For: 198.51.100.7\r\n", "X-Forwarded-For: 203.0.113.4\r\n"),
    *("X-Forwarded-Proto: http\r\n", "X-Request-Id: mine\r\n", "X-Token: x\r\n"),
    *("Connection: close\r\n", "Connection: x\r\nX: y\r\n", "Content-Length: 0\r\n"),
]

CORS_FIELDS: Final = [field for field in FIELDS if field.startswith("Origin")]


@attrs.frozen
class Ask:
    """A request over one of the connections."""

    who: int
    method: str
    path: str
    credential: str
    fields: str

    @property
    def octets(self) -> bytes:
        head = f"{self.method} {self.path} HTTP/1.1\r\nHost: app.example.com\r\n"
        return f"{head}{self.credential}{self.fields}\r\n".encode()


Step = Ask | float | str
TIMES: Final = [0.5, 5.0, 9.0, 19.0, 31.0]
CHANGES: Final = ["revoke alice", "revoke bob", "restore", "reload", "trust"]


def make_steps(random: Random, length: int) -> list[Step]:
    """Give steps in which there are few of each kind of thing: they come again."""

    def some(of: Sequence[T], most: int) -> list[T]:
        return random.choices(of, k=random.randint(1, most))

    who, methods = some(range(len(FACTS)), 3), ["GET", *some(METHODS, 1)]
    paths = [path for group in some(PATHS, 2) for path in group]
    credentials = some(CREDENTIALS, 3)
    fields = some(FIELDS, 2) if random.random() < 0.6 else [""]
    if "/cors/" in paths:
        fields = some(CORS_FIELDS, 2)
        methods.append("OPTIONS")
    steps: list[Step] = []
    for _ in range(length):
        kind = random.random()
        if kind < 0.08:
            steps.append(random.choice(TIMES))
        elif kind < 0.12:
            steps.append(random.choice(CHANGES))
        else:
            steps.append(
                Ask(
                    who=random.choice(who),
                    method=random.choice(methods),
                    path=random.choice(paths),
                    credential=random.choice(credentials),
                    fields=random.choice(fields),
                )
            )
    return steps


class Players:
    """A proxy that has been there for a while, with its clients."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.scene = WorldScene(world, FACTS[0])
        backend = FakeUpstream()
        self.fresh = backend, make_routes(world, backend, forgets=True)
        self.clients: dict[int, FakeStream] = {}
        self.remembered = 0

    def take(self, step: Step) -> None:
        if isinstance(step, float):
            self.world.clock.advance(step)
            self.scene.site.sweep(self.world.clock.monotonic())
        elif isinstance(step, str):
            self.change(*step.split())
        else:
            self.ask(step)

    def change(self, what: str, name: str = "") -> None:
        world, site = self.world, self.scene.site
        if what == "revoke":
            world.revoked.add(name)
            site.decide_anew()
        elif what == "restore":
            world.revoked.clear()
            site.decide_anew()
        else:
            if what == "trust":
                world.trusts = not world.trusts
            site.adopt(self.scene.make_rules())
            for number, client in self.clients.items():
                if not client.closed:
                    client.handler.learn(self.facts(number))  # type: ignore[attr-defined]  # a ServerConnection

    def facts(self, number: int) -> Connection:
        facts = FACTS[number]
        return attrs.evolve(facts, trusted=self.world.is_trusted(facts.peer))

    def ask(self, step: Ask) -> None:
        client = self.clients.get(step.who)
        facts = self.facts(step.who)
        if client is None or client.closed:
            self.scene.connect_as(facts)
            client = self.clients[step.who] = self.scene.client
        exchange = check_as_fresh(
            self.scene,
            lambda: WorldScene(self.world, facts, self.fresh),
            step.octets,
            client,
        )
        if exchange is None:
            return
        assert exchange.admission is not None
        request = exchange.admission.caller.request
        assert (request.client.peer, request.listener_port) == (
            facts.peer,
            facts.listener_port,
        )
        assert (request.tls and request.tls.certificate) == (
            facts.tls and facts.tls.certificate
        )
        answer_ok(exchange, b"" if step.method == "HEAD" else b"ok")


def play(steps: list[Step]) -> Players:
    """Take *steps* in a world of their own, where time stands still between them."""
    world = World()
    with ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for name in ("connection", "exchange", "known", "memo", "uplink"):
            patch.setattr(f"sso_proxy.edge.{name}.monotonic", world.clock.monotonic)
        players = Players(world)
        for step in steps:
            players.take(step)
    return players


@settings(max_examples=settings().max_examples + 20)
@given(st.integers(0, 2**32))
def test_no_answer_depends_on_what_came_before(seed: int) -> None:
    play(make_steps(Random(seed), 60))  # noqa: S311 - no secrets
