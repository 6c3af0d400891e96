"""A token source that asks a server, without a network."""

from typing import Any

import attrs
from twisted.internet.task import Clock

from sso_proxy.model import Caller, Identity, Request
from sso_proxy.session import Session
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import NOW, FakeTools, make_identity, make_request
from sso_proxy.testing.tokens import TokenSigner
from sso_proxy.token import Audience, NotIssued, Token
from tests.conformance.parts import Client
from tests.support.sts import TokenServer

SECRET = "a-secret-of-32-octets-at-the-least"
THEIRS = TokenSigner.create("ES256", "login-1").sign(
    {"iss": "https://login.example.com", "sub": "alice", "exp": int(NOW) + 3600}
)
"""Alice's access token."""
ORDERS = Audience(name="https://orders.example.com")
STOCK = Audience(name="https://stock.example.com")


def caller(
    identity: Identity | None = None,
    *,
    request: Request | None = None,
    session: Session | None = None,
    user: str = "alice",
) -> Caller:
    """Make who calls: Alice, with an access token or a session."""
    if identity is None and session is not None:
        identity = session.identity
    identity = identity or make_identity(token=THEIRS, expires=NOW + 3600)
    request = attrs.evolve(request or make_request(), session=session)
    return Caller(request=request, identity=identity, user=user)


def session_of(**data: Any) -> Session:  # noqa: ANN401
    """Make a session with *data* in it."""
    return Session(
        id="s1",
        identity=make_identity(authenticator="oidc"),
        created=NOW,
        used=NOW,
        expires=NOW + 3600,
        data=data,
    )


class RemoteScene:
    """
    A token server, and a source that asks it.

    Args:
        source_class: The source.
        clients: Whom the server knows; unset, one with a secret; None, everybody.
        options: The source's.
    """

    def __init__(
        self,
        source_class: Any,  # noqa: ANN401
        clients: tuple[Client, ...] = (Client(secret=SECRET),),
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.clock = SettableClock()
        self.sts = TokenServer(*clients, clock=self.clock.time)
        self.reactor = Clock()
        self.http_client = self.sts.http_client()
        self.tools = FakeTools(
            name="orders",
            clock=self.clock,
            http_client=self.http_client,
            reactor=self.reactor,
        )
        self.source_class = source_class
        self.options = options
        self._source: Any = None

    @property
    def source(self) -> Any:  # noqa: ANN401
        """Give the source."""
        if self._source is None:
            self._source = self.make()
        return self._source

    def make(self, **options: Any) -> Any:  # noqa: ANN401
        """Make a source with other options."""
        kind = self.source_class
        given = {"endpoint": self.sts.url, **self.options, **options}
        return kind.from_config(kind.config_class(**given), self.tools)

    def ask(
        self, who: Caller | None = None, audience: Audience = ORDERS
    ) -> Token | NotIssued:
        """Ask the source, which answers at once."""
        answer: Token | NotIssued = outcome_of(
            self.source.token_for(who or caller(), audience)
        )
        return answer
