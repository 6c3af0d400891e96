"""Secrets of the configuration: never written in it, never shown."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Union, get_args, get_origin

import attrs

from sso_proxy.config.credentials import find_file

_MOST = 65536
"""Octets of a secret file; more is a mistake, not a secret."""

UNSHOWN = {"shown": False}
"""Metadata of an option that stands in the file, and may yet hold a secret."""

HOW = "write {name}_file = '…' or {name} = 'env:NAME'"


@attrs.frozen(repr=False)
class Secret:
    """A value that nothing may print; `reveal` it where it is used, no earlier."""

    _value: str

    def __repr__(self) -> str:
        """Show that there is one, and no more."""
        return "Secret(…)"

    def reveal(self) -> str:
        """Give the value."""
        return self._value


def is_secret(annotation: object) -> bool:
    """Say whether an option of this type is a secret, which may be optional."""
    optional = get_origin(annotation) in {Union, UnionType}
    return annotation is Secret or (optional and Secret in get_args(annotation))


@attrs.frozen
class SecretSource:
    """
    Where an option's value is to be read.

    Attributes:
        name: The option, without ``_file``.
        written: What stands under *name*; never shown, it may be the secret.
        file: What stands under ``<name>_file``.
    """

    name: str
    written: object = attrs.field(default=None, repr=False)
    file: object = None


def read_secret(
    source: SecretSource, *, directory: Path, environ: Mapping[str, str]
) -> Secret:
    """
    Read the secret that *source* points to.

    Args:
        source: As found in the configuration.
        directory: Where relative file names start.
        environ: The process's environment.

    Raises:
        ValueError: The file or variable is not there or empty, others can read the
            file, or the secret itself stands in the configuration.
    """
    how = HOW.format(name=source.name)
    if source.written is not None and source.file is not None:
        raise ValueError(f"stands here twice; {how}")
    if source.file is not None:
        if not isinstance(source.file, str) or not source.file:
            raise ValueError(f"{source.name}_file must be a file's name")
        path = find_file(source.file, directory=directory, environ=environ)
        return Secret(_read_file(path))
    scheme, _, variable = str(source.written).partition(":")
    if scheme != "env" or not variable:
        raise ValueError(f"is a secret and must not stand in this file; {how}")
    if not environ.get(variable):
        raise ValueError(f"the environment has no {variable!r}, or it is empty")
    return Secret(environ[variable])


def _read_file(path: Path) -> str:
    """Read a secret that only its owner and group can read."""
    try:
        # Not blocking: the name could be a pipe's.  Checked on the open file: what
        # is checked is what is read.
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123
            mode = os.fstat(file.fileno()).st_mode
            content = file.read(_MOST + 1) if stat.S_ISREG(mode) else b""
    except OSError as e:
        raise ValueError(f"{str(path)!r} cannot be read: {e.strerror}") from e
    if not stat.S_ISREG(mode):
        raise ValueError(f"{str(path)!r} is no file")
    if mode & stat.S_IRWXO:
        raise ValueError(
            f"{str(path)!r} is open to everybody on this machine; chmod o= it"
        )
    if len(content) > _MOST:
        raise ValueError(f"{str(path)!r} is longer than {_MOST} octets")
    try:
        value = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        # Not chained: the exception holds the content.
        raise ValueError(f"{str(path)!r} is not UTF-8") from None
    if not value:
        raise ValueError(f"{str(path)!r} is empty")
    return value
