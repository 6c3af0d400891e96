"""Users are looked up in a file, and it may change at any time."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from twisted.internet import reactor as installed  # noqa: TID251 - a real one
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import TestCase

from sso_proxy.errors import ConfigError, UnavailableError
from sso_proxy.mappers.file import MOST_OCTETS, FileMapper, FileMapperConfig
from sso_proxy.model import DECLINED, REFUSED
from sso_proxy.net.threads import Threads
from sso_proxy.testing.checks import check_user_mapper
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools, make_identity
from tests.support.caching import now
from tests.support.password_scene import NoThreads


def put(file: Path, text: str) -> Path:
    """Put another file in the place of *file*, as careful programs do."""
    other = file.with_suffix(".new")
    other.write_text(text, "utf-8")
    return other.replace(file)


class _Threads(NoThreads):
    """Does things at once, or has no time."""

    busy = False

    async def run(self, work: Callable[..., Any], *arguments: Any) -> Any:  # type: ignore[override]  # noqa: ANN401
        """Do it, or not."""
        if self.busy:
            raise UnavailableError("user maps: too much to do", reason="busy")
        return await super().run(work, *arguments)


class Scene:
    """A mapper, its file and its clock."""

    def __init__(self, directory: Path, text: str, **options: str) -> None:
        self.file = put(directory / "users", text)
        self.clock = SettableClock()
        self.threads = _Threads()
        config = FileMapperConfig(file=str(self.file), **options)
        self.mapper = FileMapper("staff", config, self.threads, self.clock)

    def ask(self, subject: str = "alice", **identity: Any) -> object:  # noqa: ANN401
        return now(self.mapper.map_user(make_identity(subject, **identity)))

    def later(self, text: str) -> None:
        """Put *text* in the file, and let a second pass."""
        put(self.file, text)
        self.clock.advance(1)

    def problems(self) -> tuple[str, ...]:
        return now(self.mapper.probe())


def test_the_line_of_the_subject_says_the_name(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "# staff\nalice al\nZoë zoë\n")
    assert scene.ask("alice") == "al"
    assert scene.ask("Zoë") == "zoë"
    assert scene.problems() == ()


def test_without_a_line_the_next_mapper_is_asked(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "alice al\n")
    for stranger in ("Alice", "alice ", "bob", "#", ""):
        assert scene.ask(stranger) is DECLINED


def test_a_line_without_a_name_refuses(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "eve,\nmallory,!\n", delimiter=",")
    assert scene.ask("eve") is REFUSED
    assert scene.ask("mallory") is REFUSED


def test_one_subject_of_two_issuers_is_two_people(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "https://a.example|alice al\n", source="qualified")
    assert scene.ask(issuer="https://a.example") == "al"
    assert scene.ask(issuer="https://b.example") is DECLINED


def test_a_claim_may_be_looked_up(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "a@example.com al\n", source="contact.email")
    for email in ("a@example.com", ["a@example.com"]):
        assert scene.ask(claims={"contact": {"email": email}}) == "al"
    assert scene.ask(claims={"contact": {"email": ["a@example.com", "b"]}}) is REFUSED
    assert scene.ask(claims={}) is DECLINED
    quoted = Scene(tmp_path, "x al\n", source="'subject'")
    assert quoted.ask("alice", claims={"subject": "x"}) == "al"


def test_a_change_counts_a_second_later(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "alice al\nbob bob\n")
    put(scene.file, "alice alice\n")
    scene.clock.advance(0.9)
    assert scene.ask("alice") == "al"
    scene.clock.advance(0.1)
    assert scene.ask("alice") == "alice"
    assert scene.ask("bob") is DECLINED


def test_it_is_looked_at_once_a_second(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "alice 0\n")
    names = []
    for step in range(1, 13):
        put(scene.file, f"alice {step}\n")
        scene.clock.advance(0.25)
        names.append(scene.ask())
    assert names == ["0", "0", "0", "4", "4", "4", "4", "8", "8", "8", "8", "12"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("alice al\nalice bob\n", "line 2: the identity is there already"),
        ("alice a", "the last line does not end"),
        (None, "No such file"),
        ("#" * (MOST_OCTETS + 1), "more than"),
    ],
)
def test_a_bad_file_leaves_the_last_one_in_force(
    tmp_path: Path, text: str | None, why: str
) -> None:
    scene = Scene(tmp_path, "alice al\n")
    with capturedLogs() as events:
        if text is None:
            scene.file.unlink()
        else:
            put(scene.file, text)
        for _ in range(3):
            scene.clock.advance(1)
            assert scene.ask() == "al"
    [told] = [event for event in events if event.get("log_level") == LogLevel.warn]
    assert why in told["why"]
    [problem] = scene.problems()
    assert problem.startswith("warning: mapper.staff: the users are old: ")
    assert why in problem
    scene.later("alice alice\n")
    assert scene.ask() == "alice"
    assert scene.problems() == ()


def test_who_asks_for_the_state_learns_of_a_bad_file_without_requests(
    tmp_path: Path,
) -> None:
    scene = Scene(tmp_path, "alice al\n")
    scene.later("alice\n")
    assert "line 1" in scene.problems()[0]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("alice\n", "file: line 1: not an identity"),
        ("alice al\nalice al\n", "file: line 2: the identity is there already"),
        (None, "file: .*No such file"),
    ],
)
def test_a_bad_file_stops_the_start(tmp_path: Path, text: str | None, why: str) -> None:
    file = tmp_path / "users"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=why):
        FileMapper.from_config(FileMapperConfig(file=str(file)), FakeTools())


def test_options_that_cannot_be_are_refused() -> None:
    with pytest.raises(ValueError, match="one character"):
        FileMapperConfig(file="users", delimiter="")
    with pytest.raises(ValueError, match="claim"):
        FileMapperConfig(file="users", source="a..b")


def test_it_keeps_the_contract_of_mappers(tmp_path: Path) -> None:
    file = put(tmp_path / "users", "alice al\n")
    mapper = FileMapper.from_config(FileMapperConfig(file=str(file)), FakeTools())
    check_user_mapper(mapper, [make_identity()])


def test_where_there_is_too_much_to_do_it_is_tried_again(tmp_path: Path) -> None:
    scene = Scene(tmp_path, "alice al\n")
    scene.threads.busy = True
    scene.later("alice alice\n")
    assert scene.ask() == "al"
    assert "too much to do" in scene.problems()[0]
    scene.threads.busy = False
    scene.clock.advance(1)
    assert scene.ask() == "alice"


class ThreadedTests(TestCase):
    """Real threads."""

    timeout = 30

    async def test_the_request_that_sees_the_change_waits_for_it(self) -> None:
        """Who was taken out of the file gets in no more, though nobody came since."""
        name: str = self.mktemp()
        file = put(Path(name), "alice al\nbob bob\n")
        clock, threads = SettableClock(), Threads(installed, "test", 1)
        self.addCleanup(threads.close)
        mapper = FileMapper("m", FileMapperConfig(file=str(file)), threads, clock)
        put(file, "alice al\n")
        clock.advance(3600)
        assert await mapper.map_user(make_identity("bob")) is DECLINED
        assert await mapper.map_user(make_identity("alice")) == "al"
