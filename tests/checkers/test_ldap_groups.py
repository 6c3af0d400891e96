"""A real directory says in which groups somebody is."""

from typing import Any

import pytest

from sso_proxy.checkers.ldap_groups import LdapGroups, LdapGroupsConfig, find_groups
from sso_proxy.net.ldap_values import Entry
from tests.support.ldap_case import LdapCase
from tests.support.slapd import BASE, BOB, GROUPS, PASSWORD, PEOPLE

CLUBS = f"ou=clubs,{BASE}"


class LdapGroupsTests(LdapCase):
    async def groups(self, user: str = "bob", **options: Any) -> list[str]:  # noqa: ANN401
        checker = self.checker(groups=LdapGroupsConfig(**options))
        account: Any = await checker.check(user, PASSWORD)
        groups: list[str] = account.claims["groups"]
        return groups

    async def test_an_attribute_names_them(self) -> None:
        assert await self.groups(attribute="memberOf") == [
            f"cn=admins,{CLUBS}",
            f"cn=admins,{GROUPS}",
            f"cn=staff,{GROUPS}",
        ]
        short = {"attribute": "memberOf", "name": "cn", "base": GROUPS}
        assert await self.groups(**short) == ["admins", "staff"]
        assert await self.groups("dave", **short) == []

    async def test_groups_that_name_them_are_searched_for(self) -> None:
        found = {"member": "member", "base": GROUPS}
        assert await self.groups(**found) == [
            f"cn=admins,{GROUPS}",
            f"cn=staff,{GROUPS}",
        ]
        assert await self.groups("carol", **found, name="cn") == ["staff"]
        where = {"cn": ("staff",)}
        assert await self.groups(**found, name="cn", where=where) == ["staff"]
        assert await self.groups("dave", **found) == []

    async def test_users_see_their_own_by_a_template(self) -> None:
        nobody = {"auth": "none", "bind_dn": "", "bind_password": None}
        groups = LdapGroupsConfig(member="member", base=GROUPS, name="cn")
        checker = self.checker(**nobody, dn=f"uid={{user}},{PEOPLE}", groups=groups)
        account: Any = await checker.check("bob", PASSWORD)
        assert account.claims == {"groups": ["admins", "staff"]}

    async def test_with_more_than_there_may_be_nobody_logs_in(self) -> None:
        """A list that is cut short would let in who is in the wrong group."""
        for options in ({"attribute": "memberOf"}, {"member": "member", "base": BASE}):
            groups = LdapGroupsConfig(**options, most=2)  # type: ignore[arg-type]
            checker = self.checker(groups=groups)
            assert "more than 2" in await self.failure_of(
                checker.check("bob", PASSWORD)
            )


class NoSearch:
    """Where nothing is to be asked."""

    async def search(self, search: object) -> tuple[Entry, ...]:
        raise AssertionError(search)


async def named(*groups: str, base: str) -> tuple[str, ...]:
    entry = Entry(BOB, {"memberof": tuple(group.encode() for group in groups)})
    config = LdapGroupsConfig(attribute="memberOf", base=base, name="cn")
    return await find_groups(LdapGroups(config), entry, NoSearch())


def finish(coroutine: Any) -> Any:  # noqa: ANN401
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    return done.value.value


@pytest.mark.parametrize(
    "group",
    [
        "cn=x,ou=others,o=y",
        "cn=x\\,ou=groups,o=x",  # one value, with a comma in it
        "ou=groups,o=x",
        "cn=x,ou=groups,o=x,o=y",
        "cn=x,cn=ou=groups,o=x",
        "ou=x,ou=groups,o=x",
    ],
)
def test_a_group_elsewhere_does_not_become_one_of_ours(group: str) -> None:
    assert finish(named(group, base="ou=groups,o=x")) == ()


@pytest.mark.parametrize(
    "group", ["cn=x,ou=groups,o=x", "CN=x, OU=Groups, O = X", "cn=x,ou=a,ou=groups,o=x"]
)
def test_a_group_below_the_base_is_ours(group: str) -> None:
    assert finish(named(group, base="ou=groups,o=x")) == ("x",)


def test_nobody_is_in_a_group_without_what_groups_know_of_them() -> None:
    config = LdapGroupsConfig(member="memberUid", by="uid", base="o=x")
    assert finish(find_groups(LdapGroups(config), Entry(BOB, {}), NoSearch())) == ()


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "either attribute is set, or member"),
        ({"attribute": "a", "member": "b"}, "either attribute is set, or member"),
        ({"member": "member"}, "member needs base"),
        ({"attribute": "memberOf", "name": "cn"}, "name needs base"),
        ({"attribute": "memberOf", "by": "uid"}, "have no effect"),
        ({"attribute": "member*"}, "no name of an attribute"),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LdapGroupsConfig(**options)
