"""A login server gives tickets to who gets through all that its route asks for."""

from collections.abc import Mapping
from typing import Any

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.endpoints.desks import Desk
from sso_proxy.endpoints.provider_logouts import ProviderLogouts
from sso_proxy.login import LogoutNotice
from sso_proxy.model import REFUSED, NotPresented
from sso_proxy.testing.fakes import FakeAuthenticator, FakeMapper
from tests.support.fake_login import PROVIDER
from tests.support.login_scene import PAGE, LoginScene
from tests.support.ticket_scene import (
    ASK,
    BACK,
    FakeTicketSource,
    TicketScene,
    given,
    make_desk,
)
from tests.support.told_login import ToldLogin


def test_who_does_not_meet_a_condition_gets_none() -> None:
    needs = Requirements((compile_condition("subject == 'bob'", "require"),))
    scene = TicketScene(requirements=needs)
    seen = scene.ask(ASK)
    assert (seen.status, given(seen), scene.source.asked) == (403, [], [])


def test_who_has_not_logged_in_gets_none() -> None:
    scene = TicketScene(authenticators=(FakeAuthenticator(NotPresented()),))
    seen = scene.ask(ASK)
    assert (seen.status, given(seen)) == (403, [])


def test_who_may_not_be_a_user_gets_none() -> None:
    scene = TicketScene(mappers=(FakeMapper(REFUSED),))
    seen = scene.ask(ASK)
    assert (seen.status, given(seen)) == (403, [])


def test_the_ticket_is_for_the_user_that_mappers_name() -> None:
    scene = TicketScene(mappers=(FakeMapper("al"),))
    assert scene.ask(ASK).status == 303
    ((caller, _),) = scene.source.asked
    assert caller.user == "al"


class Login(LoginScene):
    """A login server whose users log in at a provider, which tells of logouts."""

    def __init__(self) -> None:
        super().__init__(path="/login", ticket=make_desk(FakeTicketSource()))

    def make_login(self, name: str) -> ToldLogin:
        return ToldLogin(name=name, data={"sid": "s-1"})

    def make_parts(self, desks: Mapping[str, Desk]) -> tuple[Any, ...]:
        return (ProviderLogouts(desks, lambda _: [self.store]),)


def test_who_is_logged_out_by_the_provider_gets_no_other_ticket() -> None:
    """Whatever the browser still has: the site sends it here when that is over."""
    login = Login()
    back = login.log_in(ASK)
    assert login.ask(back.location, *PAGE).location == BACK
    assert "auth_pubtkt" in login.browser.cookies
    login.logins["corp"].told = LogoutNotice(issuer="https://login.example", sid="s-1")
    told = login.ask("/.sso/logout/backchannel/corp", method="POST", body=b"")
    assert told.status == 200

    seen = login.page(ASK)
    assert seen.location.startswith(PROVIDER)
    assert not given(seen)
