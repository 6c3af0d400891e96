"""Sources that ask servers keep what they got, each for whom it is for."""

from typing import Any, ClassVar

import attrs
import pytest
from twisted.internet.defer import Deferred

from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import IHealth, ITokenSource
from sso_proxy.interfaces.tokens import ICountsTokens
from sso_proxy.registry import provided_problems
from sso_proxy.testing import outcome_of
from sso_proxy.testing.fakes import (
    NOW,
    FakeTokenSource,
    FakeTools,
    make_identity,
    make_request,
)
from sso_proxy.testing.tokens import TokenSigner
from sso_proxy.token import MISSING, Audience, NotIssued, Token
from sso_proxy.tokens.remote import RemoteSource, Wanted
from sso_proxy.tokens.remote_config import RemoteConfig
from tests.support.remote_scene import ORDERS, STOCK, RemoteScene, caller

SIGNER = TokenSigner.create("ES256", "k")


class Asking(RemoteSource):
    """Counts, and answers with what it is told to."""

    config_class: ClassVar[Any] = RemoteConfig

    def __init__(self, config: Any, tools: Any) -> None:  # noqa: ANN401
        super().__init__(config, tools)
        self.wanted: list[Wanted] = []
        self.answer: Any = None

    async def ask(self, wanted: Wanted) -> Token | NotIssued:
        """Answer."""
        self.wanted.append(wanted)
        answer = self.answer
        if isinstance(answer, Exception):
            raise answer
        if answer is None:
            number = len(self.wanted)
            return Token(value=f"t{number}", expires=NOW + 300)
        given: Token | NotIssued = answer
        return given


def scene(**options: Any) -> RemoteScene:  # noqa: ANN401
    return RemoteScene(Asking, **options)


def test_it_is_what_its_interfaces_ask_for() -> None:
    source = scene().source
    assert not provided_problems("ITokenSource", source)
    assert not provided_problems("IHealth", source)
    assert ITokenSource.providedBy(source)
    assert IHealth.providedBy(source)


def test_the_same_is_asked_for_once() -> None:
    here = scene()
    assert here.ask() == here.ask() == Token(value="t1", expires=NOW + 300)
    assert len(here.source.wanted) == 1


def test_what_became_of_requests_is_counted() -> None:
    here = scene()
    here.ask()
    here.ask()
    assert ICountsTokens.providedBy(here.source)
    assert here.source.name == "orders"
    assert here.source.counts == {"issued": 1, "kept": 1}


@pytest.mark.parametrize(
    ("who", "audience"),
    [
        (caller(), STOCK),
        (caller(), attrs.evolve(ORDERS, thumbprint="x")),
        (caller(make_identity(token="another")), ORDERS),
        (caller(make_identity("bob", token="same")), ORDERS),
        (caller(make_identity(issuer="https://other", token="same")), ORDERS),
        (caller(request=make_request(headers={"x-actor": "b"})), ORDERS),
    ],
)
def test_whatever_else_is_wanted_is_asked_for(who: Any, audience: Audience) -> None:  # noqa: ANN401
    """One backend's token never gets to another, nor one caller's."""
    here = scene(actor="header:X-Actor")
    first = caller(request=make_request(headers={"x-actor": "a"}))
    if not who.request.head.values("x-actor"):
        request = make_request(headers={"x-actor": "a"})
        who = attrs.evolve(who, request=request)
    if who.identity.token == "same":
        first = attrs.evolve(first, identity=make_identity(token="same"))
    assert here.ask(first) != here.ask(who, audience)
    assert len(here.source.wanted) == 2


def test_other_options_are_other_tokens() -> None:
    """After a reload, what others share must not have tokens of the old options."""
    here = scene()
    assert here.ask() == Token(value="t1", expires=NOW + 300)
    here.options = {"max_length": 1000}
    other = here.make()
    other.answer = Token(value="new")
    assert outcome_of(other.token_for(caller(), ORDERS)) == Token(value="new")


def test_tokens_are_shared_through_the_cache() -> None:
    here = scene()
    first = here.ask()
    again = here.make()
    assert outcome_of(again.token_for(caller(), ORDERS)) == first
    assert not again.wanted


def test_who_presents_nothing_gets_nothing_and_nobody_is_asked() -> None:
    here = scene(subject="header:X-Token")
    assert here.ask() == MISSING
    here = scene(actor="header:X-Token")
    assert here.ask() == MISSING
    assert not here.source.wanted


def test_subject_and_actor_are_told_apart() -> None:
    here = scene(subject="header:X-Token", actor="cookie:actor")
    headers = {"x-token": "s", "cookie": "actor=a"}
    here.ask(caller(request=make_request(headers=headers)))
    wanted = here.source.wanted[0]
    assert (wanted.subject.value, wanted.actor.value) == ("s", "a")
    assert here.source.consumes == ("x-token", "cookie:actor")
    headers = {"x-token": "a", "cookie": "actor=s"}
    here.ask(caller(request=make_request(headers=headers)))
    assert len(here.source.wanted) == 2


def test_a_token_ends_when_it_says_itself_if_that_is_first() -> None:
    value = SIGNER.sign({"exp": int(NOW) + 60})
    here = scene()
    here.source.answer = Token(value=value, expires=NOW + 300)
    assert here.ask() == Token(value=value, expires=NOW + 60)


def test_a_token_that_says_nothing_ends_when_its_server_says() -> None:
    here = scene()
    here.source.answer = Token(value="opaque", expires=NOW + 300)
    assert here.ask() == here.source.answer
    here = scene()
    here.source.answer = Token(value="opaque")
    assert here.ask() == here.source.answer


@pytest.mark.parametrize(
    "token",
    [
        Token(value="opaque", expires=NOW),
        Token(value=SIGNER.sign({"exp": int(NOW) - 60}), expires=NOW + 300),
    ],
)
def test_a_token_that_is_over_is_of_no_use(token: Token) -> None:
    here = scene()
    here.source.answer = token
    found = here.ask()
    assert isinstance(found, NotIssued)
    assert (found.reason, found.status) == ("token-unusable", 502)
    here.source.answer = None
    assert isinstance(here.ask(), Token)


def test_nothing_is_kept_beyond_the_end_of_what_it_is_made_from() -> None:
    here = scene()
    short = caller(make_identity(token="t", expires=NOW + 20))
    here.source.answer = Token(value="a", expires=NOW + 300)
    here.ask(short)
    here.clock.advance(21)
    here.ask(short)
    assert len(here.source.wanted) == 2


def test_a_refusal_is_believed_for_a_while() -> None:
    here = scene()
    here.source.answer = NotIssued(reason="token-refused", status=401)
    assert here.ask() == here.ask() == here.source.answer
    assert len(here.source.wanted) == 1
    here.clock.advance(6)
    here.ask()
    assert len(here.source.wanted) == 2


def test_a_server_that_is_down_is_said_to_be() -> None:
    here = scene()
    here.source.answer = UnavailableError("sts", status=502)
    with pytest.raises(UnavailableError) as caught:
        here.ask()
    assert caught.value.status == 502
    assert outcome_of(here.source.probe())


def test_a_hundred_at_once_make_one_exchange() -> None:
    here = scene()
    gate: Deferred[None] = Deferred()

    async def ask(wanted: Wanted) -> Token:
        here.source.wanted.append(wanted)
        await gate
        return Token(value="one", expires=NOW + 300)

    here.source.ask = ask
    found: list[Any] = []
    for _ in range(100):
        asking = Deferred.fromCoroutine(here.source.token_for(caller(), ORDERS))
        asking.addCallback(found.append)
    assert len(here.source.wanted) == 1
    gate.callback(None)
    assert found == [Token(value="one", expires=NOW + 300)] * 100


def test_what_the_client_has_to_hear_comes_with_the_token_each_time() -> None:
    headers = (("set-cookie", "a=b"),)
    inner = FakeTokenSource(Token(value="i", headers=headers))
    here = scene(subject="token:inner")
    here.tools.tokens["inner"] = inner
    for _ in range(2):
        found = here.ask()
        assert isinstance(found, Token)
        assert (found.value, found.headers) == ("t1", headers)


def test_what_the_other_source_refuses_to_make_is_a_mistake() -> None:
    class Choosy(FakeTokenSource):
        def check_audience(self, audience: Audience) -> None:
            raise ValueError(f"no {audience.name}")

    tools = FakeTools(tokens={"inner": Choosy()})
    config = RemoteConfig(subject="token:inner", subject_audience="them")
    with pytest.raises(ConfigError, match=r"^subject_audience: no them$"):
        Asking(config, tools)


def test_all_mistakes_are_said_at_once() -> None:
    config = RemoteConfig(subject="token:x", actor="token:y", ca="/nonexistent/ca")
    with pytest.raises(ConfigError) as caught:
        Asking(config, FakeTools())
    assert [m.path for m in caught.value.mistakes] == ["ca", "subject", "actor"]


def test_requests_go_through_the_proxy_of_the_options() -> None:
    class Through:
        def through(self, proxy: tuple[str, int]) -> Any:  # noqa: ANN401
            return proxy

    tools = FakeTools(http_client=Through())
    source = Asking(RemoteConfig(proxy="http://proxy.example:3128"), tools)
    assert source.http_client == ("proxy.example", 3128)  # type: ignore[comparison-overlap]
