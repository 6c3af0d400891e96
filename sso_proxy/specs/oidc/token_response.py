"""Read what a token endpoint answers (RFC 6749 5, OpenID Connect Core 3.1.3)."""

import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.http.media_type import read_media_type
from sso_proxy.specs.jose.strict import read_json_object

MAX_ANSWER: Final = 262144
"""Octets of an answer."""

MAX_VALUE: Final = 65536
"""Characters of a token."""

USE_DPOP_NONCE: Final = "use_dpop_nonce"
"""The endpoint wants the request again, with the nonce it sends (RFC 9449 8)."""

_JSON: Final = "application/json"
_TYPES: Final[Mapping[str, str]] = {"bearer": "Bearer", "dpop": "DPoP"}
_LONGEST_LIFE: Final = 10**10
_LONGEST_DETAIL: Final = 200
_CODE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]{1,100}")
_CREDENTIAL = re.compile(r"[\x21-\x7e]+")
_SCOPE = re.compile(r"[\x20\x21\x23-\x5b\x5d-\x7e]*")
_SECONDS = re.compile(r"[0-9]{1,10}")
_ANSWERS: Final = frozenset({400, 401, 403, 429})


@attrs.frozen
class TokenResponseError(SsoProxyError):
    """
    There is no token in what a token endpoint answered.

    Attributes:
        error: The code by which the provider refuses (RFC 6749 section 5.2), such as
            ``invalid_grant``; empty if what came is no answer of a token endpoint.
        detail: Why, for the log: what we found, or the provider's words, trimmed and
            printable.  Never holds a token.
        status: The status of the answer.
    """

    error: str
    detail: str
    status: int = attrs.field(default=200, kw_only=True)


@attrs.frozen(kw_only=True)
class TokenResponse:
    """
    The tokens that a provider gave.

    Attributes:
        access_token: For resource servers; printable ASCII without blanks.
        token_type: ``Bearer`` or ``DPoP``, written like this whatever came.
        expires_in: Seconds that the access token is good for, or None.
        refresh_token: For more of them, or None.
        id_token: Not checked in any way, or None.
        scope: What the access token is good for; None: what was asked for.
    """

    access_token: str = attrs.field(repr=False)
    token_type: str
    expires_in: int | None = None
    refresh_token: str | None = attrs.field(default=None, repr=False)
    id_token: str | None = attrs.field(default=None, repr=False)
    scope: str | None = None


def read_token_response(
    status: int, content_type: str | None, body: bytes
) -> TokenResponse:
    """
    Read the answer to a request for tokens.

    A redirect is never followed, and counts as no answer: the request has a code or a
    refresh token, and credentials of ours.

    Args:
        status: Its status.
        content_type: Its field ``Content-Type``, or None.
        body: All of it.

    Raises:
        TokenResponseError: The provider refuses; or it is no ``application/json``, no
            strict JSON object, too large, has an ``error`` though the status is 200,
            lacks ``access_token`` or ``token_type``, has another type than Bearer and
            DPoP, or a member of the wrong kind.
    """
    members = read_success(status, content_type, body)
    return TokenResponse(
        access_token=read_credential(members, "access_token", required=True),
        token_type=_read_type(members),
        expires_in=read_lifetime(members),
        refresh_token=read_credential(members, "refresh_token") or None,
        id_token=read_credential(members, "id_token") or None,
        scope=read_scope(members),
    )


def read_success(
    status: int, content_type: str | None, body: bytes
) -> Mapping[str, Any]:
    """
    Give the members of an answer that is no refusal.

    Raises:
        TokenResponseError: It is one, or nothing that can be read.
    """
    if status != 200:
        refuse(status, content_type, body)
    members = read_members(status, content_type, body)
    if members.get("error") is not None:
        raise _error_of(status, members)
    return members


def refuse(status: int, content_type: str | None, body: bytes) -> NoReturn:
    """
    Raise what an answer that is no success says (RFC 6749 section 5.2).

    Args:
        status: Its status, which is no success.
        content_type: As for `read_token_response`.
        body: All of it.

    Raises:
        TokenResponseError: In any case.
    """
    if status not in _ANSWERS:
        raise TokenResponseError("", f"status {status}", status=status)
    try:
        members = read_members(status, content_type, body)
    except TokenResponseError as e:
        problem = f"status {status}, and {e.detail}"
        raise TokenResponseError("", problem, status=status) from None
    raise _error_of(status, members)


def read_members(
    status: int, content_type: str | None, body: bytes
) -> Mapping[str, Any]:
    """
    Give the members of the JSON object that was answered.

    Raises:
        TokenResponseError: What was answered is none.
    """
    if read_media_type(content_type) != _JSON:
        raise TokenResponseError("", f"no {_JSON}", status=status)
    if len(body) > MAX_ANSWER:
        raise TokenResponseError("", f"more than {MAX_ANSWER} octets", status=status)
    try:
        return read_json_object(body)
    except TokenError as e:
        raise TokenResponseError("", e.detail, status=status) from None


def _error_of(status: int, members: Mapping[str, Any]) -> TokenResponseError:
    """Make an error of what the provider says."""
    code = members.get("error")
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        return TokenResponseError("", "an error without a code", status=status)
    text = members.get("error_description")
    detail = trim(text) if isinstance(text, str) else ""
    return TokenResponseError(code, detail, status=status)


def trim(text: str) -> str:
    """
    Give the beginning of *text* in printable characters, for a log.

    What others send may have line feeds, escape sequences for terminals and characters
    that turn the direction of writing.
    """
    shown = "".join(c if c.isprintable() else " " for c in text[: 4 * _LONGEST_DETAIL])
    return " ".join(shown.split())[:_LONGEST_DETAIL]


def read_credential(
    members: Mapping[str, Any], name: str, *, required: bool = False
) -> str:
    """
    Give a token; empty if there is none, which some write as null.

    Raises:
        TokenResponseError: It is missing, no printable ASCII or too long.
    """
    value = members.get(name)
    if value is None or value == "":
        if required:
            raise TokenResponseError("", f"{name} is missing")
        return ""
    if not isinstance(value, str) or _CREDENTIAL.fullmatch(value) is None:
        # Line feeds would be header fields of ours, when we send it on.
        raise TokenResponseError("", f"{name} is no printable ASCII")
    if len(value) > MAX_VALUE:
        raise TokenResponseError("", f"{name} has more than {MAX_VALUE} characters")
    return value


def _read_type(members: Mapping[str, Any]) -> str:
    """Give the type of the access token; how it is written does not matter (7.1)."""
    value = members.get("token_type")
    canonical = _TYPES.get(value.lower()) if isinstance(value, str) else None
    if canonical is None:
        raise TokenResponseError("", "token_type is neither Bearer nor DPoP")
    return canonical


def read_lifetime(members: Mapping[str, Any]) -> int | None:
    """
    Give ``expires_in``, which some providers write as a string.

    Raises:
        TokenResponseError: It is no number of seconds.
    """
    value = members.get("expires_in")
    if value is None:
        return None
    if isinstance(value, str) and _SECONDS.fullmatch(value):
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int or not 0 <= value <= _LONGEST_LIFE:  # bool is no int
        raise TokenResponseError("", "expires_in is no number of seconds")
    return value


def read_scope(members: Mapping[str, Any]) -> str | None:
    """
    Give ``scope``, which may be missing (RFC 6749 section 5.1).

    Raises:
        TokenResponseError: It is no list of scopes.
    """
    value = members.get("scope")
    if value is None:
        return None
    if not isinstance(value, str) or _SCOPE.fullmatch(value) is None:
        raise TokenResponseError("", "scope is no list of scopes")
    return value
