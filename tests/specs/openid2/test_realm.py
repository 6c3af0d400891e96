"""Which URLs we are, as providers see it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.openid2.names import RETURN_TO
from sso_proxy.specs.openid2.realm import (
    RealmError,
    build_return_to_document,
    read_realm,
)
from sso_proxy.specs.openid2.xrds import Service, read_xrds

COVERED = [
    ("https://app.example/", "https://app.example/"),
    ("https://app.example/", "https://APP.example:443/a?b=c"),
    ("https://app.example/shop", "https://app.example/shop"),
    ("https://app.example/shop", "https://app.example/shop?x"),
    ("https://app.example/shop", "https://app.example/shop/a"),
    ("https://app.example/shop/", "https://app.example/shop/a"),
    ("https://*.app.example/", "https://www.app.example/a"),
    ("https://*.app.example/", "https://a.b.app.example/a"),
    ("https://*.app.example/", "https://app.example/a"),
    ("http://app.example:8080/", "http://app.example:8080/x"),
]
OUTSIDE = [
    ("https://app.example/", "http://app.example/"),
    ("https://app.example/", "https://app.example:8443/"),
    ("https://app.example/", "https://www.app.example/"),
    ("https://app.example/", "https://app.example.evil.example/"),
    ("https://app.example/", "https://app.example@evil.example/"),
    ("https://app.example/shop", "https://app.example/shopping"),
    ("https://app.example/shop", "https://app.example/shop/../admin"),
    ("https://app.example/shop", "https://app.example/shop/%2e%2e/admin"),
    ("https://app.example/shop/", "https://app.example/"),
    ("https://*.app.example/", "https://evilapp.example/"),
    ("https://*.app.example/", "https://app.example.evil.example/"),
    ("https://app.example/", "no url"),
]


@pytest.mark.parametrize(("realm", "url"), COVERED)
def test_a_realm_covers_what_is_below_it(realm: str, url: str) -> None:
    assert read_realm(realm).covers(url)


@pytest.mark.parametrize(("realm", "url"), OUTSIDE)
def test_a_realm_covers_nothing_else(realm: str, url: str) -> None:
    assert not read_realm(realm).covers(url)


@pytest.mark.parametrize(
    "text",
    [
        *("", "app.example", "https://app.example", "https://app.example/?a=b"),
        *("https://app.example/#a", "https://APP.example/", "https://app.example:443/"),
        *(
            "https://a.*.example/",
            "https://*/",
            "https://*.example/",
            "https://*app.b/",
        ),
        *("https://*.*.app.example/", "https://*.192.0.2.1/", "ftp://app.example/"),
        *("https://u@app.example/", "https://app.example/a/../b", "https://[::1/"),
    ],
)
def test_what_providers_would_read_otherwise_is_no_realm(text: str) -> None:
    with pytest.raises(RealmError) as refused:
        read_realm(text)
    assert str(refused.value)


def test_the_document_says_where_answers_may_go() -> None:
    places = "https://app.example/.sso/callback/openid", "https://app.example/b?c=d&e=f"
    found = read_xrds(build_return_to_document(*places))
    assert found == (Service(types=(RETURN_TO,), uris=places),)


@given(st.text(alphabet="https:/*.app.example?#@[]%2e"))
def test_no_text_raises_anything_else(text: str) -> None:
    for each in (text, f"https://{text}", f"https://*.{text}/"):
        try:
            assert read_realm(each).text == each
        except RealmError:
            continue
