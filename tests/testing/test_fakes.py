"""Tests for `sso_proxy.testing.fakes`."""

import base64
import hashlib

import pytest
from zope.interface.verify import verifyObject

from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import (
    IAuthenticator,
    ICache,
    IPolicy,
    ITools,
    IUserMapper,
)
from sso_proxy.model import DECLINED, PERMIT, Authenticated, NotPresented
from sso_proxy.testing.checks import outcome_of
from sso_proxy.testing.fakes import (
    FakeAuthenticator,
    FakeMapper,
    FakePolicy,
    FakeTools,
    make_certificate,
    make_identity,
    make_request,
)


def test_the_fakes_provide_the_real_interfaces() -> None:
    verifyObject(IAuthenticator, FakeAuthenticator())
    verifyObject(IUserMapper, FakeMapper())
    verifyObject(IPolicy, FakePolicy())
    verifyObject(ITools, FakeTools())


def test_answers_are_given_in_turn_and_the_last_one_for_ever() -> None:
    mapper = FakeMapper("a", DECLINED)
    identity = make_identity()
    answers = [outcome_of(mapper.map_user(identity)) for _ in range(3)]
    assert answers == ["a", DECLINED, DECLINED]
    assert mapper.asked == [identity] * 3


def test_an_exception_is_raised() -> None:
    authenticator = FakeAuthenticator(OSError("down"), NotPresented())
    request = make_request()
    with pytest.raises(OSError, match="down"):
        outcome_of(authenticator.authenticate(request))
    assert outcome_of(authenticator.authenticate(request)) == NotPresented()
    assert authenticator.asked == [request, request]


def test_without_answers_everything_is_well() -> None:
    identity, request = make_identity(), make_request()
    policy = FakePolicy()
    authenticated = outcome_of(FakeAuthenticator().authenticate(request))
    assert authenticated == Authenticated(identity)
    assert outcome_of(FakeMapper().map_user(identity)) == "alice"
    assert outcome_of(policy.decide(identity, request)) == PERMIT
    assert policy.asked == [(identity, request)]


def test_a_certificate_has_its_own_thumbprint() -> None:
    facts = make_certificate("CN=bob")
    digest = hashlib.sha256(facts.der).digest()
    assert base64.urlsafe_b64decode(facts.thumbprint + "=") == digest
    assert facts.thumbprint != make_certificate("CN=alice").thumbprint


def test_a_request_is_over_tls_unless_it_is_not() -> None:
    facts = make_certificate()
    request = make_request("POST", "/a", headers={"X-A": "b"}, certificate=facts)
    assert request.tls is not None
    assert request.tls.certificate is facts
    assert (request.head.scheme, request.head.port) == ("https", 443)
    assert request.head.values("x-a") == ["b"]
    plain = make_request(tls=False)
    assert plain.tls is None
    assert (plain.head.scheme, plain.head.port) == ("http", 80)


def test_what_a_component_spawns_is_noted() -> None:
    async def nothing() -> None:
        pass

    tools = FakeTools()
    coroutine = nothing()
    tools.spawn(coroutine)
    assert tools.spawned == [coroutine]
    coroutine.close()


def test_the_fake_cache_goes_by_the_fake_clock() -> None:
    tools = FakeTools()
    cache = tools.cache("any", frozenset({"add"}))
    assert verifyObject(ICache, cache)
    assert outcome_of(cache.add("a", b"1", b"", 60))
    assert not outcome_of(cache.add("a", b"1", b"", 60))
    tools.clock.advance(61)
    assert outcome_of(cache.add("a", b"1", b"", 60))


def test_the_fake_cache_refuses_what_no_cache_can_do() -> None:
    with pytest.raises(ConfigError):
        FakeTools().cache(None, frozenset({"fly"}))


def test_fake_sealers_of_one_kind_open_for_each_other() -> None:
    sealed = FakeTools().sealer("a").seal(b"data", b"context")
    assert FakeTools().sealer("a").open(sealed, b"context") == b"data"
    assert FakeTools().sealer("b").open(sealed, b"context") is None
