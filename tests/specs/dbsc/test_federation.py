"""Documents and claims of sessions that share a key."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.errors import TokenError
from sso_proxy.specs.dbsc.federation import (
    MAX_ORIGINS,
    build_document,
    check_origin,
    read_provider,
)
from sso_proxy.specs.dbsc.fields import Provider

IDP = "https://login.example.com"
RP = "https://app.example.org:8443"
KEY = "A" * 43


def test_a_provider_names_those_who_may_share_its_keys() -> None:
    """And never a provider: browsers would take it for no provider then."""
    document = json.loads(build_document(relying=(RP,)))
    assert document == {"relying_origins": [RP]}


def test_a_relying_party_names_its_one_provider() -> None:
    assert json.loads(build_document(provider=IDP)) == {"provider_origin": IDP}


@pytest.mark.parametrize(
    "wrong",
    [
        {"relying": (RP,), "provider": IDP},
        {"relying": (f"{RP}/",)},
        {"relying": ("http://app.example.org",)},
        {"relying": ("https://app.example.org:443",)},
        {"relying": ("https://App.example.org",)},
        {"relying": ("*",)},
        {"provider": "login.example.com"},
        {"provider": "https://user@login.example.com"},
        {"relying": (f"{RP}?x",)},
        {"relying": tuple(f"https://{n}.example" for n in range(MAX_ORIGINS + 1))},
    ],
)
def test_what_browsers_would_not_take_is_not_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"origin|URI|https"):
        build_document(**wrong)


def test_an_origin_is_given_back() -> None:
    assert check_origin(RP) == RP


def test_a_login_says_which_session_and_key() -> None:
    assert read_provider("s1", IDP, KEY) == Provider(session_id="s1", url=IDP, key=KEY)


@pytest.mark.parametrize("session_id", [None, 1, "", "a\nb", "é", "a" * 257, ["s1"]])
def test_a_session_needs_a_name(session_id: object) -> None:
    with pytest.raises(TokenError, match="name"):
        read_provider(session_id, IDP, KEY)


@pytest.mark.parametrize(
    "key", [None, 1, "", "A" * 42, "A" * 42 + "B", "A" * 44, [KEY]]
)
def test_a_key_needs_a_thumbprint(key: object) -> None:
    """Without one any key would do, a thief's too."""
    with pytest.raises(TokenError, match="thumbprint"):
        read_provider("s1", IDP, key)


@given(st.text(), st.text())
def test_no_claim_breaks_the_reader(session_id: str, key: str) -> None:
    with suppress(TokenError):
        assert read_provider(session_id, IDP, key).key == key
