"""Issuers are compared octet by octet, those of tenants after filling them in."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.oauth.urls import UrlRefusedError
from sso_proxy.specs.oidc.issuers import (
    ANY_TENANT,
    check_issuer,
    check_template,
    fill_template,
    group_overage,
    is_issuer,
    is_template,
)

TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
TENANT = "0f6dbd43-cf7c-4b8a-a9a1-4b1c5e3f9d11"
OTHER = "9188040d-6c67-4c5b-b112-36a304b66dad"
PLAIN = "https://op.example"


def of(tenant: object, iss: str | None = None) -> dict[str, Any]:
    return {"iss": iss or fill_template(TEMPLATE, str(tenant)), "tid": tenant}


def reason(claims: dict[str, Any], issuer: str, tenants: tuple[str, ...] = ()) -> str:
    with pytest.raises(TokenError) as caught:
        check_issuer(claims, issuer, tenants)
    return caught.value.reason


def test_issuer_is_compared_exactly() -> None:
    assert check_issuer({"iss": PLAIN}, PLAIN) == PLAIN


@pytest.mark.parametrize(
    "iss", [None, "", PLAIN + "/", PLAIN + "1", "HTTPS://op.example", [PLAIN], 1]
)
def test_invalid_iss(iss: object) -> None:
    assert reason({"iss": iss}, PLAIN) == "token-issuer"


def test_missing_iss() -> None:
    assert reason({}, PLAIN) == "token-issuer"


def test_template_is_filled_with_the_tenant_of_the_token() -> None:
    expected = f"https://login.microsoftonline.com/{TENANT}/v2.0"
    assert check_issuer(of(TENANT), TEMPLATE, (TENANT,)) == expected


def test_tenant_that_is_not_allowed_is_refused() -> None:
    assert reason(of(OTHER), TEMPLATE, (TENANT,)) == "token-tenant"


def test_no_tenant_is_allowed_unless_written() -> None:
    assert reason(of(TENANT), TEMPLATE) == "token-tenant"
    assert check_issuer(of(TENANT), TEMPLATE, (ANY_TENANT,))


def test_issuer_of_one_tenant_with_the_tid_of_another_is_refused() -> None:
    iss = fill_template(TEMPLATE, OTHER)
    assert reason(of(TENANT, iss), TEMPLATE, (TENANT, OTHER)) == "token-issuer"


def test_issuer_that_is_the_template_itself_is_refused() -> None:
    assert reason(of(TENANT, TEMPLATE), TEMPLATE, (ANY_TENANT,)) == "token-issuer"


@pytest.mark.parametrize("tid", [None, "", "*", "a/b", "..", "a.b", 1, ["a"], "x" * 65])
def test_tid_that_is_no_tenant_is_refused(tid: object) -> None:
    assert reason(of(tid), TEMPLATE, (ANY_TENANT,)) == "token-tenant"


@given(
    st.dictionaries(
        st.sampled_from(["iss", "tid", "sub"]),
        st.none() | st.text() | st.integers() | st.lists(st.text()),
    )
)
def test_any_claims_are_refused(claims: dict[str, Any]) -> None:
    assert reason(claims, TEMPLATE, (TENANT,)) == "token-tenant"


def test_templates_are_told_from_issuers() -> None:
    assert is_template(TEMPLATE)
    assert not is_template(PLAIN)
    check_template(TEMPLATE, (TENANT,))
    check_template(TEMPLATE, (ANY_TENANT,))
    check_template(PLAIN, ())


@pytest.mark.parametrize(
    ("issuer", "tenants"),
    [
        (TEMPLATE, ()),
        (PLAIN, (TENANT,)),
        ("http://op.example/{tenantid}", (TENANT,)),
        ("https://{tenantid}.op.example/", (TENANT,)),
        ("https://op.example/a{tenantid}", (TENANT,)),
        ("https://op.example/{tenantid}/{tenantid}", (TENANT,)),
        ("https://op.example/{tenantid}?a=b", (TENANT,)),
        (TEMPLATE, ("a/b",)),
        ("http://op.example", ()),
    ],
)
def test_issuer_that_cannot_be_one_is_refused(
    issuer: str, tenants: tuple[str, ...]
) -> None:
    with pytest.raises(UrlRefusedError):
        check_template(issuer, tenants)


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        ({}, False),
        ({"groups": ["a"]}, False),
        ({"_claim_names": {"groups": "src1"}}, True),
        ({"hasgroups": True}, True),
        ({"hasgroups": "true"}, True),
        ({"hasgroups": False}, False),
        ({"hasgroups": 1.5}, False),
        ({"_claim_names": {"address": "src1"}}, False),
        ({"_claim_names": ["groups"]}, False),
        ({"groups": ["a"], "hasgroups": True}, False),
    ],
)
def test_groups_left_out_are_told(claims: dict[str, Any], *, told: bool) -> None:
    assert (group_overage(claims) is not None) is told


@pytest.mark.parametrize(
    ("name", "issuer", "tenants", "same"),
    [
        ("https://a.example", "https://a.example", (), True),
        ("https://a.example/", "https://a.example", (), False),
        ("https://a.example/t1/v2", "https://a.example/{tenantid}/v2", ("t1",), True),
        ("https://a.example/t2/v2", "https://a.example/{tenantid}/v2", ("t1",), False),
        ("https://a.example/t2/v2", "https://a.example/{tenantid}/v2", ("*",), True),
        ("https://a.example/a/b/v2", "https://a.example/{tenantid}/v2", ("*",), False),
        ("https://a.example/v2", "https://a.example/{tenantid}/v2", ("*",), False),
        ("https://a.example//v2", "https://a.example/{tenantid}/v2", ("*",), False),
    ],
)
def test_an_issuer_is_known_by_its_name(
    name: str,
    issuer: str,
    tenants: tuple[str, ...],
    same: bool,  # noqa: FBT001
) -> None:
    assert is_issuer(name, issuer, tenants) is same
