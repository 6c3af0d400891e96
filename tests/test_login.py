"""Logins, as values."""

from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.login import Finished, Wanted
from sso_proxy.model import Identity

wanted = st.builds(
    Wanted,
    target=st.text(),
    acr_values=st.lists(st.text()).map(tuple),
    max_age=st.none() | st.integers(),
    restore=st.text(),
    login_hint=st.text(),
    silent_for=st.none() | st.tuples(st.text(), st.text()),
)


@given(wanted)
def test_what_was_wanted_comes_back_as_it_was(value: Wanted) -> None:
    assert Wanted.from_json(value.as_json()) == value


def test_only_what_was_wanted_takes_room() -> None:
    assert Wanted(target="/a").as_json() == {"to": "/a"}


def test_what_is_kept_of_a_login_does_not_show() -> None:
    identity = Identity(issuer="i", subject="s", authenticator="a")
    finished = Finished(
        identity=identity,
        data={"token": "secret-1"},
        wanted=Wanted(target="/", login_hint="secret-2"),
        headers=(("set-cookie", "secret-3"),),
    )

    assert "secret" not in repr(finished)
