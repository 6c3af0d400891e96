"""Other proxies ask, as each of them does; nothing but sockets is not there."""

from pathlib import Path
from typing import Any, Final, Literal, Self

import attrs
from zope.interface import implementer

from sso_proxy.admission import Connection
from sso_proxy.config.load import load_config
from sso_proxy.edge.site import Rules
from sso_proxy.interfaces import IAuthenticator, ITools
from sso_proxy.managed import managed_names
from sso_proxy.model import (
    Authenticated,
    CertificateFacts,
    HeaderChallenge,
    Headers,
    Identity,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
    TlsFacts,
)
from sso_proxy.pipeline import Pipeline
from sso_proxy.pipelines import pipeline_for
from sso_proxy.specs.http.forwarded import trusted_ranges
from sso_proxy.specs.http.limits import HeadLimits
from tests.support.device_browser import Answer, Sent
from tests.support.device_world import HOST, DeviceWorld, Instance

Kind = Literal["nginx", "caddy", "traefik", "envoy"]
KINDS: Final[tuple[Kind, ...]] = ("nginx", "caddy", "traefik", "envoy")
PROXY: Final = "127.0.0.1"
ALICE: Final = ("Authorization", "Name alice")
NAVIGATION: Final = (
    ("Accept", "text/html"),
    ("Sec-Fetch-Mode", "navigate"),
    ("Sec-Fetch-Dest", "document"),
)

CONFIG: Final = """
[server]
state_dir = "state"
audit = { to = "none" }
trusted_proxies = ["127.0.0.1"]

[[listener]]
address = "127.0.0.1"
port = 4180
tls = false
allow_plaintext = true

[[listener]]
address = "127.0.0.1"
port = 4181
tls = false
allow_plaintext = true
forward_auth = "ASKER"
forwarded_certificate = "verified"

[authenticator.corp]
type = "tests.support.device_world:Login"

[authenticator.name]
type = "tests.support.forward_auth_scene:Name"

[authenticator.certificate]
type = "mtls"

[cache.shared]
type = "tests.support.device_world:WorldCache"
world = "WORLD"

[session.main]
type = "server"
cache = "shared"

[[route]]
host = "app.example.com"
path = "/"
authenticate = ["name", "corp"]
headers = { HEADERS }
backend = "forward-auth:"
ROUTE

[[route]]
host = "app.example.com"
path = "/admin/"
authenticate = ["name"]
require = ["claims.role == 'admin'"]
backend = "forward-auth:"

[[route]]
host = "app.example.com"
path = "/certified/"
authenticate = ["certificate"]
backend = "forward-auth:"

[[route]]
host = "app.example.com"
path = "/proved/"
authenticate = ["name"]
binding = { dpop = "require" }
backend = "forward-auth:"

[[route]]
host = "app.example.com"
path = "/public/"
authenticate = ["anonymous"]
backend = "forward-auth:"

[[route]]
host = "other.example.com"
path = "/"
authenticate = ["anonymous"]
backend = "http://127.0.0.1:9000"
"""


@attrs.frozen(kw_only=True)
class NameConfig:
    """Nothing can be said of it."""


@implementer(IAuthenticator)
@attrs.frozen
class Name:
    """Believes whoever says a name, and knows nobody called mallory."""

    name: str
    config_class = NameConfig
    consumes = ("authorization",)

    @classmethod
    def from_config(cls, config: NameConfig, tools: ITools) -> Self:
        """Make it."""
        del config
        return cls(tools.name)

    async def authenticate(self, request: Request) -> Outcome:
        """Believe."""
        said = request.head.values("authorization")
        if not said or not said[0].startswith("Name "):
            return NotPresented()
        user = said[0].removeprefix("Name ")
        if user == "mallory":
            return Rejected(reason="unknown", challenge=HeaderChallenge(("Name",)))
        claims = {"email": f"{user}@example.com", "role": user}
        keys = request.head.values("x-key")
        identity = Identity(
            issuer="test",
            subject=user,
            authenticator=self.name,
            claims=claims,
            confirmation={"jkt": keys[0]} if keys else {},
            token=user,
        )
        renewed = (("set-cookie", "a=1; Path=/"), ("set-cookie", "b=2; Path=/"))
        return Authenticated(identity, headers=renewed if user == "renewed" else ())

    def challenge(self, request: Request) -> HeaderChallenge:
        """Ask for a name."""
        del request
        return HeaderChallenge(("Name",))

    def refusal(self, request: Request, refusal: Refusal) -> HeaderChallenge:
        """Ask for a better one."""
        del request, refusal
        return HeaderChallenge(("Name",))


class AskedInstance(Instance):
    """One listener of the proxy, at which another proxy asks or clients call."""

    def __init__(self, world: "AskedWorld", file: Path, listener: int) -> None:
        self._config = load_config(file)
        self._listener = self._config.listener[listener]
        super().__init__(world, file)

    def make_rules(self) -> Rules:
        """Make rules of the configuration."""
        self.facts = Connection(
            listener="asked",
            scheme="http",
            port=80,
            peer=PROXY,
            trusted=True,
            forwarded_certificate=self._listener.forwarded_certificate,
        )
        trusted = trusted_ranges(self._config.server.trusted_proxies)
        deciding: dict[str, Any] = {
            "clock": self.world.clock,
            "trusted": trusted,
            "via": "proxy",
            "new_id": self.new_id,
        }
        rules = super().make_rules()
        plain = Pipeline(self.routes, **deciding)
        pipeline = pipeline_for(self._listener, plain, self.routes, **deciding)
        return attrs.evolve(
            rules,
            pipeline=pipeline,
            managed=managed_names(self._config, self.parts.settable),
            head_limits=HeadLimits(),
        )

    def with_certificate(self, certificate: CertificateFacts) -> None:
        """Let the other proxy have a certificate, and show it to us."""
        tls = TlsFacts(version="TLSv1.3", cipher="x", certificate=certificate)
        self.facts = attrs.evolve(self.facts, tls=tls, scheme="https", port=443)
        self.client, self.connection = self.connect()

    def from_elsewhere(self) -> None:
        """Let requests come from who is no trusted proxy."""
        self.facts = attrs.evolve(self.facts, peer="192.0.2.9", trusted=False)
        self.client, self.connection = self.connect()


@attrs.frozen
class Question:
    """
    What is asked about, as proxies are asked for it.

    Attributes:
        method: Its method.
        url: The whole URL.
        fields: The client's.
    """

    method: str
    url: str
    fields: tuple[tuple[str, str], ...] = ()

    def sent_by(self, kind: Kind, client: str = "203.0.113.5") -> Sent:
        """Give what *kind* sends to us, so configured as the documentation says."""
        scheme, _, rest = self.url.partition("://")
        host, slash, target = rest.partition("/")
        target = slash + target
        common = (("X-Forwarded-For", client), ("X-Forwarded-Proto", scheme))
        if kind == "envoy":
            fields = (("Host", host), *common)
            return Sent(method=self.method, path=target, fields=fields + self.fields)
        own: Headers
        if kind == "nginx":
            own = (
                ("Host", host),
                ("X-Original-Method", self.method),
                ("X-Original-URI", target),
            )
        else:
            own = (
                ("Host", "127.0.0.1:4181"),
                ("X-Forwarded-Method", self.method),
                ("X-Forwarded-Host", host),
                ("X-Forwarded-Uri", target),
            )
        return Sent(method="GET", path="/", fields=(*own, *common, *self.fields))


class AskedWorld(DeviceWorld):
    """The proxy beside another one of some *kind*."""

    def __init__(
        self,
        directory: Path,
        kind: Kind,
        route: str = "",
        headers: str = "claims = ['email']",
    ) -> None:
        self.kind = kind
        self.users: list[str] = []
        config = CONFIG.replace("ASKER", kind).replace("HEADERS", headers)
        super().__init__(directory, config=config, route=route)
        self.direct = AskedInstance(self, self._file, 0)

    instance: AskedInstance

    def start(self) -> AskedInstance:
        """Start the listener at which the other proxy asks."""
        return AskedInstance(self, self._file, 1)

    def ask(
        self, path: str, *fields: tuple[str, str], method: str = "GET", host: str = HOST
    ) -> Answer:
        """Ask about a request, as the other proxy does."""
        question = Question(method, f"https://{host}{path}", fields)
        return self.instance(question.sent_by(self.kind))

    def serve(self, sent: Sent) -> Answer:
        """Do what the other proxy does, with a backend that says what it is told."""
        fields = tuple(field for field in sent.fields if field[0].lower() != "host")
        if not sent.path.startswith("/.sso/"):
            told = (f for f in fields if f[0].lower() != "content-length")
            answer = self.ask(sent.path, *told, method=sent.method)
            if answer.status == 200:
                given = dict(answer.fields)
                user = given.get("x-remote-user", "")
                assert "__Host-sso" not in given.get("cookie", "")
                fields = tuple(f for f in answer.fields if f[0] == "set-cookie")
                self.users.append(user)
                return Answer(status=200, fields=fields, body=b"ok")
            if self.kind != "nginx":
                return answer
        said = (("X-Forwarded-For", "203.0.113.5"), ("X-Forwarded-Proto", "https"))
        fields = (("Host", HOST), *said, *fields)
        return self.direct(attrs.evolve(sent, fields=fields))
