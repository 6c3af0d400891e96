"""Cookies for a domain are written as their readers need them, and safely otherwise."""

import pytest

from sso_proxy.specs.http.domain_cookie import DomainCookie

COOKIE = DomainCookie(name="auth_pubtkt", domain="example.com")


def test_it_is_for_tls_and_no_script_unless_said_otherwise() -> None:
    assert COOKIE.set("uid%3Da") == (
        "auth_pubtkt=uid%3Da; Path=/; Domain=example.com; Secure; HttpOnly;"
        " SameSite=Lax"
    )
    open_one = DomainCookie(
        name="t", domain="b.example", secure=False, http_only=False, same_site="strict"
    )
    assert open_one.set("x") == "t=x; Path=/; Domain=b.example; SameSite=Strict"


def test_it_is_taken_away_where_it_was_set() -> None:
    assert COOKIE.clear() == (
        "auth_pubtkt=; Path=/; Domain=example.com; Secure; HttpOnly; SameSite=Lax;"
        " Max-Age=0"
    )


def test_in_a_frame_of_another_site_it_is_taken_away_all_the_same() -> None:
    """Browsers heed no other ones there, whatever they said when it was set."""
    gone = "t=; Path=/; Domain=b.example; Secure; HttpOnly; SameSite=None; Max-Age=0"
    for secure in (True, False):
        cookie = DomainCookie(name="t", domain="b.example", secure=secure)
        assert cookie.clear(framed=True) == gone


@pytest.mark.parametrize(
    "value", ["", "a b", "a;b", 'a"', "a\\b", "a,b", "a\r\nb", "é"]
)
def test_what_would_end_it_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="no value"):
        COOKIE.set(value)


def test_only_hosts_of_the_domain_set_it() -> None:
    assert COOKIE.covers("login.example.com")
    assert COOKIE.covers("example.com")
    assert not COOKIE.covers("login.badexample.com")
