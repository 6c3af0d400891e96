"""A file of texts that is read again when it has changed."""

import os
from stat import S_ISREG

_State = tuple[int, int, int, int]


class WatchedFile:
    """
    Reads a file, and can tell whether it has changed since.

    Args:
        file: Its name.
        most: Octets that it may have.
    """

    def __init__(self, file: str, most: int) -> None:
        self._file = file
        self._most = most
        self._seen: _State | None = None

    def changed(self) -> bool:
        """
        Say whether it is another than when it was last read, or tried to be.

        Raises:
            OSError: It is not there.
        """
        try:
            now = _state(os.stat(self._file))  # noqa: PTH116 - as fstat
        except OSError:
            self._seen = None  # the one that was read may come back
            raise
        return now != self._seen

    def read(self) -> str:
        """
        Read all of it, as UTF-8; may be done in a thread.

        Raises:
            OSError: It cannot be read.
            ValueError: It is too large, or no text, or being written.
        """
        file, most = self._file, self._most
        # Without O_NONBLOCK, a FIFO here would let the start wait for ever.
        with os.fdopen(os.open(file, os.O_RDONLY | os.O_NONBLOCK), "rb") as stream:
            found = os.fstat(stream.fileno())
            self._seen = _state(found)
            if not S_ISREG(found.st_mode):
                raise ValueError(f"{file} is no file")
            content = stream.read(most + 1)
            if _state(os.fstat(stream.fileno())) != self._seen:
                raise ValueError(f"{file} was written while it was read")
        if len(content) > most:
            raise ValueError(f"{file} has more than {most} octets")
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise ValueError(f"{file} is not UTF-8") from None


def _state(stat: os.stat_result) -> _State:
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
