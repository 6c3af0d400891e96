"""What a login brought, whichever way it came."""

from typing import Self

import attrs

from sso_proxy.specs.oidc.response import AuthorizationAnswer
from sso_proxy.specs.oidc.token_response import TokenResponse


@attrs.frozen(kw_only=True)
class Given:
    """
    Tokens.

    Attributes:
        id_token: Says who logged in, or None.
        access_token: For resource servers, or None.
        token_type: Its type, or None without one.
        expires_in: Seconds that it is good for, or None.
        refresh_token: For more of them, or None.
        scope: What the access token is good for; None: what was asked for.
    """

    id_token: str | None = attrs.field(default=None, repr=False)
    access_token: str | None = attrs.field(default=None, repr=False)
    token_type: str | None = None
    expires_in: int | None = None
    refresh_token: str | None = attrs.field(default=None, repr=False)
    scope: str | None = None

    @classmethod
    def by_code(cls, tokens: TokenResponse) -> Self:
        """Give what a code, or a refresh token, was good for."""
        return cls(
            id_token=tokens.id_token,
            access_token=tokens.access_token,
            token_type=tokens.token_type,
            expires_in=tokens.expires_in,
            refresh_token=tokens.refresh_token,
            scope=tokens.scope,
        )

    @classmethod
    def by_browser(cls, answer: AuthorizationAnswer) -> Self:
        """Give what came with a browser; never a refresh token."""
        return cls(
            id_token=answer.id_token,
            access_token=answer.access_token,
            token_type=answer.token_type,
            expires_in=answer.expires_in,
            scope=answer.scope,
        )
