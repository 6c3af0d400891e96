"""Everything sso-proxy raises on purpose."""

import re
from typing import ClassVar, Final

import attrs

_USER: Final = re.compile(r"(:/*)[^\s'\"]*@")
"""A password before a host; a URL that is refused may be one with it."""


def _without_user(text: str) -> str:
    return _USER.sub(r"\1…@", text)


class SsoProxyError(Exception):
    """The root: catch this to catch all of ours and nothing else."""


@attrs.frozen
class Mistake:
    """
    One thing that is wrong with a configuration.

    Attributes:
        path: Where in the file, for example ``route[0].backend``.
        problem: What is wrong there, and what would be right.  Users in URLs are
            left out: it is written to logs.
    """

    path: str
    problem: str = attrs.field(converter=_without_user)

    def __str__(self) -> str:
        """Give the line shown to the administrator."""
        return f"{self.path}: {self.problem}"


class ConfigError(SsoProxyError):
    """
    The configuration cannot be used.

    Attributes:
        mistakes: All that was found, in the order of the file.
    """

    def __init__(self, *mistakes: Mistake) -> None:
        super().__init__(*mistakes)
        self.mistakes = mistakes

    def __str__(self) -> str:
        """Give one line for each mistake."""
        return "\n".join(map(str, self.mistakes))


@attrs.frozen
class BadMessageError(SsoProxyError):
    """
    What a client sent cannot be read in exactly one way.

    Attributes:
        status: The HTTP status that says so: 400, 405, 408, 413, 414, 417,
            431, 501 or 505.
        reason: A short code for the log and the audit record, such as
            ``host-missing``.  Never contains what the client sent.
    """

    status: int
    reason: str


@attrs.frozen
class BadAnswerError(SsoProxyError):
    """
    What a backend sent cannot be read in exactly one way; the client gets 502.

    Attributes:
        reason: A short code for the log and the audit record.
    """

    reason: str


@attrs.frozen
class UnavailableError(SsoProxyError):
    """
    A decision needs something that cannot be had now.

    Attributes:
        what: The part that is down, for the log: ``jwks of https://…``.
        status: 503; for a server that is asked about each token, what a gateway
            would say: 502 for an answer that is none, 504 for none in time.
        reason: A short code for the audit record.
    """

    what: str
    status: int = attrs.field(default=503, kw_only=True)
    reason: str = attrs.field(default="unavailable", kw_only=True)


@attrs.frozen
class TokenError(SsoProxyError):
    """
    A presented token must not be honoured.

    Attributes:
        detail: For the log.  Never sent to the client, never holds the token.
        reason: A short code for the log and the audit record: ``token-expired``.
    """

    error: ClassVar[str] = "invalid_token"
    """The RFC 6750 section 3.1 code that the client is told."""

    detail: str
    reason: str = attrs.field(default="token-invalid", kw_only=True)


class CertificateMismatchError(TokenError):
    """The token is bound to a certificate other than the one in use."""


@attrs.frozen
class SessionTooLargeError(SsoProxyError):
    """
    A session has more in it than can be kept.

    Attributes:
        octets: How large it is.
        most: How large it may be.
    """

    octets: int
    most: int

    def __str__(self) -> str:
        """Say what can be done."""
        return (
            f"the session has {self.octets} octets, and {self.most} are the most: keep"
            " fewer claims or tokens in it, or take sessions of the type server"
        )
