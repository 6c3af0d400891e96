"""Tests for `sso_proxy.model`."""

from sso_proxy.model import Caller
from sso_proxy.testing.fakes import make_identity, make_request


def test_an_identity_does_not_show_its_token() -> None:
    identity = make_identity(token="c4n4ry-53cr3t")
    caller = Caller(request=make_request(), identity=identity, user="alice")
    for value in (identity, caller):
        assert "c4n4ry" not in f"{value} {value!r}"


def test_identities_are_the_same_whichever_token_said_so() -> None:
    """What is decided about somebody must not differ from token to token."""
    assert make_identity(token="other") == make_identity()
