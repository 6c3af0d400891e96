"""A real directory tries passwords."""

import time
from typing import Any, cast

import pytest

from sso_proxy.checkers.ldap import LdapChecker, LdapCheckerConfig
from sso_proxy.checkers.ldap_groups import LdapGroupsConfig
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import IPasswordChecker
from sso_proxy.login import Account, Unproved
from sso_proxy.testing.fakes import FakeTools
from tests.support.ldap_case import LdapCase
from tests.support.slapd import BOB, NOBODY, PASSWORD, PEOPLE, Relay

ANYWHERE: dict[str, Any] = {"servers": ("ldaps://ldap.example.com",)}


class LdapCheckerTests(LdapCase):
    async def test_the_right_password_is_right_however_the_name_is_typed(self) -> None:
        checker = self.checker()
        for name in ("bob", "Bob", "BOB ", " bOb"):
            account = await checker.check(name, PASSWORD)
            assert account == Account(subject=BOB)

    async def test_a_wrong_password_is_wrong_and_says_whose(self) -> None:
        checker = self.checker()
        for wrong in ("wrong", PASSWORD.upper(), PASSWORD + " ", "*", "\0"):
            assert await checker.check("Bob", wrong) == Unproved(BOB)

    async def test_an_empty_password_is_refused_before_the_directory_hears_of_it(
        self,
    ) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        checker = self.checker(servers=(f"ldap://localhost:{relay.port}",))
        for password in ("", "x" * 1025, "\ud800"):
            assert await checker.check("bob", password) is None
        assert relay.accepted == 0

    async def test_what_is_typed_is_one_value_whatever_is_in_it(self) -> None:
        checker = self.checker()
        for name in (
            *("*", "b*", "bob)(uid=*", "bob)(|(uid=*", "*)(objectClass=*", "b\\6fb"),
            *("\\2a", f"bob,{PEOPLE}", "bob\0", "", " ", "b" * 300, "bob\n", "\ud800"),
        ):
            assert await checker.check(name, PASSWORD) is None, name

    async def test_for_a_name_that_nobody_has_a_bind_is_tried_too(self) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        checker = self.checker(servers=(f"ldap://localhost:{relay.port}",))
        assert await checker.check("bob", "wrong") == Unproved(BOB)
        known = relay.accepted
        assert await checker.check("nobody", "wrong") is None
        assert (known, relay.accepted) == (2, 3)
        assert await checker.check("locked", "wrong") == Unproved(
            f"uid=locked,{PEOPLE}"
        )
        assert relay.accepted == 4

    async def test_whoever_knows_the_password_of_nobody_is_still_nobody(self) -> None:
        checker = self.checker(nobody=NOBODY)
        assert await checker.check("who", PASSWORD + "-") is None

    async def test_a_name_of_two_entries_is_nobodys(self) -> None:
        checker = self.checker(attribute="mail")
        assert await checker.check("shared@example.com", PASSWORD) is None
        assert await checker.check("bob@example.com", PASSWORD) == Account(subject=BOB)

    async def test_entries_that_are_not_meant_are_not_found(self) -> None:
        checker = self.checker(
            where={"objectClass": ("inetOrgPerson",), "sn": ()},
            unless={"employeeType": ("gone", "dead")},
        )
        assert await checker.check("dave", PASSWORD) is None
        assert await checker.check("bob", PASSWORD) == Account(subject=BOB)

    async def test_an_account_is_called_by_the_attribute_that_says_so(self) -> None:
        checker = self.checker(attribute="mail", subject="uid")
        account = await checker.check("BOB@example.com", PASSWORD)
        assert account == Account(subject="bob")

    async def test_without_the_one_value_that_it_is_called_by_there_is_no_account(
        self,
    ) -> None:
        assert await self.checker(subject="title").check("carol", PASSWORD) is None
        assert await self.checker(subject="street").check("bob", PASSWORD) is None
        assert await self.checker(subject="jpegPhoto").check("bob", PASSWORD) is None

    async def test_attributes_become_claims(self) -> None:
        claims = {"email": "mail", "t": "title", "no": "street", "photo": "jpegPhoto"}
        checker = self.checker(claims=claims | {"entry": "dn"})
        bob = await checker.check("bob", PASSWORD)
        assert isinstance(bob, Account)
        assert bob.claims == {"email": "bob@example.com", "t": "a", "entry": BOB}
        carol = await checker.check("carol", PASSWORD)
        assert isinstance(carol, Account)
        assert sorted(carol.claims["t"]) == ["a", "b"]

    async def test_by_a_template_users_read_their_own_entries(self) -> None:
        config = {"auth": "none", "bind_dn": "", "bind_password": None}
        checker = self.checker(
            **config,
            dn=f"uid={{user}},{PEOPLE}",
            claims={"email": "mail"},
            unless={"employeeType": ("gone",)},
        )
        account = await checker.check("BOB", PASSWORD)
        assert account == Account(subject=BOB, claims={"email": "bob@example.com"})
        assert await checker.check("bob", "wrong") is None
        assert await checker.check("dave", PASSWORD) is None
        assert await checker.check(f"bob,{PEOPLE}", PASSWORD) is None
        eve = await checker.check("eve, cn=admin", PASSWORD)
        assert isinstance(eve, Account)
        assert eve.claims == {"email": "eve@example.com"}

    async def test_a_directory_that_is_away_says_so_and_one_that_is_back_serves(
        self,
    ) -> None:
        checker = self.checker()
        assert await checker.check("bob", PASSWORD) == Account(subject=BOB)
        self.slapd.kill()
        try:
            why = await self.failure_of(checker.check("bob", PASSWORD))
            assert "ldap at localhost" in why
            assert (await checker.probe())[0].startswith("warning: ldap at localhost")
        finally:
            self.slapd.start()
        assert await checker.check("bob", PASSWORD) == Account(subject=BOB)
        assert await checker.probe() == ()

    async def test_a_slow_directory_is_not_waited_for_long(self) -> None:
        relay = self.enterContext(Relay(self.slapd.port))
        url = f"ldap://localhost:{relay.port}"
        checker = self.checker(servers=(url,), timeout=0.5)
        assert await checker.check("bob", PASSWORD) == Account(subject=BOB)
        relay.answers = False
        begin = time.monotonic()
        why = await self.failure_of(checker.check("bob", PASSWORD))
        assert "no answer in 0.5 s" in why
        assert time.monotonic() - begin < 4


class LaxPool:
    """A directory that lets in everybody, and knows nobody."""

    def close(self) -> None:
        return

    async def search(self, _search: object) -> tuple[()]:
        return ()

    async def log_in(self, _name: str, _password: str) -> "LaxPool":
        return self


def test_a_directory_that_lets_anybody_in_proves_nothing() -> None:
    config = LdapCheckerConfig(**ANYWHERE, base="o=x")
    checker = LdapChecker("staff", config, cast("Any", LaxPool()))
    with pytest.raises(UnavailableError, match="lets anybody in"):
        checker.check("who", "x").send(None)


def test_it_is_made_by_its_options() -> None:
    config = LdapCheckerConfig(**ANYWHERE, base="o=x")
    made = LdapChecker.from_config(config, FakeTools())
    assert IPasswordChecker.providedBy(made)


def test_a_file_that_is_not_there_is_a_mistake() -> None:
    config = LdapCheckerConfig(**ANYWHERE, base="o=x", ca="/nonexistent")
    with pytest.raises(ConfigError, match="ca: cannot be read"):
        LdapChecker.from_config(config, FakeTools())


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({}, "either base is set, or dn"),
        ({"base": "o=x", "dn": "uid={user},o=x"}, "either base is set, or dn"),
        ({"dn": "uid={user}"}, "as a whole value"),
        ({"dn": "uid=x{user},o=x"}, "as a whole value"),
        ({"base": "o=x", "attribute": "u*d"}, "is no name of an attribute"),
        ({"base": "o=x", "claims": {"a": "b:c"}}, "names a matching rule"),
        (
            {
                "base": "o=x",
                "claims": {"groups": "ou"},
                "groups": LdapGroupsConfig(attribute="memberOf"),
            },
            "claims and groups both make 'groups'",
        ),
        ({"dn": "uid={user},o=x", "scope": "one"}, "scope has no effect"),
        (
            {
                "dn": "uid={user},o=x",
                "auth": "external",
                "certificate": "c",
                "key": "k",
            },
            "auth has no effect with dn",
        ),
    ],
)
def test_what_does_not_fit_is_refused(options: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        LdapCheckerConfig(**ANYWHERE | options)
