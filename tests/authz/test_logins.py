"""Tests for `sso_proxy.authz.logins`."""

import pytest

from sso_proxy.authz.logins import (
    Login,
    authenticated_at,
    authenticated_within,
    is_enough,
    sufficient_logins,
)
from sso_proxy.testing.fakes import NOW, make_identity, make_request


@pytest.mark.parametrize("auth_time", [0, 1_700_000_000, 1_700_000_000.5])
def test_a_login_has_its_time(auth_time: float) -> None:
    assert authenticated_at(make_identity(claims={"auth_time": auth_time})) == auth_time


@pytest.mark.parametrize(
    "auth_time", [None, True, "1", [1], 1e300, 10**400, float("nan"), -1e300], ids=repr
)
def test_what_is_no_time_tells_nothing(auth_time: object) -> None:
    identity = make_identity(claims={"auth_time": auth_time})
    assert authenticated_at(identity) is None
    assert authenticated_within(10, identity, make_request()) is None


def test_a_login_is_as_old_as_the_request_is_late() -> None:
    identity = make_identity(claims={"auth_time": NOW})
    assert authenticated_within(10, identity, make_request(time=NOW + 10))
    assert authenticated_within(10, identity, make_request(time=NOW + 10.1)) is False
    assert authenticated_within(10, identity, make_request(time=NOW - 60))
    assert authenticated_within(10, identity, make_request(time=NOW - 61)) is None
    assert authenticated_within(10, identity, make_request(time=None)) is None


def test_another_login_changes_what_it_is_about() -> None:
    identity = make_identity(claims={"acr": "a", "auth_time": 1, "x": 1})
    request = make_request(time=1000.5)
    changed = Login("b", 300).of(identity, request)
    assert changed.claims == {"acr": "b", "auth_time": 701, "x": 1}
    assert authenticated_within(300, changed, request)
    assert Login(None, None).of(identity, request) == identity
    assert Login(None, 3).of(identity, make_request(time=None)) == identity


def test_the_least_that_is_enough_is_found() -> None:
    def found(*enough: Login) -> tuple[Login, ...]:
        return sufficient_logins(("a", "b"), (60, 300), lambda login: login in enough)

    assert found() == ()
    assert found(Login("b", None), Login(None, 300)) == (Login("b", None),)
    assert found(Login("a", None), Login("b", None)) == (
        Login("a", None),
        Login("b", None),
    )
    assert found(Login(None, 60), Login(None, 300)) == (Login(None, 300),)
    assert found(Login("a", 300), Login(None, 300)) == (Login(None, 300),)
    assert found(Login("a", 60)) == (Login("a", 60),)


@pytest.mark.parametrize(
    ("acr_values", "max_age", "enough"),
    [
        ((), None, True),
        (("gold", "silver"), None, True),
        (("gold",), None, False),
        ((), 60, True),
        ((), 59, False),
        (("silver",), 59, False),
    ],
)
def test_a_login_is_enough_if_all_of_it_is(
    acr_values: tuple[str, ...], max_age: int | None, enough: object
) -> None:
    identity = make_identity(claims={"acr": "silver", "auth_time": NOW - 60})
    assert is_enough(acr_values, max_age, identity, make_request()) is enough


def test_a_login_at_nobody_knows_when_is_none_of_lately() -> None:
    assert not is_enough((), 60, make_identity(), make_request())
