"""What a provider must have so that browsers can log in there, and where it has it."""

from collections.abc import Collection, Mapping
from typing import Any, Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.specs.oauth.metadata import ServerMetadata
from sso_proxy.specs.oauth.urls import UrlRefusedError, read_url

FAPI_ALGORITHMS: Final = frozenset({"PS256", "ES256", "EdDSA", "Ed25519"})
"""Signatures of the FAPI 2.0 Security Profile (section 5.4.1)."""

_URLS: Final[Mapping[str, str]] = {
    "authorization": "authorization_endpoint",
    "token": "token_endpoint",
    "userinfo": "userinfo_endpoint",
    "pushed_authorization": "pushed_authorization_request_endpoint",
    "end_session": "end_session_endpoint",
    "revocation": "revocation_endpoint",
    "jwks": "jwks_uri",
    "check_session": "check_session_iframe",
}
"""Our names for URLs, and those of the metadata."""

_IN_BROWSER: Final = frozenset({"authorization", "end_session", "check_session"})


@attrs.frozen
class ProviderRefusedError(SsoProxyError):
    """
    A provider cannot be used for login.

    Attributes:
        detail: Why, for the log.
    """

    detail: str


@attrs.frozen(kw_only=True)
class EndpointOverrides:
    """
    What an operator says about a provider.

    For each URL, None takes what the metadata says, and an empty string says that the
    endpoint is not to be used though the provider has it.

    Attributes:
        authorization: Where browsers log in.
        token: Where a code becomes tokens.
        userinfo: Claims for an access token.
        pushed_authorization: RFC 9126.
        end_session: OpenID Connect RP-Initiated Logout.
        revocation: RFC 7009.
        jwks: The provider's keys.
        check_session: OpenID Connect Session Management.
        iss_required: Answers must have ``iss`` (RFC 9207); None: if the provider says
            that they have it.
        par_required: Requests must be pushed; None: if the provider says so.
    """

    authorization: str | None = None
    token: str | None = None
    userinfo: str | None = None
    pushed_authorization: str | None = None
    end_session: str | None = None
    revocation: str | None = None
    jwks: str | None = None
    check_session: str | None = None
    iss_required: bool | None = None
    par_required: bool | None = None


@attrs.frozen(kw_only=True)
class ProviderEndpoints:
    """
    Where a provider is, and what it can do.

    Sets have no order, as lists of metadata have none.  An empty one means that the
    provider does not say.

    Attributes:
        issuer: The issuer identifier, or template (see `sso_proxy.specs.oidc.issuers`).
        authorization: Where browsers log in.
        token: Where a code becomes tokens, or None.
        userinfo: Claims for an access token, or None.
        pushed_authorization: Where requests are pushed (RFC 9126), or None.
        end_session: Where browsers log out, or None.
        revocation: Where tokens are revoked (RFC 7009), or None.
        jwks: The provider's keys, or None.
        check_session: The frame for Session Management, or None.
        iss_required: An answer without ``iss`` is refused (RFC 9207 section 2.4).
        par_required: Requests must be pushed (RFC 9126 section 5).
        bound_tokens: It binds access tokens to certificates (RFC 8705 section 3.3).
        response_types: Each a set, so that ``token code`` is ``code token``.
        challenge_methods: PKCE (RFC 7636), of which only ``S256`` is used here.
        auth_methods: How we may authenticate at the token endpoint.
        auth_algorithms: What client assertions may be signed with.
        id_token_algorithms: What ID tokens may be signed with.
        dpop_algorithms: What DPoP proofs may be signed with.
    """

    issuer: str
    authorization: str
    token: str | None = None
    userinfo: str | None = None
    pushed_authorization: str | None = None
    end_session: str | None = None
    revocation: str | None = None
    jwks: str | None = None
    check_session: str | None = None
    iss_required: bool = False
    par_required: bool = False
    bound_tokens: bool = False
    response_types: frozenset[frozenset[str]] = frozenset()
    challenge_methods: frozenset[str] = frozenset()
    auth_methods: frozenset[str] = frozenset()
    auth_algorithms: frozenset[str] = frozenset()
    id_token_algorithms: frozenset[str] = frozenset()
    dpop_algorithms: frozenset[str] = frozenset()

    def takes_type(self, response_type: str) -> bool:
        """Say whether the provider knows *response_type*; its words have no order."""
        wanted = frozenset(response_type.split())
        return not self.response_types or wanted in self.response_types


_NOT_USED: Final = EndpointOverrides()


def login_endpoints(  # noqa: PLR0913
    metadata: ServerMetadata | None,
    overrides: EndpointOverrides = _NOT_USED,
    *,
    issuer: str,
    certificate: bool = False,
    codes: bool = True,
    pkce: bool = True,
) -> ProviderEndpoints:
    """
    Put together what we know of a provider.

    What the operator says comes before the metadata, and the aliases for clients with
    certificates (RFC 8705 section 5) before the usual endpoints.

    Args:
        metadata: What the provider says of itself; None, if all is given by hand.
        overrides: What the operator says.
        issuer: The issuer, or template, that is configured.
        certificate: We show a client certificate to the provider.
        codes: Codes have to become tokens.
        pkce: Codes are asked for with a challenge.

    Raises:
        ProviderRefusedError: There is no authorization endpoint, or no token endpoint
            although *codes*; a URL of the operator is not https, or no PKCE method is
            ``S256`` though it lists some, and *pkce*.
    """
    urls = {
        name: _choose_url(name, metadata, overrides, certificate=certificate)
        for name in _URLS
    }
    for name in ("authorization", "token") if codes else ("authorization",):
        if urls[name] is None:
            raise ProviderRefusedError(f"the provider has no {_URLS[name]}")
    flags = {
        "iss_required": overrides.iss_required,
        "par_required": overrides.par_required,
    }
    said: dict[str, Any] = {} if metadata is None else _read_abilities(metadata)
    said.update({name: flag for name, flag in flags.items() if flag is not None})
    endpoints = ProviderEndpoints(issuer=issuer, **{**said, **urls})
    methods = endpoints.challenge_methods
    if pkce and methods and "S256" not in methods:
        raise ProviderRefusedError("the provider has PKCE, but not with S256")
    if endpoints.par_required and endpoints.pushed_authorization is None:
        raise ProviderRefusedError(
            "requests must be pushed, and there is no"
            " pushed_authorization_request_endpoint"
        )
    return endpoints


def check_overrides(overrides: EndpointOverrides) -> Mapping[str, str]:
    """Give what is wrong with URLs of an operator, by the names of `ServerMetadata`."""
    problems = {}
    for name, metadata_name in _URLS.items():
        url = getattr(overrides, name)
        if url:
            try:
                _check_url(url)
            except UrlRefusedError as e:
                problems[metadata_name] = e.detail
    return problems


def choose_algorithms(
    offered: Collection[str], configured: Collection[str] = (), *, fapi: bool = False
) -> frozenset[str]:
    """
    Decide with which algorithms an ID token, or another answer, may be signed.

    What the operator pins counts alone.  Else it is what the provider lists, as far as
    these are signatures: a MAC, and ``none``, are for the operator to allow.  A
    provider that lists nothing may use any signature.

    Args:
        offered: What the metadata lists.
        configured: What the operator wrote.
        fapi: Keep to `FAPI_ALGORITHMS`.

    Returns:
        The algorithms; none at all, if there is no choice that is allowed.
    """
    chosen = frozenset(configured) or (ALGORITHMS & frozenset(offered or ALGORITHMS))
    return chosen & FAPI_ALGORITHMS if fapi else chosen


def _choose_url(
    name: str,
    metadata: ServerMetadata | None,
    overrides: EndpointOverrides,
    *,
    certificate: bool,
) -> str | None:
    """Give one URL, or None."""
    given: str | None = getattr(overrides, name)
    if given is not None:
        try:
            if given:
                _check_url(given)
        except UrlRefusedError as e:
            raise ProviderRefusedError(f"{_URLS[name]}: {e.detail}") from None
        return given or None
    if metadata is None:
        return None
    # Browsers have no certificate of ours: an alias is for what we ask ourselves.
    direct = certificate and name not in _IN_BROWSER
    return metadata.endpoint(_URLS[name], certificate=direct)


def _check_url(url: str) -> None:
    """Refuse a URL that anybody on the way could answer."""
    place = read_url(url)
    if place.is_plain and not place.is_loopback:
        raise UrlRefusedError("must be https; http only for loopback addresses")


def _read_abilities(metadata: ServerMetadata) -> dict[str, Any]:
    """Give what the provider says that it can do."""
    raw = metadata
    return {
        "iss_required": raw.authorization_response_iss_parameter_supported,
        "par_required": raw.require_pushed_authorization_requests,
        "bound_tokens": raw.tls_client_certificate_bound_access_tokens,
        "response_types": frozenset(
            frozenset(one.split()) for one in raw.response_types_supported
        ),
        "challenge_methods": frozenset(raw.code_challenge_methods_supported),
        "auth_methods": frozenset(raw.token_endpoint_auth_methods_supported),
        "auth_algorithms": frozenset(
            raw.token_endpoint_auth_signing_alg_values_supported
        ),
        "id_token_algorithms": frozenset(raw.id_token_signing_alg_values_supported),
        "dpop_algorithms": frozenset(raw.dpop_signing_alg_values_supported),
    }
