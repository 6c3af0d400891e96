"""Cerbos, a decision point that tests ask; it is installed when one first does."""

import fcntl
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from tests.support.node import install
from tests.support.programs import Running, free_port

_PLACE: Final = Path(__file__).parent / "cerbos"
_PROGRAM: Final = _PLACE / "node_modules/@cerbos/cerbos-linux-x64/cerbos-linux-x64"


def installed() -> Path:
    """Give the program, which is large: whoever needs it first installs it."""
    with (_PLACE / "package.json").open() as locked:
        fcntl.flock(locked, fcntl.LOCK_EX)
        if not _PROGRAM.exists():
            install(_PLACE)
    return _PROGRAM


class Cerbos:
    """
    One server process, on a port of its own.

    Args:
        directory: Where its output goes.
        policies: The directory with its policies.
    """

    def __init__(self, directory: Path, policies: Path) -> None:
        self.port = free_port()
        options = {
            "server.httpListenAddr": f"127.0.0.1:{self.port}",
            "server.grpcListenAddr": f"unix:{directory}/cerbos.sock",
            "storage.driver": "disk",
            "storage.disk.directory": policies,
            "storage.disk.watchForChanges": "false",
            "telemetry.disabled": "true",
        }
        given = [f"--set={name}={value}" for name, value in options.items()]
        self._running = Running(directory, str(installed()), "server", *given)

    @property
    def url(self) -> str:
        """Give what it calls itself."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it."""
        self._running.end()

    def __enter__(self) -> Self:
        self._running.wait_for_port(self.port)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
