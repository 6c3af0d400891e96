"""Access tokens in the Authorization field, and answers to them (RFC 6750, 9449)."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import ClassVar, Final, Literal, NamedTuple

from sso_proxy.errors import TokenError

Scheme = Literal["Bearer", "DPoP"]

STATUS: Final[Mapping[str, int]] = MappingProxyType(
    {
        "invalid_request": 400,
        "invalid_token": 401,
        "invalid_dpop_proof": 401,
        "use_dpop_nonce": 401,
        "insufficient_user_authentication": 401,
        "insufficient_scope": 403,
    }
)
"""The HTTP status for each error (RFC 6750 3.1, RFC 9449 7.1 and 9, RFC 9470 3)."""

_SCHEMES: Final[Mapping[str, Scheme]] = MappingProxyType(
    {"bearer": "Bearer", "dpop": "DPoP"}
)
_SCHEME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
_TOKEN68: Final = (
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/"
)
"""What a ``token68`` consists of, apart from ``=`` at its end."""
_NOT_IN_DESCRIPTION = re.compile(r"[^\x20-\x21\x23-\x5B\x5D-\x7E]")
_LIST_ITEM = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


class InvalidRequestError(TokenError):
    """The request does not present its token as RFC 6750 section 2.1 says."""

    error: ClassVar[str] = "invalid_request"


class Credential(NamedTuple):
    """
    An access token, as it was presented.

    Attributes:
        scheme: The authentication scheme, written as its standard does.
        token: The token.
    """

    scheme: Scheme
    token: str

    def __repr__(self) -> str:
        """Show no token."""
        return f"Credential(scheme={self.scheme!r})"


def read_credential(values: Sequence[str]) -> Credential | None:
    """
    Take the token out of the Authorization fields of a request.

    Args:
        values: The field values, all that there are.

    Returns:
        None if no field is of the scheme ``Bearer`` or ``DPoP``, in whatever case.

    Raises:
        InvalidRequestError: One is, but there are others, or what follows is not one
            space (RFC 9110 allows more; nobody sends them) and a ``b64token``, which
            is the ``token68`` of RFC 9449 section 7.1.
    """
    if len(values) == 1:
        name, _, token = values[0].partition(" ")
        scheme = _SCHEMES.get(name.lower())
        if scheme is not None and _is_token68(token):
            return Credential(scheme, token)
    if all(_scheme(value) is None for value in values):
        return None
    if len(values) != 1:
        raise InvalidRequestError("two Authorization fields", reason="token-twice")
    raise InvalidRequestError("no b64token", reason="token-syntax")


def challenge(
    scheme: Scheme = "Bearer",
    error: str | None = None,
    description: str | None = None,
    scope: Sequence[str] = (),
    *,
    realm: str | None = None,
    **parameters: str | int | Sequence[str] | None,
) -> str:
    """
    Build a ``WWW-Authenticate`` value (RFC 6750 section 3).

    Whatever the arguments hold, the value stays one line of printable ASCII, and no
    parameter can end another.

    Args:
        scheme: ``Bearer``, or ``DPoP`` (RFC 9449 section 7.1).
        error: A code of `STATUS`; None if the request had no token: then no error is
            told (section 3.1).
        description: For the client's developer; characters that cannot stand there
            become ``?``.
        scope: Scopes that would be enough; what is no scope token is left out.
        realm: The protection space, any text.
        parameters: Further ones, such as ``algs``, ``acr_values``, ``max_age`` and
            ``resource_metadata``.  A list becomes its items with blanks between them,
            without those that cannot stand there; empty, it is left out, as is None.
    """
    written = []
    if realm is not None:
        written.append(f"realm={_quoted(realm)}")
    if error is not None:
        written.append(f'error="{_NOT_IN_DESCRIPTION.sub("?", error)}"')
    if description is not None:
        text = _NOT_IN_DESCRIPTION.sub("?", description)
        written.append(f'error_description="{text}"')
    for name, value in {"scope": scope, **parameters}.items():
        text = _text(value)
        if text:
            written.append(f"{name}={_quoted(text)}")
    return f"{scheme} {', '.join(written)}" if written else scheme


def _text(value: str | int | Sequence[str] | None) -> str:
    """Write a parameter's value; empty for none."""
    match value:
        case None:
            return ""
        case str():
            return value
        case int():
            return str(value)
        case _:
            return " ".join(item for item in value if _LIST_ITEM.fullmatch(item))


def _is_token68(text: str) -> bool:
    """Say whether *text* is a ``token68`` (RFC 9110 section 11.2)."""
    # A regular expression takes twice as long, for each token.
    plain = text.rstrip("=")
    return (
        plain != ""
        and plain.isascii()
        and not plain.encode("ascii").translate(None, _TOKEN68)
    )


def _scheme(value: str) -> Scheme | None:
    """Give the scheme of a field value if it is one of ours (RFC 9110 11.1)."""
    match = _SCHEME.match(value)
    return _SCHEMES.get(match[0].lower()) if match is not None else None


def _quoted(text: str) -> str:
    """Write a quoted-string (RFC 9110 section 5.6.4), printable ASCII only."""
    visible = re.sub(r"[^\x20-\x7E]", "?", text)
    return '"' + re.sub(r'(["\\])', r"\\\1", visible) + '"'
