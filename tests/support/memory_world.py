"""Proxies in a world of which all is known: who calls, the time, who is revoked."""

from typing import Any, Final

import attrs
from zope.interface import implementer

from sso_proxy.admission import Connection
from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.authz.policies import Named, Policies
from sso_proxy.authz.rules import RulesPolicy
from sso_proxy.authz.rules_config import (
    MatchConfig,
    ObligationConfig,
    RuleConfig,
    RulesConfig,
)
from sso_proxy.edge.site import Rules
from sso_proxy.interfaces import IBinding, ITokenSource
from sso_proxy.model import (
    ANONYMOUS,
    Authenticated,
    Bound,
    Caller,
    Decision,
    Effect,
    Identity,
    NotPresented,
    Outcome,
    Rejected,
    Request,
    TlsFacts,
    Unbound,
)
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import Route, RouteHeaders, Supply
from sso_proxy.specs.http.cors import CorsRules
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.parameters import read_cookie, read_parameter
from sso_proxy.specs.oauth.presentation import names_parameter
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_certificate, make_identity
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.delivery import HeaderDelivery
from tests.support.doubles import FakeUpstream, Scene, make_route
from tests.support.repeating import ByToken

BEGIN: Final = 1_800_000_000.0


@attrs.define
class World:
    """What both proxies live in: the time, and who is revoked."""

    clock: SettableClock = attrs.field(factory=lambda: SettableClock(BEGIN))
    revoked: set[str] = attrs.field(factory=set)
    trusts: bool = True

    def is_revoked(self, identity: Identity) -> Decision | None:
        if identity.subject not in self.revoked:
            return None
        return Decision(effect=Effect.REVOKED, reasons=("revoked",))

    def is_trusted(self, address: str) -> bool:
        return self.trusts and address == "192.0.2.9"


class Anybody(ByToken):
    """
    Goes by whatever there is: a token, a cookie, a parameter, a certificate.

    A credential is a name and what else is to be said of it, with dots between.
    """

    def __init__(self, world: World, *, query: bool, forgets: bool) -> None:
        super().__init__()
        self.world = world
        self.forgets = forgets
        self.known: dict[tuple[str, str], Outcome] = {}
        self.reads_query = query
        self.consumes = ("authorization", "dpop", "cookie:t", *(("?t",) * query))

    async def authenticate(self, request: Request) -> Outcome:
        head = request.head
        if head.query is not None and names_parameter(head.query):
            return Rejected(status=400, reason="token-twice")
        given = [v.removeprefix("Bearer ") for v in head.values("authorization")]
        given += [v for each in head.values("cookie") for v in read_cookie(each, "t")]
        if self.reads_query:
            given += read_parameter(head.query, "t")
        if not given:
            tls = request.tls
            if tls is None or tls.certificate is None:
                return NotPresented()
            return Authenticated(make_identity(tls.certificate.subject))
        key = given[0], request.client.address
        known = self.known.get(key)
        if known is None:
            known = self.read_credential(*key)
            if not self.forgets and not {"e", "u", "n"} & {
                word[0] for word in given[0].split(".")[1:]
            }:  # those of it are over some time
                self.known[key] = known
        return known

    def read_credential(self, text: str, address: str) -> Outcome:
        name, *said = text.split(".")
        now = self.world.clock.time()
        claims: dict[str, Any] = {"address": address}
        until, headers, expires = None, [("cache-control", "private")], None
        confirmation: dict[str, Any] = {}
        for word in said:
            match word[0]:
                case "e":
                    expires = BEGIN + int(word[1:])
                case "u":
                    until = now - now % int(word[1:]) + int(word[1:])
                case "a":
                    claims["auth_time"] = BEGIN + int(word[1:])
                case "n":
                    headers = [
                        ("set-cookie", f"t={now}")
                    ]  # like one that does not care
                case "b":
                    confirmation = {"jkt": "key"}
        if name == "bad" or (expires is not None and now >= expires):
            return Rejected(reason="token-bad", final=name == "bad")
        identity = attrs.evolve(
            make_identity(name, claims=claims, scopes=said),
            expires=expires,
            confirmation=confirmation,
        )
        return Authenticated(identity, until=until, headers=tuple(headers))


class Everybody(ByToken):
    """Lets everybody in as nobody."""

    consumes: tuple[str, ...] = ()

    async def authenticate(self, request: Request) -> Outcome:
        del request
        return Authenticated(make_identity("anonymous", issuer=ANONYMOUS))


@implementer(IBinding)
class ByProof:
    """The proof has to name method and path; it is good once."""

    kind = "dpop"
    once = True
    members = frozenset({"jkt"})

    async def check(self, request: Request, identity: Identity) -> Unbound | Bound:
        wanted = f"{identity.subject}-{request.head.method}-{request.head.path}"
        if request.head.values("dpop") == [wanted.replace("/", "_")]:
            return Bound((("dpop-nonce", "n"),))
        return Unbound(reason="proof-wrong")


@implementer(ITokenSource)
class ByTheTime:
    """Gives each caller a token, another one every ten seconds."""

    consumes: tuple[str, ...] = ()

    def __init__(self, world: World) -> None:
        self.world = world

    def check_audience(self, audience: Audience) -> None: ...

    async def token_for(self, caller: Caller, audience: Audience) -> Token:
        assert caller.identity is not None
        number = int((self.world.clock.time() - BEGIN) // 10)
        who = f"{caller.identity.subject}.{caller.user}.{audience.name}"
        return Token(value=f"{who}.{number}", expires=BEGIN + 10 * (number + 1))


def at(seconds: int) -> str:
    """Give a moment as conditions have it."""
    return f"{int(BEGIN) + seconds}"


RULES: Final = RulesConfig(
    groups={"staff": ("alice", "CN=alice")},
    rule=(
        RuleConfig(name="read", effect="permit", match=MatchConfig(method=("GET",))),
        RuleConfig(
            name="staff",
            effect="permit",
            when="subject in groups.staff",
            match=MatchConfig(path="/rules/staff/"),
        ),
        RuleConfig(
            name="near",
            effect="deny",
            match=MatchConfig(path="/rules/near/", client=("198.51.100.0/24",)),
        ),
        RuleConfig(
            name="own",
            effect="deny",
            match=MatchConfig(path="/rules/own/{name}/"),
            when="not path.name == 'alice'",
        ),
        RuleConfig(
            name="fresh",
            effect="step_up",
            match=MatchConfig(path="/rules/fresh/"),
            max_age=40,
        ),
        RuleConfig(
            name="hours",
            effect="deny",
            match=MatchConfig(path="/rules/hours/", hours="mon-sun 08:01-08:02 UTC"),
        ),
        RuleConfig(
            name="audited",
            effect="permit",
            match=MatchConfig(path="/rules/audited/"),
            obligations=(
                ObligationConfig(do="set-header", name="X-Purpose", value="audit"),
            ),
        ),
    ),
)

COMPILED: Final = RulesPolicy.from_config(RULES, FakeTools())

CORS: Final = CorsRules(
    origins=frozenset({"https://a.example", "https://b.example"}),
    methods="GET",
    headers="x",
    exposed="x",
    max_age=5,
)


def require(*texts: str) -> Requirements:
    return Requirements([compile_condition(text, "require[0]") for text in texts])


def make_routes(
    world: World, backend: FakeUpstream, *, forgets: bool = False
) -> list[Route]:
    """Give routes of all kinds; where everybody *forgets*, each identity is new."""
    rules = RulesPolicy(COMPILED.rules)  # which remembers nothing yet
    inside = FakeUpstream(backend.at_once)
    inside.inside, inside.asked = True, backend.asked
    supply = Supply(
        name="x",
        source=ByTheTime(world),
        audience=Audience(name="b"),
        delivery=HeaderDelivery("X-Token"),
    )
    wanted: dict[str, dict[str, Any]] = {
        "/": {},
        "/rules/": {"policies": Policies([Named("main", rules)])},
        "/for/": {"requirements": require("client != '198.51.100.7'")},
        "/age/": {"requirements": require("auth_age <= 40")},
        "/path/": {"requirements": require("path in ['/path/a']", "method == 'GET'")},
        "/both/": {
            "policies": Policies([Named("main", rules)]),
            "requirements": require("path == '/both/a'"),
        },
        "/get/": {"methods": frozenset({"GET"})},
        "/own/": {"consumed": frozenset()},
        "/cors/": {"cors": CORS},
        "/asked/": {"cors": attrs.evolve(CORS, preflight="backend")},
        "/token/": {"supplies": (supply,)},
        "/ids/": {"keeps_ids": True},
        "/in/": {},
        "/query/": {"reads_query": True, "consumed_parameters": ("t",)},
        "/open/": {
            "authenticators": (
                Anybody(world, query=False, forgets=forgets),
                Everybody(),
            )
        },
        "/strip/": {"path_parameters": "strip"},
    }
    proof = ByProof()
    return [
        make_route(
            inside if path == "/in/" else backend,
            **{
                "name": path,
                "path": path,
                "authenticators": (
                    Anybody(world, query=path == "/query/", forgets=forgets),
                ),
                "consumed": frozenset({"authorization", "dpop"}),
                "consumed_cookies": ("t",),
                "bindings": {"jkt": proof},
                "settable": frozenset({"x-purpose"}),
                "headers": RouteHeaders(
                    claims=(("address", "X-Address"),), client_certificate=True
                ),
                **more,
            },
        )
        for path, more in wanted.items()
    ]


class WorldScene(Scene):
    """
    A proxy in a world; *facts* are of its first client.

    With *routes* of a backend, which remember nothing themselves, it is made sooner.
    """

    def __init__(
        self,
        world: World,
        facts: Connection,
        routes: tuple[FakeUpstream, list[Route]] | None = None,
    ) -> None:
        self.world = world
        if routes is None:
            super().__init__(routes=lambda backend: make_routes(world, backend))
        else:
            super().__init__(routes=lambda _: routes[1])
            self.backend = routes[0]
            self.backend.asked.clear()
        self.connect_as(facts)

    def connect_as(self, facts: Connection) -> None:
        """Let a client connect of which *facts* are known."""
        self.facts = facts
        self.client, self.connection = self.connect()

    def make_rules(self) -> Rules:
        rules = super().make_rules()
        pipeline = Pipeline(
            self.routes,
            clock=self.world.clock,
            trusted=self.world.is_trusted,
            revoked=self.world.is_revoked,
            via="proxy",
            new_id=self.new_id,
        )
        managed = ManagedNames(["X-Remote-User", "X-Token", "X-Address"])
        return attrs.evolve(rules, pipeline=pipeline, managed=managed)


def make_facts() -> list[Connection]:
    """Give what is known of connections; of the first two, the same."""
    plain = Connection(
        listener="a", scheme="https", port=443, peer="192.0.2.1", trusted=False
    )

    def tls(name: str) -> TlsFacts:
        certificate = make_certificate(f"CN={name}")
        facts = TlsFacts(version="TLSv1.3", cipher="x", certificate=certificate)
        return attrs.evolve(facts, exporter=lambda *_: b"k")

    return [
        plain,
        attrs.evolve(plain),
        attrs.evolve(plain, tls=tls("alice")),
        attrs.evolve(plain, tls=tls("alice")),
        attrs.evolve(plain, tls=tls("bob")),
        attrs.evolve(plain, peer="198.51.100.7"),
        attrs.evolve(plain, scheme="http", port=80, listener="b", listener_port=80),
        attrs.evolve(plain, peer="192.0.2.9", trusted=True),
        attrs.evolve(plain, peer="192.0.2.9", trusted=True),
    ]
