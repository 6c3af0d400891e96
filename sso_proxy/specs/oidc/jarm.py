"""
Answers to authorization requests as signed JWTs (JARM 1.0).

They are opened as ID tokens are: decrypted first, if they are encrypted, and the
signature is checked with the provider's keys.  Here is what they have to say then.
"""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.specs.oidc.response import AnswerError

LEEWAY: Final = 10.0
"""Seconds that the provider's clock may differ from ours."""

_MAX_DATE: Final = 2.0**53
_FIELDS: Final = (
    *("state", "code", "iss", "error", "error_description", "error_uri"),
    *("id_token", "access_token", "refresh_token", "response"),
    *("token_type", "expires_in", "scope", "session_state"),
)


@attrs.frozen
class OverError(AnswerError):
    """
    An answer was good once: all of it is as it has to be, but its time is over.

    Attributes:
        state: Of the login that it answered, or None.  Nothing else of it is given, as
            nobody is to be logged in by it.
    """

    state: str | None = attrs.field(default=None, kw_only=True, repr=False)

    def __str__(self) -> str:
        """Give what may be logged."""
        return self.detail


def read_jarm_claims(
    claims: Mapping[str, Any], *, issuer: str, client_id: str, now: float
) -> tuple[tuple[str, str], ...]:
    """
    Check who signed an answer for whom and until when (section 2.4, steps 3 to 5).

    Args:
        claims: What was signed.
        issuer: Whom the login began with; compared octet by octet.
        client_id: Ours; nobody else may be meant, too.
        now: Seconds since the epoch.

    Returns:
        The parameters of the answer, ``iss`` among them, which
        `sso_proxy.specs.oidc.response.read_answer` has still to look at, and whose
        state the caller.

    Raises:
        OverError: It is over, by ``exp``, and nothing else is wrong.
        AnswerError: ``iss``, ``aud`` or ``exp`` is missing or wrong, ``nbf`` or ``iat``
            is to come, or a parameter is no string.
    """
    if claims.get("iss") != issuer:
        raise AnswerError("iss of the signed answer is another provider")
    if claims.get("aud") not in (client_id, [client_id]):
        raise AnswerError("aud of the signed answer is not us alone")
    ends = _date(claims, "exp") + LEEWAY
    for name in ("nbf", "iat"):
        if name in claims and _date(claims, name) > now + LEEWAY:
            raise AnswerError(f"{name} of the signed answer is to come")
    lasts = claims.get("expires_in")
    if type(lasts) is int:  # a number in the examples of section 2.1
        claims = {**claims, "expires_in": str(lasts)}
    fields = [(name, claims[name]) for name in _FIELDS if name in claims]
    for name, value in fields:
        if not isinstance(value, str):
            raise AnswerError(f"{name} of the signed answer is no string")
    if now >= ends:
        detail = "exp of the signed answer is over"
        raise OverError(detail, state=claims.get("state"))
    return tuple(fields)


def _date(claims: Mapping[str, Any], name: str) -> float:
    """Give a NumericDate (RFC 7519 section 2)."""
    value: Any = claims.get(name)
    if type(value) not in (int, float) or not -_MAX_DATE < value < _MAX_DATE:
        raise AnswerError(f"{name} of the signed answer is missing or no date")
    return float(value)
