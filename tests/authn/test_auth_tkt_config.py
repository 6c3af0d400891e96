"""Options of auth_tkt that cannot be meant are refused where they stand."""

from typing import Any

import pytest

from sso_proxy.authn.auth_tkt_config import AuthTktConfig
from sso_proxy.config.secrets import Secret

SECRET = Secret("a secret that all share")


def config(**options: Any) -> AuthTktConfig:  # noqa: ANN401
    return AuthTktConfig(**{"secret": SECRET, **options})


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("digest", "sha1"),
        ("login_url", "login"),
        ("login_url", "//evil.test/"),
        ("timeout_url", "javascript:alert(1)"),
        ("cookie_name", "a=b"),
        ("cookie_domain", ".example.com"),
        ("cookie_domain", "example"),
        ("cookie_domain", "example.com; x"),
        ("back_argument", "a&b"),
        ("back_cookie", "a b"),
        ("timeout", -1.0),
        ("timeout_refresh", 1.1),
        ("leeway", -1.0),
        ("cookie_expires", 0.0),
        ("guest_user", ""),
        ("guest_user", "a!b"),
        ("guest_user", "a\nb"),
        ("guest_user", "%U%U\r"),
        ("issuer", ""),
        ("debug", 4),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(option: str, value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        config(**{option: value})


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"secret": Secret("7octets")}, "secret"),
        ({"secret": Secret("")}, "secret"),
        ({"secret_old": Secret("short")}, "secret_old"),
        ({"tokens": ("a,b",)}, "tokens"),
        ({"tokens": ("a!b",)}, "tokens"),
        ({"tokens": ("",)}, "tokens"),
        ({"cookie_name": "__Host-tkt"}, "cookie_name"),
        ({"guest_cookie": True}, "guest_cookie"),
        ({"guest_fallback": True}, "guest_fallback"),
        ({"guest_empty": True}, "guest_empty"),
        (
            {"guest_login": True, "guest_cookie": True, "guest_empty": True},
            "guest_cookie",
        ),
        ({"cookie_same_site": "none", "cookie_secure": False}, "cookie_same_site"),
    ],
)
def test_options_that_contradict_each_other_are_named(
    options: dict[str, object], option: str
) -> None:
    assert [name for name, _ in config(**options).problems()] == [option]


def test_what_a_site_needs_is_little() -> None:
    assert list(config(login_url="https://sso/login").problems()) == []
    assert list(config(login_url="/login", digest="SHA256").problems()) == []


def test_null_asks_for_no_token_only_where_it_is_the_first() -> None:
    assert config(tokens=("NULL", "admin")).wanted == config().wanted == frozenset()
    assert config(tokens=("admin", "NULL")).wanted == {"admin", "NULL"}


def test_tickets_are_made_with_the_new_secret() -> None:
    old = Secret("what it was before")
    keys = config(secret_old=old, digest="SHA512", user="quoted").keys()
    assert [key.secret for key in keys] == [
        b"a secret that all share",
        b"what it was before",
    ]
    assert {(key.digest, key.user) for key in keys} == {("sha512", "quoted")}


def test_no_secret_is_shown() -> None:
    assert "all share" not in repr(config()) + repr(config().keys())
