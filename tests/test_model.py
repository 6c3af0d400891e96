"""Tests for `sso_proxy.model`."""

from typing import Any

import attrs

from sso_proxy.model import Caller, Request, with_bindings
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
    names = [field.name for field in attrs.fields(Request)]
    values: dict[str, Any] = {name: object() for name in names}
    request = Request(**values)
    bound = with_bindings(request, ("dpop",))
    for name in names:
        kept = getattr(bound, name)
        assert kept == ("dpop",) if name == "bindings" else kept is values[name]
