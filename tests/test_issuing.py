"""A login server gives tickets to who gets through all that its route asks for."""

from sso_proxy.authz.conditions import Requirements, compile_condition
from sso_proxy.model import REFUSED, NotPresented
from sso_proxy.testing.fakes import FakeAuthenticator, FakeMapper
from tests.support.ticket_scene import ASK, TicketScene, given


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
