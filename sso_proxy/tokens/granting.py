"""What token sources have in common that use a grant of OAuth (RFC 6749 section 4)."""

from abc import abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Final, Literal

import attrs

from sso_proxy.interfaces import ITools
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS, FormFields
from sso_proxy.specs.oauth.grants import UnfitError
from sso_proxy.specs.oidc.token_response import (
    TokenResponse,
    TokenResponseError,
    read_token_response,
)
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.oauth import GrantSource
from sso_proxy.tokens.refused import not_issued, unusable
from sso_proxy.tokens.remote import Wanted
from sso_proxy.tokens.remote_config import GrantConfig
from sso_proxy.tokens.subject import ACCESS_TOKEN, read_subject_option

_PRESENTED: Final = frozenset({"cookie", "header", "query"})
_CALLERS: Final = _PRESENTED | {"access_token", "ticket", "session", "certificate"}
_BOUND: Final = "DPoP"
_FIELDS: Final = frozenset(
    {
        *("grant_type", "scope", "resource", "audience", "assertion"),
        *("username", "password", "refresh_token"),
    }
)


@attrs.frozen(kw_only=True)
class PlainConfig(GrantConfig):
    """
    How a token endpoint is asked by a grant that knows nobody who acts for others.

    Attributes:
        audience_as: What the route's ``audience`` is sent as: ``resource``, a URI (RFC
            8707), or ``audience``, a name, to servers that want that.  It is sent
            alone, instead of the table's ``audience`` and ``resource``.
    """

    ours: ClassVar[frozenset[str]] = CLIENT_FIELDS | _FIELDS

    audience_as: Literal["audience", "resource"] = "resource"

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the options together."""
        yield from super().problems()
        if self.actor != "none":
            yield "actor has no effect: this grant knows nobody who acts for others"


class PlainSource(GrantSource):
    """Asks for an access token by a form of its own."""

    config: PlainConfig

    def __init__(self, config: PlainConfig, tools: ITools) -> None:
        super().__init__(config, tools)
        self._kind = read_subject_option(config.subject).kind

    @abstractmethod
    def form(self, wanted: Wanted) -> FormFields:
        """
        Say what is asked.

        Raises:
            UnfitError: What the token is to be made from cannot be sent like this.
        """

    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """
        Ask for an access token.

        Raises:
            UnavailableError: The server cannot be reached, fails, or does not know us.
        """
        try:
            fields = self.form(wanted)
        except UnfitError as e:
            return self.unfit(e)
        answer = await self.endpoint.ask(self.more(fields), read_token_response)
        if isinstance(answer, TokenResponseError):
            return self.refused(answer)
        return self.token_of(answer)

    def unfit(self, error: UnfitError) -> NotIssued:
        """Say whose fault it is that nothing can be asked."""
        if self._kind in _PRESENTED:
            return NotIssued(reason="token-malformed", status=400, detail=error.detail)
        return unusable(error.detail)

    def refused(self, error: TokenResponseError) -> NotIssued:
        """
        Say what becomes of a request for which the server gave no token.

        Who presented nothing of what was refused is not asked for anything better.
        """
        refused, kind = not_issued(error), self._kind
        if refused.status == 401 and kind not in _CALLERS:
            return attrs.evolve(refused, status=403 if kind == "token" else 502)
        return refused

    def token_of(self, answer: TokenResponse) -> Token | NotIssued:
        """Take the access token, if a backend can use it."""
        if answer.token_type == _BOUND:
            return unusable("the token is bound to our key (DPoP)")
        lasts = answer.expires_in
        return Token(
            value=answer.access_token,
            token_type=answer.token_type,
            kind=ACCESS_TOKEN,
            expires=None if lasts is None else self.clock.time() + lasts,
        )
