"""One entry is found, and what is known of it told."""

import sys

import pytest
from twisted.logger import capturedLogs, formatEvent

from sso_proxy.errors import ConfigError
from sso_proxy.net.ldap_lookup import (
    by_attribute,
    is_askable,
    one_text,
    open_pool,
    read_claims,
)
from sso_proxy.net.ldap_options import LdapOptions, SearchOptions
from sso_proxy.net.ldap_pool import LdapPool
from sso_proxy.net.ldap_values import Entry
from sso_proxy.specs.ldap import AllOf, Equal, Present
from sso_proxy.testing.fakes import FakeTools

ENTRY = Entry("uid=bob", {"cn": (b"Bob",), "sn": (b"a", b"b"), "photo": (b"\xff",)})


def test_a_search_is_for_one_entry_and_all_conditions_hold() -> None:
    plain = by_attribute(SearchOptions(base="o=x"), "uid", "*", ("cn",))
    assert (plain.filter, plain.most) == (Equal("uid", "*"), 1)
    meant = SearchOptions(base="o=x", where={"mail": ()})
    search = by_attribute(meant, "uid", "bob", ())
    assert search.filter == AllOf((Equal("uid", "bob"), Present("mail")))


def test_only_one_text_is_one() -> None:
    assert one_text(ENTRY, "dn") == "uid=bob"
    assert one_text(ENTRY, "CN") == "Bob"
    for attribute in ("sn", "photo", "none"):
        assert one_text(ENTRY, attribute) is None


def test_claims_are_texts_and_lists() -> None:
    claims = {"n": "cn", "s": "sn", "p": "photo", "d": "dn"}
    assert read_claims(ENTRY, claims) == {"n": "Bob", "s": ["a", "b"], "d": "uid=bob"}


def test_what_cannot_be_a_name_is_not_asked_for() -> None:
    assert is_askable("*")
    for text in ("", " ", "a\n", "a\0", "\ud800", "a" * 257):
        assert not is_askable(text)


def test_without_the_extra_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ldaptor", None)
    for name in ("ldaptor.protocols", "sso_proxy.net.ldap", "sso_proxy.net.ldap_dial"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(ConfigError, match=r"type: needs ldaptor.*; install 'sso-proxy"):
        open_pool(LdapOptions(servers=("ldaps://h",)), FakeTools())


def test_a_pool_is_shared_by_its_options() -> None:
    shared: dict[object, LdapPool] = {}

    class Tools(FakeTools):
        def shared(self, key, make):  # type: ignore[no-untyped-def]  # noqa: ANN001, ANN202
            return shared.setdefault(key, make())

    tools = Tools()
    one = open_pool(LdapOptions(servers=("ldaps://h",), base="o=x"), tools)
    assert open_pool(LdapOptions(servers=("ldaps://h",), base="o=y"), tools) is one
    assert open_pool(LdapOptions(servers=("ldaps://i",)), tools) is not one


def test_a_directory_without_tls_is_told_of() -> None:
    servers = ("ldap://h", "ldaps://i")
    with capturedLogs() as told:
        open_pool(LdapOptions(servers=servers), FakeTools())
        assert told == []
        open_pool(LdapOptions(servers=servers, allow_plaintext=True), FakeTools())
    [line] = told
    assert formatEvent(line) == "Passwords go to ldap at h:389 without TLS"
