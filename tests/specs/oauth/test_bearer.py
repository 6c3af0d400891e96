"""Bearer credentials and challenges are those of RFC 6750."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.bearer import (
    STATUS,
    Credential,
    InvalidRequestError,
    Scheme,
    challenge,
    read_credential,
)


@pytest.mark.parametrize(
    ("written", "scheme"),
    [
        ("Bearer", "Bearer"),
        ("bearer", "Bearer"),
        ("bEARER", "Bearer"),
        ("DPoP", "DPoP"),
        ("dPOP", "DPoP"),
        ("dpop", "DPoP"),
    ],
)
def test_the_scheme_has_no_case(written: str, scheme: Scheme) -> None:
    credential = read_credential([f"{written} mF_9.B5f-4.1JqM"])
    assert credential == Credential(scheme, "mF_9.B5f-4.1JqM")


def test_a_credential_shows_no_token() -> None:
    assert "s3cret" not in repr(Credential("Bearer", "s3cret"))


@pytest.mark.parametrize("token", ["a", "a=", "a==", "-._~+/", "eyJ.e30.c2ln"])
def test_a_token_is_a_b64token(token: str) -> None:
    assert read_credential([f"Bearer {token}"]) == Credential("Bearer", token)


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["Basic dXNlcjpwYXNz"],
        ["Bearertoken"],
        ["Bearer2 a"],
        ["DPoP-2 a"],
        ["NotBearer a"],
        ['Digest username="Bearer a"'],
        ["Basic a", "Basic b"],
    ],
    ids=str,
)
def test_other_schemes_are_not_ours(values: list[str]) -> None:
    assert read_credential(values) is None


@pytest.mark.parametrize(
    "value",
    [
        "Bearer",
        "Bearer ",
        "Bearer  a",
        "Bearer\ta",
        "DPoP",
        "DPoP  a",
        "DPoP a, Bearer a",
        "Bearer a, DPoP a",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a, Basic b",
        'Bearer token="a"',
        "Bearer a\n",
        "Bearer =",
        "Bearer a=b",
        "Bearer \xe9",
        "Bearer:a",
        "Bearer,a",
        "bearer\xa0a",
    ],
    ids=repr,
)
def test_a_bearer_credential_of_another_form_is_an_invalid_request(value: str) -> None:
    with pytest.raises(InvalidRequestError):
        read_credential([value])


@pytest.mark.parametrize(
    "values",
    [
        ["Bearer a", "Bearer a"],
        ["Basic a", "Bearer b"],
        ["bearer a", ""],
        ["Bearer a", "DPoP a"],
        ["DPoP a", "DPoP a"],
    ],
)
def test_a_token_beside_another_credential_is_an_invalid_request(
    values: list[str],
) -> None:
    """RFC 6750 2: clients MUST NOT use more than one method."""
    with pytest.raises(InvalidRequestError):
        read_credential(values)


def test_statuses_are_those_of_the_standard() -> None:
    """RFC 6750 3.1: 400, 401 and 403."""
    assert STATUS[InvalidRequestError.error] == 400
    assert STATUS["invalid_token"] == 401
    assert STATUS["insufficient_scope"] == 403
    # RFC 9449 7.1 and 9, RFC 9470 3
    assert STATUS["invalid_dpop_proof"] == 401
    assert STATUS["use_dpop_nonce"] == 401
    assert STATUS["insufficient_user_authentication"] == 401


def test_without_a_token_no_error_is_told() -> None:
    """RFC 6750 3.1: SHOULD NOT include an error code."""
    assert challenge(realm="api") == 'Bearer realm="api"'


def test_an_error_is_told_with_its_description_and_scopes() -> None:
    value = challenge(
        "Bearer",
        "insufficient_scope",
        "more is needed",
        ["orders.read", "a"],
        realm="api",
    )
    assert value == (
        'Bearer realm="api", error="insufficient_scope",'
        ' error_description="more is needed", scope="orders.read a"'
    )


def test_a_dpop_challenge_names_algorithms() -> None:
    """RFC 9449 7.1: algs is a list with blanks between its items."""
    value = challenge("DPoP", "use_dpop_nonce", "send a nonce", algs=["ES256", "EdDSA"])
    assert value == (
        'DPoP error="use_dpop_nonce", error_description="send a nonce",'
        ' algs="ES256 EdDSA"'
    )


def test_a_better_login_is_asked_for() -> None:
    """RFC 9470 3: acr_values and max_age, both as quoted strings."""
    error = "insufficient_user_authentication"
    value = challenge("Bearer", error, acr_values=("gold", "silver"), max_age=0)
    assert value == f'Bearer error="{error}", acr_values="gold silver", max_age="0"'


def test_metadata_is_pointed_at() -> None:
    """RFC 9728 5.1: the URL of the protected resource metadata."""
    url = "https://api.example.com/.well-known/oauth-protected-resource"
    assert challenge(resource_metadata=url) == f'Bearer resource_metadata="{url}"'


def test_what_is_not_known_is_left_out() -> None:
    assert challenge("DPoP", algs=(), max_age=None, resource_metadata="") == "DPoP"


def test_a_realm_is_quoted() -> None:
    assert challenge(realm='a"b\\c\r\nd') == 'Bearer realm="a\\"b\\\\c??d"'


def test_what_is_no_scope_token_is_left_out() -> None:
    assert challenge(scope=['a"', "b c", "", "d"], realm="r") == (
        'Bearer realm="r", scope="d"'
    )


@given(text=st.text(), scope=st.lists(st.text()), realm=st.text())
def test_nothing_breaks_out_of_its_quotes(
    text: str, scope: list[str], realm: str
) -> None:
    """A field value stays one line of printable ASCII with balanced quotes."""
    value = challenge(
        "DPoP", "invalid_token", text, scope, realm=realm, algs=scope, other=text
    )
    assert value.isascii()
    assert value.isprintable()
    bare = re.sub(r"\\.", "", value)
    assert re.fullmatch(r'DPoP [a-z_]+="[^"]*"(, [a-z_]+="[^"]*")*', bare)
    names = re.findall(r'[ ,]([a-z_]+)="[^"]*"', bare)
    assert len(names) == len(set(names))
