"""The proxy's own tokens."""

from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.testing.fakes import make_identity
from sso_proxy.token import Audience, Token
from sso_proxy.tokens.client_credentials import ClientCredentialsSource
from tests.support.remote_scene import ORDERS, SECRET, RemoteScene, caller

CLIENT: dict[str, Any] = {"client_id": "proxy", "client_secret": Secret(SECRET)}


def make(**options: Any) -> RemoteScene:  # noqa: ANN401
    return RemoteScene(ClientCredentialsSource, **(CLIENT | options))


def test_it_is_asked_for_with_audience_and_scopes() -> None:
    """RFC 6749 section 4.4.2, RFC 8707 section 2.2."""
    scene = make(scope=("orders.read", "orders.write"))
    assert isinstance(scene.ask(), Token)
    assert scene.sts.last == {
        "grant_type": "client_credentials",
        "scope": "orders.read orders.write",
        "resource": ORDERS.name,
    }
    assert scene.sts.complaints == []


def test_all_callers_have_the_same() -> None:
    scene = make()
    found = [
        scene.ask(caller(make_identity(name, token=f"of {name}"), user=name))
        for name in ("alice", "bob")
    ]
    found.append(scene.ask(caller(make_identity("eve"), user="")))
    assert found == [found[0]] * 3
    assert scene.sts.count == 1


def test_whom_it_is_for_may_stand_in_the_table() -> None:
    scene = make(resource=("https://a.example", "https://b.example"), audience=("c",))
    scene.ask(audience=Audience())
    fields = [field for field in scene.sts.asked[0].form if field[0] != "grant_type"]
    assert fields == [
        ("resource", "https://a.example"),
        ("resource", "https://b.example"),
        ("audience", "c"),
    ]


def test_nothing_of_a_caller_is_for_it() -> None:
    with pytest.raises(ValueError, match="subject has no effect"):
        make(subject="access_token").make()
