"""What becomes of logins that nobody sees."""

import pytest

from sso_proxy.endpoints.silent_logins import SilentLogin, judge_silent
from sso_proxy.login import Finished, Wanted
from sso_proxy.model import Response
from sso_proxy.session import Session
from sso_proxy.testing.fakes import make_identity

ALICE = make_identity("alice")
WHO = (ALICE.issuer, "alice")
TARGET = "/.sso/iframe/rp/corp"


def session(user: str) -> Session:
    return Session(
        id="1", identity=make_identity(user), created=0.0, used=0.0, expires=9.0
    )


def finished(user: str = "alice", who: tuple[str, str] | None = WHO) -> Finished:
    return Finished(
        identity=make_identity(user),
        data={"session_state": "s-2"},
        wanted=Wanted(target=TARGET, silent_for=who),
    )


def judge(found: Finished | Response, user: str = "alice") -> SilentLogin | None:
    return judge_silent(found, session(user) if user else None, "/.sso/")


def test_the_same_user_goes_on() -> None:
    assert judge(finished()) == SilentLogin(status="same", state="s-2", begins=True)


@pytest.mark.parametrize("user", ["", "bob"])
def test_no_session_begins_but_in_place_of_the_users_own(user: str) -> None:
    assert judge(finished(), user) == SilentLogin(status="same", state="s-2")


def test_another_user_is_not_the_one() -> None:
    assert judge(finished("bob")) == SilentLogin(status="gone")


@pytest.mark.parametrize(
    ("reason", "status"),
    [
        ("login-denied", "gone"),
        ("provider-error", "unknown"),
        ("login-refused", "unknown"),
        ("login-state", "unknown"),
    ],
)
def test_only_what_the_provider_says_counts(reason: str, status: str) -> None:
    found = judge(Response(status=403, reason=reason, again=TARGET))
    assert found is not None
    assert found.status == status
    assert not found.begins


def test_other_logins_are_others() -> None:
    assert judge(finished(who=None)) is None
    assert judge(Response(status=403, reason="login-denied", again="/page")) is None
    assert judge(Response(status=400, reason="login-state")) is None


def test_a_page_tells_the_page_around_it() -> None:
    cookie = ("set-cookie", "a=b")
    page = SilentLogin(status="same", state="s'2").page(
        (cookie, ("cache-control", "no-store"))
    )
    assert b'data-state="s&#39;2"' in page.body
    assert cookie in page.headers
    assert [name for name, _ in page.headers].count("cache-control") == 1
