"""Files that several people and programs change: one at a time, all or nothing."""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

PATIENCE: Final = 5.0
"""Seconds to wait for another who is changing the file; that takes milliseconds."""
_PAUSE: Final = 0.02


@contextmanager
def locked(path: Path, within: float = PATIENCE) -> Iterator[None]:
    """
    Keep others who do the same from changing the file meanwhile.

    The file that is locked is the one that has this name: whoever waits for a file
    that another has replaced waits for the new one.

    Raises:
        TimeoutError: Another keeps it locked.
        OSError: It is not there, or cannot be opened.
    """
    until = time.monotonic() + within
    while (descriptor := _lock(path)) is None:
        if time.monotonic() > until:
            raise TimeoutError("is being changed by another")
        time.sleep(_PAUSE)
    try:
        yield
    finally:
        os.close(descriptor)


def _lock(path: Path) -> int | None:
    """Give the locked file's descriptor; None if another has it."""
    # Without O_NONBLOCK, a FIFO here would keep us for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        same = os.path.samestat(os.fstat(descriptor), path.stat())
    except BlockingIOError:
        same = False
    except BaseException:
        os.close(descriptor)
        raise
    if same:
        return descriptor
    os.close(descriptor)
    return None


def replace_content(path: Path, content: bytes) -> None:
    """
    Put another file in the place of the one at *path*, for whom that one was.

    Owner, group, mode, and where there are any access lists, stay as they were.

    Raises:
        OSError: It cannot be written, or would have another owner.
    """
    was = path.stat()
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            made = os.fstat(file.fileno())
            if (made.st_uid, made.st_gid) != (was.st_uid, was.st_gid):
                os.fchown(file.fileno(), was.st_uid, was.st_gid)
            shutil.copystat(path, temporary)
            file.flush()
            os.fsync(file.fileno())
        os.utime(temporary)  # readers know by the time that it has changed
        temporary.replace(path)
    finally:
        with suppress(FileNotFoundError):
            temporary.unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
