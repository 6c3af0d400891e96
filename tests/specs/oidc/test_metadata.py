"""What a provider must have for login, from its metadata, by hand, or both."""

import json
from typing import Any

import pytest

from sso_proxy.specs.jose.compact import ALGORITHMS
from sso_proxy.specs.oauth.metadata import ServerMetadata, read_metadata
from sso_proxy.specs.oidc.metadata import (
    EndpointOverrides,
    ProviderRefusedError,
    check_overrides,
    choose_algorithms,
    login_endpoints,
)

OP = "https://op.example"
MEMBERS: dict[str, Any] = {
    "issuer": OP,
    "authorization_endpoint": f"{OP}/authorize",
    "token_endpoint": f"{OP}/token",
    "userinfo_endpoint": f"{OP}/userinfo",
    "pushed_authorization_request_endpoint": f"{OP}/par",
    "end_session_endpoint": f"{OP}/logout",
    "jwks_uri": f"{OP}/jwks",
}
BY_HAND = EndpointOverrides(authorization=f"{OP}/a", token=f"{OP}/t")


def metadata(**changes: object) -> ServerMetadata:
    return read_metadata(json.dumps({**MEMBERS, **changes}).encode(), OP)


def refusal(document: ServerMetadata | None, **overrides: Any) -> str:  # noqa: ANN401
    with pytest.raises(ProviderRefusedError) as caught:
        login_endpoints(document, EndpointOverrides(**overrides), issuer=OP)
    return caught.value.detail


def test_endpoints_are_those_of_the_metadata() -> None:
    endpoints = login_endpoints(metadata(), issuer=OP)
    assert endpoints.issuer == OP
    assert endpoints.authorization == f"{OP}/authorize"
    assert endpoints.token == f"{OP}/token"
    assert endpoints.userinfo == f"{OP}/userinfo"
    assert endpoints.pushed_authorization == f"{OP}/par"
    assert endpoints.end_session == f"{OP}/logout"
    assert endpoints.jwks == f"{OP}/jwks"
    assert endpoints.revocation is None
    assert not endpoints.iss_required
    assert not endpoints.par_required


def test_provider_can_be_given_by_hand() -> None:
    endpoints = login_endpoints(None, BY_HAND, issuer=OP)
    assert endpoints.authorization == f"{OP}/a"
    assert endpoints.token == f"{OP}/t"
    assert endpoints.userinfo is None
    assert endpoints.takes_type("code")


def test_what_the_operator_says_comes_first() -> None:
    overrides = EndpointOverrides(token=f"{OP}/other", userinfo="")
    endpoints = login_endpoints(metadata(), overrides, issuer=OP)
    assert endpoints.token == f"{OP}/other"
    assert endpoints.userinfo is None


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
def test_provider_without_a_needed_endpoint_is_refused(name: str) -> None:
    assert name in refusal(metadata(**{name: None}))


def test_without_codes_nobody_needs_a_token_endpoint() -> None:
    """OpenID Connect Discovery section 3: unless only the implicit flow is used."""
    document = metadata(token_endpoint=None)
    assert login_endpoints(document, issuer=OP, codes=False).token is None
    with pytest.raises(ProviderRefusedError, match="authorization_endpoint"):
        login_endpoints(metadata(authorization_endpoint=None), issuer=OP, codes=False)


def test_provider_without_anything_is_refused() -> None:
    assert "authorization_endpoint" in refusal(None)
    assert "token_endpoint" in refusal(None, authorization=f"{OP}/a", token="")


@pytest.mark.parametrize(
    "url", ["http://op.example/t", "ftp://op.example/t", "op.example", "https://a@b/"]
)
def test_http_endpoint(url: str) -> None:
    """Whoever is on the way would get the code and our credentials."""
    assert "token_endpoint" in refusal(None, authorization=f"{OP}/a", token=url)
    assert check_overrides(EndpointOverrides(token=url)).keys() == {"token_endpoint"}


def test_loopback_needs_no_tls() -> None:
    url = "http://127.0.0.1:8080/t"
    overrides = EndpointOverrides(authorization=url, token=url, userinfo="")
    assert login_endpoints(None, overrides, issuer=OP).token == url
    assert not check_overrides(overrides)


def test_mtls_endpoint_aliases() -> None:
    """RFC 8705 section 5; the browser has no certificate of ours."""
    aliases = {name: f"https://mtls.op.example/{name}" for name in MEMBERS}
    document = metadata(mtls_endpoint_aliases=aliases)
    usual = login_endpoints(document, issuer=OP)
    assert usual.token == f"{OP}/token"
    ours = login_endpoints(document, issuer=OP, certificate=True)
    assert ours.token == "https://mtls.op.example/token_endpoint"
    assert ours.userinfo == "https://mtls.op.example/userinfo_endpoint"
    assert ours.authorization == f"{OP}/authorize"
    assert ours.end_session == f"{OP}/logout"


def test_what_the_operator_says_comes_before_aliases() -> None:
    document = metadata(mtls_endpoint_aliases={"token_endpoint": f"{OP}/mtls"})
    overrides = EndpointOverrides(token=f"{OP}/by-hand")
    ours = login_endpoints(document, overrides, issuer=OP, certificate=True)
    assert ours.token == f"{OP}/by-hand"


def test_flags_are_those_of_the_metadata() -> None:
    document = metadata(
        authorization_response_iss_parameter_supported=True,
        require_pushed_authorization_requests=True,
        tls_client_certificate_bound_access_tokens=True,
    )
    endpoints = login_endpoints(document, issuer=OP)
    assert endpoints.iss_required
    assert endpoints.par_required
    assert endpoints.bound_tokens


def test_operator_may_say_otherwise() -> None:
    document = metadata(authorization_response_iss_parameter_supported=True)
    overrides = EndpointOverrides(iss_required=False, par_required=True)
    endpoints = login_endpoints(document, overrides, issuer=OP)
    assert not endpoints.iss_required
    assert endpoints.par_required


def test_requests_that_must_be_pushed_need_a_place() -> None:
    document = metadata(require_pushed_authorization_requests=True)
    assert "pushed" in refusal(document, pushed_authorization="")


def test_unordered_response_types() -> None:
    document = metadata(response_types_supported=["token code id_token", "code"])
    endpoints = login_endpoints(document, issuer=OP)
    assert endpoints.takes_type("code")
    assert endpoints.takes_type("code id_token token")
    assert not endpoints.takes_type("code id_token")


def test_lists_are_sets() -> None:
    endpoints = login_endpoints(
        metadata(
            token_endpoint_auth_methods_supported=["private_key_jwt", "none"],
            token_endpoint_auth_signing_alg_values_supported=["ES256", "PS256"],
            id_token_signing_alg_values_supported=["RS256", "RS256"],
            dpop_signing_alg_values_supported=["ES256"],
            code_challenge_methods_supported=["plain", "S256"],
        ),
        issuer=OP,
    )
    assert endpoints.auth_methods == {"none", "private_key_jwt"}
    assert endpoints.auth_algorithms == {"PS256", "ES256"}
    assert endpoints.id_token_algorithms == {"RS256"}
    assert endpoints.dpop_algorithms == {"ES256"}
    assert endpoints.challenge_methods == {"S256", "plain"}


def test_provider_with_plain_challenges_only_is_refused() -> None:
    """RFC 7636 section 4.2: plain is no protection against who sees the request."""
    document = metadata(code_challenge_methods_supported=["plain"])
    assert "S256" in refusal(document)
    assert login_endpoints(document, issuer=OP, pkce=False).challenge_methods


def test_algorithms_that_are_pinned_count_alone() -> None:
    assert choose_algorithms(["RS256"], ["ES256"]) == {"ES256"}
    assert choose_algorithms([], ["HS256"]) == {"HS256"}


def test_macs_and_none_are_never_taken_from_metadata() -> None:
    assert choose_algorithms(["none", "HS256", "RS256"]) == {"RS256"}
    assert choose_algorithms(["none", "HS256"]) == frozenset()


def test_provider_that_lists_no_algorithms_may_use_any_signature() -> None:
    assert choose_algorithms([]) == ALGORITHMS


def test_fapi_has_three_algorithms() -> None:
    """FAPI 2.0 Security Profile 5.4.1: PS256, ES256 or EdDSA with Ed25519."""
    assert choose_algorithms([], fapi=True) == {"PS256", "ES256", "EdDSA", "Ed25519"}
    assert choose_algorithms(["RS256", "PS256"], fapi=True) == {"PS256"}
    assert choose_algorithms([], ["RS256"], fapi=True) == frozenset()
