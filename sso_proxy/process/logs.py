"""
The diagnostic log: a file that can be reopened, and workers' lines in it.

The form of a line is twistd's.  Only the main process writes the log; workers send it
their events, so that lines are never torn and one signal reopens the file for all.
"""

import os
import sys
from pathlib import Path
from typing import Any

from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    eventAsText,
    globalLogPublisher,
    textFileLogObserver,
)
from zope.interface import implementer

from sso_proxy.process.levels import Levels
from sso_proxy.process.sockets import Owner

_log = Logger()
_MODE = 0o640


class ReopenableFile:
    """
    A log file for appending that can be opened anew after it was renamed.

    Belongs to *owner*, the user that privileges are dropped to, who else could not
    open it again.
    """

    def __init__(self, path: str, owner: Owner) -> None:
        self.path = str(Path(path).absolute())
        self._fd = self._open()
        if os.geteuid() == 0:
            os.fchown(self._fd, owner.uid, owner.gid)

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY
        return os.open(self.path, flags, _MODE)

    def write(self, text: str) -> None:
        """Write *text* at the end."""
        data = text.encode("utf-8", "backslashreplace")
        while data:
            data = data[os.write(self._fd, data) :]

    def flush(self) -> None:
        """Do nothing: nothing is held back."""

    def reopen(self) -> None:
        """
        Open the file anew.

        Raises:
            OSError: It cannot be opened; the old one stays in use.
        """
        fd = self._open()
        os.close(self._fd)
        self._fd = fd


@implementer(ILogObserver)
class FileLog:
    """
    twistd's log file, which SIGUSR1 reopens instead of rotating it.

    Args:
        file: The file; None for the standard output.
        levels: What is wanted.
    """

    def __init__(self, file: ReopenableFile | None, levels: Levels) -> None:
        self._file = file
        self._levels = levels
        # A daemon has no standard output that anybody reads; then there is a file.
        target: Any = sys.stdout if file is None else file
        self._observe = textFileLogObserver(target)

    def __call__(self, event: LogEvent) -> None:
        """Write *event*, if it is wanted."""
        if self._levels.wants(event):
            self._observe(event)

    def reopen(self) -> None:
        """Open the file anew; if it cannot be, say so in the old one."""
        if self._file is None:
            return
        try:
            self._file.reopen()
        except OSError as e:
            _log.error(
                "cannot reopen the log {path}: {reason}; the old file stays in use."
                " Have it made for the user we run as (logrotate: create)",
                path=self._file.path,
                reason=e.strerror,
            )


def pack(event: LogEvent) -> dict[str, Any]:
    """Give what another process needs to log *event* as this one would."""
    text = eventAsText(event, includeTimestamp=False, includeSystem=False)
    level = event.get("log_level", LogLevel.info)
    return {
        "time": event.get("log_time"),
        "level": level.name,
        "namespace": event.get("log_namespace", "-"),
        "text": text,
    }


def replay(packed: dict[str, Any], worker: int) -> None:
    """Log what the worker numbered *worker* has packed."""
    globalLogPublisher(
        {
            "log_time": packed["time"],
            "log_level": LogLevel.levelWithName(packed["level"]),
            "log_namespace": packed["namespace"],
            "log_format": "worker {worker}: {text}",
            "worker": worker,
            "text": packed["text"],
        }
    )
