"""
What we ask a provider for: somebody to log in.

OpenID Connect Core 1.0 section 3.1.2.1, RFC 6749 section 4.1.1, and what adds to them:
RFC 7636 (PKCE), RFC 8707 (``resource``), RFC 9126 (pushed requests), RFC 9101 (request
objects), RFC 9449 section 10 (``dpop_jkt``).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import parse_qsl, quote, urlencode

import attrs

from sso_proxy.specs.oauth.confirmation import is_thumbprint
from sso_proxy.specs.oauth.pkce import METHOD
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url
from sso_proxy.specs.oidc.claims_request import (
    check_claims_request,
    write_claims_request,
)
from sso_proxy.specs.oidc.response import RESPONSE_MODES
from sso_proxy.specs.oidc.response_type import CODE, ResponseType

FormFields: TypeAlias = tuple[tuple[str, str], ...]

MAX_VALUE: Final = 2048
"""Characters of a parameter."""

MAX_WORDS: Final = 50
"""Scopes, resources and the like in one request."""

MAX_URL: Final = 16384
"""Characters that a browser is sent to; what is longer has to be pushed."""

MAX_OBJECT_LIFETIME: Final = 3600
"""Seconds that a request object may be good for (FAPI 2.0 Message Signing 5.3.2)."""

_SET_BY_US: Final = frozenset(
    {
        *("client_id", "redirect_uri", "response_type", "response_mode", "scope"),
        *("state", "nonce", "code_challenge", "code_challenge_method", "dpop_jkt"),
        *("acr_values", "max_age", "prompt", "display", "login_hint", "id_token_hint"),
        *("ui_locales", "claims_locales", "claims", "resource"),
    }
)
_NEVER_EXTRA: Final = _SET_BY_US | {
    *("request", "request_uri"),
    # What says who we are is added by whoever sends the request.
    *("client_secret", "client_assertion", "client_assertion_type"),
    # Claims of a request object, among which the parameters stand.
    *("iss", "sub", "aud", "exp", "nbf", "iat", "jti"),
}
_DISPLAYS: Final = frozenset({"page", "popup", "touch", "wap"})

_is_name = re.compile(r"[A-Za-z0-9._-]{1,64}").fullmatch
_is_unreserved = re.compile(r"[A-Za-z0-9._~-]{1,512}").fullmatch
_is_visible = re.compile(r"[\x20-\x7e]+").fullmatch
_is_word = re.compile(r"[!-~]+").fullmatch
_is_scope = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]+").fullmatch
_is_language = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8}){0,8}").fullmatch
_is_prompt = re.compile(r"[a-z_]+").fullmatch
_is_absolute = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[!\x22\x24-~]+").fullmatch


@attrs.frozen(kw_only=True)
class AuthorizationRequest:
    """
    A request for somebody to log in.

    It is checked when it is made: ``ValueError`` names the parameter that is not as its
    standard wants it, and never what it is.

    Attributes:
        client_id: Who we are.
        redirect_uri: Where the answer is to go.
        scope: What for; ``openid`` is among it.
        state: Names the login to us, and nobody can guess it.
        nonce: Comes back in the ID token, and nobody can guess it.
        code_challenge: By the method S256; None where no code is asked for, or without
            *pkce*.
        response_type: What the answer is to consist of.
        response_mode: One of `RESPONSE_MODES`, or None to leave it to the provider.
        acr_values: Authentication contexts, the best first.
        max_age: Seconds that may have passed since the user authenticated, or None.
        prompt: What the provider is to do, whatever it knows.
        display: How the provider's page is to be shown, or empty.
        login_hint: Who is going to log in, as far as we know, or empty.
        id_token_hint: An ID token of who is to be logged in, or empty.
        ui_locales: Languages, the best first.
        claims_locales: Languages of claims.
        claims: Single claims that are wanted (section 5.5), or None.
        resource: What access tokens are for (RFC 8707).
        dpop_jkt: The key that tokens are going to be bound to, or None.
        pkce: Whether a code is asked for with a challenge (RFC 7636).  False is for
            providers that take none: who redeems the code proves nothing by it then.
        extra: Further parameters, for what providers have of their own.
    """

    client_id: str
    redirect_uri: str
    scope: tuple[str, ...] = ("openid",)
    state: str = attrs.field(repr=False)
    nonce: str = attrs.field(repr=False)
    code_challenge: str | None = None
    response_type: ResponseType = CODE
    response_mode: str | None = None
    acr_values: tuple[str, ...] = ()
    max_age: int | None = None
    prompt: tuple[str, ...] = ()
    display: str = ""
    login_hint: str = attrs.field(default="", repr=False)
    id_token_hint: str = attrs.field(default="", repr=False)
    ui_locales: tuple[str, ...] = ()
    claims_locales: tuple[str, ...] = ()
    claims: Mapping[str, Any] | None = None
    resource: tuple[str, ...] = ()
    dpop_jkt: str | None = None
    pkce: bool = True
    extra: FormFields = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what the standards do not allow."""
        _check_identifiers(self)
        _check_choices(self)
        for name, allowed in _WORDS.items():
            words = getattr(self, name)
            if len(words) > MAX_WORDS or len(set(words)) < len(words):
                raise ValueError(f"{name} has too many values, or one twice")
            for word in words:
                if len(word) > MAX_VALUE or allowed(word) is None:
                    raise ValueError(f"{name} has a value that it cannot have")
        check_extra(name for name, _ in self.extra)
        texts = [("login_hint", self.login_hint), ("id_token_hint", self.id_token_hint)]
        for name, text in (*texts, *self.extra):
            _check_text(name, text)
        if self.claims is not None:
            check_claims_request(self.claims)


_WORDS: Final = {
    "scope": _is_scope,
    "acr_values": _is_word,
    "prompt": _is_prompt,
    "ui_locales": _is_language,
    "claims_locales": _is_language,
    "resource": _is_absolute,
}


def parameters(request: AuthorizationRequest) -> FormFields:
    """
    Give all parameters of *request*; none is there twice but ``resource``.

    They go to the provider's endpoint by the browser (`front_url`), or are pushed
    (RFC 9126 section 2.1), or are signed (`request_object_claims`).
    """
    required = [
        ("client_id", request.client_id),
        ("response_type", request.response_type.text),
        ("redirect_uri", request.redirect_uri),
        ("scope", " ".join(request.scope)),
        ("state", request.state),
        ("nonce", request.nonce),
    ]
    if request.code_challenge is not None:
        required.append(("code_challenge", request.code_challenge))
        required.append(("code_challenge_method", METHOD))
    max_age = "" if request.max_age is None else str(request.max_age)
    claims = "" if request.claims is None else write_claims_request(request.claims)
    optional = [
        ("response_mode", request.response_mode or ""),
        ("acr_values", " ".join(request.acr_values)),
        ("max_age", max_age),
        ("prompt", " ".join(request.prompt)),
        ("display", request.display),
        ("login_hint", request.login_hint),
        ("id_token_hint", request.id_token_hint),
        ("ui_locales", " ".join(request.ui_locales)),
        ("claims_locales", " ".join(request.claims_locales)),
        ("claims", claims),
        ("dpop_jkt", request.dpop_jkt or ""),
    ]
    given = [field for field in optional if field[1]]
    resources = [("resource", resource) for resource in request.resource]
    return (*required, *given, *resources, *request.extra)


def request_object_claims(
    request: AuthorizationRequest,
    *,
    issuer: str,
    now: float,
    lifetime: float,
    jti: str | None = None,
) -> dict[str, Any]:
    """
    Give what a request object says (RFC 9101 section 4); ``sub`` never is there.

    With ``sub`` it could be taken for an assertion by which we authenticate (RFC 9101
    section 10.8).

    Args:
        request: What is asked for.
        issuer: The provider, for ``aud``.
        now: Seconds since the epoch.
        lifetime: Seconds that it is good for.
        jti: What nobody has said before; None leaves it out.

    Raises:
        ValueError: *lifetime* is none, or more than `MAX_OBJECT_LIFETIME`.
    """
    if not 1 <= lifetime <= MAX_OBJECT_LIFETIME:
        raise ValueError(f"a lifetime is 1 to {MAX_OBJECT_LIFETIME} seconds")
    issued = int(now)
    claims: dict[str, Any] = {
        "iss": request.client_id,
        "aud": issuer,
        "iat": issued,
        "nbf": issued,
        "exp": issued + int(lifetime),
    }
    if jti is not None:
        claims["jti"] = jti
    claims |= dict(parameters(request))
    if request.max_age is not None:
        claims["max_age"] = request.max_age
    if request.claims is not None:
        claims["claims"] = dict(request.claims)
    if len(request.resource) > 1:
        claims["resource"] = list(request.resource)
    return claims


def pushed_fields(request: AuthorizationRequest, text: str | None = None) -> FormFields:
    """
    Give what is pushed to the provider (RFC 9126 sections 2.1 and 3).

    Args:
        request: What is asked for.
        text: The request object that says it; None says it by parameters.  Beside a
            request object there is nothing but ``client_id``.
    """
    if text is None:
        return parameters(request)
    return (("client_id", request.client_id), ("request", text))


def front_fields(client_id: str, request_uri: str) -> FormFields:
    """
    Give all that the browser carries of a request that was pushed (RFC 9126 4).

    Args:
        client_id: Who we are.
        request_uri: What the provider calls the request.
    """
    return (("client_id", client_id), ("request_uri", request_uri))


def front_url(endpoint: str, fields: Iterable[tuple[str, str]]) -> str:
    """
    Give the URL that the browser is sent to.

    Args:
        endpoint: The provider's authorization endpoint; its query, if it has one, is
            retained (RFC 6749 section 3.1).
        fields: What is added to the query.

    Raises:
        ValueError: *endpoint* is no https or http URL without fragment, its query has
            one of *fields* already (of two, the provider could read either), or the
            URL is longer than `MAX_URL`.
    """
    added = tuple(fields)
    query = check_url("the authorization endpoint", endpoint)
    present = {name for name, _ in parse_qsl(query, keep_blank_values=True)}
    for name, _ in added:
        if name in present:
            raise ValueError(f"the authorization endpoint has {name} already")
    joint = "&" if query else "?"
    url = (
        endpoint.removesuffix("?") + joint + urlencode(added, quote_via=quote, safe="")
    )
    if len(url) > MAX_URL:
        raise ValueError(f"the request has more than {MAX_URL} characters")
    return url


def check_extra(names: Iterable[str]) -> None:
    """
    Check that parameters of a configuration replace none of ours.

    Raises:
        ValueError: One does, is there twice, or is no name of a parameter (RFC 6749
            section 8.2); says which.
    """
    seen: set[str] = set()
    for name in names:
        if _is_name(name) is None:
            raise ValueError(f"{name!r:.80} is no name of a parameter")
        if name in _NEVER_EXTRA:
            raise ValueError(f"{name} is set already, or has an option of its own")
        if name in seen:
            raise ValueError(f"{name} is there twice")
        seen.add(name)


def _check_identifiers(request: AuthorizationRequest) -> None:
    """Refuse what does not tell this request from others."""
    if len(request.client_id) > MAX_VALUE or _is_visible(request.client_id) is None:
        raise ValueError("client_id is empty or has characters that it cannot have")
    check_url("redirect_uri", request.redirect_uri)
    for name in ("state", "nonce"):
        if _is_unreserved(getattr(request, name)) is None:
            raise ValueError(f"{name} is not 1 to 512 unreserved characters")
    # A challenge of S256 is a SHA-256 hash in base64url, as a thumbprint is.
    challenge = request.code_challenge
    if challenge is not None and not is_thumbprint(challenge):
        raise ValueError("code_challenge is none of S256")
    if (challenge is not None) != (request.response_type.has_code and request.pkce):
        raise ValueError("code_challenge goes with a code, always but without pkce")
    if request.dpop_jkt is not None and not is_thumbprint(request.dpop_jkt):
        raise ValueError("dpop_jkt is no thumbprint")


def _check_choices(request: AuthorizationRequest) -> None:
    """Refuse what is not among what there is to choose from."""
    if "openid" not in request.scope:
        raise ValueError("scope lacks openid")
    if request.response_mode not in (None, *RESPONSE_MODES):
        raise ValueError("response_mode is not supported")
    mode = request.response_mode or request.response_type.default_mode
    if mode.startswith("query") and request.response_type.has_tokens:
        # OAuth 2.0 Multiple Response Types section 3: everybody on the way would see.
        raise ValueError("response_mode: no tokens in a query")
    if request.max_age is not None and not 0 <= request.max_age < 2**31:
        raise ValueError("max_age is no number of seconds")
    if "none" in request.prompt and len(request.prompt) > 1:
        raise ValueError("prompt has none beside something else")
    if request.display and request.display not in _DISPLAYS:
        raise ValueError("display is none of page, popup, touch and wap")


def _check_text(name: str, text: str) -> None:
    """Raise ValueError if *text* is too long or has what no line of text has."""
    if len(text) > MAX_VALUE:
        raise ValueError(f"{name} has more than {MAX_VALUE} characters")
    if not text.isprintable():  # surrogates are not, either
        raise ValueError(f"{name} has characters that it cannot have")


def check_url(name: str, url: str) -> str:
    """
    Give the query of *url*, without question mark.

    Raises:
        ValueError: It is no https or http URL without fragment; says *name*.
    """
    try:
        return read_url(url).query.removeprefix("?")
    except UrlRefusedError as e:
        raise ValueError(f"{name}: {e.detail}") from None
