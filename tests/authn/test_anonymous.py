"""Tests for `sso_proxy.authn.anonymous`."""

from sso_proxy.authn.anonymous import AnonymousAuthenticator, AnonymousConfig
from sso_proxy.model import Authenticated, Identity
from sso_proxy.testing.checks import check_authenticator, outcome_of
from sso_proxy.testing.fakes import FakeTools, make_request


def test_everybody_is_nobody() -> None:
    tools = FakeTools(name="anonymous")
    authenticator = AnonymousAuthenticator.from_config(AnonymousConfig(), tools)
    assert outcome_of(authenticator.authenticate(make_request())) == Authenticated(
        Identity(issuer="anonymous", subject="anonymous", authenticator="anonymous")
    )


def test_it_keeps_the_contract_of_authenticators() -> None:
    check_authenticator(AnonymousAuthenticator("anonymous"))
