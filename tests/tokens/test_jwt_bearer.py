"""Tokens for JWTs."""

from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.testing.fakes import FakeTokenSource, make_request
from sso_proxy.token import Audience, NotIssued, Token
from sso_proxy.tokens.jwt_bearer import JwtBearerSource
from tests.support.remote_scene import ORDERS, SECRET, THEIRS, RemoteScene, caller

CLIENT: dict[str, Any] = {"client_id": "proxy", "client_secret": Secret(SECRET)}
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def make(**options: Any) -> RemoteScene:  # noqa: ANN401
    return RemoteScene(JwtBearerSource, **(CLIENT | options))


def test_a_verified_access_token_is_an_assertion() -> None:
    """RFC 7523 section 2.1."""
    scene = make()
    assert isinstance(scene.ask(), Token)
    assert scene.sts.last == {
        "grant_type": JWT_BEARER,
        "assertion": THEIRS,
        "resource": ORDERS.name,
    }
    assert scene.sts.complaints == []


def test_a_token_of_our_own_is_one_made_for_the_server() -> None:
    own = FakeTokenSource(Token(value="eyJ.e30.c2ln"))
    scene = make(subject="token:own", subject_audience="https://sts.example.com")
    scene.tools.tokens["own"] = own
    assert isinstance(scene.ask(), Token)
    assert scene.sts.last["assertion"] == "eyJ.e30.c2ln"
    assert own.asked[0][1] == Audience(name="https://sts.example.com")


@pytest.mark.parametrize("text", ["opaque", "a.b.c d", '{"sub":"alice"}', "<a/>"])
def test_what_is_no_jwt_is_not_sent(text: str) -> None:
    scene = make(subject="header:x-legacy")
    answer = scene.ask(caller(request=make_request(headers={"x-legacy": text})))
    assert isinstance(answer, NotIssued)
    assert (answer.reason, answer.status) == ("token-malformed", 400)
    assert scene.sts.count == 0


def test_it_has_to_be_made_from_something() -> None:
    with pytest.raises(ValueError, match="subject is missing"):
        make(subject="none").make()
