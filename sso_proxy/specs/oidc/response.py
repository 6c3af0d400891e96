"""
What a provider answers, through the browser, to an authorization request.

OpenID Connect Core 1.0 sections 3.1.2.5, 3.1.2.6, 3.2.2.5 and 3.3.2.5, RFC 6749
sections 4.1.2 and 4.2.2, RFC 9207.  Whoever holds the browser can write whatever he
likes here: nothing is believed until the state has been found to be this browser's, and
nothing is shown.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias
from urllib.parse import parse_qsl

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.oidc.response_type import CODE, ResponseType

Fields: TypeAlias = Sequence[tuple[str, str]]

Arrived: TypeAlias = Literal["query", "form_post", "fragment"]
"""
How an answer came: in the query of a GET, or as a form, or behind the ``#``.

A fragment never gets to a server by itself: a page of ours sends it.
"""

RESPONSE_MODES: Final = (
    *("query", "fragment", "form_post"),
    *("query.jwt", "fragment.jwt", "form_post.jwt", "jwt"),
)
"""The response modes that can be asked for."""

MAX_FIELDS: Final = 64
"""Parameters of an answer, those that are ignored included."""

MAX_FORM: Final = 65536
"""Octets of an answer, encoded."""

MAX_CODE: Final = 8192
"""Characters of a code; some servers put all they know into it."""

_MAX_STATE: Final = 512
_MAX_ISSUER: Final = 2048
_MAX_ERROR: Final = 128
_MAX_DESCRIPTION: Final = 300
_MAX_LIFE: Final = 10
_LONGEST: Final = {
    "state": _MAX_STATE,
    "code": MAX_CODE,
    "iss": _MAX_ISSUER,
    "error": _MAX_ERROR,
    "response": MAX_FORM,
    "id_token": MAX_FORM,
    "access_token": MAX_FORM,
}
_ABOUT_TOKEN: Final = {"token_type": 40, "expires_in": _MAX_LIFE, "scope": 2048}
_GOOD: Final = frozenset({"code", "id_token", "access_token"})
_TOKENS: Final = ("id_token", "access_token")
_BEARER: Final = "Bearer"
_ONCE: Final = frozenset(
    {*_LONGEST, *_ABOUT_TOKEN, "refresh_token", "error_description", "error_uri"}
)
_ANSWERS: Final = _ONCE - {"response"}
_is_visible = re.compile(r"[\x20-\x7e]+").fullmatch
_is_token = re.compile(r"[!-~]+").fullmatch
_is_session = re.compile(r"[!-~]{1,1024}").fullmatch


@attrs.frozen
class AnswerError(SsoProxyError):
    """
    A login must not go on with what came.

    Attributes:
        detail: For the log.  Never shown, never holds what came.
        reason: A short code for the log and the audit record.
    """

    detail: str
    reason: str = attrs.field(default="login-refused", kw_only=True)


@attrs.frozen(kw_only=True)
class AuthorizationAnswer:
    """
    An answer, taken apart.  Nothing in it is proven.

    There is either what logs somebody in (a code, an ID token, an access token, or
    several of them), or an error, or a signed answer that holds one of these.

    Attributes:
        state: What we gave along, or None.
        code: What the tokens are redeemed with.
        id_token: Not checked in any way, or None.
        access_token: Of the type ``Bearer``, or None.
        token_type: Its type, or None without one.
        expires_in: Seconds that it is good for, or None.
        scope: What it is good for; None: what was asked for.
        iss: Who says that he answers (RFC 9207), or None.
        error: Why nobody is logged in.
        error_description: What goes with *error*, for the log: shortened, without
            control characters.
        response: An answer as JWT (JARM).
        session_state: By which a frame of the provider's tells whether its session is
            still the same (OpenID Connect Session Management 1.0 section 2); empty
            without one that can be used, which is no reason to refuse a login.
    """

    state: str | None = attrs.field(default=None, repr=False)
    code: str | None = attrs.field(default=None, repr=False)
    id_token: str | None = attrs.field(default=None, repr=False)
    access_token: str | None = attrs.field(default=None, repr=False)
    token_type: str | None = None
    expires_in: int | None = None
    scope: str | None = None
    iss: str | None = None
    error: str | None = None
    error_description: str = ""
    response: str | None = attrs.field(default=None, repr=False)
    session_state: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class Refusal:
    """
    Why a provider logs nobody in, in words of ours.

    Attributes:
        error: The provider's code if it is a known one, else ``other``; safe to show.
        reason: A short code for the page, the log and the audit record.
        status: What the browser is told: 403 if it is up to the user, 502 or 503 if it
            is up to the provider or the configuration.
    """

    error: str
    reason: str
    status: int


_UP_TO_THE_USER: Final = (
    "access_denied",
    "login_required",
    "interaction_required",
    "account_selection_required",
    "consent_required",
    "unmet_authentication_requirements",
)
_UP_TO_THE_PROVIDER: Final = (
    "server_error",
    "invalid_request",
    "unauthorized_client",
    "unsupported_response_type",
    "invalid_scope",
    "invalid_target",
    "invalid_request_uri",
    "invalid_request_object",
    "request_not_supported",
    "request_uri_not_supported",
    "registration_not_supported",
)
_REFUSALS: Final[Mapping[str, Refusal]] = {
    **{
        error: Refusal(error=error, reason="login-denied", status=403)
        for error in _UP_TO_THE_USER
    },
    **{
        error: Refusal(error=error, reason="provider-error", status=502)
        for error in _UP_TO_THE_PROVIDER
    },
    "temporarily_unavailable": Refusal(
        error="temporarily_unavailable", reason="provider-error", status=503
    ),
}
_OTHER: Final = Refusal(error="other", reason="provider-error", status=502)


def read_fields(encoded: str | bytes) -> tuple[tuple[str, str], ...]:
    """
    Read a query, or a form (``application/x-www-form-urlencoded``).

    Raises:
        AnswerError: It has more than `MAX_FORM` octets or `MAX_FIELDS` parameters, is
            no ASCII, or escapes what is no UTF-8.
    """
    if len(encoded) > MAX_FORM:
        raise AnswerError("the answer is too long")
    try:
        text = encoded.decode("ascii") if isinstance(encoded, bytes) else encoded
        text.encode("ascii")
        pairs = parse_qsl(
            text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise AnswerError("the answer is no form that can be read") from None
    return tuple(pairs)


def read_answer(fields: Fields) -> AuthorizationAnswer:
    """
    Take an answer apart; parameters that are not known are ignored (RFC 6749 4.1.2).

    Args:
        fields: Names and values, decoded; of the query, the form, or the JWT.

    Raises:
        AnswerError: A parameter that we know occurs twice (RFC 6749 section 3.1: of
            two, a provider may have meant the other); a refresh token is among them,
            which no browser ever brings; a value is empty, too long or has characters
            that it cannot have; there is not exactly one of what logs in, an error and
            a signed answer; anything stands beside a signed answer; or an access token
            is no bearer token.
    """
    values = _read_once(fields)
    known: dict[str, Any] = {n: values[n] for n in _LONGEST if n in values}
    for name, value in known.items():
        if len(value) > _LONGEST[name]:
            raise AnswerError(f"{name} is too long")
        allowed = _is_token if name in _TOKENS else _is_visible
        if allowed(value) is None:
            raise AnswerError(f"{name} is empty or has characters that it cannot have")
    if "response" in known and _ANSWERS & values.keys():
        raise AnswerError("there are parameters beside the signed answer")
    kinds = [bool(_GOOD & known.keys()), "error" in known, "response" in known]
    if kinds.count(True) != 1:
        raise AnswerError("there is not exactly one of code and error")
    about = _read_about(values) if "access_token" in known else {}
    description = for_log(values.get("error_description", ""))
    return AuthorizationAnswer(
        **known,
        **about,
        error_description=description,
        session_state=_read_session_state(fields),
    )


def _read_once(fields: Fields) -> dict[str, str]:
    """Give all parameters; none that we know is there twice."""
    if len(fields) > MAX_FIELDS:
        raise AnswerError("the answer has too many parameters")
    counts = Counter(name for name, _ in fields)
    for name in _ONCE:
        if counts[name] > 1:
            raise AnswerError(f"{name} occurs twice")
    if "refresh_token" in counts:
        raise AnswerError("refresh_token came through the browser")
    return dict(fields)


def _read_session_state(fields: Fields) -> str:
    """Give the ``session_state``, which has no blanks; empty if there is none."""
    found = [value for name, value in fields if name == "session_state"]
    return found[0] if len(found) == 1 and _is_session(found[0]) else ""


def _read_about(values: Mapping[str, str]) -> dict[str, Any]:
    """Read what is said of an access token (RFC 6749 section 4.2.2)."""
    for name, most in _ABOUT_TOKEN.items():
        if len(values.get(name, "")) > most:
            raise AnswerError(f"{name} is too long")
    # A token that is bound to something would be bound to the browser (RFC 9449).
    if values.get("token_type", "").lower() != _BEARER.lower():
        raise AnswerError("token_type is not Bearer")
    lasts, scope = values.get("expires_in"), values.get("scope")
    if lasts is not None and not (lasts.isascii() and lasts.isdigit()):
        raise AnswerError("expires_in is no number of seconds")
    if scope and _is_visible(scope) is None:
        raise AnswerError("scope has characters that it cannot have")
    return {
        "token_type": _BEARER,
        "expires_in": None if lasts is None else int(lasts),
        "scope": scope or None,
    }


def check_mode(
    answer: AuthorizationAnswer,
    *,
    asked: str | None,
    arrived: Arrived,
    response_type: ResponseType = CODE,
) -> None:
    """
    Check that an answer came in the way that was asked for.

    Else whoever writes answers could leave the signature out, or choose the way in
    which less is checked.

    Args:
        answer: As it came, before a signed one is opened.
        asked: The ``response_mode`` of the request; None for the default of
            *response_type*.
        arrived: How it came.
        response_type: What was asked for.

    Raises:
        AnswerError: It came in another way, or with a token in a query, which everybody
            on the way has seen.
    """
    for name in _TOKENS:
        if arrived == "query" and getattr(answer, name) is not None:
            raise AnswerError(f"{name} came in a query")
    way, _, signed = (asked or response_type.default_mode).partition(".")
    if way == "jwt":  # the default, signed (JARM section 2.3.4)
        way, signed = response_type.default_mode, "jwt"
    if arrived != way:
        raise AnswerError("the answer came in another response mode")
    if (answer.response is not None) != (signed == "jwt"):
        raise AnswerError("the answer is signed, or not signed, other than asked for")


def check_members(answer: AuthorizationAnswer, response_type: ResponseType) -> None:
    """
    Check that an answer that logs somebody in has what was asked for, and no more.

    Else whoever writes answers could choose the flow in which less is checked.

    Args:
        answer: Taken apart; a signed one is what was in it.
        response_type: What was asked for.

    Raises:
        AnswerError: It lacks something, or has what nobody asked for.
    """
    for name in sorted(_GOOD):
        there, wanted = getattr(answer, name) is not None, name in response_type.members
        if there and not wanted:
            raise AnswerError(f"{name} came through the browser, unasked")
        if wanted and not there:
            raise AnswerError(f"there is no {name}")


def check_answer(
    answer: AuthorizationAnswer, *, issuer: str, iss_required: bool
) -> None:
    """
    Check that the answer is *issuer*'s (RFC 9207 section 2.4), errors included.

    That its state is the one of a login that began in this browser, with this issuer,
    is the caller's to see to, and has to be seen to first.

    Args:
        answer: Taken apart; a signed one is what was in it.
        issuer: Whom the login began with; compared octet by octet.
        iss_required: The issuer's metadata say that it names itself
            (``authorization_response_iss_parameter_supported``), or the operator does.

    Raises:
        AnswerError: It is somebody else's, or does not say whose (mix-up), or is still
            to be opened.
    """
    if answer.response is not None:
        raise AnswerError("the answer is signed and has not been opened")
    if answer.iss is None:
        # An ID token beside it says the same, signed, and is checked before anything
        # is sent anywhere (RFC 9207 section 4); some providers leave out one of them.
        if iss_required and answer.id_token is None:
            raise AnswerError(
                "iss is missing, though the provider says that it sends it"
            )
    elif answer.iss != issuer:
        raise AnswerError("iss is another provider")


def read_refusal(answer: AuthorizationAnswer) -> Refusal | None:
    """
    Give why the provider logs nobody in; None if it does.

    Errors of RFC 6749 section 4.1.2.1, OpenID Connect Core section 3.1.2.6, RFC 8707
    section 2, and OpenID Connect Core Unmet Authentication Requirements 1.0.  Codes
    that are not known are all the same: what a page says is never the provider's.
    """
    if answer.error is None:
        return None
    return _REFUSALS.get(answer.error, _OTHER)


def for_log(text: str) -> str:
    """Shorten what a provider writes for people, and take control characters out."""
    shown = "".join(c if c.isprintable() else "?" for c in text[:_MAX_DESCRIPTION])
    return shown + "…" if len(text) > _MAX_DESCRIPTION else shown
