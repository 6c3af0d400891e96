"""Bearer credentials and challenges are those of RFC 6750."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.oauth.bearer import (
    STATUS,
    InvalidRequestError,
    challenge,
    read_credential,
)


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
def test_the_scheme_has_no_case(scheme: str) -> None:
    assert read_credential([f"{scheme} mF_9.B5f-4.1JqM"]) == "mF_9.B5f-4.1JqM"


@pytest.mark.parametrize("token", ["a", "a=", "a==", "-._~+/", "eyJ.e30.c2ln"])
def test_a_token_is_a_b64token(token: str) -> None:
    assert read_credential([f"Bearer {token}"]) == token


@pytest.mark.parametrize(
    "values",
    [
        [],
        [""],
        ["Basic dXNlcjpwYXNz"],
        ["DPoP eyJ"],
        ["Bearertoken"],
        ["Bearer2 a"],
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
    "values", [["Bearer a", "Bearer a"], ["Basic a", "Bearer b"], ["bearer a", ""]]
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


def test_without_a_token_no_error_is_told() -> None:
    """RFC 6750 3.1: SHOULD NOT include an error code."""
    assert challenge(realm="api") == 'Bearer realm="api"'


def test_an_error_is_told_with_its_description_and_scopes() -> None:
    value = challenge(
        "insufficient_scope", "more is needed", ["orders.read", "a"], realm="api"
    )
    assert value == (
        'Bearer realm="api", error="insufficient_scope",'
        ' error_description="more is needed", scope="orders.read a"'
    )


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
    value = challenge("invalid_token", text, scope, realm=realm)
    assert value.isascii()
    assert value.isprintable()
    bare = value.replace("\\\\", "").replace('\\"', "")
    assert bare.count('"') == (8 if "scope=" in bare.rpartition('", ')[2] else 6)
