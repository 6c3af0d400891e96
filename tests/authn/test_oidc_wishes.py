"""Routes ask for what they want, and a session of another route may be too little."""

from typing import Any

import attrs
import pytest

from sso_proxy.authn.oidc_wishes import (
    KEPT,
    MOST,
    Asked,
    check_wishes,
    lacks,
    refusal_of,
)
from sso_proxy.login import Wishes
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity

CREATED = 1_800_000_000.0
GROUPS: dict[str, Any] = {"id_token": {"groups": {"essential": True}}}
MAIL: dict[str, Any] = {"id_token": {"email": None}, "userinfo": {"phone": None}}


def session(asked: dict[str, Any] | None = None, **claims: object) -> Session:
    """Give a session whose login was asked for that."""
    identity = attrs.evolve(make_identity(claims=claims), sources={"id_token": claims})
    return Session(
        id="s1",
        identity=identity,
        created=CREATED,
        used=CREATED,
        expires=CREATED + 3600,
        data={} if asked is None else {KEPT: asked},
    )


def is_enough(found: Session, defaults: Asked | None = None, **wishes: Any) -> bool:  # noqa: ANN401
    defaults = defaults or Asked()
    asked = Asked.by(defaults, Wishes(**wishes))
    return not lacks(found, asked, defaults, leeway=10)


def test_a_route_counts_more_than_the_table_where_it_says_something() -> None:
    defaults = Asked(acr_values=("silver",), max_age=600, prompt=("login",))
    asked = Asked.by(defaults, Wishes(acr_values=("gold",), prompt=(), max_age=0))
    assert asked == Asked(acr_values=("gold",), max_age=0)
    assert Asked.by(defaults) == Asked.by(defaults, Wishes()) == defaults


@pytest.mark.parametrize(
    ("claims", "enough"),
    [({"acr": "gold"}, True), ({"acr": "silver"}, False), ({}, False)],
)
def test_the_session_has_one_of_the_contexts(
    claims: dict[str, Any],
    enough: bool,  # noqa: FBT001
) -> None:
    assert is_enough(session(**claims), acr_values=("best", "gold")) is enough


@pytest.mark.parametrize(
    ("asked", "auth_time", "enough"),
    [
        ({"max_age": 60}, None, True),
        ({"max_age": 61}, None, False),
        (None, CREATED - 70, True),
        (None, CREATED - 71, False),
        (None, None, False),
        (None, "0", False),
        (None, True, False),
    ],
)
def test_the_user_had_just_authenticated_when_the_session_began(
    asked: dict[str, Any] | None,
    auth_time: object,
    enough: bool,  # noqa: FBT001
) -> None:
    """Whatever has been asked for as fresh has been found so."""
    assert is_enough(session(asked, auth_time=auth_time), max_age=60) is enough


def test_the_token_is_for_all_that_is_wanted() -> None:
    assert is_enough(session({"resource": ["a:1", "a:2"]}), resource=("a:2",))
    assert not is_enough(session({"resource": ["a:1"]}), resource=("a:1", "a:2"))
    assert not is_enough(session(), resource=("a:1",))
    assert is_enough(session(), Asked(resource=("a:1",)))


def test_a_route_that_wants_nothing_else_has_what_its_table_says() -> None:
    """Another route of the host cannot have people get in here with less."""
    table = Asked(acr_values=("gold",), claims=GROUPS, resource=("a:1",))
    assert is_enough(session(acr="gold", groups=[]), table)
    assert not is_enough(session(acr="silver", groups=[]), table)
    assert not is_enough(session({"resource": []}, acr="gold", groups=[]), table)
    assert not is_enough(session({"claims": {}}, acr="gold", groups=[]), table)
    assert not is_enough(session(acr="gold"), table)


def test_what_was_asked_for_is_enough_but_essential_claims_have_to_be_there() -> None:
    assert is_enough(session({"claims": MAIL}), claims=MAIL)
    assert not is_enough(session({"claims": MAIL}), claims=GROUPS)
    assert not is_enough(session({"claims": GROUPS}), claims=GROUPS)
    assert is_enough(session({"claims": GROUPS}, groups=["staff"]), claims=GROUPS)


def test_the_other_login_is_for_the_routes_of_the_one_before_too() -> None:
    before = session({"claims": MAIL, "resource": ["a:1"]})
    asked = Asked(claims=GROUPS, resource=("a:2",)).beside(before, Asked())
    assert asked.resource == ("a:2", "a:1")
    assert asked.claims == {
        "id_token": {"email": None, "groups": {"essential": True}},
        "userinfo": {"phone": None},
    }
    table = Asked(resource=("a:3",), claims=MAIL)
    asked = Asked(resource=("a:2",)).beside(session(), table)
    assert (asked.resource, asked.claims) == (("a:2", "a:3"), MAIL)


def test_what_would_be_too_much_for_a_cookie_is_asked_for_in_turns() -> None:
    names = {f"claim{number}" * 4: None for number in range(30)}
    before = session({"claims": {"userinfo": names}})
    asked = Asked(claims={"userinfo": {"x" * 50: None}}).beside(before, Asked())
    assert asked.claims == {"userinfo": {"x" * 50: None}}


def test_the_client_is_told_which_login_is_enough() -> None:
    refusal = refusal_of(Asked(acr_values=("gold",), max_age=5))
    assert (refusal.error, refusal.acr_values, refusal.max_age) == (
        "insufficient_user_authentication",
        ("gold",),
        5,
    )


def test_good_wishes_are_taken() -> None:
    check_wishes(Wishes())
    check_wishes(
        Wishes(
            acr_values=("gold",),
            max_age=0,
            prompt=("login",),
            login_hint="alice",
            ui_locales=("de",),
            claims=GROUPS,
            resource=("https://api.example.com",),
        )
    )


@pytest.mark.parametrize(
    ("wishes", "problem"),
    [
        (Wishes(acr_values=("a b",)), "acr_values"),
        (Wishes(resource=("relative",)), "resource"),
        (Wishes(ui_locales=("de_DE",)), "ui_locales"),
        (Wishes(claims={"id": {}}), "id is neither id_token nor userinfo"),
        (Wishes(claims={"id_token": {"a": 1}}), "id_token.a"),
        (Wishes(claims={"id_token": {"a" * MOST: None}}), "characters"),
    ],
)
def test_what_nobody_can_be_asked_is_refused(wishes: Wishes, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        check_wishes(wishes)
