"""Ask an authorization server about a token (RFC 7662, RFC 9701)."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError, TokenError
from sso_proxy.specs.jose.compact import CompactJws, split_compact
from sso_proxy.specs.jose.strict import read_json_object
from sso_proxy.specs.oauth.client_auth import CLIENT_FIELDS, FormFields

JSON_TYPE: Final = "application/json"
JWT_TYPE: Final = "application/token-introspection+jwt"
"""RFC 9701 section 10.3."""

MAX_ANSWER: Final = 65536
"""Octets of an answer."""

MAX_AGE: Final = 300.0
"""Seconds that a signed answer may have been on its way, or in somebody's cache."""

ACCESS_TOKEN: Final = "access_token"  # noqa: S105
TOKEN: Final = "token"  # noqa: S105

_TYPE: Final = "token-introspection+jwt"
_REFUSALS: Final = frozenset({401, 403})
_REFUSED: Final = frozenset({"invalid_client", "unauthorized_client"})
_ERROR_CODE: Final = re.compile(r"[a-z_]{1,40}")
_JWE_DOTS: Final = 4


@attrs.frozen
class AnswerError(SsoProxyError):
    """
    The endpoint gave no answer to the question: a technical failure.

    It never means that a token is bad; that would be said by an answer.

    Attributes:
        detail: Why, for the log; never holds what the endpoint sent.
        refused: The endpoint refused us, not the token: our credentials are wrong, or
            we may not ask.
        busy: The endpoint wants to be asked less.
        disliked: It takes the question for a wrong one, as it may if what was asked
            about does not look like a token.
    """

    detail: str
    refused: bool = attrs.field(default=False, kw_only=True)
    busy: bool = attrs.field(default=False, kw_only=True)
    disliked: bool = attrs.field(default=False, kw_only=True)


def build_fields(
    token: str,
    *,
    token_param: str = TOKEN,
    hint: str = ACCESS_TOKEN,
    params: Mapping[str, str] | None = None,
) -> FormFields:
    """
    Build the question (RFC 7662 section 2.1), without what says who asks.

    Args:
        token: What is asked about.
        token_param: The field it stands in; RFC 7662 knows only ``token``.
        hint: The ``token_type_hint``; empty leaves it out.
        params: Further fields.

    Raises:
        ValueError: *params* has a field that has a meaning already: of two, the server
            may read either, and answer about another token.
    """
    extra = tuple((params or {}).items())
    reserved = {TOKEN, token_param, "token_type_hint"} | CLIENT_FIELDS
    for name, _ in extra:
        if name in reserved:
            raise ValueError(f"{name} is set already")
    hinted = (("token_type_hint", hint),) if hint else ()
    return ((token_param, token), *hinted, *extra)


def check_status(status: int, body: bytes) -> None:
    """
    Check that an answer is one (RFC 7662 section 2.2 and 2.3).

    Whoever is not allowed to ask is told 401 by the endpoint, which says nothing about
    the token.

    Raises:
        AnswerError: The status is not 200.
    """
    if status == 200:
        return
    code = _error_code(body)
    detail = f"status {status}" + (f" {code}" if code else "")
    if status in _REFUSALS or code in _REFUSED:
        problem = f"{detail}: the endpoint refuses our credentials"
        raise AnswerError(problem, refused=True)
    raise AnswerError(detail, busy=status == 429, disliked=status == 400)


def read_json_answer(content_type: str | None, body: bytes) -> Mapping[str, Any]:
    """
    Read what the server says about a token that it calls active.

    Returns:
        All members of the answer.

    Raises:
        TokenError: The token is not active: ``active`` is anything but ``true``.
        AnswerError: It is no answer (RFC 7662 section 2.2).
    """
    if _media_type(content_type) != JSON_TYPE:
        raise AnswerError(f"the answer is no {JSON_TYPE}")
    try:
        members = read_json_object(body)
    except TokenError as e:
        raise AnswerError(f"the answer is {e.detail}") from None
    return _check_active(members)


def split_jwt_answer(
    content_type: str | None,
    body: bytes,
    *,
    decrypt: Callable[[str], bytes] | None = None,
) -> CompactJws:
    """
    Take a signed answer apart (RFC 9701 section 5); the signature is not checked.

    Args:
        content_type: Of the answer.
        body: The answer.
        decrypt: Gives the JWS inside a JWE; None takes no encrypted answers.

    Raises:
        AnswerError: It is no signed answer.  An unsigned one counts no more than none,
            or whoever is on the way could leave the signature out.
    """
    if _media_type(content_type) != JWT_TYPE:
        raise AnswerError(f"the answer is no {JWT_TYPE}")
    try:
        text = body.strip(b"\r\n").decode("ascii")
        if decrypt is not None and text.count(".") == _JWE_DOTS:
            jws = split_compact(decrypt(text), max_bytes=MAX_ANSWER)
        else:
            jws = split_compact(text, max_bytes=MAX_ANSWER)
    except UnicodeDecodeError:
        raise AnswerError("the answer is no JWT") from None
    except TokenError as e:
        raise AnswerError(f"the answer is no JWT to read here: {e.detail}") from None
    if jws.header.typ != _TYPE:
        # An ID token or an access token has the same issuer and maybe our audience.
        raise AnswerError(f"the answer's typ is not {_TYPE}")
    return jws


def read_jwt_answer(
    payload: bytes, *, issuer: str, audience: str, now: float, leeway: float
) -> Mapping[str, Any]:
    """
    Read a signed answer, after its signature was checked (RFC 9701 section 5).

    Args:
        payload: What is signed.
        issuer: The authorization server.
        audience: What it calls us.
        now: Seconds since the epoch.
        leeway: Seconds that its clock may differ from ours.

    Returns:
        The members of ``token_introspection``.

    Raises:
        TokenError: The token is not active.
        AnswerError: The answer is not this server's, not for us, or not of now.
    """
    try:
        claims = read_json_object(payload)
    except TokenError as e:
        raise AnswerError(f"the answer is {e.detail}") from None
    if claims.get("iss") != issuer:
        raise AnswerError("the answer's iss is another")
    aud = claims.get("aud")
    if aud != audience and not (isinstance(aud, list) and audience in aud):
        raise AnswerError("the answer's aud is not us")
    issued = claims.get("iat")
    if isinstance(issued, bool) or not isinstance(issued, int | float):
        raise AnswerError("the answer's iat is no number")
    if not now - MAX_AGE - leeway <= issued <= now + leeway:
        raise AnswerError("the answer's iat is not now")
    members = claims.get("token_introspection")
    if not isinstance(members, dict):
        raise AnswerError("the answer has no token_introspection")
    return _check_active(members)


def _check_active(members: Mapping[str, Any]) -> Mapping[str, Any]:
    """Check that a token is active, as JSON's ``true`` and nothing like it says."""
    if "active" not in members:
        raise AnswerError("the answer does not say active")
    if members["active"] is not True:
        raise TokenError("the issuer calls it inactive", reason="token-inactive")
    return members


def _media_type(content_type: str | None) -> str:
    """Give the media type without parameters, lower-case."""
    return (content_type or "").partition(";")[0].strip(" \t").lower()


def _error_code(body: bytes) -> str:
    """Give the ``error`` (RFC 6749 section 5.2) of a refusal, if it can be shown."""
    try:
        code = read_json_object(body).get("error")
    except TokenError:
        return ""
    return code if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
