"""Why a server that we asked gave no answer."""

from enum import Enum
from typing import Final

import attrs
from twisted.internet.defer import CancelledError
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.error import TimeoutError as ConnectTimeoutError

from sso_proxy.errors import SsoProxyError, UnavailableError

_MAX_REASON: Final = 300
_SHOWN: Final = (
    *("twisted.internet.", "twisted.python.", "OpenSSL.", "service_identity."),
    *("sso_proxy.", "builtins.OSError", "socket."),
)
"""Whose exceptions have texts that are ours: others quote what the server sent, which
may be what we sent it."""


class Trouble(Enum):
    """Why there is no answer."""

    UNREACHABLE = "unreachable"
    """Nobody is there, or nobody who proves to be the server."""
    TIMEOUT = "timeout"
    """There was none in time."""
    GARBLED = "garbled"
    """What came is no HTTP, ended too early, or is too long."""


@attrs.frozen
class NoReplyError(UnavailableError):
    """
    A server that we asked gave no answer.

    Attributes:
        problem: Why, for the log, without the server's name.
        trouble: Of what kind that is.
    """

    problem: str = attrs.field(kw_only=True)
    trouble: Trouble = attrs.field(kw_only=True)


class TooLongError(SsoProxyError):
    """The answer has no end, or one that is too far."""


def first_cause(error: Exception) -> BaseException:
    """Give what went wrong first."""
    cause: BaseException = error
    while reasons := getattr(cause, "reasons", None):
        cause = reasons[0].value
    return cause


def describe(cause: BaseException, within: float) -> tuple[str, Trouble]:
    """Say for the log what went wrong, and of what kind it is."""
    if isinstance(cause, CancelledError):
        return f"no answer in {within:g} s", Trouble.TIMEOUT
    kind = type(cause)
    text = kind.__name__
    if f"{kind.__module__}.{text}".startswith(_SHOWN):
        text = f"{text} {cause}".strip()[:_MAX_REASON]
    if isinstance(cause, ConnectTimeoutError):
        return text, Trouble.TIMEOUT
    if isinstance(cause, ConnectError | DNSLookupError | SsoProxyError):
        garbled = isinstance(cause, TooLongError)
        return text, Trouble.GARBLED if garbled else Trouble.UNREACHABLE
    if kind.__module__.startswith(("OpenSSL.", "service_identity")):
        return text, Trouble.UNREACHABLE
    return text, Trouble.GARBLED
