"""Bearer tokens in the Authorization field, and the answers to them (RFC 6750)."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final

from sso_proxy.errors import TokenError

STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {"invalid_request": 400, "invalid_token": 401, "insufficient_scope": 403}
)
"""The HTTP status for each error (RFC 6750 section 3.1)."""

_SCHEME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
_CREDENTIAL = re.compile(r"[A-Za-z]+ ([A-Za-z0-9._~+/-]+=*)")
_NOT_IN_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
_SCOPE_TOKEN = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


class InvalidRequestError(TokenError):
    """The request does not present its token as RFC 6750 section 2.1 says."""

    error: ClassVar[str] = "invalid_request"


def read_credential(values: Sequence[str]) -> str | None:
    """
    Take the token out of the Authorization fields of a request.

    Args:
        values: The field values, all that there are.

    Returns:
        None if no field is of the scheme ``Bearer``, in whatever case.

    Raises:
        InvalidRequestError: One is, but there are others, or what follows is not one
            space (RFC 9110 allows more; nobody sends them) and a ``b64token``.
    """
    if not any(_scheme(value) == "bearer" for value in values):
        return None
    if len(values) != 1:
        raise InvalidRequestError("two Authorization fields", reason="token-twice")
    match = _CREDENTIAL.fullmatch(values[0])
    if match is None:
        raise InvalidRequestError("no b64token", reason="token-syntax")
    return match[1]


def challenge(
    error: str | None = None,
    description: str | None = None,
    scope: Sequence[str] = (),
    *,
    realm: str,
) -> str:
    """
    Build a ``WWW-Authenticate`` value (RFC 6750 section 3).

    Args:
        error: A code of `STATUS`, or of another standard; None if the request had no
            token: then no error is told (section 3.1).
        description: For the client's developer; characters that cannot stand there
            become ``?``.
        scope: Scopes that would be enough; what is no scope token is left out.
        realm: The protection space, any text.
    """
    parameters = [f"realm={_quoted(realm)}"]
    if error is not None:
        parameters.append(f'error="{error}"')
    if description is not None:
        text = _NOT_IN_DESCRIPTION.sub("?", description)
        parameters.append(f'error_description="{text}"')
    wanted = " ".join(token for token in scope if _SCOPE_TOKEN.fullmatch(token))
    if wanted:
        parameters.append(f'scope="{wanted}"')
    return "Bearer " + ", ".join(parameters)


def _scheme(value: str) -> str:
    """Give the authentication scheme, lower-case (RFC 9110 section 11.1)."""
    match = _SCHEME.match(value)
    return match[0].lower() if match is not None else ""


def _quoted(text: str) -> str:
    """Write a quoted-string (RFC 9110 section 5.6.4), printable ASCII only."""
    visible = re.sub(r"[^\x20-\x7E]", "?", text)
    return '"' + re.sub(r'(["\\])', r"\\\1", visible) + '"'
