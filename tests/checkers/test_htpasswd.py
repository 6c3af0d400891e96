"""Passwords are compared with a file's, and the reactor does not wait."""

import os
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet import reactor as installed  # noqa: TID251 - a real one
from twisted.trial.unittest import TestCase
from zope.interface.verify import verifyObject

from sso_proxy.checkers.htpasswd import MOST_OCTETS, HtpasswdChecker, HtpasswdConfig
from sso_proxy.errors import ConfigError
from sso_proxy.interfaces import IPasswordChecker
from sso_proxy.login import Account, Unproved
from sso_proxy.net.threads import Threads
from sso_proxy.specs.htpasswd import STAND_IN, PasswordHash
from sso_proxy.testing.fakes import FakeTools
from tests.support.caching import now
from tests.support.password_scene import NoThreads, htpasswd_line


def line(user: str, password: str = "wonderland") -> str:  # noqa: S107
    return htpasswd_line(user, password)


def write(file: Path, *lines: str) -> Path:
    """Put another file in the place of *file*, as careful programs do."""
    other = file.with_suffix(".new")
    other.write_text("".join(lines))
    return other.replace(file)


def make(file: Path, **options: str) -> HtpasswdChecker:
    config = HtpasswdConfig(file=str(file), **options)  # type: ignore[arg-type]
    return HtpasswdChecker("users", config, NoThreads())


def ask(
    checker: HtpasswdChecker,
    user: str,
    password: str = "wonderland",  # noqa: S107
) -> object:
    return now(checker.check(user, password))


def test_it_is_a_checker(tmp_path: Path) -> None:
    verifyObject(IPasswordChecker, make(write(tmp_path / "users", line("alice"))))


def test_the_right_password_is_the_account(tmp_path: Path) -> None:
    checker = make(write(tmp_path / "users", line("alice")))
    assert ask(checker, "alice") == Account(subject="alice")
    assert ask(checker, "alice", "wrong") == Unproved("alice")
    assert ask(checker, "bob") is None
    assert ask(checker, "alice", "") is None
    assert ask(checker, "alice", "x" * 1025) is None


@pytest.mark.parametrize("user", ["", "a:b", "alice\n", "x" * 300])
def test_what_can_be_no_name_is_nobody(tmp_path: Path, user: str) -> None:
    assert ask(make(write(tmp_path / "users", line("alice"))), user) is None


def test_names_can_be_compared_without_case(tmp_path: Path) -> None:
    file = write(tmp_path / "users", line("Alice"))
    assert ask(make(file), "alice") is None
    assert ask(make(file, names="casefold"), "aLICE") == Account(subject="Alice")


def test_two_names_that_are_one_are_a_mistake(tmp_path: Path) -> None:
    file = write(tmp_path / "users", line("Alice"), line("alice"))
    make(file)
    with pytest.raises(ConfigError, match="same name"):
        HtpasswdChecker.from_config(
            HtpasswdConfig(file=str(file), names="casefold"), FakeTools()
        )


def test_the_file_is_read_again_when_it_has_changed(tmp_path: Path) -> None:
    file = write(tmp_path / "users", line("alice"))
    checker = make(file)
    write(file, line("bob"))
    assert ask(checker, "bob") == Account(subject="bob")
    assert ask(checker, "alice") is None


@pytest.mark.parametrize("lines", [("alice:secret\n",), ("\0",), ("x" * 30,)])
def test_a_bad_file_leaves_the_last_one_in_force(
    tmp_path: Path, lines: tuple[str, ...]
) -> None:
    file = write(tmp_path / "users", line("alice"))
    checker = make(file)
    write(file, *lines)
    assert ask(checker, "alice") == Account(subject="alice")
    assert ask(checker, "alice") == Account(subject="alice")
    write(file, line("alice", "new"))
    assert ask(checker, "alice", "new") == Account(subject="alice")


def test_a_file_that_is_gone_leaves_the_last_one_in_force(tmp_path: Path) -> None:
    file = write(tmp_path / "users", line("alice"))
    checker = make(file)
    file.unlink()
    assert ask(checker, "alice") == Account(subject="alice")


def test_health_says_that_users_are_old(tmp_path: Path) -> None:
    file = write(tmp_path / "users", line("alice"))
    checker = make(file)
    other = file.rename(tmp_path / "other")
    ask(checker, "alice")
    (warning,) = now(checker.probe())
    assert warning.startswith("warning: checker.users: the users are old: ")
    other.rename(file)
    ask(checker, "alice")
    assert now(checker.probe()) == ()
    write(file, "alice:secret\n")
    ask(checker, "alice")
    assert "line 1" in now(checker.probe())[0]
    assert "secret" not in now(checker.probe())[0]


def test_an_empty_file_lets_nobody_in(tmp_path: Path) -> None:
    """That is how somebody locks everybody out."""
    file = write(tmp_path / "users", line("alice"))
    checker = make(file)
    write(file, "")
    assert ask(checker, "alice") is None


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"alice:secret", "file: line 1: neither"),
        (b"\xff:", "UTF-8"),
        (b"#" * (MOST_OCTETS + 1), "more than"),
        (None, "No such file"),
    ],
)
def test_a_bad_file_stops_the_start(
    tmp_path: Path, content: bytes | None, why: str
) -> None:
    file = tmp_path / "users"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ConfigError, match=why) as caught:
        HtpasswdChecker.from_config(HtpasswdConfig(file=str(file)), FakeTools())
    assert "secret" not in str(caught.value)


def test_what_is_no_file_stops_the_start(tmp_path: Path) -> None:
    """A FIFO would let it wait for ever."""
    fifo = tmp_path / "users"
    os.mkfifo(fifo)
    with pytest.raises(ConfigError, match="is no file"):
        HtpasswdChecker.from_config(HtpasswdConfig(file=str(fifo)), FakeTools())


class Counting:
    """Counts the work that is done, by its kind and cost."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: Counter[tuple[str, int]] = Counter()
        matches = PasswordHash.matches

        def count(known: PasswordHash, password: bytes) -> bool:
            self.done[known.kind, known.cost] += 1
            return matches(known, password)

        monkeypatch.setattr(PasswordHash, "matches", count)

    def take(self) -> Counter[tuple[str, int]]:
        done, self.done = self.done, Counter()
        return done


@pytest.mark.parametrize("user", ["alice", "nobody", "Alice", "\N{SNOWMAN}"])
def test_a_user_that_there_is_not_is_as_much_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """C25: how long it takes says nothing about who there is."""
    checker, work = (
        make(write(tmp_path / "users", line("alice"))),
        Counting(monkeypatch),
    )
    ask(checker, user, "wrong")
    assert work.take() == {("apr1", 1000): 1}


def test_where_hashes_differ_unknown_names_have_each_its_own_always(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else one kind would be that of those who are not there."""
    strong = f"bob:{STAND_IN.text.replace('$10$', '$04$')}\n"
    file = write(tmp_path / "users", line("alice"), strong)
    work, seen = Counting(monkeypatch), []
    for name in (f"nobody{n}" for n in range(40)):
        kinds: list[tuple[str, int]] = []
        for _ in range(2):  # another process, or later
            ask(make(file), name, "wrong")
            kinds += work.take().elements()
        assert kinds[0] == kinds[1]
        seen.append(kinds[0])
    assert min(Counter(seen).values()) > 5
    assert set(seen) == {("apr1", 1000), ("bcrypt", 4)}


def test_where_there_are_no_users_there_is_work_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checker, work = make(write(tmp_path / "users", "")), Counting(monkeypatch)
    ask(checker, "alice", "wrong")
    assert work.take() == {("bcrypt", STAND_IN.cost): 1}


@settings(deadline=None)
@given(user=st.text(), password=st.text(st.characters(codec="utf-8")))
def test_whatever_is_typed_is_an_answer(
    tmp_path_factory: pytest.TempPathFactory, user: str, password: str
) -> None:
    file = tmp_path_factory.getbasetemp() / "htpasswd-fuzzed"
    if not file.exists():
        file.write_text(line("alice"))
    assert ask(make(file), user, password) in (None, Unproved("alice"))


class ThreadedTests(TestCase):
    """Real threads."""

    timeout = 30

    async def test_hashes_are_made_beside_the_reactor(self) -> None:
        """What a login costs, others do not wait for."""
        name: str = self.mktemp()
        file = write(Path(name), line("alice"))
        threads = Threads(installed, "test", 2)
        self.addCleanup(threads.close)
        checker = HtpasswdChecker("users", HtpasswdConfig(file=str(file)), threads)
        assert await checker.check("alice", "wonderland") == Account(subject="alice")
