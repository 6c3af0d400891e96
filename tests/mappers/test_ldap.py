"""A real directory names users."""

from typing import Any

import pytest

from sso_proxy.interfaces import IUserMapper
from sso_proxy.mappers.ldap import LdapMapper, LdapMapperConfig
from sso_proxy.model import DECLINED, REFUSED
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.ldap_dial import dial
from sso_proxy.net.ldap_options import read_ldap_access
from sso_proxy.net.ldap_pool import LdapPool
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


def test_it_is_made_by_its_options() -> None:
    config = LdapMapperConfig(servers=("ldaps://h",), base="o=x")
    assert IUserMapper.providedBy(LdapMapper.from_config(config, FakeTools()))


def test_it_has_to_know_where_entries_are() -> None:
    with pytest.raises(ValueError, match="base is missing"):
        LdapMapperConfig(servers=("ldaps://h",))
