"""Check the claims of a JWT access token (RFC 7519 section 4.1, RFC 9068 section 4)."""

from collections.abc import Collection, Mapping
from typing import Any, Final, Literal, TypeGuard

from sso_proxy.errors import TokenError

TypeRule = Literal["at+jwt", "any"]

_MAX_DATE: Final = 2.0**53
"""Above it, numbers of seconds are no longer exact."""


def check_type(typ: str | None, rule: TypeRule) -> None:
    """
    Check that a token is an access token (RFC 9068 section 4).

    An ID token, or a logout token, has the same issuer, and often the same audience.

    Args:
        typ: The header parameter, lower-case, without ``application/``.
        rule: ``at+jwt``, or ``any`` for issuers that do not set it.

    Raises:
        TokenError: It is another type.
    """
    if rule == "at+jwt" and typ != "at+jwt":
        raise TokenError("typ is not at+jwt", reason="token-type")


def check_claims(  # noqa: PLR0913 - one keyword for each thing to compare with
    claims: Mapping[str, Any],
    *,
    issuer: str,
    audiences: Collection[str],
    now: float,
    leeway: float,
    required: Collection[str] = (),
) -> None:
    """
    Check that a token is *issuer*'s, for one of *audiences*, and valid *now*.

    ``iss``, ``sub``, ``aud`` and ``exp`` have to be there (RFC 9068 section 2.2);
    ``nbf`` and ``iat`` are honoured if they are.

    Args:
        claims: The claims, after the signature was checked.
        issuer: Compared octet by octet (RFC 9068 section 4).
        audiences: Names of ours.
        now: Seconds since the epoch.
        leeway: Seconds that the issuer's clock may differ from ours.
        required: Further claims that have to be there, with whatever value.

    Raises:
        TokenError: Any of this does not hold.
    """
    if claims.get("iss") != issuer:
        raise TokenError("iss is another", reason="token-issuer")
    if not _names_one_of(claims.get("aud"), audiences):
        raise TokenError("aud names none of ours", reason="token-audience")
    subject = claims.get("sub")
    if not isinstance(subject, str) or not subject or not subject.isprintable():
        raise TokenError("sub is no printable string", reason="token-subject")
    if now >= expiry(claims) + leeway:
        raise TokenError("exp is over", reason="token-expired")
    for name in ("nbf", "iat"):
        if name in claims and _date(claims, name) > now + leeway:
            raise TokenError(f"{name} is to come", reason="token-early")
    for name in required:
        if name not in claims:
            raise TokenError(f"{name} is missing", reason="token-claim")


def expiry(claims: Mapping[str, Any]) -> float:
    """
    Give ``exp``, in seconds since the epoch.

    Raises:
        TokenError: It is missing or no number.
    """
    return _date(claims, "exp")


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


def _date(claims: Mapping[str, Any], name: str) -> float:
    """Give a NumericDate (RFC 7519 section 2)."""
    value = claims.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
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
