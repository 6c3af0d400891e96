"""Claims in header fields as mod_auth_openidc writes them."""

import json
import re
from base64 import urlsafe_b64decode
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.apache_fields import ApacheFields, write_claim

Encoding = Literal["latin1", "base64url", "none"]
ENCODINGS: tuple[Encoding, ...] = ("latin1", "base64url", "none")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
NAMES = st.text(min_size=1, max_size=20)


def sent(found: dict[str, Any], **options: Any) -> dict[str, bytes]:  # noqa: ANN401
    return dict(ApacheFields(**options).build(found, {}, {}, ""))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("alice", b"alice"),
        (True, b"1"),
        (False, b"0"),
        (42, b"42"),
        (1.5, b"1.5"),
        (1 / 3, b"0.33333333"),
        (["a", "b,c", "d\\e"], b"a,b\\,c,d\\\\e"),
        (["a", True, None, False, 3], b"a,1,0,3"),
        ([], b""),
        ({"a": [1, "b"]}, b'{"a":[1,"b"]}'),
        ({"a": "\n"}, b'{"a":"\\n"}'),
        ("Zo\xeb", b"Zo\xeb"),
    ],
)
def test_each_type_has_its_form(value: Any, text: bytes) -> None:  # noqa: ANN401
    assert sent({"x": value}) == {"OIDC_CLAIM_x": text}


@pytest.mark.parametrize(
    "value",
    [None, "a\r\nX-Admin: 1", "a\x00", " alice", "alice ", "\u0141ukasz", "x" * 8193],
)
def test_what_a_field_cannot_hold_has_none_instead_of_something_else(
    value: str | None,
) -> None:
    assert sent({"x": value, "y": "z"}) == {"OIDC_CLAIM_y": b"z"}


def test_values_are_utf8_or_base64url_if_that_is_wanted() -> None:
    name = "\u0141ukasz\n"
    assert sent({"x": name.strip()}, encoding="none") == {
        "OIDC_CLAIM_x": name.strip().encode()
    }
    found = sent({"x": name}, encoding="base64url")["OIDC_CLAIM_x"]
    assert urlsafe_b64decode(found + b"==").decode() == name


def test_names_have_no_separators() -> None:
    assert list(sent({"https://example.com/a b": "1"})) == [
        "OIDC_CLAIM_https---example.com-a-b"
    ]


@pytest.mark.parametrize("other", ["A-b", "a_b", "a.b", "a:b"])
def test_two_claims_in_one_field_are_refused(other: str) -> None:
    with pytest.raises(ValueError, match="two claims"):
        sent({"a-b": "1", other: "2"})


def test_only_claims_that_are_chosen_are_sent() -> None:
    assert list(sent({"a": 1, "b": 2}, claims=frozenset("b"))) == ["OIDC_CLAIM_b"]
    assert not sent({"a": 1}, pass_claims=False)
    assert list(sent({"a": 1}, prefix="X-")) == ["X-a"]


def test_tokens_and_documents_are_sent_where_somebody_wrote_so() -> None:
    kept = {
        "access_token": "at",
        "token_type": "Bearer",
        "access_expires": 99.9,
        "id_token": "a.b.c",
        "refresh_token": "never",
    }
    sources = {"id_token": {"sub": "alice"}, "userinfo": {"name": "Zo\xeb"}}
    every = (
        *("access_token", "access_token_type", "access_token_expires", "scope"),
        *("id_token", "id_token_payload", "userinfo_json"),
    )
    fields = ApacheFields(pass_on=frozenset(every), pass_claims=False)
    assert dict(fields.build({}, sources, kept, "openid")) == {
        "OIDC_access_token": b"at",
        "OIDC_access_token_type": b"Bearer",
        "OIDC_access_token_expires": b"99",
        "OIDC_scope": b"openid",
        "OIDC_id_token": b"a.b.c",
        "OIDC_id_token_payload": b'{"sub":"alice"}',
        "OIDC_userinfo_json": b'{"name":"Zo\\u00eb"}',
    }
    assert ApacheFields().build({}, sources, kept, "openid") == []


def test_a_claim_cannot_be_one_of_our_own_fields() -> None:
    fields = ApacheFields(prefix="OIDC_", pass_on=frozenset({"scope"}))
    with pytest.raises(ValueError, match="two claims"):
        fields.build({"Scope": "admin"}, {}, {}, "openid")


@given(st.dictionaries(NAMES, JSON, max_size=4), st.sampled_from(ENCODINGS))
def test_every_field_stays_one_line(claims: dict[str, Any], encoding: Encoding) -> None:
    try:
        found = ApacheFields(encoding=encoding).build(claims, {}, {}, "")
    except ValueError as e:
        assert "two claims" in str(e)  # noqa: PT017
        return
    for name, value in found:
        assert re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", name)
        assert not set(value) & {*range(9), *range(10, 32), 127}
        assert value == value.strip(b" \t")


@given(st.text(), st.sampled_from(ENCODINGS))
def test_a_text_that_is_sent_comes_back(text: str, encoding: Encoding) -> None:
    found = sent({"x": text}, encoding=encoding).get("OIDC_CLAIM_x")
    if found is None:
        return
    if encoding == "base64url":
        found = urlsafe_b64decode(found + b"=" * (-len(found) % 4))
    assert found.decode("latin-1" if encoding == "latin1" else "utf-8") == text


@given(st.lists(st.text(), min_size=1), st.sampled_from(",;| "))
def test_a_list_comes_back(texts: list[str], delimiter: str) -> None:
    joined = write_claim(texts, delimiter)
    assert joined is not None
    found: list[str] = []
    element, escaped = "", False
    for char in joined:
        if escaped or char not in {"\\", delimiter}:
            element, escaped = element + char, False
        elif char == "\\":
            escaped = True
        else:
            found, element = [*found, element], ""
    assert [*found, element] == texts


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none()))
def test_an_object_comes_back(value: dict[str, Any]) -> None:
    text = write_claim(value, ",")
    assert text is not None
    assert json.loads(text) == value
