"""An issuer's metadata is looked for in order, and read in one way only."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.metadata import (
    MAX_METADATA,
    MetadataRefusedError,
    NoMetadataError,
    ServerMetadata,
    find_metadata,
    read_metadata,
    well_known_urls,
)
from sso_proxy.specs.oauth.urls import UrlRefusedError

ISSUER = "https://login.example.com/tenant"
JWKS_URI = "https://keys.example.net/jwks"
OAUTH, OPENID, COMPAT = (
    "https://login.example.com/.well-known/oauth-authorization-server/tenant",
    "https://login.example.com/tenant/.well-known/openid-configuration",
    "https://login.example.com/.well-known/openid-configuration/tenant",
)
NOT_FOUND = (404, b'{"error": "not_found"}')


def document(**changes: object) -> bytes:
    """Write metadata, changed; ... takes a member out."""
    members = {"issuer": ISSUER, "jwks_uri": JWKS_URI, **changes}
    return json.dumps({k: v for k, v in members.items() if v is not ...}).encode()


def search(
    answers: Mapping[str, tuple[int, bytes]], first: str | None = None
) -> tuple[list[str], ServerMetadata | MetadataRefusedError]:
    """Run a search against *answers*; give what was asked, and how it ended."""
    asked = []
    steps = find_metadata(ISSUER, first)
    url = next(steps)
    while True:
        asked.append(url)
        try:
            url = steps.send(answers.get(url, NOT_FOUND))
        except StopIteration as end:
            return asked, end.value
        except MetadataRefusedError as e:
            return asked, e


def test_the_name_goes_between_host_and_path() -> None:
    """RFC 8414 section 3.1: inserted; OpenID Discovery section 4: appended."""
    assert well_known_urls(ISSUER) == (OAUTH, OPENID, COMPAT)


@pytest.mark.parametrize("slash", ["", "/"])
def test_without_a_path_there_are_two_places(slash: str) -> None:
    """Any terminating slash is removed before the name is put in."""
    assert well_known_urls("https://login.example.com:8443" + slash) == (
        "https://login.example.com:8443/.well-known/oauth-authorization-server",
        "https://login.example.com:8443/.well-known/openid-configuration",
    )


def test_what_is_no_issuer_has_no_metadata() -> None:
    with pytest.raises(UrlRefusedError):
        well_known_urls("http://login.example.com")


def test_what_is_found_first_is_used() -> None:
    asked, found = search({OAUTH: (200, document()), OPENID: (200, document())})
    assert asked == [OAUTH]
    assert isinstance(found, ServerMetadata)
    assert found.jwks_uri == JWKS_URI


@pytest.mark.parametrize(
    "answer",
    [
        NOT_FOUND,
        (405, b""),
        (400, b""),
        (401, document()),
        (403, b"<Error>AccessDenied</Error>"),
        (410, b""),
        (302, b""),
        (200, b"<!doctype html><title>Welcome</title>"),
        (200, b""),
        (200, b"[]"),
        (200, b'"{}"'),
        (200, b'{"error": "not_found"}'),
        (200, document(issuer=...)),
    ],
)
def test_where_there_is_nothing_the_next_place_is_asked(
    answer: tuple[int, bytes],
) -> None:
    asked, found = search({OAUTH: answer, OPENID: (200, document())})
    assert asked == [OAUTH, OPENID]
    assert isinstance(found, ServerMetadata)


def test_the_third_place_is_asked_last() -> None:
    asked, found = search({COMPAT: (200, document())})
    assert asked == [OAUTH, OPENID, COMPAT]
    assert isinstance(found, ServerMetadata)


def test_nowhere_is_said_with_all_reasons() -> None:
    asked, found = search({OPENID: (200, b"<html>")})
    assert asked == [OAUTH, OPENID, COMPAT]
    assert isinstance(found, MetadataRefusedError)
    assert found.detail == (
        "at none of the well-known places (status 404, no JSON object, status 404)"
    )


@pytest.mark.parametrize("status", [204, 206, 408, 429, 500, 502, 503])
def test_a_server_in_trouble_is_not_asked_elsewhere(status: int) -> None:
    asked, found = search({OAUTH: (status, b""), OPENID: (200, document())})
    assert asked == [OAUTH]
    assert isinstance(found, MetadataRefusedError)
    assert found.detail == f"status {status}"


@pytest.mark.parametrize(
    "lie",
    [
        document(issuer="https://login.example.com"),
        document(jwks_uri="https://169.254.169.254/"),
        document()[:-1],
        b'{"issuer": "%b", "issuer": "%b"}' % (ISSUER.encode(), ISSUER.encode()),
    ],
)
def test_who_lies_in_one_place_is_not_believed_in_another(lie: bytes) -> None:
    asked, found = search({OAUTH: (200, lie), OPENID: (200, document())})
    assert asked == [OAUTH]
    assert isinstance(found, MetadataRefusedError)


def test_the_place_of_last_time_is_asked_first() -> None:
    asked, _ = search({OPENID: (200, document())}, first=OPENID)
    assert asked == [OPENID]
    asked, _ = search({OAUTH: (200, document())}, first=OPENID)
    assert asked == [OPENID, OAUTH]
    asked, _ = search({OAUTH: (200, document())}, first="https://evil.example/")
    assert asked == [OAUTH]


@pytest.mark.parametrize(
    "other",
    [
        "https://login.example.com/tenant/",
        "https://login.example.com",
        "https://login.example.com/Tenant",
        "https://LOGIN.example.com/tenant",
        "https://login.example.com:443/tenant",
        "https://login.example.com/%74enant",
        "https://login.example.com/tenant ",
        "https://evil.example",
        "",
        None,
        7,
        [ISSUER],
    ],
)
def test_the_issuer_is_the_configured_one_octet_by_octet(other: object) -> None:
    """RFC 8414 section 3.3: "MUST be identical"; otherwise servers can be mixed up."""
    with pytest.raises(MetadataRefusedError, match="issuer is another"):
        read_metadata(document(issuer=other), ISSUER)


def test_all_that_is_known_is_read() -> None:
    urls = {
        name: f"https://login.example.com/{name}"
        for name in (
            "jwks_uri",
            "authorization_endpoint",
            "token_endpoint",
            "introspection_endpoint",
            "revocation_endpoint",
            "userinfo_endpoint",
            "end_session_endpoint",
            "check_session_iframe",
            "registration_endpoint",
            "device_authorization_endpoint",
            "backchannel_authentication_endpoint",
            "pushed_authorization_request_endpoint",
        )
    }
    lists = {
        "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
        "dpop_signing_alg_values_supported": ["ES256", "EdDSA"],
        "scopes_supported": ["openid"],
    }
    flags = {
        "authorization_response_iss_parameter_supported": True,
        "tls_client_certificate_bound_access_tokens": False,
    }
    metadata = read_metadata(
        document(**urls, **lists, **flags, service_documentation=17), ISSUER
    )
    assert metadata.issuer == ISSUER
    for name, url in urls.items():
        assert metadata.endpoint(name) == url
    for name, values in lists.items():
        assert getattr(metadata, name) == tuple(values)
    assert metadata.authorization_response_iss_parameter_supported
    assert not metadata.tls_client_certificate_bound_access_tokens
    assert metadata.raw["service_documentation"] == 17
    assert metadata.raw["dpop_signing_alg_values_supported"] == ["ES256", "EdDSA"]


@pytest.mark.parametrize("absent", [None, ...])
def test_what_the_document_does_not_say_is_not_made_up(absent: object) -> None:
    metadata = read_metadata(
        document(
            jwks_uri=absent,
            scopes_supported=absent,
            backchannel_logout_supported=absent,
            mtls_endpoint_aliases=absent,
        ),
        ISSUER,
    )
    assert metadata == ServerMetadata(issuer=ISSUER, raw=metadata.raw)


def test_clients_with_certificates_have_endpoints_of_their_own() -> None:
    """RFC 8705 section 5: an endpoint that has no alias is the usual one."""
    alias = "https://mtls.example.com/introspect"
    metadata = read_metadata(
        document(
            introspection_endpoint="https://login.example.com/introspect",
            token_endpoint="https://login.example.com/token",
            mtls_endpoint_aliases={
                "introspection_endpoint": alias,
                "token_endpoint": None,
                "other_endpoint": "anything",
            },
        ),
        ISSUER,
    )
    assert metadata.mtls_endpoint_aliases == {"introspection_endpoint": alias}
    plain = metadata.endpoint("introspection_endpoint")
    assert plain == "https://login.example.com/introspect"
    assert metadata.endpoint("introspection_endpoint", certificate=True) == alias
    token = metadata.endpoint("token_endpoint", certificate=True)
    assert token == "https://login.example.com/token"
    assert metadata.endpoint("revocation_endpoint", certificate=True) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"jwks_uri": 7},
        {"jwks_uri": [JWKS_URI]},
        {"jwks_uri": ""},
        {"jwks_uri": "/jwks"},
        {"jwks_uri": "http://login.example.com/jwks"},
        {"jwks_uri": "https://user@login.example.com/jwks"},
        {"token_endpoint": "https://login.example.com/token#part"},
        {"introspection_endpoint": "https://10.0.0.1/introspect"},
        {"mtls_endpoint_aliases": []},
        {"mtls_endpoint_aliases": {"token_endpoint": "http://login.example.com/"}},
        {"mtls_endpoint_aliases": {"token_endpoint": 1}},
        {"scopes_supported": "openid email"},
        {"scopes_supported": ["openid", 1]},
        {"scopes_supported": {"openid": True}},
        {"require_pushed_authorization_requests": "false"},
        {"require_pushed_authorization_requests": 1},
    ],
)
def test_a_member_of_the_wrong_kind_refuses_the_document(
    changes: dict[str, Any],
) -> None:
    with pytest.raises(MetadataRefusedError, match=next(iter(changes))):
        read_metadata(document(**changes), ISSUER)


def test_a_repeated_member_refuses_the_document() -> None:
    """Two readers may take two different values for the one."""
    twice = document()[:-1] + b', "jwks_uri": "https://evil.example/jwks"}'
    with pytest.raises(MetadataRefusedError) as caught:
        read_metadata(twice, ISSUER)
    assert not isinstance(caught.value, NoMetadataError)


def test_a_document_without_end_is_not_read() -> None:
    long = document(padding="x" * MAX_METADATA)
    with pytest.raises(MetadataRefusedError, match="octets"):
        read_metadata(long, ISSUER)


def test_space_before_the_document_does_no_harm() -> None:
    assert read_metadata(b"\r\n\t " + document(), ISSUER).jwks_uri == JWKS_URI


@given(st.binary(max_size=200))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(MetadataRefusedError):
        read_metadata(data, ISSUER)


TEMPLATE = "https://login.example.com/{tenantid}/v2.0"
PLACE = "https://login.example.com/common/v2.0/.well-known/openid-configuration"


def test_metadata_at_a_known_url_may_have_a_template_for_an_issuer() -> None:
    steps = find_metadata(TEMPLATE, None, PLACE)
    assert next(steps) == PLACE
    with pytest.raises(StopIteration) as end:
        steps.send((200, document(issuer=TEMPLATE)))
    assert end.value.value.issuer == TEMPLATE


@pytest.mark.parametrize("issuer", [ISSUER, TEMPLATE.replace("{tenantid}", "common")])
def test_a_known_url_does_not_vouch_for_another_issuer(issuer: str) -> None:
    steps = find_metadata(TEMPLATE, None, PLACE)
    next(steps)
    with pytest.raises(MetadataRefusedError, match="its issuer is another"):
        steps.send((200, document(issuer=issuer)))


def test_metadata_at_a_known_url_is_nowhere_else() -> None:
    steps = find_metadata(ISSUER, None, PLACE)
    next(steps)
    with pytest.raises(NoMetadataError, match=r"^not at its URL \(status 404\)"):
        steps.send(NOT_FOUND)


def test_metadata_at_a_known_url_leads_to_no_place_that_is_not_protected() -> None:
    steps = find_metadata(ISSUER, None, PLACE)
    next(steps)
    with pytest.raises(MetadataRefusedError, match="jwks_uri"):
        steps.send((200, document(jwks_uri="http://login.example.com/jwks")))
