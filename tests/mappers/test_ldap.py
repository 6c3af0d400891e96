"""A real directory names users."""

from typing import Any, cast

import pytest
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IUserMapper
from sso_proxy.mappers import ldap
from sso_proxy.mappers.ldap import LdapMapper, LdapMapperConfig
from sso_proxy.model import DECLINED, REFUSED
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.ldap_dial import dial
from sso_proxy.net.ldap_options import read_ldap_access
from sso_proxy.net.ldap_pool import LdapPool
from sso_proxy.net.ldap_values import Entry, Search
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity
from tests.support.ldap_case import LdapCase
from tests.support.slapd import PEOPLE


class LdapMapperTests(LdapCase):
    def mapper(self, **options: Any) -> LdapMapper:  # noqa: ANN401
        usual = self.slapd.options(base=PEOPLE, source="email")
        config = LdapMapperConfig(**usual | options)
        clock = SystemClock()
        pool = LdapPool(read_ldap_access(config, 0.0), self.reactor, clock, dial)
        self.opened.append(pool)
        return LdapMapper("people", config, pool, clock)

    async def name(self, mapper: LdapMapper, email: object) -> object:
        return await mapper.map_user(make_identity(claims={"email": email}))

    async def test_the_entry_with_the_claim_names_the_user(self) -> None:
        mapper = self.mapper()
        assert await self.name(mapper, "bob@example.com") == "bob"
        assert await self.name(mapper, ["BOB@example.com"]) == "bob"
        by_subject = self.mapper(source="subject", attribute="uid", user="mail")
        identity = make_identity(subject="Bob")
        assert await by_subject.map_user(identity) == "bob@example.com"

    async def test_without_an_entry_the_next_is_asked_or_nobody(self) -> None:
        for email in ("who@example.com", "*", "*)(uid=bob"):
            assert await self.name(self.mapper(), email) is DECLINED
        refusing = self.mapper(missing="refuse")
        assert await self.name(refusing, "who@example.com") is REFUSED
        identity = make_identity(claims={})
        assert await refusing.map_user(identity) is DECLINED

    async def test_what_is_not_one_name_is_refused(self) -> None:
        mapper = self.mapper()
        assert await self.name(mapper, "shared@example.com") is REFUSED
        assert await self.name(mapper, ["a@example.com", "bob@example.com"]) is REFUSED
        assert await self.name(mapper, "bob@example.com\n") is REFUSED
        for user in ("jpegPhoto", "street"):
            assert await self.name(self.mapper(user=user), "bob@example.com") is REFUSED
        two = self.mapper(source="subject", attribute="uid", user="title")
        assert await two.map_user(make_identity(subject="carol")) is REFUSED

    async def test_the_name_may_be_that_of_the_entry(self) -> None:
        mapper = self.mapper(user="dn")
        assert await self.name(mapper, "bob@example.com") == f"uid=bob,{PEOPLE}"

    async def test_whoever_must_be_in_a_group_is_found_only_there(self) -> None:
        group = f"cn=admins,ou=groups,{PEOPLE.partition(',')[2]}"
        mapper = self.mapper(where={"memberOf": (group,)})
        assert await self.name(mapper, "bob@example.com") == "bob"
        assert await self.name(mapper, "eve@example.com") is DECLINED

    async def test_an_answer_is_believed_for_a_while_and_a_failure_is_none(
        self,
    ) -> None:
        kept, asking = self.mapper(), self.mapper(ttl=0)
        for mapper in (kept, asking):
            assert await self.name(mapper, "bob@example.com") == "bob"
        self.slapd.kill()
        try:
            assert await self.name(kept, "bob@example.com") == "bob"
            await self.failure_of(self.name(asking, "bob@example.com"))
            await self.failure_of(self.name(kept, "who@example.com"))
            assert (await asking.probe())[0].startswith("warning: ldap at localhost")
        finally:
            self.slapd.start()
        assert await self.name(asking, "bob@example.com") == "bob"
        assert await self.name(kept, "who@example.com") is DECLINED


class FakePool:
    """A directory in which everybody has one name, said when the test says so."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.waiting: list[Deferred[None]] = []

    async def search(self, search: Search) -> tuple[Entry, ...]:
        waiting: Deferred[None] = Deferred()
        self.waiting.append(waiting)
        await waiting
        return (Entry(search.base, {"uid": (self.name,)}),)

    def answer(self) -> None:
        waiting, self.waiting = self.waiting, []
        for each in waiting:
            each.callback(None)


class Scene:
    """A mapper with a directory played by the test."""

    def __init__(self, name: bytes = b"bob") -> None:
        self.clock = SettableClock()
        self.pool = FakePool(name)
        config = LdapMapperConfig(servers=("ldaps://h",), base="o=x", ttl=10)
        self.mapper = LdapMapper("people", config, cast("Any", self.pool), self.clock)
        self.named: list[object] = []

    def map(self, subject: str = "bob") -> None:
        mapping = self.mapper.map_user(make_identity(subject=subject))
        Deferred.fromCoroutine(mapping).addBoth(self.named.append)


@pytest.mark.parametrize(
    "name", [b"", b"bob ", b"bob\n", "b\u200bob".encode(), b"\xff"]
)
def test_a_name_that_others_read_as_another_is_refused(name: bytes) -> None:
    scene = Scene(name)
    scene.map()
    scene.pool.answer()
    assert scene.named == [REFUSED]


def test_one_search_answers_all_who_ask_for_the_same_meanwhile() -> None:
    scene = Scene()
    for subject in ("bob", "bob", "alice"):
        scene.map(subject)
    assert len(scene.pool.waiting) == 2
    scene.pool.answer()
    assert scene.named == ["bob"] * 3


def test_an_answer_is_believed_no_longer_than_its_time() -> None:
    scene = Scene()
    scene.map()
    scene.pool.answer()
    scene.clock.advance(9.9)
    scene.map()
    assert scene.named == ["bob", "bob"]
    scene.clock.advance(0.2)
    scene.map()
    assert len(scene.pool.waiting) == 1
    scene.pool.answer()
    assert scene.named == ["bob"] * 3


def test_only_so_many_are_looked_for_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ldap, "_AT_ONCE", 2)
    scene = Scene()
    for subject in ("a", "b", "c", "a"):
        scene.map(subject)
    [failed] = scene.named
    assert isinstance(failed, Failure)
    assert failed.check(UnavailableError)
    scene.pool.answer()
    assert scene.named[1:] == ["bob"] * 3


def test_it_is_made_by_its_options() -> None:
    config = LdapMapperConfig(servers=("ldaps://h",), base="o=x")
    assert IUserMapper.providedBy(LdapMapper.from_config(config, FakeTools()))


def test_it_has_to_know_where_entries_are() -> None:
    with pytest.raises(ValueError, match="base is missing"):
        LdapMapperConfig(servers=("ldaps://h",))
