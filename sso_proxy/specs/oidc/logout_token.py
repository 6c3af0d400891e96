"""Check logout tokens (OpenID Connect Back-Channel Logout 1.0 sections 2.4 and 2.6)."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.decrypt import DecryptionKeys
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oidc.envelope import open_jwt
from sso_proxy.specs.oidc.id_token import (
    LOGOUT_EVENT,
    IdTokenRules,
    check_audience,
    check_dates,
    read_subject,
)
from sso_proxy.specs.oidc.issuers import check_issuer
from sso_proxy.specs.oidc.metadata import FAPI_ALGORITHMS

TYP: Final = "logout+jwt"
"""What a logout token should say that it is; many do not (section 2.4)."""

MAX_ID: Final = 255
"""Characters of ``jti``, and of ``sid``."""


@attrs.frozen(kw_only=True)
class LogoutClaims:
    """
    Which logins a provider has ended.

    Attributes:
        issuer: The provider.
        subject: The user.  None: whoever has *sid*.
        sid: The session there.  None: all that the user has.
        jti: Names the token.
    """

    issuer: str
    subject: str | None
    sid: str | None
    jti: str


def open_logout_token(
    text: str,
    keys: KeySet,
    rules: IdTokenRules,
    *,
    decryption_keys: Sequence[DecryptionKeys] = (),
    mac_keys: Sequence[KeySet] = (),
) -> dict[str, Any]:
    """
    Decrypt a logout token as an ID token would be, and check its signature.

    It comes from whoever knows where to send it: without a signature it says nothing,
    whatever is allowed for ID tokens (section 2.6 point 3).

    Args:
        text: The token.
        keys: The provider's.
        rules: What is allowed for ID tokens.
        decryption_keys: Ours; see `open_jwt`.
        mac_keys: Client secrets; see `open_jwt`.

    Returns:
        The claims, which are still to be checked by `read_logout`.

    Raises:
        UnknownKeyError: The key that it means is not there; it may have been published
            since.
        TokenError: As for `open_jwt`.
    """
    envelope = attrs.evolve(rules.envelope, allow_none=False)
    if rules.fapi:
        allowed = envelope.algorithms & FAPI_ALGORITHMS
        envelope = attrs.evolve(envelope, algorithms=allowed)
    _, claims = open_jwt(
        text,
        keys,
        envelope,
        decryption_keys=decryption_keys,
        mac_keys=mac_keys,
        typ=TYP,
    )
    return claims


def read_logout(
    claims: Mapping[str, Any], rules: IdTokenRules, *, now: float
) -> LogoutClaims:
    """
    Check the claims of a logout token, and say which logins are over.

    Whether ``jti`` came before is the caller's business (section 2.6 point 8).

    Args:
        claims: Claims of a token that `open_logout_token` has opened.
        rules: What ID tokens are compared with; so are these.
        now: Seconds since the epoch.

    Raises:
        TokenError: It is another provider's or client's, too old, to come, or no logout
            token; or it does not say whose logins are over.
    """
    issuer = check_issuer(claims, rules.issuer, rules.tenants)
    check_audience(claims, rules)
    # Providers of before 2022 sent no exp: the specification asked for none.
    check_dates(claims, rules, now, ends=False)
    jti = _name(claims, "jti")
    if jti is None:
        raise TokenError("jti is missing", reason="token-jti")
    events = claims.get("events")
    if not isinstance(events, Mapping) or LOGOUT_EVENT not in events:
        raise TokenError("events has no logout", reason="token-event")
    if not isinstance(events[LOGOUT_EVENT], Mapping):
        raise TokenError("the event is no JSON object", reason="token-event")
    if "nonce" in claims:
        # What an ID token has, which is signed by the same keys.
        raise TokenError("there must be no nonce", reason="token-nonce")
    subject = read_subject(claims) if "sub" in claims else None
    sid = _name(claims, "sid")
    if subject is None and sid is None:
        raise TokenError("neither sub nor sid", reason="token-subject")
    return LogoutClaims(issuer=issuer, subject=subject, sid=sid, jti=jti)


def _name(claims: Mapping[str, Any], name: str) -> str | None:
    """Give a claim that names something, or None."""
    if name not in claims:
        return None
    value = claims[name]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        raise TokenError(f"{name} is no name", reason=f"token-{name}")
    return value
