"""
Tickets that are made here: for sites beside us, and for backends that take them.

What cannot stand in a ticket as it is makes none: nothing is cut off, for what is left
of a name may be somebody else's.
"""

from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import ClassVar, Final, Generic, TypeVar

import attrs

from sso_proxy.interfaces import IClock
from sso_proxy.model import Caller, Identity
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.pubtkt_keys import TicketError
from sso_proxy.specs.user_name import is_safe_user_name
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.caller_facts import (
    address_of,
    end_of,
    rights_of,
    somebody,
    text_at,
    words_at,
)
from sso_proxy.tokens.minted import MintedTokens
from sso_proxy.tokens.ticket_config import TicketConfig

_LEAST: Final = 5
"""Seconds that a ticket is good at least: else the site sends its user back at once."""
_AGAIN: Final = 0.05
"""For which part of the time until it is to be refreshed a ticket is given again."""
_NOBODY: Final = NotIssued(
    reason="token-nobody", status=401, detail="the caller is nobody in particular"
)
_EXPIRED: Final = NotIssued(
    reason="token-expired", status=401, detail="the caller's identity is about to end"
)

Said = TypeVar("Said", bound=Hashable)


@attrs.frozen(kw_only=True)
class Facts:
    """
    What every kind of ticket says about its user.

    Attributes:
        uid: The name.
        address: The only address that it is good from; empty for any.
        tokens: What the user may do.
        udata: The user data.
    """

    uid: str
    address: str
    tokens: tuple[str, ...]
    udata: str


class TicketSource(ABC, Generic[Said]):
    """
    Makes tickets, and gives each to the same caller for a short while.

    ``Said`` is all that a ticket says but for its times, in clear.

    Args:
        config: The options.
        clock: The time.
        fresh: Seconds from its making until sites have a ticket refreshed.
    """

    consumes: tuple[str, ...] = ()
    cookie: str
    kind: ClassVar[str]

    def __init__(self, config: TicketConfig, clock: IClock, fresh: float) -> None:
        self._clock = clock
        self._fresh = fresh
        self._options = config
        self._minted = MintedTokens()
        self._uid = read_claim_path(config.uid) if config.uid else None
        self._udata = read_claim_path(config.udata) if config.udata else None
        self._rights = [read_claim_path(text) for text in config.tokens]

    @abstractmethod
    def describe(
        self, facts: Facts, caller: Caller, identity: Identity
    ) -> Said | NotIssued:
        """Say what a ticket says but for its times, all of it in clear."""

    @abstractmethod
    def write(self, said: Said, now: int, until: int) -> str:
        """
        Make a ticket that is good *until* then, as it is put into a cookie.

        Raises:
            TicketError: What it would say cannot stand in one.
        """

    def check_audience(self, audience: Audience) -> None:
        """
        Check that nobody expects a ticket for one site alone.

        Raises:
            ValueError: Somebody does.
        """
        if audience.name:
            raise ValueError("has no effect: a ticket is good at all sites")

    async def token_for(self, caller: Caller, audience: Audience) -> Token | NotIssued:  # noqa: ARG002
        """Give a ticket, as it is put into a cookie.  Never waits."""
        identity = somebody(caller)
        if identity is None:
            return _NOBODY
        said = self._say(caller, identity)
        if isinstance(said, NotIssued):
            return said
        now, end = self._clock.time(), end_of(caller)
        kept = self._minted.get(said, now=now, end=end)
        return self._make(said, now, end) if kept is None else kept

    def _say(self, caller: Caller, identity: Identity) -> Said | NotIssued:
        """Say all that a ticket says but for its times."""
        facts = self._find_facts(caller, identity)
        if isinstance(facts, NotIssued):
            return facts
        return self.describe(facts, caller, identity)

    def _make(self, said: Said, now: float, end: float) -> Token | NotIssued:
        """Make a ticket that is over by *end*, and keep it."""
        until = int(min(now + self._options.lifetime, end))
        if until - now < _LEAST:
            return _EXPIRED
        try:
            value = self.write(said, int(now), until)
        except TicketError as e:
            return NotIssued(reason="token-ticket", detail=f"the ticket {e.detail}")
        token = Token(
            value=value,
            token_type="N_A",  # noqa: S106 - no secret
            kind=self.kind,
            expires=float(until),
        )
        # With less left, it is given again for the same share of that.
        again = now + (until - now) / self._options.lifetime * self._fresh * _AGAIN
        self._minted.keep(said, token, now=now, again=again, exp=until)
        return token

    def _find_facts(self, caller: Caller, identity: Identity) -> Facts | NotIssued:
        """Find what every kind of ticket says."""
        config = self._options
        uid = caller.user if self._uid is None else text_at(identity, self._uid)
        if not is_safe_user_name(uid):
            return NotIssued(reason="token-subject", detail="there is no name for it")
        address = address_of(caller) if config.cip else ""
        if config.cip and not address:
            return NotIssued(reason="token-address", detail="there is no address")
        words = words_at(identity, self._rights)
        return Facts(
            uid=uid,
            address=address,
            tokens=rights_of(words, config.token_table, config.tokens_always),
            udata="" if self._udata is None else text_at(identity, self._udata),
        )
