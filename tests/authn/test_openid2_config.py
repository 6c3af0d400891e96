"""Options that make no sense are refused."""

from typing import Any

import pytest

from sso_proxy.authn.openid2_config import OpenId2Config


def _config(**options: Any) -> OpenId2Config:  # noqa: ANN401
    return OpenId2Config(mappers=("users",), **options)


@pytest.mark.parametrize(
    "options",
    [
        {"provider": "=alice"},
        {"choices": {"": "https://op.example/"}},
        {"choices": {"Ours": "mailto:x@example.com"}},
        {"providers": ("https://op.example/x*",)},
        {"networks": ("10.0.0.1/8",)},
        {"associations": ("HMAC-SHA256/DH-SHA1",)},
        {"associations": ("HMAC-SHA1/DH-SHA1",) * 2},
        {"realm": "https://app.example.com"},
        {"realm": "app"},
        {"start_page": "https://evil.example/"},
        {"start_page": "//evil.example/"},
        {"within": 0},
    ],
)
def test_what_cannot_be_meant(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        _config(**options)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"crl": "x"}, "crl needs ca"),
        (
            {"provider": "https://a.example/", "choices": {"B": "https://b.example/"}},
            "nothing to choose",
        ),
        ({"typed": False}, "nobody could log in"),
        ({"provider": "https://a.example/", "in_answer": True}, "in_answer"),
        ({"choices": {"A": "http://a.example/"}}, "have to be https"),
    ],
)
def test_what_does_not_go_together(options: dict[str, Any], problem: str) -> None:
    (found,) = _config(**options).problems()
    assert problem in found


def test_somebody_has_to_know_whose_identifiers_are() -> None:
    with pytest.raises(ValueError, match="must not be empty"):
        OpenId2Config(mappers=())


def test_a_realm_is_on_the_host_of_the_request_or_anywhere() -> None:
    assert _config().realm_at("https://a.example") == "https://a.example/"
    wide = _config(realm="https://*.example.com/")
    assert wide.realm_at("https://a.example.com") == "https://*.example.com/"


def test_what_is_less_safe_is_named() -> None:
    assert list(_config().notes) == []
    (note,) = _config(https_only=False).notes
    assert note.startswith("https_only = false")
