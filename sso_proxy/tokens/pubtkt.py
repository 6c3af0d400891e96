"""Tickets of mod_auth_pubtkt, signed here."""

import secrets
from base64 import b64decode
from collections.abc import Callable
from typing import ClassVar, Self

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
from sso_proxy.specs.pubtkt_keys import SigningKey, read_signing_key
from sso_proxy.token import NotIssued
from sso_proxy.tokens.caller_facts import text_at
from sso_proxy.tokens.pubtkt_config import PubtktTokenConfig
from sso_proxy.tokens.tickets import Facts, TicketSource

Test = Callable[[Identity, Request], bool]


@implementer(ITicketSource)
class PubtktSource(TicketSource[Ticket]):
    """
    Signs tickets.

    Args:
        config: The options.
        key: Signs.
        clock: The time.
        strong: Says whether somebody logged in by more than a password; None if tickets
            do not say.
    """

    config_class: ClassVar = PubtktTokenConfig
    cookie = "auth_pubtkt"
    kind = "pubtkt"

    def __init__(
        self,
        config: PubtktTokenConfig,
        key: SigningKey,
        clock: IClock,
        strong: Test | None,
    ) -> None:
        super().__init__(config, clock, config.lifetime - config.grace)
        self._config = config
        self._key = key
        self._strong = strong
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

    def describe(
        self, facts: Facts, caller: Caller, identity: Identity
    ) -> Ticket | NotIssued:
        """Say what a ticket says but for its times, all of it in clear."""
        bauth = self._write_bauth(identity, facts.uid)
        if isinstance(bauth, NotIssued):
            return bauth
        multifactor = ""
        if self._strong is not None:
            multifactor = "1" if self._strong(identity, caller.request) else "0"
        return Ticket(
            uid=facts.uid,
            valid_until=0,
            cip=facts.address,
            bauth=bauth,
            tokens=facts.tokens,
            udata=facts.udata,
            multifactor=multifactor,
        )

    def write(self, said: Ticket, now: int, until: int) -> str:
        """Have a ticket be good *until* then, encrypt what has to be, and sign it."""
        config, bauth = self._config, said.bauth
        if bauth and config.bauth_key is not None:
            bauth = encrypt_bauth(
                b64decode(bauth),
                config.bauth_key.reveal().encode(),
                secrets.token_bytes(BAUTH_BLOCK),
            )
        # At the end of a session the same share of what is left: a ticket that is to be
        # refreshed at once would send its user round for ever.
        grace = (until - now) * config.grace // config.lifetime
        ticket = attrs.evolve(
            said,
            valid_until=until,
            grace_period=until - grace if config.grace else 0,
            bauth=bauth,
        )
        return encode_cookie(sign(ticket, self._key))

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
