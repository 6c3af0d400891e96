"""Check ID tokens (OpenID Connect Core 3.1.3.7, FAPI 2.0 Security Profile 5.4)."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import attrs

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.compact import JoseHeader
from sso_proxy.specs.jose.decrypt import DecryptionKeys
from sso_proxy.specs.jose.keys import KeySet
from sso_proxy.specs.oidc.dates import read_date
from sso_proxy.specs.oidc.envelope import EnvelopeRules, open_jwt
from sso_proxy.specs.oidc.hashes import is_hash_of
from sso_proxy.specs.oidc.issuers import check_issuer
from sso_proxy.specs.oidc.metadata import FAPI_ALGORITHMS

MAX_SUBJECT: Final = 255
"""Characters of ``sub`` (OpenID Connect Core section 2)."""

HASHES: Final = ("at_hash", "c_hash", "s_hash")
"""Claims that vouch for the access token, the code and the state that came along."""

LOGOUT_EVENT: Final = "http://schemas.openid.net/event/backchannel-logout"
"""The event that tokens tell which end logins (Back-Channel Logout section 2.4)."""

_ENVELOPE: Final = EnvelopeRules()


@attrs.frozen(kw_only=True)
class IdTokenRules:
    """
    What ID tokens of a provider are compared with.

    Attributes:
        issuer: The issuer, compared octet by octet, or a template
            (`sso_proxy.specs.oidc.issuers`).
        client_id: Ours.
        tenants: Those that are allowed, if *issuer* is a template.
        audiences: Others that may stand in ``aud`` beside us.
        envelope: How tokens are signed and encrypted.
        leeway: Seconds that the provider's clock may differ from ours, for ``exp``,
            ``nbf`` and ``auth_time``.
        iat_slack: Seconds that ``iat`` may be off, before or after now: a token that
            was made long ago was not made for this login.
        fapi: Keep to the FAPI 2.0 Security Profile: ``aud`` is we alone, and the
            signature one of PS256, ES256 and EdDSA.
    """

    issuer: str
    client_id: str
    tenants: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    envelope: EnvelopeRules = _ENVELOPE
    leeway: float = 10.0
    iat_slack: float = 600.0
    fapi: bool = False


def open_id_token(  # noqa: PLR0913 - one keyword for each kind of key
    text: str,
    keys: KeySet,
    rules: IdTokenRules,
    *,
    decryption_keys: Sequence[DecryptionKeys] = (),
    mac_keys: Sequence[KeySet] = (),
    front_channel: bool = False,
) -> tuple[JoseHeader, dict[str, Any]]:
    """
    Decrypt an ID token if it is encrypted, and check its signature.

    Args:
        text: The token.
        keys: The provider's.
        rules: What is allowed.
        decryption_keys: Ours; see `open_jwt`.
        mac_keys: Client secrets; see `open_jwt`.
        front_channel: It came through the browser, where it always has to be signed
            (section 3.1.3.7 point 6 is about the token endpoint alone).

    Returns:
        The header, and the claims, which are still to be checked by `check_id_token`.

    Raises:
        UnknownKeyError: The key that it means is not there; it may have been published
            since.
        TokenError: As for `open_jwt`.
    """
    envelope = rules.envelope
    if rules.fapi:
        allowed = envelope.algorithms & FAPI_ALGORITHMS
        envelope = attrs.evolve(envelope, algorithms=allowed, allow_none=False)
    return open_jwt(
        text,
        keys,
        envelope,
        decryption_keys=decryption_keys,
        mac_keys=mac_keys,
        unsigned=not front_channel,
    )


def check_id_token(  # noqa: PLR0913 - one keyword for each thing to compare with
    claims: Mapping[str, Any],
    rules: IdTokenRules,
    *,
    alg: str,
    now: float,
    nonce: str | None,
    access_token: str | None = None,
    code: str | None = None,
    state: str | None = None,
    required_hashes: Collection[str] = (),
    max_age: int | None = None,
    asked_at: float | None = None,
    acr_values: Collection[str] = (),
) -> None:
    """
    Check the claims of an ID token that a login ends with.

    What was asked for is enforced: a provider that does not know ``max_age`` or
    ``acr_values`` answers all the same (OpenID Connect Core 3.1.2.1).

    Args:
        claims: Claims of a token that `open_id_token` has opened.
        rules: What they have to say.
        alg: Of its header; hashes depend on it.
        now: Seconds since the epoch.
        nonce: The one that was sent; None, if none was.
        access_token: What came with it.
        code: What came with it, or what it came for.
        state: The one that was sent.
        required_hashes: Those of `HASHES` that have to be there, as the flow demands;
            the others are checked if they are there and we have the value.
        max_age: Seconds since the user proved who it is at most, if it was asked for.
        asked_at: When it was asked for, in seconds since the epoch, as the provider
            cannot know how long the user reads its pages; None: now.
        acr_values: One of these has to be there; empty: none was asked for as
            essential.

    Raises:
        TokenError: Any of this does not hold.
    """
    _check_common(claims, rules, now)
    if nonce is not None and not _is_same(claims.get("nonce"), nonce):
        raise TokenError("nonce is another", reason="token-nonce")
    values = dict(zip(HASHES, (access_token, code, state), strict=True))
    _check_hashes(claims, values, required_hashes, alg)
    if max_age is not None:
        _check_age(claims, max_age, rules.leeway, now if asked_at is None else asked_at)
    if acr_values and claims.get("acr") not in tuple(acr_values):
        raise TokenError("acr is none that was asked for", reason="token-acr")


def check_refreshed(  # noqa: PLR0913 - one keyword for each thing to compare with
    claims: Mapping[str, Any],
    rules: IdTokenRules,
    *,
    alg: str,
    now: float,
    before: Mapping[str, Any],
    access_token: str | None = None,
) -> None:
    """
    Check the claims of an ID token that came with a refresh (section 12.2).

    Args:
        claims: Claims of a token that `open_id_token` has opened.
        rules: What they have to say.
        alg: Of its header.
        now: Seconds since the epoch.
        before: The claims of the ID token of the login.
        access_token: What came with it.

    Raises:
        TokenError: It is not one that a login could end with; or it is another
            issuer's or user's, for another nonce, or of an earlier login.  A later one
            is not refused: providers move ``auth_time`` when a user logs in again.
    """
    _check_common(claims, rules, now)
    if claims["iss"] != before.get("iss"):
        raise TokenError("iss is not as it was", reason="token-issuer")
    if claims["sub"] != before.get("sub"):
        raise TokenError("sub is not as it was", reason="token-subject")
    if "nonce" in claims and claims["nonce"] != before.get("nonce"):
        raise TokenError("nonce is not as it was", reason="token-nonce")
    if "auth_time" in claims and "auth_time" in before:
        earlier = read_date(claims, "auth_time") < read_date(before, "auth_time")
        if earlier:
            raise TokenError("auth_time is earlier", reason="token-auth-time")
    _check_hashes(claims, {"at_hash": access_token}, (), alg)


def _check_common(claims: Mapping[str, Any], rules: IdTokenRules, now: float) -> None:
    """Check what holds for every ID token."""
    check_issuer(claims, rules.issuer, rules.tenants)
    check_audience(claims, rules)
    read_subject(claims)
    check_dates(claims, rules, now)
    events = claims.get("events")
    if isinstance(events, Mapping) and LOGOUT_EVENT in events:
        # Same issuer, audience and keys; it is made without the user being there.
        raise TokenError("this is a logout token", reason="token-type")


def check_audience(claims: Mapping[str, Any], rules: IdTokenRules) -> None:
    """
    Check for whom a token is, and who asked for it (points 3 to 5).

    Raises:
        TokenError: It is not for us, or not for us alone.
    """
    aud, ours = claims.get("aud"), rules.client_id
    names = [aud] if isinstance(aud, str) else aud
    if not isinstance(names, list) or ours not in names:
        raise TokenError("aud has not us", reason="token-audience")
    others = [name for name in names if name != ours]
    known = frozenset[str]() if rules.fapi else rules.audiences
    if not all(isinstance(name, str) and name in known for name in others):
        raise TokenError("aud has others that we do not know", reason="token-audience")
    if others and "azp" not in claims:
        raise TokenError("several in aud, and no azp", reason="token-azp")
    if "azp" in claims and claims["azp"] != ours:
        raise TokenError("azp is another", reason="token-azp")


def read_subject(claims: Mapping[str, Any]) -> str:
    """
    Give the name of the user (section 2).

    Raises:
        TokenError: There is none, or one that nobody can have.
    """
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= MAX_SUBJECT:
        raise TokenError("sub is missing, or no name", reason="token-subject")
    if not subject.isprintable():
        raise TokenError("sub is not printable", reason="token-subject")
    return subject


def check_dates(
    claims: Mapping[str, Any], rules: IdTokenRules, now: float, *, ends: bool = True
) -> None:
    """
    Check that a token is made now, for now (points 9 and 10).

    Args:
        claims: Its claims.
        rules: How far clocks may differ.
        now: Seconds since the epoch.
        ends: It has to say until when it is good.

    Raises:
        TokenError: It is not.
    """
    if (ends or "exp" in claims) and now >= read_date(claims, "exp") + rules.leeway:
        raise TokenError("exp is over", reason="token-expired")
    issued = read_date(claims, "iat")
    if issued > now + rules.iat_slack:
        raise TokenError("iat is to come", reason="token-early")
    if issued < now - rules.iat_slack:
        raise TokenError("iat is too long ago", reason="token-old")
    if "nbf" in claims and read_date(claims, "nbf") > now + rules.leeway:
        raise TokenError("nbf is to come", reason="token-early")
    if "auth_time" in claims and read_date(claims, "auth_time") > now + rules.iat_slack:
        raise TokenError("auth_time is to come", reason="token-auth-time")


def _check_age(
    claims: Mapping[str, Any], max_age: int, leeway: float, asked_at: float
) -> None:
    """Check that the user proved who it is lately enough (point 13)."""
    if "auth_time" not in claims:
        raise TokenError("auth_time is missing", reason="token-auth-time")
    if read_date(claims, "auth_time") + max_age + leeway < asked_at:
        raise TokenError("auth_time is too long ago", reason="token-auth-time")


def _check_hashes(
    claims: Mapping[str, Any],
    values: Mapping[str, str | None],
    required: Collection[str],
    alg: str,
) -> None:
    """Check that a token came with what it vouches for (3.1.3.8, 3.3.2.10)."""
    for name, value in values.items():
        reason = f"token-{name.replace('_', '-')}"
        if name not in claims:
            if name in required:
                raise TokenError(f"{name} is missing", reason=reason)
            continue
        if value is None:
            if name in required:
                raise TokenError(f"{name} is of nothing that came", reason=reason)
            continue
        if not is_hash_of(claims[name], value, alg):
            raise TokenError(f"{name} is of another", reason=reason)


def _is_same(claim: object, value: str) -> bool:
    """Compare *claim* with a secret *value* in constant time."""
    if not isinstance(claim, str):
        return False
    ours, theirs = (text.encode("utf-8", "surrogatepass") for text in (value, claim))
    return hmac.compare_digest(ours, theirs)
