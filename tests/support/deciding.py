"""One request after another, decided on without connections."""

from typing import Any

import attrs
from twisted.python.failure import Failure

from sso_proxy.admission import Admission, Connection, Trail, Verdict
from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.authz.revocations import Revocations
from sso_proxy.body import Body
from sso_proxy.endpoints.protected_resource import ProtectedResource
from sso_proxy.model import (
    Bound,
    HeaderChallenge,
    Identity,
    NotPresented,
    Request,
    Response,
    Unbound,
)
from sso_proxy.net.coroutine import run
from sso_proxy.pipeline import Pipeline
from sso_proxy.routing import RouteTable
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import ManagedNames
from sso_proxy.specs.http.request import read_request
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeAuthenticator
from tests.support.doubles import FakeUpstream, make_route

PEER = Connection(
    listener="l", scheme="https", port=443, peer="192.0.2.1", trusted=False
)
PROXY = attrs.evolve(PEER, scheme="http", port=80, trusted=True)


class FakeBinding:
    """A binding that says what it is told."""

    members = frozenset({"x5t#S256"})

    def __init__(
        self,
        answer: Unbound | Bound | None = None,
        kind: str = "certificate",
        *,
        once: bool = False,
    ) -> None:
        self.kind = kind
        self.answer = answer
        self.once = once
        self.asked: list[Request] = []

    async def check(
        self,
        request: Request,
        identity: Identity,  # noqa: ARG002
    ) -> Unbound | Bound | None:
        self.asked.append(request)
        return self.answer


def read(line: str = "GET /", *fields: str) -> Incoming:
    lines = [f"{line} HTTP/1.1", "Host: app.example.com", *fields, "", ""]
    return read_request(
        "\r\n".join(lines).encode(),
        scheme="https",
        port=443,
        limits=HeadLimits(),
        managed=ManagedNames(),
    )


class Asked:
    """One request, decided on."""

    def __init__(  # noqa: PLR0913
        self,
        incoming: Incoming | None = None,
        *authenticators: Any,  # noqa: ANN401
        connection: Connection = PEER,
        others: tuple[dict[str, Any], ...] = (),
        clock: SettableClock | None = None,
        resources: tuple[ProtectedResource, ...] = (),
        revocations: Revocations | None = None,
        body: Body | None = None,
        **route: Any,  # noqa: ANN401
    ) -> None:
        self.clock = clock or SettableClock()
        routes = [
            make_route(
                FakeUpstream(),
                authenticators=authenticators or (FakeAuthenticator(),),
                **route,
            ),
            *(make_route(FakeUpstream(), **other) for other in others),
        ]
        self.pipeline = Pipeline(
            RouteTable(routes, resources),
            clock=self.clock,
            trusted=lambda address: address == PROXY.peer,
            via="proxy",
            new_id=lambda: "new-id",
            revoked=Revocations(self.clock).decide
            if revocations is None
            else revocations.decide,
        )
        self.trail = Trail()
        self.trail.body = body
        self.verdicts: list[Verdict] = []
        self.failures: list[Failure] = []
        self.connection = connection
        self.waiting = run(
            self.pipeline.decide(incoming or read(), connection, self.trail),
            self.verdicts.append,
            self.failures.append,
        )

    @property
    def admission(self) -> Admission:
        (verdict,) = self.verdicts
        assert isinstance(verdict, Admission), verdict
        return verdict

    @property
    def refused(self) -> tuple[int, str]:
        return self.response.status, self.response.reason

    @property
    def response(self) -> Response:
        (verdict,) = self.verdicts
        assert isinstance(verdict, Response), verdict
        return verdict


def refusing() -> FakeAuthenticator:
    """Give an authenticator that is presented nothing, and asks for a token."""
    return FakeAuthenticator(
        NotPresented(), challenge=HeaderChallenge(("Bearer",)), consumes=("x-token",)
    )


def require(*texts: str) -> Requirements:
    """Compile the conditions of a route."""
    return Requirements(compile_condition(text, "require") for text in texts)
