"""Secrets come from elsewhere, and go nowhere."""

import os
from pathlib import Path

import attrs
import pytest

from sso_proxy.config.secrets import Secret, SecretSource, read_secret

VALUE = "correct-horse"


def read(directory: Path, written: object = None, file: object = None) -> Secret:
    source = SecretSource("password", written=written, file=file)
    return read_secret(source, directory=directory, environ={"SET": VALUE, "NO": ""})


def secret_file(directory: Path, content: bytes, mode: int = 0o640) -> str:
    path = directory / "password.txt"
    path.write_bytes(content)
    path.chmod(mode)
    return path.name


def test_environment_variable_is_read(tmp_path: Path) -> None:
    assert read(tmp_path, "env:SET").reveal() == VALUE


@pytest.mark.parametrize("content", [b"correct-horse", b"correct-horse\r\n"])
def test_file_is_read_without_its_line_end(tmp_path: Path, content: bytes) -> None:
    name = secret_file(tmp_path, content)
    assert read(tmp_path, file=name).reveal() == VALUE


def test_absolute_file_is_read(tmp_path: Path) -> None:
    name = tmp_path / secret_file(tmp_path, b"correct-horse")
    assert read(Path("/nowhere"), file=str(name)).reveal() == VALUE


@pytest.mark.parametrize("written", [VALUE, "env:", "file:/x", "", 7])
def test_literal_is_refused_and_not_shown(tmp_path: Path, written: object) -> None:
    with pytest.raises(ValueError, match="must not stand in this file") as e:
        read(tmp_path, written)
    assert VALUE not in str(e.value)
    assert "password_file = '…' or password = 'env:NAME'" in str(e.value)


def test_both_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="twice"):
        read(tmp_path, "env:SET", secret_file(tmp_path, b"x"))


@pytest.mark.parametrize("variable", ["UNSET", "NO"])
def test_variable_without_value_is_refused(tmp_path: Path, variable: str) -> None:
    with pytest.raises(ValueError, match=f"no '{variable}', or it is empty"):
        read(tmp_path, f"env:{variable}")


@pytest.mark.parametrize("mode", [0o644, 0o602, 0o601])
def test_file_open_to_everybody_is_refused(tmp_path: Path, mode: int) -> None:
    name = secret_file(tmp_path, b"correct-horse", mode)
    with pytest.raises(ValueError, match="everybody on this machine; chmod o="):
        read(tmp_path, file=name)


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "empty"), (b"\n", "empty"), (b"\xff", "UTF-8"), (b"a" * 65537, "longer")],
)
def test_unusable_content_is_refused(
    tmp_path: Path, content: bytes, problem: str
) -> None:
    name = secret_file(tmp_path, content)
    with pytest.raises(ValueError, match=problem) as e:
        read(tmp_path, file=name)
    assert e.value.__cause__ is None


@pytest.mark.parametrize("file", [7, ""])
def test_file_name_that_is_none_is_refused(tmp_path: Path, file: object) -> None:
    with pytest.raises(ValueError, match="password_file must be"):
        read(tmp_path, file=file)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="No such file"):
        read(tmp_path, file="missing")


def test_pipe_without_writer_does_not_stop_the_start(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    with pytest.raises(ValueError, match="no file"):
        read(tmp_path, file="pipe")


def test_secret_is_never_shown() -> None:
    @attrs.frozen
    class Options:
        password: Secret

    secret = Secret(VALUE)
    shown = f"{secret} {secret!r} {Options(secret)} {[secret]}"
    assert VALUE not in shown


def test_source_does_not_show_what_was_written() -> None:
    assert VALUE not in repr(SecretSource("password", written=VALUE))
