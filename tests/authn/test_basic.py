"""Programs send a password with each request."""

import pytest
from twisted.internet.defer import Deferred
from zope.interface import implementer
from zope.interface.verify import verifyObject

from sso_proxy.authn.basic import BasicAuthenticator, BasicConfig
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IAuthenticator, IPasswordChecker
from sso_proxy.login import Account
from sso_proxy.model import (
    Authenticated,
    NotPresented,
    Outcome,
    Refusal,
    Rejected,
    Request,
)
from sso_proxy.testing.fakes import FakeTools, make_request
from sso_proxy.testing.passwords import FakeChecker
from tests.support.caching import now
from tests.support.password_scene import PASSWORDS, PasswordScene, basic


def make(tools: FakeTools | None = None, **options: object) -> BasicAuthenticator:
    tools = tools or FakeTools()
    tools.checkers.setdefault("users", FakeChecker(PASSWORDS))
    config = BasicConfig(checker="users", **options)  # type: ignore[arg-type]
    return BasicAuthenticator.from_config(config, tools)


def request(credential: str = "", **more: str) -> Request:
    headers = {"authorization": credential} if credential else {}
    return make_request(headers={**headers, **more})


def ask(authenticator: BasicAuthenticator, credential: str) -> Outcome:
    return now(authenticator.authenticate(request(credential)))


def rejected(outcome: Outcome) -> Rejected:
    assert isinstance(outcome, Rejected)
    return outcome


def test_it_is_an_authenticator() -> None:
    verifyObject(IAuthenticator, make())


def test_the_right_password_is_somebody() -> None:
    outcome = ask(make(), basic("alice", "wonderland"))
    assert isinstance(outcome, Authenticated)
    assert outcome.identity.subject == "alice"
    assert outcome.identity.issuer == "checker:users"


@pytest.mark.parametrize("credential", ["", "Bearer abc", "Basically no"])
def test_other_schemes_are_not_its_business(credential: str) -> None:
    assert ask(make(), credential) == NotPresented()


@pytest.mark.parametrize("user", ["alice", "nobody"])
def test_a_wrong_password_and_an_unknown_user_get_the_same_answer(user: str) -> None:
    found = rejected(ask(make(), basic(user, "wrong")))
    assert (found.status, found.reason, found.detail) == (401, "password-wrong", "")
    assert found.challenge is not None
    assert found.challenge.values == ('Basic realm="sso-proxy", charset="UTF-8"',)


def test_what_cannot_be_read_is_refused_without_a_look() -> None:
    tools = FakeTools()
    found = rejected(ask(make(tools), "Basic !"))
    assert (found.status, found.final) == (400, True)
    checker = tools.checkers["users"]
    assert isinstance(checker, FakeChecker)
    assert checker.asked == []


def test_a_password_that_was_right_is_known_for_a_while() -> None:
    tools = FakeTools()
    authenticator = make(tools, ttl=60.0)
    checker = FakeChecker(PASSWORDS)
    tools.checkers["users"] = checker
    authenticator = make(tools, ttl=60.0)
    for seconds, looks in ((0, 1), (59, 1), (2, 2)):
        tools.clock.advance(seconds)
        outcome = ask(authenticator, basic("alice", "wonderland"))
        assert isinstance(outcome, Authenticated)
        assert len(checker.asked) == looks


def test_what_is_decided_holds_no_longer_than_the_password_is_known() -> None:
    tools = FakeTools()
    authenticator = make(tools, ttl=60.0)
    ask(authenticator, basic("alice", "wonderland"))
    tools.clock.advance(50)
    outcome = ask(authenticator, basic("alice", "wonderland"))
    assert isinstance(outcome, Authenticated)
    assert outcome.until == tools.clock.time() + 10


def test_no_password_is_kept() -> None:
    """What is known is a digest with a key of this process."""
    authenticator = make()
    ask(authenticator, basic("alice", "wonderland"))
    shelf = authenticator._known  # noqa: SLF001 - to see that it is not there
    assert "wonderland" not in repr(vars(shelf)) + repr(vars(authenticator))


def test_a_wrong_password_is_not_kept() -> None:
    tools = FakeTools()
    checker = tools.checkers["users"] = FakeChecker(PASSWORDS)
    authenticator = make(tools)
    for _ in range(3):
        ask(authenticator, basic("alice", "wrong"))
    assert len(checker.asked) == 3


def test_many_at_once_with_the_same_password_are_looked_at_once() -> None:
    """Else a program with many connections would have to wait like an attacker."""
    waiting: list[Deferred[Account]] = []

    @implementer(IPasswordChecker)
    class Slow:
        async def check(self, user: str, password: str) -> Account:
            del user, password
            waiting.append(Deferred())
            return await waiting[-1]

    tools = FakeTools()
    tools.checkers["users"] = Slow()
    authenticator = make(tools)
    found: list[Outcome] = []
    for _ in range(20):
        asked = authenticator.authenticate(request(basic("alice", "wonderland")))
        Deferred.fromCoroutine(asked).addCallback(found.append)
    (only,) = waiting
    only.callback(Account(subject="alice"))
    assert len(found) == 20
    assert all(isinstance(each, Authenticated) for each in found)


def test_a_checker_that_is_down_is_no_wrong_password() -> None:
    tools = FakeTools()
    tools.checkers["users"] = FakeChecker({}, error=UnavailableError("ldap"))
    with pytest.raises(UnavailableError):
        ask(make(tools), basic("alice", "wonderland"))


def test_too_many_wrong_passwords_are_429_with_a_time() -> None:
    authenticator = make(tries=2, first_pause=7.0)
    for _ in range(2):
        ask(authenticator, basic("alice", "wrong"))
    found = rejected(ask(authenticator, basic("alice", "wonderland")))
    assert (found.status, found.reason) == (429, "password-wait")
    assert found.challenge is not None
    assert found.challenge.headers == (("retry-after", "7"),)
    assert found.challenge.values == ()


def test_who_is_known_already_does_not_wait_for_attackers() -> None:
    authenticator = make(tries=2)
    assert isinstance(ask(authenticator, basic("alice", "wonderland")), Authenticated)
    for _ in range(5):
        ask(authenticator, basic("alice", "wrong"))
    assert isinstance(ask(authenticator, basic("alice", "wonderland")), Authenticated)


def test_it_says_nothing_about_when_somebody_typed_it() -> None:
    """A route that wants a fresh login must not get a saved password for one."""
    outcome = ask(make(acr="pwd-1"), basic("alice", "wonderland"))
    assert isinstance(outcome, Authenticated)
    assert outcome.identity.claims == {"amr": ["pwd"], "acr": "pwd-1"}


def test_browsers_can_be_spared_the_dialog() -> None:
    authenticator = make(challenge="programs")
    assert authenticator.challenge(request()) is not None
    script = request(**{"sec-fetch-mode": "cors"})
    assert authenticator.challenge(script) is None


def test_a_better_login_is_not_had_by_asking_again() -> None:
    error = "insufficient_user_authentication"
    assert make().refusal(request(), Refusal(error=error)) is None
    assert make().refusal(request(), Refusal(error="invalid_token")) is not None


def test_a_realm_has_to_fit_into_a_field() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        BasicConfig(checker="users", realm="a\r\nb")


def test_a_program_gets_through_and_its_password_does_not() -> None:
    scene = PasswordScene(consumed=frozenset({"authorization"}))
    assert scene.call("alice", "wonderland").status == 200
    assert b"authorization" not in scene.scene.backend.head.lower()


def test_who_waits_hears_how_long() -> None:
    scene = PasswordScene(both={"tries": 1, "first_pause": 9.0})
    scene.call("alice", "wrong")
    answer = scene.call("alice", "wrong")
    assert answer.status == 429
    assert dict(answer.headers)["retry-after"] == "9"
    assert "www-authenticate" not in dict(answer.headers)


def test_tries_at_the_form_and_by_basic_are_counted_together() -> None:
    scene = PasswordScene(both={"tries": 2})
    scene.call("alice", "wrong")
    page = scene.enter("Alice", "wrong")
    assert scene.submit(page, "alice", "wonderland").status == 429
    assert scene.call("alice", "wonderland").status == 429


def test_a_user_of_the_second_table_does_not_suffer_from_the_first() -> None:
    tools = FakeTools()
    tools.checkers["users"] = FakeChecker({})
    first = make(tools)
    for _ in range(9):
        assert not rejected(ask(first, basic("carol", "x"))).final
