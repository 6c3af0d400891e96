"""Check the claims of an access token (RFC 7519 4.1, RFC 9068 4, RFC 7662 2.2)."""

from collections.abc import Collection, Mapping
from typing import Any, Final, TypeGuard

import attrs

from sso_proxy.errors import TokenError

ANY_TYPE: Final = "any"

_MAX_DATE: Final = 2.0**53
"""Above it, numbers of seconds are no longer exact."""

_NEVER_ACCESS_TOKENS: Final = frozenset(
    {
        *("dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt"),
        *("oauth-authz-req+jwt", "client-authentication+jwt", "entity-statement+jwt"),
    }
)
"""Types of JWTs that say what they are, and that it is another (RFC 8725 3.11)."""

_OTHER_TOKENS: Final = frozenset({"refresh", "offline", "id", "logout"})
"""What some servers call, in ``typ``, what they introspect and is no access token."""


@attrs.frozen(kw_only=True)
class ClaimRules:
    """
    What the claims of a token are compared with.

    Attributes:
        issuer: Compared octet by octet (RFC 9068 section 4).
        audiences: Names of ours; ``aud`` has to have one of them.
        leeway: Seconds that the issuer's clock may differ from ours.
        subject: Claims that name the caller; the first that is there counts.
        required: Further claims that have to be there, with whatever value.
        clients: Clients whose tokens are taken; empty: all.
        max_age: Seconds since ``iat`` at most, or None.
        audience_optional: What the issuer says about a token itself, when asked, need
            not name an audience.
    """

    issuer: str
    audiences: frozenset[str]
    leeway: float = 0.0
    subject: tuple[str, ...] = ("sub",)
    required: tuple[str, ...] = ()
    clients: frozenset[str] = frozenset()
    max_age: float | None = None
    audience_optional: bool = False


def check_type(typ: str | None, accepted: Collection[str]) -> None:
    """
    Check that a token is an access token (RFC 9068 section 4).

    An ID token, or a logout token, has the same issuer, and often the same audience.

    Args:
        typ: The header parameter, lower-case, without ``application/``.
        accepted: Types likewise; ``any`` among them is for issuers that do not say
            it, and still takes no token that says that it is something else.

    Raises:
        TokenError: It is another type.
    """
    if typ in accepted and typ != ANY_TYPE:
        return
    if ANY_TYPE not in accepted or typ in _NEVER_ACCESS_TOKENS:
        raise TokenError("typ is no access token's", reason="token-type")


def check_issuer(claims: Mapping[str, Any], issuer: str) -> None:
    """
    Check that a token is *issuer*'s.

    Raises:
        TokenError: It is somebody else's, or nobody's.
    """
    if claims.get("iss") != issuer:
        raise TokenError("iss is another", reason="token-issuer")


def check_claims(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    """
    Check what a token says that its issuer signed.

    ``iss``, ``aud``, ``exp`` and the subject have to be there (RFC 9068 section 2.2);
    ``nbf`` and ``iat`` are honoured if they are.

    Args:
        claims: The claims, after the signature was checked.
        rules: What they have to say.
        now: Seconds since the epoch.

    Raises:
        TokenError: Any of this does not hold.
    """
    check_issuer(claims, rules.issuer)
    _check_audience(claims, rules)
    _check_expiry(expiry(claims), rules, now)
    _check_common(claims, rules, now)


def check_introspected(
    claims: Mapping[str, Any], rules: ClaimRules, now: float
) -> None:
    """
    Check what an issuer says, when asked, about a token that it calls active.

    RFC 7662 section 2.2 leaves all of it out if the server likes.  What is there has
    to be right; the audience has to be there unless *rules* make it optional, as a
    token for somebody else would be active, too.

    Args:
        claims: The members of the answer.
        rules: What they have to say.
        now: Seconds since the epoch.

    Raises:
        TokenError: Any of this does not hold.
    """
    _check_kind(claims)
    if "iss" in claims:
        check_issuer(claims, rules.issuer)
    if "aud" in claims or not rules.audience_optional:
        _check_audience(claims, rules)
    if "exp" in claims:
        _check_expiry(expiry(claims), rules, now)
    _check_common(claims, rules, now)


def expiry(claims: Mapping[str, Any]) -> float:
    """
    Give ``exp``, in seconds since the epoch.

    Raises:
        TokenError: It is missing or no number.
    """
    return _date(claims, "exp")


def read_subject(claims: Mapping[str, Any], names: Collection[str] = ("sub",)) -> str:
    """
    Give the first of the claims *names* that is there.

    Raises:
        TokenError: None is, or it is no printable string.
    """
    for name in names:
        if name in claims:
            subject = claims[name]
            if isinstance(subject, str) and subject and subject.isprintable():
                return subject
            raise TokenError(f"{name} is no printable string", reason="token-subject")
    raise TokenError("nothing names the subject", reason="token-subject")


def read_scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    """
    Give the scopes of a token: ``scope`` (RFC 8693 section 4.2), else ``scp``.

    Either is a string with spaces in between, or a list.

    Raises:
        TokenError: It is something else.
    """
    for name in ("scope", "scp"):
        if name in claims:
            value = claims[name]
            if isinstance(value, str):
                return frozenset(value.split(" ")) - {""}
            if _is_list_of_strings(value):
                return frozenset(value)
            raise TokenError(f"{name} is no list of scopes", reason="token-scope")
    return frozenset()


def _check_common(claims: Mapping[str, Any], rules: ClaimRules, now: float) -> None:
    """Check what holds however a token was verified."""
    read_subject(claims, rules.subject)
    for name in ("nbf", "iat"):
        if name in claims and _date(claims, name) > now + rules.leeway:
            raise TokenError(f"{name} is to come", reason="token-early")
    allowed = rules.max_age
    if allowed is not None and now > _date(claims, "iat") + allowed + rules.leeway:
        raise TokenError("iat is too long ago", reason="token-old")
    if rules.clients:
        _check_client(claims, rules.clients)
    for name in rules.required:
        if name not in claims:
            raise TokenError(f"{name} is missing", reason="token-claim")


def _check_audience(claims: Mapping[str, Any], rules: ClaimRules) -> None:
    if not _names_one_of(claims.get("aud"), rules.audiences):
        raise TokenError("aud names none of ours", reason="token-audience")


def _check_expiry(exp: float, rules: ClaimRules, now: float) -> None:
    if now >= exp + rules.leeway:
        raise TokenError("exp is over", reason="token-expired")


def _check_client(claims: Mapping[str, Any], clients: Collection[str]) -> None:
    """
    Check that the client that got the token is one of *clients*.

    ``client_id`` (RFC 9068 section 2.2) and ``azp`` (OpenID Connect) say which; if
    both do, they have to agree, or a reader of the other would see another client.
    """
    named = [claims[name] for name in ("client_id", "azp") if name in claims]
    if not named or any(
        not isinstance(name, str) or name != named[0] for name in named
    ):
        raise TokenError("no one client is named", reason="token-client")
    if named[0] not in clients:
        raise TokenError("the client is none of ours", reason="token-client")


def _check_kind(claims: Mapping[str, Any]) -> None:
    """
    Check that what was introspected is an access token.

    A server is free to introspect refresh tokens, too, whatever it was asked for
    (RFC 7662 section 2.1), and they are active.
    """
    kind = claims.get("token_type", "Bearer")
    if not isinstance(kind, str) or kind.lower() not in ("bearer", "dpop"):
        raise TokenError("token_type is no access token's", reason="token-type")
    if claims.get("token_use", "access_token") not in ("access_token", "access"):
        raise TokenError("token_use is no access token's", reason="token-type")
    typ = claims.get("typ")
    if isinstance(typ, str) and typ.lower() in _OTHER_TOKENS:
        raise TokenError("typ is no access token's", reason="token-type")


def _date(claims: Mapping[str, Any], name: str) -> float:
    """Give a NumericDate (RFC 7519 section 2)."""
    value: Any = claims.get(name)
    if type(value) not in (int, float):  # bool is neither
        raise TokenError(f"{name} is no number", reason="token-date")
    if not -_MAX_DATE < value < _MAX_DATE:  # nor is NaN, which compares false
        raise TokenError(f"{name} is no date", reason="token-date")
    return float(value)


def _names_one_of(aud: object, audiences: Collection[str]) -> bool:
    """Say whether ``aud``, a string or a list of them, names one of *audiences*."""
    if isinstance(aud, str):
        return aud in audiences
    return _is_list_of_strings(aud) and any(name in audiences for name in aud)


def _is_list_of_strings(value: object) -> TypeGuard[list[str]]:
    """Say whether *value* is a list of strings."""
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
