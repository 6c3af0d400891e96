"""A name and a password are somebody, and tries are counted."""

from typing import Any

import pytest
from zope.interface import implementer

from sso_proxy.authn.password_config import PasswordConfig
from sso_proxy.authn.passwords import Refused, build_passwords
from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.interfaces import IPasswordChecker
from sso_proxy.login import Account, Unproved
from sso_proxy.testing.fakes import FakeTools, make_request
from sso_proxy.testing.passwords import FakeChecker
from tests.support.caching import now


@implementer(IPasswordChecker)
class Directory:
    """Knows Alice, whose password is 'right', under three names."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    async def check(self, user: str, password: str) -> Account | Unproved | None:
        self.asked.append((user, password))
        if user not in {"alice", "a.liddell", "alice@example.com"}:
            return None
        if password != "right":
            return Unproved("alice")
        claims = {"acr": "gold", "auth_time": 1, "mail": "alice@example.com"}
        return Account(subject="alice", claims=claims)


class Door:
    """Asks the directory."""

    def __init__(self, tools: FakeTools | None = None, **options: object) -> None:
        self.tools = tools or FakeTools()
        self.directory = Directory()
        self.tools.checkers["users"] = self.directory
        config = PasswordConfig(checker="users", **options)  # type: ignore[arg-type]
        self.passwords = build_passwords(config, self.tools)

    def ask(
        self, user: str, password: str, address: str = "192.0.2.1"
    ) -> Account | Refused:
        request = make_request(client=address)
        return now(self.passwords.check(request, user, password))

    def reason(self, *asked: str) -> str:
        found = self.ask(*asked)
        return "" if isinstance(found, Account) else found.reason


def test_the_right_password_is_an_account() -> None:
    found = Door().ask("alice", "right")
    assert isinstance(found, Account)
    assert found.subject == "alice"


def test_tries_are_counted_by_the_account_whatever_name_was_typed() -> None:
    """C24: with a name for each try, nobody would ever have to wait."""
    door = Door(tries=3)
    for name in ("alice", "a.liddell", "alice@example.com"):
        assert door.reason(name, "wrong") == "password-wrong"
    assert door.reason("alice", "right") == "password-wait"
    assert door.reason("alice@example.com", "right") == "password-wait"


@pytest.mark.parametrize("name", ["Alice", " alice ", "ALICE", "\uff41lice"])
def test_names_that_directories_take_for_one_count_as_one(name: str) -> None:
    door = Door(tries=1)
    door.ask(name, "wrong")
    assert door.reason("alice", "right") == "password-wait"


def test_users_that_there_are_not_have_to_wait_alike() -> None:
    door = Door(tries=1)
    assert door.reason("nobody", "wrong") == "password-wrong"
    assert door.reason("nobody", "wrong") == "password-wait"


def test_a_name_that_leads_to_an_account_is_as_much_work_as_one_that_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """C25: the count of the account is one more look into the cache."""
    door, done, seen = Door(), [], []
    for name in ("get", "compare_and_set", "delete"):
        method = getattr(door.tools.memory, name)

        async def watched(
            *arguments: object,
            name: str = name,
            method: Any = method,  # noqa: ANN401
        ) -> object:
            done.append(name)
            return await method(*arguments)

        monkeypatch.setattr(door.tools.memory, name, watched)
    for user in ("alice", "a.liddell", "nobody"):
        door.ask(user, "wrong")
        seen.append([*done])
        done.clear()
    assert seen[0] == seen[1] == seen[2] != []


def test_an_address_has_to_wait_whomever_it_tries() -> None:
    door = Door(tries_per_address=3)
    reasons = [door.reason(f"user{n}", "wrong") for n in range(4)]
    assert reasons[-2:] == ["password-wrong", "password-wait"]
    assert door.reason("user9", "wrong", "192.0.2.2") == "password-wrong"


def test_a_network_of_ipv6_is_one_address() -> None:
    door = Door(tries_per_address=1)
    door.ask("a", "wrong", "2001:db8::1")
    assert door.reason("b", "wrong", "2001:db8::ffff") == "password-wait"


def test_right_passwords_make_no_address_wait() -> None:
    """A company behind one address logs in in the morning."""
    door = Door(tries_per_address=2)
    for _ in range(9):
        assert isinstance(door.ask("alice", "right"), Account)


def test_the_right_password_ends_the_count_of_its_user() -> None:
    door = Door(tries=3)
    for _ in range(4):
        door.ask("alice", "wrong")
        assert isinstance(door.ask("alice", "right"), Account)


def test_other_processes_count_the_same() -> None:
    tools = FakeTools()
    one, two = Door(tools, tries=2), Door(tools, tries=2)
    one.ask("alice", "wrong")
    two.ask("alice", "wrong")
    assert one.reason("alice", "right") == "password-wait"


def test_a_checker_that_is_down_costs_no_try() -> None:
    tools = FakeTools()
    tools.checkers["users"] = FakeChecker({}, error=UnavailableError("ldap"))
    config = PasswordConfig(checker="users", tries=1)
    passwords = build_passwords(config, tools)
    for _ in range(3):
        with pytest.raises(UnavailableError):
            now(passwords.check(make_request(), "alice", "right"))


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("", "right"),
        ("alice", ""),
        ("alice\0", "right"),
        ("alice", "right\n"),
        ("a" * 256, "right"),
        ("alice", "r" * 1025),
        ("alice", "\udcff"),
    ],
)
def test_what_a_checker_could_misread_does_not_get_there(
    user: str, password: str
) -> None:
    door = Door()
    assert door.reason(user, password) == "password-wrong"
    assert door.directory.asked == []


def test_text_is_composed_as_users_type_it() -> None:
    """RFC 8265: the same characters are the same password on every keyboard."""
    door = Door()
    door.ask("a\u0308", "o\u0308")
    assert door.directory.asked == [("\u00e4", "\u00f6")]


def test_the_directory_says_nothing_about_the_login() -> None:
    door = Door(acr="pwd")
    found = door.ask("alice", "right")
    assert isinstance(found, Account)
    claims = door.passwords.identify(found, at=1234.5).claims
    assert claims == {
        "mail": "alice@example.com",
        "amr": ["pwd"],
        "acr": "pwd",
        "auth_time": 1234,
    }
    assert "acr" not in Door().passwords.identify(found, at=None).claims


def test_an_issuer_can_be_named() -> None:
    door = Door(issuer="https://login.example.com")
    identity = door.passwords.identify(Account(subject="alice"), at=None)
    assert identity.issuer == "https://login.example.com"


def test_a_checker_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="'none'"):
        build_passwords(PasswordConfig(checker="none"), FakeTools())
