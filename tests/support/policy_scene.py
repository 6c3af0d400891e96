"""A policy that asks a decision point, without a network."""

from typing import Any

from twisted.internet.defer import Deferred

from sso_proxy.model import Decision, Identity, Request
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity, make_request
from tests.conformance.parts import Asked
from tests.support.sts import TokenServer
from tests.support.sts_faults import JSON, Said

URL = "https://pdp.example.com"
ALICE = make_identity()
READ = make_request()


def answer(
    body: bytes | str, kind: str | None = JSON, status: int = 200, **fields: str
) -> Said:
    """Answer with *body*, said to be of *kind*; ``_`` in names of fields is ``-``."""
    headers = [] if kind is None else [("Content-Type", kind)]
    headers += [(name.replace("_", "-"), value) for name, value in fields.items()]
    octets = body.encode() if isinstance(body, str) else body
    return Said(status=status, headers=tuple(headers), body=octets)


class PolicyScene:
    """
    A decision point, and a policy that asks it.

    Args:
        policy_class: The policy.
        said: What the decision point answers to everything.
        options: The policy's.

    Attributes:
        said: What it answers from now on.
        asked: What it was asked, in order.
    """

    def __init__(
        self,
        policy_class: Any,  # noqa: ANN401
        said: Said,
        **options: Any,  # noqa: ANN401
    ) -> None:
        self.clock = SettableClock()
        self.server = TokenServer(origin=URL)
        self.said = said
        self.server.said = lambda _: self.said
        self.http_client: Any = self.server.http_client()
        self.tools = FakeTools(
            name="pdp", clock=self.clock, http_client=self.http_client
        )
        config = policy_class.config_class(**options)
        self.policy = policy_class.from_config(config, self.tools)

    @property
    def asked(self) -> list[Asked]:
        """Give every request, in order."""
        return self.server.asked

    def decide(self, who: Identity = ALICE, request: Request = READ) -> Decision:
        """Ask the policy, which answers at once."""
        decision: Decision = outcome_of(self.policy.decide(who, request))
        return decision

    def begin(self, who: Identity = ALICE, request: Request = READ) -> Deferred[Any]:
        """Ask the policy, which may wait."""
        return Deferred.fromCoroutine(self.policy.decide(who, request))
