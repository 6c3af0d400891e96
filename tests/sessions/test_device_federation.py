"""Which keys sessions share, and what is told about them."""

import json
from typing import Any

import pytest

from sso_proxy.model import Identity
from sso_proxy.sessions.device_federation import FederationConfig
from sso_proxy.specs.dbsc.fields import Provider

IDP = "https://login.example.com"
RP = "https://app.example.org"
KEY = "A" * 43
PROVIDER = FederationConfig(relying=(RP,))
RELYING = FederationConfig(provider=IDP)


def who(**claims: Any) -> Identity:  # noqa: ANN401
    return Identity(issuer=IDP, subject="alice", authenticator="op", claims=claims)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"relying": (RP,), "provider": IDP},
        {"relying": ("app.example.org",)},
        {"relying": (f"{RP}/",)},
        {"provider": "http://login.example.com"},
        {"provider": IDP, "key_claim": ""},
        {"provider": IDP, "key_claim": "c", "session_claim": "c"},
    ],
)
def test_what_makes_no_sense_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"either|origin|URI|empty|differ"):
        FederationConfig(**wrong)


def test_each_side_names_the_other() -> None:
    assert json.loads(PROVIDER.document) == {"relying_origins": [RP]}
    assert json.loads(RELYING.document) == {"provider_origin": IDP}


def test_a_login_names_the_key_to_be_shared() -> None:
    claims = {"provider_session_id": "s1", "provider_key": KEY}
    wanted = Provider(session_id="s1", url=IDP, key=KEY)
    assert RELYING.provider_of(claims) == wanted
    other = FederationConfig(provider=IDP, session_claim="a", key_claim="b")
    assert other.provider_of({"a": "s1", "b": KEY, **claims}) == wanted
    assert other.provider_of(claims) is None


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"provider_session_id": "s1"},
        {"provider_key": KEY},
        {"provider_session_id": "s1", "provider_key": "short"},
        {"provider_session_id": ["s1"], "provider_key": KEY},
        {"provider_session_id": "s\n1", "provider_key": KEY},
    ],
)
def test_without_a_name_there_is_no_key_to_be_shared(claims: dict[str, Any]) -> None:
    """And none is made up: a new one might be a thief's."""
    assert RELYING.provider_of(claims) is None


def test_what_stands_behind_a_provider_is_told() -> None:
    told = PROVIDER.tell(who(email="a@example.com"), "s1", KEY)
    assert told.claims == {
        "email": "a@example.com",
        "provider_session_id": "s1",
        "provider_key": KEY,
    }


def test_nobody_else_tells_of_keys() -> None:
    """Another login's claims do not pass for what we have seen proved."""
    forged = who(provider_session_id="s0", provider_key="B" * 43, email="e")
    assert PROVIDER.tell(forged, "s1", "").claims == {"email": "e"}
    assert PROVIDER.tell(forged, "s1", KEY).claims["provider_key"] == KEY


def test_what_needs_no_change_is_not_changed() -> None:
    identity = who(email="e")
    assert PROVIDER.tell(identity, "s1", "") is identity
