"""
ID tokens that are bound to keys (RFC 7800).

To a key of ours, or to the Token Binding ID by which the browser is known here (OpenID
Connect Token Bound Authentication): whoever steals the answer of the provider, before
the browser brings it, is logged in as nobody.
"""

from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.errors import TokenError
from sso_proxy.model import Headers, Request
from sso_proxy.specs.oauth.confirmation import (
    KEY_MEMBER,
    TOKEN_BINDING_MEMBER,
    check_token_binding,
)

_REFERRED: Final = ("include-referred-token-binding-id", "true")


def tell_referred(request: Request, level: str) -> Headers:
    """
    Have the browser tell the provider which key it is known by here (RFC 8473 5.3).

    Args:
        request: The request that is redirected to the provider.
        level: The option ``token_binding`` of the authenticator.
    """
    return (_REFERRED,) if level and request.token_binding is not None else ()


def provided_hash(request: Request) -> str:
    """Give the hash of the Token Binding ID that was proved; empty without one."""
    bindings = request.token_binding
    return "" if bindings is None else bindings.provided.hash


def check_bound(
    claims: Mapping[str, Any], *, thumbprint: str | None, provided: str, required: bool
) -> None:
    """
    Check that all keys are there that an ID token is bound to.

    Args:
        claims: Its claims.
        thumbprint: Of the key that we prove to the provider, or None.
        provided: What `provided_hash` gave for who brings the answer.
        required: Refuse those that are bound to no Token Binding ID.

    Raises:
        TokenError: One is missing, or nobody knows what it is.
    """
    found = claims.get("cnf")
    members: dict[str, Any] = {"": found}
    if isinstance(found, Mapping) and found:
        members = dict(found)
    bound = members.pop(TOKEN_BINDING_MEMBER, None)
    if required and bound is None:
        detail = "the ID token is bound to no Token Binding ID"
        raise TokenError(detail, reason="not-token-binding-bound")
    if found is None:
        return
    ours = {} if thumbprint is None else {KEY_MEMBER: thumbprint}
    if members and members != ours:
        detail = "cnf of the ID token is no key of ours"
        raise TokenError(detail, reason="unknown-confirmation")
    if TOKEN_BINDING_MEMBER in found:
        check_token_binding(found, provided or None)


def check_still_bound(
    claims: Mapping[str, Any], before: Mapping[str, Any], *, thumbprint: str | None
) -> None:
    """
    Check an ID token that came for a refresh token: no browser had a part in it.

    Args:
        claims: Its claims.
        before: Those of the one that it replaces.
        thumbprint: As for `check_bound`.

    Raises:
        TokenError: It is bound to something else.
    """
    if claims.get("cnf") != before.get("cnf"):
        check_bound(claims, thumbprint=thumbprint, provided="", required=False)
