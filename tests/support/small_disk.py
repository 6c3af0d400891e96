"""A file system for a proxy alone, so small that it is full when a test says so."""

import errno
import shutil
from pathlib import Path

MIB = 48
_BLOCK = bytes(2**16)


def on_small_disk(directory: Path) -> str:
    """
    Give what the shell of a proxy does first, to have *directory* on such a one.

    It is mounted in a namespace of its own, and gone when the proxy is.  Only root may.
    """
    options = f"size={MIB}m,mode=0700"
    mount = f'mount -t tmpfs -o {options} tmpfs "{directory}" && exec "$@"'
    return f'mkdir -p "{directory}"; exec unshare --mount sh -c \'{mount}\' sh "$@";'


class SmallDisk:
    """
    The one of a process.

    Args:
        pid: The process, or a child of its.
        directory: Where that has it.
    """

    def __init__(self, pid: int, directory: Path) -> None:
        self.directory = Path(f"/proc/{pid}/root{directory}")
        self._filler = self.directory / "filler"

    def fill(self) -> None:
        """Leave no room."""
        # Never by mistake the disk of the machine.
        assert shutil.disk_usage(self.directory).total == MIB * 2**20
        with self._filler.open("ab", buffering=0) as file:
            for size in (len(_BLOCK), 1):
                try:
                    while file.write(_BLOCK[:size]):
                        pass
                except OSError as e:
                    if e.errno != errno.ENOSPC:
                        raise

    def make_room(self) -> None:
        """Take away what fills it."""
        self._filler.unlink(missing_ok=True)
