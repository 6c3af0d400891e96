"""Options of pubtkt that cannot be meant are refused where they stand."""

import pytest

from sso_proxy.authn.pubtkt_config import PubtktConfig
from sso_proxy.config.secrets import Secret


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("public_key", ""),
        ("login_url", "login"),
        ("login_url", "javascript:alert(1)"),
        ("login_url", "https://sso.example.com/#x"),
        ("login_url", "https://sso.example.com/\r\nX: y"),
        ("refresh_url", "ftp://sso.example.com/"),
        ("headers", ()),
        ("headers", ("X My",)),
        ("headers", ("Cookie", "cookie")),
        ("cookie_name", "a=b"),
        ("back_argument", "a&b"),
        ("back_argument", ""),
        ("issuer", ""),
        ("cache_size", 0),
        ("debug", 4),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(option: str, value: object) -> None:
    options: dict[str, object] = {"public_key": "sso.pem", option: value}
    with pytest.raises(ValueError, match=r"."):
        PubtktConfig(**options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"passthru_basic_key": Secret("0123456789abcdef")}, "passthru_basic_key"),
        (
            {"passthru_basic_key": Secret("short"), "passthru_basic": True},
            "passthru_basic_key",
        ),
        ({"tokens": ("a,b",)}, "tokens"),
        ({"tokens": ("",)}, "tokens"),
    ],
)
def test_options_that_contradict_each_other_are_named(
    options: dict[str, object], option: str
) -> None:
    config = PubtktConfig(public_key="sso.pem", **options)  # type: ignore[arg-type]
    assert [name for name, _ in config.problems()] == [option]


def test_what_a_site_needs_is_little() -> None:
    config = PubtktConfig(public_key="sso.pem", login_url="https://sso/login?x=1")
    assert list(config.problems()) == []
    assert not config.sets_authorization


def test_null_asks_for_no_token_only_where_it_is_the_first() -> None:
    def wanted(*tokens: str) -> frozenset[str]:
        return PubtktConfig(public_key="sso.pem", tokens=tokens).wanted

    assert wanted("NULL", "admin") == wanted() == frozenset()
    assert wanted("admin", "NULL") == {"admin", "NULL"}
