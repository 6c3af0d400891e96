"""What sessions have in common."""

from typing import Any

import pytest

from sso_proxy.session import Session
from sso_proxy.sessions.groups import Group, groups_of, is_older, sid_of, user_of
from sso_proxy.testing.fakes import make_identity

ISSUER = make_identity().issuer


def session(*, sid: object = "s-1", **claims: Any) -> Session:  # noqa: ANN401
    return Session(
        id="one",
        identity=make_identity("alice", claims=claims),
        created=100.0,
        used=100.0,
        expires=1000.0,
        data={} if sid is ... else {"sid": sid},
    )


def test_a_session_belongs_to_its_user_and_to_that_at_the_provider() -> None:
    user, sid = ("sub", ISSUER, "alice"), ("sid", ISSUER, "s-1")
    assert groups_of(session()) == [user, sid]
    assert groups_of(session(sid=...)) == [user]


@pytest.mark.parametrize("sid", [None, "", 1, ["s-1"], {}, "x" * 256])
def test_what_is_no_name_of_a_session_counts_as_none(sid: object) -> None:
    assert sid_of(session(sid=sid)) is None


def test_sessions_are_older_that_began_no_later() -> None:
    user = user_of(session())
    assert is_older(session(), user, 100)
    assert not is_older(session(), user, 99.9)


def test_what_a_provider_vouched_for_before_its_session_was_over_is_older() -> None:
    sid: Group = ("sid", ISSUER, "s-1")
    assert is_older(session(iat=95), sid, 99)
    assert not is_older(session(iat=99.5), sid, 99)
    assert not is_older(session(), sid, 99)


def test_a_refreshed_token_makes_no_session_younger() -> None:
    assert is_older(session(iat=500), ("sid", ISSUER, "s-1"), 100)


def test_a_user_may_log_in_again_at_once() -> None:
    """The provider's clock may be behind ours; of a user there is no next name."""
    assert not is_older(session(iat=95), user_of(session()), 99)
