"""Tests for `sso_proxy.model`."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.model import Caller, Request, with_bindings, with_login
from sso_proxy.testing.fakes import make_identity, make_request


def test_an_identity_does_not_show_its_token() -> None:
    identity = make_identity(token="c4n4ry-53cr3t")
    caller = Caller(request=make_request(), identity=identity, user="alice")
    for value in (identity, caller):
        assert "c4n4ry" not in f"{value} {value!r}"


def test_identities_are_the_same_whichever_token_said_so() -> None:
    """What is decided about somebody must not differ from token to token."""
    assert make_identity(token="other") == make_identity()


def test_proved_keys_change_nothing_else_of_a_request() -> None:
    request = Request(**_VALUES)
    _check(with_bindings(request, ("dpop",)), {"bindings": ("dpop",)})


def test_a_session_changes_nothing_else_of_a_request() -> None:
    request, store = Request(**_VALUES), object()
    session: Any = object()
    _check(
        with_login(request, session, store, "keep", ("device",)),
        {
            "session": session,
            "sessions": store,
            "refresh_failed": "keep",
            "bindings": ("device",),
        },
    )


_NAMES: Final = [field.name for field in attrs.fields(Request)]
_VALUES: Final[dict[str, Any]] = {name: object() for name in _NAMES}


def _check(request: Request, changes: Mapping[str, object]) -> None:
    for name in _NAMES:
        assert getattr(request, name) is (_VALUES | dict(changes))[name], name
