"""How long sessions last, whatever the clock does."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.session import Session
from sso_proxy.sessions.lifetime import SKEW, Lifetime
from sso_proxy.testing.fakes import make_identity

LIFETIME = Lifetime(inactivity=600, total=3600)
TIMES = st.floats(0, 1e6)


def make(created: float, used: float, expires: float) -> Session:
    return Session(
        id="x", identity=make_identity(), created=created, used=used, expires=expires
    )


def test_a_session_ends_with_its_identity_or_after_its_time() -> None:
    assert LIFETIME.end_of(100, None) == 3700
    assert LIFETIME.end_of(100, 200) == 200
    assert LIFETIME.end_of(100, 1e9) == 3700


@given(TIMES, TIMES, TIMES, TIMES)
def test_none_lasts_longer_than_it_may(
    created: float, used: float, expires: float, time: float
) -> None:
    """Not even one whose record says so."""
    if LIFETIME.is_alive(make(created, used, expires), time):
        assert time < expires
        assert time < created + 3600
        assert time < used + 600
        assert time > max(used, created) - SKEW - 1


def test_a_clock_that_is_a_little_behind_does_no_harm() -> None:
    session = make(1000, 1000, 4600)
    assert LIFETIME.is_alive(session, 1000 - SKEW)
    assert not LIFETIME.is_alive(session, 1000 - SKEW - 1)


def test_use_is_noted_once_a_minute_at_most() -> None:
    session = make(0, 0, 3600)
    assert not LIFETIME.is_due(session, 59)
    assert LIFETIME.is_due(session, 60)
    assert Lifetime(100, 3600).interval == 10


@given(TIMES, TIMES, TIMES, TIMES)
def test_what_is_kept_is_kept_for_some_time(
    created: float, used: float, expires: float, time: float
) -> None:
    """A cache takes no time to live of nothing."""
    assert 0 < LIFETIME.left(make(created, used, expires), time) <= 600


def test_a_decision_ends_with_the_session_at_the_latest() -> None:
    assert LIFETIME.until(make(0, 0, 3600)) == 60
    assert LIFETIME.until(make(0, 3590, 3600)) == 3600


def test_a_session_begins_unused_and_ends_with_its_identity() -> None:
    identity = make_identity(expires=200)
    session = LIFETIME.begin("s1", identity, {"a": 1}, 100)
    assert (session.id, session.identity, session.data) == ("s1", identity, {"a": 1})
    assert (session.created, session.used, session.expires) == (100, 100, 200)
