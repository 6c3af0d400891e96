"""What is made before anything serves, for whom, and never twice."""

import os
import stat
from pathlib import Path

import pytest

from sso_proxy.config.key_ring import read_key_ring
from sso_proxy.config.private_file import write_private
from sso_proxy.errors import ConfigError
from sso_proxy.process.sockets import Owner
from sso_proxy.process.state import (
    make_admin_secret,
    make_key_ring,
    make_state_directory,
)
from sso_proxy.storage import Needs
from tests.support.running import need_root

NOBODY = 65534


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_nothing_is_made_if_nothing_is_needed(tmp_path: Path) -> None:
    make_state_directory(Needs(), Owner())
    make_key_ring(Needs())
    assert list(tmp_path.iterdir()) == []


def test_directory_is_for_its_owner_alone(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "state"
    make_state_directory(Needs(directory=directory), Owner())
    assert mode(directory) == 0o700


def test_directory_belongs_to_whom_privileges_are_dropped_to(tmp_path: Path) -> None:
    need_root()
    directory = tmp_path / "state"
    make_state_directory(Needs(directory=directory), Owner(NOBODY, NOBODY))
    assert (directory.stat().st_uid, directory.stat().st_gid) == (NOBODY, NOBODY)


def test_directory_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o751)
    make_state_directory(Needs(directory=tmp_path), Owner(NOBODY, NOBODY))
    assert mode(tmp_path) == 0o751
    assert tmp_path.stat().st_uid == os.geteuid()


def test_directory_that_cannot_be_made_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        make_state_directory(Needs(directory=Path("/proc/state")), Owner())
    (mistake,) = caught.value.mistakes
    assert mistake.path == "server.state_dir"
    assert "/proc/state" in mistake.problem


def test_key_ring_is_made_once(tmp_path: Path) -> None:
    needs = Needs(directory=tmp_path, key_ring=tmp_path / "keys.json")
    make_key_ring(needs)
    made = read_key_ring(tmp_path / "keys.json")
    assert mode(tmp_path / "keys.json") == 0o600
    make_key_ring(needs)
    assert read_key_ring(tmp_path / "keys.json") == made


def test_key_ring_that_is_there_and_unusable_is_not_replaced(tmp_path: Path) -> None:
    """What it sealed would be lost; whoever can write there could have it forged."""
    ring = tmp_path / "keys.json"
    ring.symlink_to(tmp_path / "nowhere")
    make_key_ring(Needs(directory=tmp_path, key_ring=ring))
    assert ring.is_symlink()


def test_key_ring_that_cannot_be_made_is_a_mistake() -> None:
    with pytest.raises(ConfigError) as caught:
        make_key_ring(Needs(key_ring=Path("/proc/keys.json")))
    (mistake,) = caught.value.mistakes
    assert mistake.path == "key_ring"
    assert "/proc/keys.json" in mistake.problem


def test_admin_secret_is_made_once(tmp_path: Path) -> None:
    path = tmp_path / "state" / "admin.secret"
    secret = make_admin_secret(path)
    assert len(secret) == 44
    assert mode(path) == 0o600
    assert make_admin_secret(path) == secret
    assert make_admin_secret(tmp_path / "other") != secret


def test_admin_secret_may_be_the_operators_own(tmp_path: Path) -> None:
    path = tmp_path / "admin.secret"
    write_private(path, b"0123456789abcdef0123456789abcdef\n", replace=False)
    assert make_admin_secret(path) == "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 257, b"x" * 32 + b"\ny"])
def test_admin_secret_that_can_be_guessed_or_sent_wrong_is_refused(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "admin.secret"
    write_private(path, content, replace=False)
    with pytest.raises(ConfigError, match="32 to 256 letters"):
        make_admin_secret(path)


def test_admin_secret_that_cannot_be_kept_is_a_mistake() -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        make_admin_secret(Path("/proc/admin.secret"))
