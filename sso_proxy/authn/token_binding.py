"""Binding to the client's Token Binding ID: the ``cnf`` member ``tbh`` (RFC 8471)."""

from typing import ClassVar, Self

import attrs
from zope.interface import implementer

from sso_proxy.errors import TokenError
from sso_proxy.interfaces import IBinding, ITools
from sso_proxy.model import Identity, Request, Unbound
from sso_proxy.specs.oauth.confirmation import TOKEN_BINDING_MEMBER, check_token_binding


@attrs.frozen(kw_only=True)
class TokenBindingConfig:
    """The ``token_binding`` binding has no options."""


@implementer(IBinding)
class TokenBinding:
    """
    Compares the hash in the token with the key that came with the request.

    The client has proved already that it holds that key, on this connection (RFC 8473);
    that it is the right one is what the token says.
    """

    config_class: ClassVar = TokenBindingConfig
    kind = "token_binding"
    once = False
    members = frozenset({TOKEN_BINDING_MEMBER})

    @classmethod
    def from_config(cls, _config: TokenBindingConfig, _tools: ITools) -> Self:
        """Make the binding, which there is one kind of."""
        return cls()

    async def check(self, request: Request, identity: Identity) -> Unbound | None:
        """Say why *identity* may not be used with this key, or None."""
        bindings = request.token_binding
        provided = bindings.provided.hash if bindings is not None else None
        try:
            check_token_binding(identity.confirmation, provided)
        except TokenError as e:
            return Unbound(reason=e.reason, detail=e.detail)
        return None
