"""The ``refresh`` tokens: a login's refresh token, used for each backend's audience."""

from collections import OrderedDict
from collections.abc import Iterator
from hashlib import sha256
from typing import Any, ClassVar, Final

import attrs
from zope.interface import implementer

from sso_proxy.interfaces import IHealth, ITokenSource, ITools
from sso_proxy.model import Caller
from sso_proxy.session import Session
from sso_proxy.specs.oauth.client_auth import FormFields
from sso_proxy.specs.oauth.grants import UnfitError, build_refresh, read_rotated
from sso_proxy.specs.oidc.token_response import (
    TokenResponse,
    TokenResponseError,
    read_token_response,
)
from sso_proxy.token import MISSING, Audience, NotIssued, Token
from sso_proxy.tokens.granting import PlainConfig, PlainSource
from sso_proxy.tokens.remote import Wanted
from sso_proxy.tokens.subject import Presented
from sso_proxy.tokens.turns import Used, fields_of, take_turn

_REMEMBERED: Final = 4096
"""Sessions of which each process remembers that they have changed."""
_PLACE: Final = "session:refresh_token"
_LONGEST: Final = 25.0
"""Seconds for an answer: a session is held for so long, and a bit more."""


@attrs.frozen(kw_only=True)
class RefreshConfig(PlainConfig):
    """
    How a login's refresh token is used for access tokens (RFC 6749 section 6).

    Attributes:
        subject: ``session:refresh_token``; nothing else is used.
        authenticator: The login, an ``[authenticator.NAME]``, whose sessions have
            refresh tokens of this server; needed, as those of others must not be sent
            there.  ``client_id`` and what proves it are the same as there: refresh
            tokens are good for one client.
        issuer: The authorization server: where its metadata is, and the ``aud`` of what
            proves who we are.  If it is set, only logins at this very provider have
            such tokens; set it for a login that is at many.
    """

    subject: str = _PLACE

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.subject != _PLACE:
            yield f"subject has no effect: it is {_PLACE!r}"
        if not self.authenticator:
            yield "authenticator is missing: whose refresh tokens are used"
        if self.timeout is not None and self.timeout > _LONGEST:
            yield f"timeout is {_LONGEST:.0f} seconds at most"


@implementer(ITokenSource, IHealth)
class RefreshSource(PlainSource):
    """Gets tokens for audiences with the refresh tokens of logins."""

    config_class: ClassVar[Any] = RefreshConfig
    config: RefreshConfig
    ahead: ClassVar[bool] = False  # browsers have to hear of a change, in an answer

    def __init__(self, config: RefreshConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        self._told: OrderedDict[str, int] = OrderedDict()

    def form(self, wanted: Wanted) -> FormFields:
        """
        Say what is asked.

        Raises:
            UnfitError: The refresh token is none.
        """
        token = "" if wanted.subject is None else wanted.subject.value
        return build_refresh(token, self.config.target(wanted.audience))

    async def subject_of(self, caller: Caller) -> Presented | NotIssued:
        """
        Give the session's refresh token.

        It is not what its tokens depend on: each use may bring another one.
        """
        presented = await super().subject_of(caller)
        session = caller.request.session
        if session is None or presented is None or isinstance(presented, NotIssued):
            return MISSING
        issuer = self.config.issuer
        if issuer is not None and session.identity.issuer != issuer:
            return MISSING  # one login may be at many providers
        key = sha256(session.id.encode()).digest()
        return attrs.evolve(presented, key=key, expires=session.expires)

    async def token_for(self, caller: Caller, audience: Audience) -> Token | NotIssued:
        """
        Give a token for *audience*, with what the browser has to know of its session.

        Raises:
            UnavailableError: The server cannot be reached, or the session's store.
        """
        token = await super().token_for(caller, audience)
        session = caller.request.session
        if isinstance(token, NotIssued) or session is None:
            return token
        if self._told.get(session.id, session.revision) <= session.revision:
            return token
        headers = await fields_of(caller.request, session)
        return attrs.evolve(token, headers=headers)

    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """
        Ask with the refresh token that the session has when its turn comes.

        Raises:
            UnavailableError: As for `token_for`.
        """
        request = wanted.caller.request
        session: Session | None = request.session
        if session is None:
            return MISSING

        async def use(token: str) -> Used[Token | NotIssued]:
            return await self._use(token, wanted)

        turn = await take_turn(request, session, use)
        if turn is None:
            return MISSING
        if turn.told:
            self._told[session.id] = turn.revision
            self._told.move_to_end(session.id)
            if len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return turn.result

    async def _use(self, token: str, wanted: Wanted) -> Used[Token | NotIssued]:
        """Use a refresh token; what comes for it is kept, whatever else is wrong."""
        subject = wanted.subject
        assert subject is not None, "it is the session's"  # noqa: S101
        now = attrs.evolve(wanted, subject=attrs.evolve(subject, value=token))
        try:
            fields = self.form(now)
        except UnfitError as e:
            return Used(result=self.unfit(e))
        rotated = [""]

        def read(status: int, content_type: str | None, body: bytes) -> TokenResponse:
            rotated.append(read_rotated(status, content_type, body))
            return read_token_response(status, content_type, body)

        answer = await self.endpoint.ask(self.more(fields), read, repeatable=False)
        if isinstance(answer, TokenResponseError):
            result: Token | NotIssued = self.refused(answer)
        else:
            result = self.token_of(answer)
        return Used(result=result, refresh_token=rotated[-1] or None)
