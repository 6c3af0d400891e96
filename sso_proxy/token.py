"""Credentials for backends, and whom they are for."""

from typing import Final

import attrs

from sso_proxy.model import Headers


@attrs.frozen(kw_only=True)
class Audience:
    """
    Whom a token is for.

    Attributes:
        name: As the route says: a URI, or a name that the issuer knows; empty for
            whomever the token source's own options say.
        thumbprint: ``x5t#S256`` of our client certificate toward this backend, to bind
            a token to (RFC 8705 section 3.1); empty if we show it none.
    """

    name: str = ""
    thumbprint: str = ""


@attrs.frozen(kw_only=True)
class Token:
    """
    A credential that one audience takes.

    Attributes:
        value: What the backend gets.  A secret.
        token_type: How it is used: ``Bearer``, ``DPoP``, or ``N_A`` for what is no
            access token (RFC 8693 section 2.2.1).
        kind: What it is: an ``issued_token_type`` (RFC 8693 section 3), a WS-Trust
            token type; empty if nobody says.
        expires: Seconds since the epoch when it stops being good, or None.
        headers: Fields for the client's answer, such as the cookie of a session that
            has changed; never kept.
    """

    value: str = attrs.field(repr=False)
    token_type: str = "Bearer"  # noqa: S105 - the name of a scheme
    kind: str = ""
    expires: float | None = None
    headers: Headers = attrs.field(default=(), repr=False, eq=False)


@attrs.frozen(kw_only=True)
class NotIssued:
    """
    Why there is no token.

    Attributes:
        reason: A short code for the log and the audit record: ``token-refused``.
        status: 401: another credential of the caller may be good for one; 403: the
            caller may have none for this audience; 502: what its issuer said is no
            answer.
        detail: More for the log; never a secret.
    """

    reason: str
    status: int = 403
    detail: str = ""


MISSING: Final = NotIssued(reason="token-missing", status=401)
"""The caller did not present what a token would be made from."""
