"""
Tickets of mod_auth_pubtkt, signed here: for sites, and for backends that take them.

What cannot stand in a ticket as it is makes none: nothing is cut off, for what is left
of a name may be somebody else's.
"""

import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import ClassVar, Final, Self

import attrs
from zope.interface import implementer

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock, ITicketSource, ITools
from sso_proxy.model import Caller, Identity, Request
from sso_proxy.net.client_auth_parts import read_file
from sso_proxy.specs.claims import read_claim_path
from sso_proxy.specs.pubtkt import (
    BAUTH_BLOCK,
    Ticket,
    encode_bauth,
    encode_cookie,
    encrypt_bauth,
    sign,
)
from sso_proxy.specs.pubtkt_keys import SigningKey, TicketError, read_signing_key
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
from sso_proxy.tokens.pubtkt_config import PubtktTokenConfig

Test = Callable[[Identity, Request], bool]

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


@implementer(ITicketSource)
class PubtktSource:
    """
    Signs tickets, and gives each to the same caller for a short while.

    Args:
        config: The options.
        key: Signs.
        clock: The time.
        strong: Says whether somebody logged in by more than a password; None if tickets
            do not say.
    """

    config_class: ClassVar = PubtktTokenConfig
    consumes: tuple[str, ...] = ()
    cookie: str = "auth_pubtkt"

    def __init__(
        self,
        config: PubtktTokenConfig,
        key: SigningKey,
        clock: IClock,
        strong: Test | None,
    ) -> None:
        self._config = config
        self._key = key
        self._clock = clock
        self._strong = strong
        self._minted = MintedTokens()
        self._uid = read_claim_path(config.uid) if config.uid else None
        self._udata = read_claim_path(config.udata) if config.udata else None
        self._rights = [read_claim_path(text) for text in config.tokens]
        self._password = (
            read_claim_path(config.bauth_claim) if config.bauth_claim else None
        )

    @classmethod
    def from_config(cls, config: PubtktTokenConfig, tools: ITools) -> Self:
        """
        Make it, and read its key.

        Raises:
            ConfigError: Options contradict each other, or the key cannot be used.
        """
        mistakes = [Mistake(option, why) for option, why in config.problems()]
        if mistakes:
            raise ConfigError(*mistakes)
        password = config.key_password
        try:
            key = read_signing_key(
                read_file(config.key, "key"),
                config.digest,
                None if password is None else password.reveal().encode(),
            )
        except ValueError as e:
            raise ConfigError(Mistake("key", str(e))) from None
        strong = None
        if config.multifactor:
            strong = tools.condition(config.multifactor, "multifactor")
        return cls(config, key, tools.clock, strong)

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
        now, end = self._clock.time(), end_of(caller)
        facts = self._describe(caller, identity)
        if isinstance(facts, NotIssued):
            return facts
        kept = self._minted.get(facts, now=now, end=end)
        if kept is not None:
            return kept
        until = int(min(now + self._config.lifetime, end))
        if until - now < _LEAST:
            return _EXPIRED
        try:
            value = encode_cookie(sign(self._date(facts, int(now), until), self._key))
        except TicketError as e:
            return NotIssued(reason="token-ticket", detail=f"the ticket {e.detail}")
        token = Token(
            value=value,
            token_type="N_A",  # noqa: S106 - no secret
            kind="pubtkt",
            expires=float(until),
        )
        again = now + (self._config.lifetime - self._config.grace) * _AGAIN
        self._minted.keep(facts, token, now=now, again=again, exp=until)
        return token

    def _date(self, facts: Ticket, now: int, until: int) -> Ticket:
        """Have a ticket be good *until* then, and encrypt what has to be."""
        config, bauth = self._config, facts.bauth
        if bauth and config.bauth_key is not None:
            bauth = encrypt_bauth(
                b64decode(bauth),
                config.bauth_key.reveal().encode(),
                secrets.token_bytes(BAUTH_BLOCK),
            )
        # At the end of a session the same share of what is left: a ticket that is to be
        # refreshed at once would send its user round for ever.
        grace = (until - now) * config.grace // config.lifetime
        return attrs.evolve(
            facts,
            valid_until=until,
            grace_period=until - grace if config.grace else 0,
            bauth=bauth,
        )

    def _describe(self, caller: Caller, identity: Identity) -> Ticket | NotIssued:
        """Say what a ticket says but for its times, all of it in clear."""
        config = self._config
        uid = caller.user if self._uid is None else text_at(identity, self._uid)
        if not is_safe_user_name(uid):
            return NotIssued(reason="token-subject", detail="there is no name for it")
        cip = address_of(caller) if config.cip else ""
        if config.cip and not cip:
            return NotIssued(reason="token-address", detail="there is no address")
        bauth = self._write_bauth(identity, uid)
        if isinstance(bauth, NotIssued):
            return bauth
        words = words_at(identity, self._rights)
        multifactor = ""
        if self._strong is not None:
            multifactor = "1" if self._strong(identity, caller.request) else "0"
        return Ticket(
            uid=uid,
            valid_until=0,
            cip=cip,
            bauth=bauth,
            tokens=rights_of(words, config.token_table, config.tokens_always),
            udata="" if self._udata is None else text_at(identity, self._udata),
            multifactor=multifactor,
        )

    def _write_bauth(self, identity: Identity, uid: str) -> str | NotIssued:
        """Give what sites send to what is behind them; empty for nothing."""
        config, password = self._config, ""
        if self._password is not None:
            password = text_at(identity, self._password)
        elif config.bauth_password is not None:
            password = config.bauth_password.reveal()
        if not password:
            return ""
        if ":" in uid or not password.isprintable():
            detail = "name or password cannot be sent by Basic"
            return NotIssued(reason="token-bauth", detail=detail)
        return encode_bauth(uid, password)
