"""Options of cookies and lifetimes."""

import pytest

from sso_proxy.errors import ConfigError
from sso_proxy.sessions.options import CookieConfig, check_lifetimes, read_scope
from sso_proxy.specs.http.cookies import Scope


def test_a_scope_is_what_the_options_say() -> None:
    config = CookieConfig(name="__Secure-sso", domain="example.com", same_site="none")
    assert read_scope(config) == Scope(same_site="none", domain="example.com")


def test_the_option_at_fault_is_named() -> None:
    with pytest.raises(ConfigError, match=r"^cookie\.domain: .*__Secure-sso"):
        read_scope(CookieConfig(domain="example.com"))


def test_a_session_cannot_be_over_before_it_is_inactive() -> None:
    check_lifetimes(10, 10)
    with pytest.raises(ConfigError, match="inactivity"):
        check_lifetimes(11, 10)
