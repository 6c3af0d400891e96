"""Files that nobody else should be able to read or write."""

import os
import stat
import tempfile
from contextlib import suppress
from pathlib import Path

from sso_proxy.errors import ConfigError, Mistake


def read_private(path: Path, most: int) -> bytes:
    """
    Read the file at *path*; nothing if it is no regular file.

    Args:
        path: Its name.
        most: Octets; if there are more, one more is returned.

    Raises:
        FileNotFoundError: There is none.
        ConfigError: It cannot be read, or others than its owner can get at it.
    """
    try:
        flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC
        with open(os.open(path, flags), "rb") as file:  # noqa: PTH123
            status = os.fstat(file.fileno())
            content = file.read(most + 1) if stat.S_ISREG(status.st_mode) else b""
    except FileNotFoundError:
        raise
    except OSError as e:
        raise _error(path, f"cannot be read: {e.strerror}") from e
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise _error(path, "others than its owner can get at it; chmod 600 it")
    if os.geteuid() and status.st_uid not in {0, os.geteuid()}:
        raise _error(path, f"belongs to user {status.st_uid}, who could change it")
    return content


def is_open(path: Path) -> bool:
    """
    Say whether everybody on this machine can get at the file at *path*.

    Who cannot enter a directory above it cannot, whatever the file says.  False if
    there is none that we can look at.
    """
    try:
        place = path.resolve(strict=True)
        mode = place.stat().st_mode
        above = [each.stat().st_mode for each in place.parents]
    except (OSError, RuntimeError):  # the latter: links that lead round
        return False
    reachable = all(each & stat.S_IXOTH for each in above)
    return reachable and bool(mode & (stat.S_IROTH | stat.S_IWOTH))


def write_private(path: Path, content: bytes, *, replace: bool) -> None:
    """
    Write the file at *path*, readable by its owner alone, all of it or nothing.

    Args:
        path: Its directory is made if need be.
        content: What to write.
        replace: Whether there may be a file already; if not, there must be none.

    Raises:
        OSError: It cannot be written, or there is one (FileExistsError).
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # mkstemp makes it 0600, whatever the umask.
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with open(descriptor, "wb") as file:  # noqa: PTH123
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(temporary).replace(path)
        else:
            os.link(temporary, path)  # fails if there is one
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _error(path: Path, problem: str) -> ConfigError:
    return ConfigError(Mistake(str(path), problem))
