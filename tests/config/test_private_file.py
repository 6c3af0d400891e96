"""Files of ours that nobody else may read or write."""

import os
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sso_proxy.config.private_file import is_open, read_private, write_private
from sso_proxy.errors import ConfigError
from tests.support.running import need_root


def problem(path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read_private(path, 10)
    (mistake,) = caught.value.mistakes
    assert mistake.path == str(path)
    return mistake.problem


def test_what_is_written_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_private(path, b"content", replace=False)
    assert read_private(path, 10) == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert list(path.parent.iterdir()) == [path]


def test_file_is_replaced_only_if_that_is_meant(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_private(path, b"one", replace=True)
    with pytest.raises(FileExistsError):
        write_private(path, b"two", replace=False)
    assert read_private(path, 10) == b"one"
    write_private(path, b"two", replace=True)
    assert read_private(path, 10) == b"two"
    assert list(tmp_path.iterdir()) == [path]


def test_file_that_is_too_long_is_seen_to_be(tmp_path: Path) -> None:
    write_private(tmp_path / "file", b"x" * 12, replace=False)
    assert len(read_private(tmp_path / "file", 10)) == 11


def test_missing_file_is_missing(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_private(tmp_path / "file", 10)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_file_that_others_get_at_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "file"
    write_private(path, b"content", replace=False)
    path.chmod(mode)
    assert "chmod 600" in problem(path)


def test_file_that_cannot_be_opened_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.symlink_to(path)
    assert problem(path).startswith("cannot be read: ")


def test_what_is_no_file_has_no_content(tmp_path: Path) -> None:
    """And nobody waits for somebody to write into a pipe."""
    os.mkfifo(tmp_path / "pipe", 0o600)
    assert read_private(tmp_path / "pipe", 10) == b""


def test_file_of_another_user_is_refused(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "file"
    write_private(path, b"content", replace=False)
    path.chmod(0o600)
    os.chown(path, 65534, 65534)
    assert read_private(path, 10) == b"content"  # root reads whatever it is given
    tmp_path.chmod(0o755)
    os.seteuid(65533)
    try:
        assert problem(path).startswith("cannot be read: ")
    finally:
        os.seteuid(0)


def test_a_file_is_open_if_everybody_gets_to_it_and_may_read_or_write_it() -> None:
    with TemporaryDirectory() as name:
        directory = Path(name)
        file, link = directory / "file", directory / "link"
        file.touch()
        link.symlink_to(file)
        for above, mode, found in (
            (0o755, 0o644, True),
            (0o711, 0o604, True),
            (0o755, 0o602, True),
            (0o755, 0o640, False),
            (0o755, 0o601, False),
            (0o750, 0o644, False),
            (0o754, 0o666, False),
        ):
            directory.chmod(above)
            file.chmod(mode)
            assert is_open(file) is found, (oct(above), oct(mode))
            assert is_open(link) is found
        assert not is_open(directory / "none")
        link.unlink()
        link.symlink_to(link)
        assert not is_open(link)
