"""Tokens that a server gives for others (RFC 8693)."""

from collections.abc import Mapping
from typing import Any, ClassVar

from zope.interface import implementer

from sso_proxy.interfaces import IHealth, ITokenSource
from sso_proxy.specs.jose.expiry import read_claims
from sso_proxy.specs.oauth.token_exchange import (
    TOKEN_TYPES,
    Exchange,
    Exchanged,
    actor_problem,
    build_exchange,
    issued_problem,
    missing_scopes,
    read_exchanged,
    read_token_type,
)
from sso_proxy.specs.oidc.token_response import TokenResponseError
from sso_proxy.token import MISSING, NotIssued, Token
from sso_proxy.tokens.exchange_config import ExchangeConfig
from sso_proxy.tokens.oauth import GrantSource
from sso_proxy.tokens.refused import not_issued, unusable
from sso_proxy.tokens.remote import Wanted
from sso_proxy.tokens.subject import Presented


@implementer(ITokenSource, IHealth)
class ExchangeSource(GrantSource):
    """Exchanges what callers present."""

    config_class: ClassVar[Any] = ExchangeConfig
    config: ExchangeConfig

    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """
        Exchange what was presented.

        Raises:
            UnavailableError: The server cannot be reached, fails, or does not know us.
        """
        config, subject, actor = self.config, wanted.subject, wanted.actor
        if subject is None:
            return MISSING
        problem = _actor_problem(subject, actor)
        if problem is not None:
            return NotIssued(reason="token-may-act", status=403, detail=problem)
        exchange = Exchange(
            subject=subject.value,
            subject_type=_type_of(subject, config.subject_type),
            actor="" if actor is None else actor.value,
            actor_type="" if actor is None else _type_of(actor, config.actor_type),
            requested=config.requested,
            target=config.target(wanted.audience),
        )
        fields = self.more(build_exchange(exchange))
        answer = await self.endpoint.ask(fields, read_exchanged)
        if isinstance(answer, TokenResponseError):
            return not_issued(answer)
        return self._judge(answer)

    def _judge(self, answer: Exchanged) -> Token | NotIssued:
        """Take what was issued if it is what was wanted."""
        config = self.config
        problem = issued_problem(
            answer, requested=config.requested, accepted=config.accepted
        )
        if problem is not None:
            return unusable(problem)
        missing = missing_scopes(answer, config.scope)
        if missing and config.require_scope:
            detail = f"not granted: {' '.join(missing)}"
            return NotIssued(reason="token-scope", status=403, detail=detail)
        lasts = answer.expires_in
        return Token(
            value=answer.token,
            token_type=answer.token_type,
            kind=answer.issued,
            expires=None if lasts is None else self.clock.time() + lasts,
        )


def _type_of(presented: Presented, option: str) -> str:
    """Say what was presented: as the operator says, or as its place does."""
    if option:
        return read_token_type(option)
    return presented.kind or TOKEN_TYPES["access_token"]


def _actor_problem(subject: Presented, actor: Presented | None) -> str | None:
    """Say why the subject does not let the actor act, as far as it is verified."""
    if actor is None or not subject.claims:
        return None
    claims: Mapping[str, Any] | None = actor.claims or read_claims(actor.value)
    return actor_problem(subject.claims, claims)
