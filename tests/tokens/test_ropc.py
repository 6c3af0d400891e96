"""Tokens for names and passwords."""

from typing import Any

import pytest

from sso_proxy.config.secrets import Secret
from sso_proxy.model import Caller
from sso_proxy.testing.fakes import make_identity, make_request
from sso_proxy.token import NotIssued, Token
from sso_proxy.tokens.ropc import RopcSource
from tests.support.remote_scene import ORDERS, SECRET, RemoteScene, caller
from tests.support.sts_faults import Said

CLIENT: dict[str, Any] = {"client_id": "proxy", "client_secret": Secret(SECRET)}


def make(**options: Any) -> RemoteScene:  # noqa: ANN401
    return RemoteScene(RopcSource, **(CLIENT | options))


def with_cookie(value: str, user: str = "alice", **claims: Any) -> Caller:  # noqa: ANN401
    request = make_request(headers={"cookie": f"other=1; portal={value}"})
    return caller(make_identity(user, claims=claims), request=request, user=user)


def sent(scene: RemoteScene) -> tuple[str, str]:
    return scene.sts.last["username"], scene.sts.last["password"]


def refused(answer: Token | NotIssued) -> tuple[str, int]:
    assert isinstance(answer, NotIssued)
    return answer.reason, answer.status


def test_a_legacy_token_is_sent_as_the_callers_password() -> None:
    """RFC 6749 section 4.3.2."""
    scene = make(subject="cookie:portal", scope=("a", "b"))
    assert isinstance(scene.ask(with_cookie("legacy&token=1")), Token)
    assert scene.sts.last == {
        "grant_type": "password",
        "username": "alice",
        "password": "legacy&token=1",
        "scope": "a b",
        "resource": ORDERS.name,
    }
    assert scene.sts.complaints == []


def test_what_is_sent_is_taken_out_of_the_request() -> None:
    assert make(subject="cookie:portal").source.consumes == ("cookie:portal",)


def test_one_name_and_password_may_be_for_all() -> None:
    scene = make(username="legacy", password=Secret("p\u00e4ss word"))
    assert scene.ask(with_cookie("a")) == scene.ask(with_cookie("b", "bob"))
    assert sent(scene) == ("legacy", "p\u00e4ss word")
    assert scene.sts.count == 1


def test_a_claim_may_be_the_name() -> None:
    scene = make(subject="cookie:portal", username_claim="legacy.name")
    assert isinstance(scene.ask(with_cookie("a", legacy={"name": "al"})), Token)
    assert sent(scene) == ("al", "a")


@pytest.mark.parametrize("claims", [{}, {"name": 1}, {"name": ["a", "b"]}])
def test_who_has_no_such_claim_gets_none(claims: dict[str, Any]) -> None:
    """And never the token of whoever is called something like it."""
    scene = make(subject="cookie:portal", username_claim="name")
    answer = scene.ask(with_cookie("a", **claims))
    assert refused(answer) == ("token-missing", 403)
    assert scene.sts.count == 0


def test_nobody_in_particular_gets_none() -> None:
    scene = make(subject="cookie:portal")
    assert refused(scene.ask(with_cookie("a", ""))) == ("token-missing", 403)


def test_without_a_password_nobody_is_asked() -> None:
    scene = make(subject="cookie:portal")
    assert refused(scene.ask()) == ("token-missing", 401)
    assert scene.sts.count == 0


def test_one_callers_token_is_no_other_callers() -> None:
    """Two users with one password, and one user with two (C11)."""
    scene = make(subject="cookie:portal")
    found = [
        scene.ask(with_cookie(value, user))
        for value, user in (("a", "alice"), ("a", "bob"), ("b", "alice"))
    ]
    assert len({token.value for token in found if isinstance(token, Token)}) == 3
    assert scene.ask(with_cookie("a", "bob")) == found[1]
    assert scene.sts.count == 3


def test_a_bare_403_is_a_refusal() -> None:
    """So says glewlwyd that a password is wrong, and nothing else."""
    scene = make(subject="cookie:portal")
    scene.sts.fail(Said(status=403))
    assert refused(scene.ask(with_cookie("wrong"))) == ("token-refused", 401)


def test_a_password_of_ours_that_is_refused_is_no_callers_fault() -> None:
    scene = make(username="legacy", password=Secret("wrong"))
    scene.sts.fail(Said(status=403))
    assert refused(scene.ask()) == ("token-refused", 502)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "subject is missing"),
        ({"subject": "cookie:a", "password": Secret("a")}, "only one of them"),
        ({"password": Secret("a"), "username": "a", "username_claim": "b"}, "only one"),
        ({"password": Secret("a"), "username": ""}, "must not be empty|empty"),
        ({"password": Secret("a"), "username_claim": "a b"}, "no path of a claim"),
    ],
)
def test_what_does_not_go_together_is_refused(
    options: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        make(**options).make()
