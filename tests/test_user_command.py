"""``sso-proxy user`` changes a mapper's file, and nothing that it would not load."""

import fcntl
from pathlib import Path

import pytest

from sso_proxy.cli import main
from sso_proxy.mappers.file import FileMapper, FileMapperConfig
from sso_proxy.model import REFUSED
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import make_identity
from tests.support.caching import now
from tests.support.password_scene import NoThreads

CONFIG = """
[mapper.staff]
type = "file"
file = "users"
[mapper.openids]
type = "file"
file = "users"
[mapper.few]
type = "static"
users = {}
[authenticator.openid]
type = "openid2"
mappers = ["openids"]
"""
USERS = """# staff
https://alice.example/  alice
https://al.example/     alice
https://bob.example/    bob
https://eve.example/    !
# and others
"""
ALICE, BOB, EVE = (f"https://{name}.example/" for name in ("alice", "bob", "eve"))


class Estate:
    """A configuration, its file, and the command."""

    def __init__(self, directory: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.config = directory / "sso-proxy.toml"
        self.config.write_text(CONFIG)
        self.users = directory / "users"
        self.users.write_text(USERS)
        self._capsys = capsys

    def run(self, action: str, *arguments: str) -> tuple[int, str, str]:
        """Give the status and what was written."""
        status = main(["user", action, "--config", str(self.config), *arguments])
        return (status, *self._capsys.readouterr())

    def done(self, action: str, *arguments: str) -> str:
        """Give what was written, where nothing is wrong."""
        status, out, err = self.run(action, *arguments)
        assert (status, err) == (0, "")
        return out

    def refused(self, action: str, *arguments: str) -> str:
        """Give why something is not done; the file stays as it is."""
        before = self.users.read_bytes()
        status, out, err = self.run(action, *arguments)
        assert (status, out) == (1, "")
        assert self.users.read_bytes() == before
        return err


@pytest.fixture
def estate(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Estate:
    return Estate(tmp_path, capsys)


def test_the_list_has_the_name_of_each(estate: Estate) -> None:
    assert estate.done("list", "staff") == (
        "alice\thttps://alice.example/\n"
        "alice\thttps://al.example/\n"
        "bob\thttps://bob.example/\n"
        "!\thttps://eve.example/\n"
    )
    assert estate.done("list", "staff", "EVE.") == f"!\t{EVE}\n"
    assert estate.run("list", "staff", "carol") == (1, "", "")


def test_who_is_added_stands_at_the_end(estate: Estate) -> None:
    out = estate.done("add", "openids", "https://carol.example/", "carol")
    first, then = out.splitlines()
    assert first == "mapper.openids: 'https://carol.example/' is 'carol'"
    assert "30 seconds" in then
    assert estate.users.read_text() == f"{USERS}https://carol.example/ carol\n"


def test_a_running_mapper_sees_each_change(estate: Estate) -> None:
    clock = SettableClock()
    config = FileMapperConfig(file=str(estate.users))
    mapper = FileMapper("staff", config, NoThreads(), clock)

    def name() -> object:
        clock.advance(1)
        return now(mapper.map_user(make_identity(BOB)))

    assert name() == "bob"
    estate.done("refuse", "staff", BOB)
    assert name() is REFUSED
    estate.done("add", "--replace", "staff", BOB, "robert")
    assert name() == "robert"


def test_comments_and_other_lines_stay(estate: Estate) -> None:
    out = estate.done("refuse", "staff", ALICE)
    assert "does not get in; before, it is 'alice'" in out
    assert estate.users.read_text() == USERS.replace("/  alice", "/  !")
    out = estate.done("remove", "staff", BOB)
    assert "is gone; before, it is 'bob'" in out
    assert "bob" not in estate.users.read_text()
    assert estate.users.read_text().count("\n") == USERS.count("\n") - 1


def test_who_has_another_name_gets_a_new_one_only_if_that_is_meant(
    estate: Estate,
) -> None:
    assert "is 'bob'; --replace" in estate.refused("add", "staff", BOB, "robert")
    out = estate.done("add", "staff", "--replace", BOB, "robert")
    assert "is 'robert'; before, it is 'bob'" in out


def test_what_is_so_already_is_not_written_again(estate: Estate) -> None:
    before = estate.users.stat()
    assert estate.done("add", "staff", BOB, "bob").endswith("is 'bob' already\n")
    assert estate.done("refuse", "staff", EVE).endswith("does not get in already\n")
    assert estate.users.stat() == before


def test_who_is_not_there_is_not_removed(estate: Estate) -> None:
    assert "'carol' is not there" in estate.refused("remove", "staff", "carol")


@pytest.mark.parametrize(
    ("identity", "user"),
    [("", "x"), ("a\nb", "x"), ("a", ""), ("a", "x\nroot r"), ("a", "!"), ("a", " x")],
)
def test_what_the_mapper_would_not_load_is_not_written(
    estate: Estate, identity: str, user: str
) -> None:
    assert "command line: " in estate.refused("add", "staff", identity, user)


def test_a_file_with_a_mistake_is_corrected_first(estate: Estate) -> None:
    estate.users.write_text(f"{USERS}carol\n")
    for action in (("add", "staff", "a", "b"), ("list", "staff")):
        err = estate.refused(*action)
        assert "line 7: not an identity" in err
        assert "correct that first" in err
    estate.users.unlink()
    assert "cannot be read" in estate.run("add", "staff", "a", "b")[2]


def test_a_file_does_not_grow_beyond_what_the_mapper_reads(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sso_proxy.user_command.MOST_OCTETS", len(USERS) + 3)
    assert "would have more than" in estate.refused("add", "staff", "dave", "dave")


def test_another_who_is_changing_it_is_waited_for_but_not_for_ever(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sso_proxy.user_command.PATIENCE", 0.01)
    with estate.users.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        err = estate.refused("refuse", "staff", BOB)
    assert "is being changed by another" in err


def test_a_link_stays_a_link(estate: Estate, tmp_path: Path) -> None:
    real = tmp_path / "real"
    estate.users.rename(real)
    estate.users.symlink_to("real")
    estate.done("refuse", "staff", BOB)
    assert estate.users.is_symlink()
    assert f"{BOB}    !" in real.read_text()


def test_mistakes_elsewhere_keep_nobody_from_being_kept_out(estate: Estate) -> None:
    estate.config.write_text(
        f"{CONFIG}[server]\nwat = 1\n[token.x]\ntype = 'none'\n"
        "[authenticator.y]\nsecret = 'env:UNSET'\n"
    )
    estate.done("refuse", "staff", BOB)


@pytest.mark.parametrize(
    ("mapper", "why"),
    [("few", "has no file: it is of type 'static'"), ("nobody", "is none that can be")],
)
def test_only_mappers_with_a_file_have_one(
    estate: Estate, mapper: str, why: str
) -> None:
    assert f"mapper.{mapper}: {why}" in estate.refused("list", mapper)


@pytest.mark.parametrize(
    ("identity", "why"),
    [
        ("https://Carol.example", "that is 'https://carol.example/'"),
        ("https://carol.example#2", "that is 'https://carol.example/#2'"),
        ("https://a@carol.example/", "no OpenID: "),
    ],
)
def test_an_openid_that_is_never_looked_up_is_not_written(
    estate: Estate, identity: str, why: str
) -> None:
    assert why in estate.refused("add", "openids", identity, "carol")
    assert why in estate.refused("refuse", "openids", identity)
    estate.done("add", "staff", identity, "carol")


def test_who_is_somebody_only_sees_and_changes_their_own(estate: Estate) -> None:
    own = ("--only", "alice", "staff")
    assert estate.done("list", *own) == (
        "alice\thttps://alice.example/\nalice\thttps://al.example/\n"
    )
    estate.done("add", *own, "https://new.example/", "alice")
    estate.done("remove", *own, "https://al.example/")
    assert "only 'alice'" in estate.refused("add", *own, "https://x.example/", "bob")
    for identity in (BOB, EVE):
        err = estate.refused("add", "--replace", *own, identity, "alice")
        assert err.startswith("mapper.staff: that is somebody else's\n")
        assert "is not there" in estate.refused("remove", *own, identity)


def test_who_may_only_append_to_the_command_line_stays_who_they_are(
    estate: Estate, capsys: pytest.CaptureFixture[str]
) -> None:
    for more in (
        ["--only", "bob"],
        ["--only=bob"],
        ["--onl", "bob"],
        ["--config", str(estate.config)],
    ):
        with pytest.raises(SystemExit):
            estate.run("list", "--only", "alice", "staff", *more)
        assert "alice" not in capsys.readouterr().out
    with pytest.raises(SystemExit):
        estate.run("refuse", "--only", "alice", "staff", BOB)
    assert "--only names nobody" in estate.refused("list", "--only", "", "staff")
