"""Those who ask for tickets."""

from typing import Any

from sso_proxy.model import Caller
from sso_proxy.testing import outcome_of
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.tickets import TicketSource


class Asking:
    """
    Asks a source for tickets.

    Attributes:
        source: It.
        clock: Its clock.
    """

    source: TicketSource[Any]
    clock: SettableClock

    def ask(
        self,
        *,
        user: str = "alice",
        client: str = "192.0.2.1",
        **identity: Any,  # noqa: ANN401
    ) -> Token | NotIssued:
        """Ask for somebody; *identity* is as `make_identity` has it."""
        caller = Caller(
            request=make_request(client=client),
            identity=make_identity(**identity),
            user=user,
        )
        given: Token | NotIssued = outcome_of(self.source.token_for(caller, Audience()))
        return given

    def value(self, **asked: Any) -> str:  # noqa: ANN401
        """Give the ticket that there has to be."""
        given = self.ask(**asked)
        assert isinstance(given, Token), given
        assert given.kind == self.source.kind
        assert given.value not in repr(given)
        return given.value

    def reason(self, **asked: Any) -> str:  # noqa: ANN401
        """Give why there is none."""
        given = self.ask(**asked)
        assert isinstance(given, NotIssued)
        return given.reason
