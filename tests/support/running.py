"""Run the proxy as a process of its own, and see what it does."""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import ClassVar, Self

from tests.support import forking

ROOT = Path(__file__).parent.parent.parent
PATIENCE = 40.0
FAKE = (str(Path(__file__).parent / "fake_proxy.py"),)
REAL = ("-c", "from twisted.scripts.twistd import run; run()")


def eventually(true: Callable[[], bool], what: str, seconds: float = PATIENCE) -> None:
    """Wait until *true* says so."""
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, f"not in time: {what}"
        time.sleep(0.02)


def environment() -> dict[str, str]:
    """Give the environment in which any Python finds our packages."""
    packages = [path for path in sys.path if path.endswith("site-packages")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *packages])}


def need_root() -> None:
    """Fail with one clear line without privileges to drop."""
    assert os.geteuid() == 0, "only root can show that privileges are dropped"


def python_for_nobody() -> str:
    """Find a Python like this one that the user nobody can run with all we import."""
    need_root()
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    for python in (sys.executable, f"/usr/bin/python{version}"):
        try:
            subprocess.run(  # noqa: S603
                [python, "-c", "import sso_proxy.assembly"],
                user="nobody",
                env=environment(),
                cwd="/",
                check=True,
                capture_output=True,
                timeout=PATIENCE,
            )
        except (OSError, subprocess.SubprocessError):
            continue
        return python
    raise AssertionError("there is no Python here that the user nobody may run")


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = str(path)

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(self._path)


class Proxy:
    """
    A proxy in a directory: its configuration, its output, its process.

    Args:
        directory: Where its files are.
        server: Options of ``[server]``, as TOML.

    Attributes:
        forks: Whether it may come out of a process that has imported what it needs.
    """

    forks: ClassVar[bool] = False

    def __init__(self, directory: Path, **server: object) -> None:
        self.directory = directory
        self.config = directory / "proxy.toml"
        self.output = directory / "output"
        self.admin_socket = directory / "admin.sock"
        self.backend = "http://127.0.0.1:9"
        self.listener = 'address = "127.0.0.1"\nport = 0'
        self.process: subprocess.Popen[bytes] | forking.Forked | None = None
        self.pid = 0
        self.server: dict[str, object] = {"name": "first", **server}
        self.write_config()

    def write_config(self, **server: object) -> None:
        """Write the configuration file; what is given changes ``[server]``."""
        self.server.update(server)
        lines = [f"{key} = {_toml(value)}" for key, value in self.server.items()]
        self.config.write_text(
            "[server]\n"
            + "\n".join(lines)
            + f'\nadmin = {{ address = "unix:{self.admin_socket}" }}\n'
            + f"[[listener]]\n{self.listener}\ntls = false\nallow_plaintext = true\n"
            + '[[route]]\nhost = "*"\nauthenticate = ["anonymous"]\n'
            + f'backend = "{self.backend}"\n'
        )

    def start(
        self,
        *twistd: str,
        program: Sequence[str] = FAKE,
        prelude: str = "",
        python: str = sys.executable,
        pass_fds: Sequence[int] = (),
    ) -> Self:
        """Start the process; *prelude* is what its shell does before."""
        options = twistd or ("--nodaemon", "--pidfile=")
        arguments = [*options, "sso-proxy", "--config", str(self.config)]
        command = [python, *program, *arguments]
        usual = program == REAL and python == sys.executable
        with self.output.open("ab") as output:
            if usual and self.forks and not (prelude or pass_fds):
                self.process = forking.start(
                    arguments, output.fileno(), self.directory, environment()
                )
                self.pid = self.process.pid
                return self
            self.process = subprocess.Popen(  # noqa: S603
                ["/bin/bash", "-c", f'{prelude} exec "$@"', "bash", *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env=environment(),
                pass_fds=pass_fds,
            )
        self.pid = self.process.pid
        return self

    def wait_until_serving(self) -> Self:
        """Wait until it says that it serves."""
        self.wait_for_log("serving on")
        return self

    def log(self) -> str:
        """Give all that was printed and logged, to renamed logs, too."""
        return "".join(
            path.read_text(errors="replace")
            for path in (self.output, *sorted(self.directory.glob("twistd.log*")))
        )

    def wait_for_log(self, text: str, times: int = 1) -> None:
        """Wait until *text* was logged."""

        def said() -> bool:
            if self.log().count(text) >= times:
                return True
            ended = self.process is not None and self.process.poll() not in {None, 0}
            assert not ended, f"ended without {text!r}: {self.log()}"
            return False

        eventually(said, f"{text!r} in {self.config}'s log")

    @property
    def port(self) -> int:
        """The port that the system chose."""
        found = re.findall(r"serving on \S+ port (\d+)", self.log())
        return int(found[-1])

    def connect(self) -> http.client.HTTPConnection:
        """Give a connection to the listener."""
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)

    def get(self, path: str = "/") -> str:
        """Give the answer's content."""
        return _get(self.connect(), path)[1]

    def name(self) -> str:
        """Give the name of the configuration that is served."""
        return self.get().split()[0]

    def ask_admin(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask the operators' listener; returns status and content."""
        return _get(UnixConnection(self.admin_socket), path, headers)

    def signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> int:
        """Wait for the end; returns the exit code."""
        assert self.process is not None
        return self.process.wait(PATIENCE)

    def workers(self) -> list[int]:
        """Give the process ids of the workers."""
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except FileNotFoundError:
            return []
        return [int(pid) for pid in text.split()]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        workers = self.workers()
        for pid in (self.pid, *workers):
            if pid and is_alive(pid):
                os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(PATIENCE)
        eventually(lambda: not any(map(is_alive, workers)), "the end of the workers")


def _get(
    connection: http.client.HTTPConnection,
    path: str,
    headers: dict[str, str] | None = None,
) -> tuple[int, str]:
    try:
        connection.request("GET", path, headers=headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def _toml(value: object) -> str:
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, dict):
        inner = ", ".join(f"{key} = {_toml(each)}" for key, each in value.items())
        return f"{{ {inner} }}"
    return str(value)
