"""
What is written to the log about logins with OpenID 2.0, by the codes of mod_auth_oid.

Each line ends with its code, as in ``[AOID 015]``, so that whoever has searched for
these goes on doing so.
"""

from enum import Enum
from typing import Any

from twisted.logger import Logger

from sso_proxy.errors import SsoProxyError, UnavailableError
from sso_proxy.model import Request
from sso_proxy.net.no_reply import NoReplyError

_log = Logger()

_UNTRUSTED = ("certificate", "Verification")


class Code(Enum):
    """What happened."""

    MISSING = "001"
    """A mapper is not there."""
    MAPPERS = "002"
    """Which mappers are asked."""
    EXPRESSION = "003"
    """A regular expression, or a mapper that has one, cannot be used."""
    MISCONFIGURED = "004"
    """Options make no sense together."""
    NOT_OPENED = "010"
    """A cookie is not sealed by us."""
    NOT_SEALED = "011"
    """Something is too large for a cookie."""
    OVER = "012"
    """A session is over."""
    INVALID = "013"
    """A cookie is damaged."""
    UNTRUSTED = "014"
    """A server's certificate is not good."""
    NO_LOGIN = "015"
    """Why somebody has to log in, or cannot."""
    SHOWN = "016"
    """Somebody sees which identifier is theirs."""


def mark(code: Code) -> str:
    """Give the end of a line."""
    return f"[AOID {code.value}]"


def note(request: Request, name: str, code: Code, why: str) -> None:
    """
    Write a line.

    Args:
        request: What it is about.
        name: What the configuration calls the authenticator.
        code: What happened.
        why: In words; of what a stranger has sent, nothing but a normal URL or a
            ``repr``.
    """
    _log.info(
        "Request {id}: {name}: {why} {mark}",
        id=request.id,
        name=name,
        why=why,
        mark=mark(code),
        code=code.value,
    )


def code_of(error: SsoProxyError) -> Code:
    """Say what an error is."""
    if isinstance(error, NoReplyError) and any(
        word in error.problem for word in _UNTRUSTED
    ):
        return Code.UNTRUSTED
    return Code.NO_LOGIN


def why_of(error: Any) -> str:  # noqa: ANN401 - errors with a reason and a detail
    """Say for the log what is wrong."""
    if isinstance(error, UnavailableError):
        return error.what
    return f"{error.reason}: {error.detail}"
