"""Tickets of mod_auth_tkt, made here."""

from typing import ClassVar, Final, Self
from urllib.parse import quote

from zope.interface import implementer

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock, ITicketSource, ITools
from sso_proxy.model import Caller, Identity
from sso_proxy.specs.auth_tkt import ANYWHERE, Ticket, TicketKey, encode_cookie, sign
from sso_proxy.specs.http.domain_cookie import is_cookie_value
from sso_proxy.specs.pubtkt_keys import TicketError
from sso_proxy.tokens.auth_tkt_config import AuthTktTokenConfig
from sso_proxy.tokens.tickets import Facts, TicketSource

MOST_OCTETS: Final = 4000
"""Of a ticket in a cookie: browsers forget a cookie that has some more (RFC 6265)."""
_UNUSABLE: Final = "has characters that cannot stand in a cookie"


@implementer(ITicketSource)
class AuthTktSource(TicketSource[Facts]):
    """
    Makes tickets.

    Args:
        config: The options.
        clock: The time.
    """

    config_class: ClassVar = AuthTktTokenConfig
    cookie = "auth_tkt"
    kind = "auth_tkt"

    def __init__(self, config: AuthTktTokenConfig, clock: IClock) -> None:
        super().__init__(config, clock, config.lifetime)
        self._config = config
        self._key = TicketKey(
            secret=config.secret.reveal().encode(),
            digest=config.digest,
            ipv6=config.ipv6,
            user=config.user,
            encoding=config.encoding,
        )

    @classmethod
    def from_config(cls, config: AuthTktTokenConfig, tools: ITools) -> Self:
        """
        Make it.

        Raises:
            ConfigError: Options contradict each other.
        """
        mistakes = [Mistake(option, why) for option, why in config.problems()]
        if mistakes:
            raise ConfigError(*mistakes)
        return cls(config, tools.clock)

    def describe(self, facts: Facts, caller: Caller, identity: Identity) -> Facts:  # noqa: ARG002
        """Say what a ticket says but for its time: what every kind does."""
        return facts

    def write(self, said: Facts, now: int, until: int) -> str:  # noqa: ARG002
        """
        Make a ticket, and wrap it for a cookie.

        Raises:
            TicketError: What it would say cannot stand in one, or not in a cookie.
        """
        ticket = Ticket(
            uid=said.uid,
            # Sites count its lifetime from here: what is to be over earlier than that
            # says that it was made earlier.
            timestamp=until - self._config.lifetime,
            tokens=said.tokens,
            udata=said.udata,
        )
        value = self._wrap(sign(ticket, self._key, ip=said.address or ANYWHERE))
        if len(value) > MOST_OCTETS:
            problem = f"has {len(value)} octets; a cookie has room for {MOST_OCTETS}"
            raise TicketError(problem, reason="ticket-long")
        return value

    def _wrap(self, text: str) -> str:
        encoding = self._config.encoding
        if self._config.wrapped == "base64":
            return encode_cookie(text, encoding=encoding)
        if self._config.wrapped == "url":
            return quote(text, safe="", encoding=encoding)
        if not is_cookie_value(text):
            raise TicketError(_UNUSABLE, reason="ticket-cookie")
        return text
