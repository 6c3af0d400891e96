"""What browsers of the benchmark keep."""

from unittest.mock import sentinel

import pytest

from tests.bench.browsing import Browser


@pytest.mark.parametrize(
    "value", ["ZQ1970zT", "Expires=1970", "max-age=0"], ids=["year", "expires", "age"]
)
def test_cookie_is_kept_whatever_its_value_looks_like(value: str) -> None:
    browser = Browser(sentinel.target, sentinel.things)
    browser.keep(f"__Host-sso={value}; Path=/; Max-Age=1970; Secure")
    assert browser.field == f"__Host-sso={value}"


@pytest.mark.parametrize(
    "attribute",
    ["Max-Age=0", "expires=Thu, 01 Jan 1970 00:00:00 GMT"],
    ids=["age", "expires"],
)
def test_cookie_that_ends_is_not_kept(attribute: str) -> None:
    browser = Browser(sentinel.target, sentinel.things)
    browser.keep("__Host-sso=one; Path=/")
    browser.keep(f"__Host-sso=gone; Path=/; {attribute}; Secure")
    assert not browser.cookies
