"""Processes of a measurement: start one on one core, read its costs, stop it."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self

import attrs

ROOT = Path(__file__).parent.parent.parent
PROXY_CORE = 0
LOAD_CORE = 1
_PROC = Path("/proc")


class BenchError(Exception):
    """The measurement cannot be made, or must not be believed."""


def free_port() -> int:
    """Give a loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def pinned(core: int, command: Sequence[str]) -> list[str]:
    """Give *command* bound to one core; the process id is that of the command."""
    if (os.cpu_count() or 1) <= core:
        raise BenchError(f"needs {core + 1} cores: one for proxies, one for the rest")
    return ["taskset", "--cpu-list", str(core), *command]


def exit_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that every process started here is stopped."""

    def leave(_number: int, _frame: object) -> None:
        raise SystemExit(143)

    signal.signal(signal.SIGTERM, leave)


@attrs.define(kw_only=True)
class Running:
    """
    A process that was started here, with all its descendants.

    Attributes:
        name: What messages call it.
        process: The process itself.
        log: Where its output goes.
    """

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @classmethod
    def start(  # noqa: PLR0913
        cls,
        name: str,
        command: Sequence[str],
        *,
        core: int,
        directory: Path,
        cwd: Path | None = None,
        packages: Path | None = None,
    ) -> Self:
        """
        Start *command* on *core*; its output goes to ``NAME.log``.

        A Python finds what it imports in *packages* first, if there are any.
        """
        log = directory / f"{name}.log"
        environment = {k: v for k, v in os.environ.items() if "COVERAGE" not in k}
        if packages is not None:
            environment["PYTHONPATH"] = str(packages)
        with log.open("ab") as output:
            process = subprocess.Popen(
                pinned(core, command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=cwd,
                env=environment,
            )
        return cls(name=name, process=process, log=log)

    def wait_for_port(self, port: int, timeout: float = 20.0) -> None:
        """
        Return as soon as somebody listens on *port*.

        Raises:
            BenchError: The process ended, or nobody does after *timeout* seconds.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port), 1.0).close()
                return
            time.sleep(0.05)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise BenchError(f"{self.name} does not listen on port {port}:\n{tail}")

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process, not to its descendants."""
        self.process.send_signal(number)

    def stop(self, timeout: float = 5.0) -> None:
        """End the process by SIGTERM, and it and its descendants if it does not."""
        if self.process.poll() is not None:
            return
        family = self.pids()
        self.process.terminate()
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            for pid in family:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.wait(timeout)

    def pids(self) -> list[int]:
        """Give the process and its descendants, parents first."""
        return list(_descendants(self.process.pid))

    def cpu_ns(self) -> int:
        """Give the nanoseconds that all threads of all its processes ran so far."""
        return sum(_thread_ns(pid) for pid in self.pids())

    def cpu_ns_by_pid(self) -> dict[int, int]:
        """Give the same for each process."""
        return {pid: _thread_ns(pid) for pid in self.pids()}

    def rss(self) -> int:
        """Give the resident memory of its processes, in octets."""
        return self._status("VmRSS")

    def peak_rss(self) -> int:
        """Give the largest resident memory since `reset_peak_rss`, in octets."""
        return self._status("VmHWM")

    def reset_peak_rss(self) -> None:
        """Begin to watch the largest resident memory anew."""
        for pid in self.pids():
            (_PROC / str(pid) / "clear_refs").write_text("5")

    def pss(self) -> int:
        """Give the memory in octets, what is shared divided by those who share it."""
        return sum(
            _kib_field(_PROC / str(pid) / "smaps_rollup", "Pss") for pid in self.pids()
        )

    def descriptors(self) -> int:
        """Give how many descriptors its processes have open."""
        return sum(len(list((_PROC / str(p) / "fd").iterdir())) for p in self.pids())

    def _status(self, field: str) -> int:
        return sum(
            _kib_field(_PROC / str(pid) / "status", field) for pid in self.pids()
        )


def _descendants(pid: int) -> Iterator[int]:
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in sorted((_PROC / str(pid) / "task").iterdir()):
            for child in (task / "children").read_text().split():
                yield from _descendants(int(child))


def _thread_ns(pid: int) -> int:
    """Sum the first field of schedstat, time on a CPU, over the threads of *pid*."""
    total = 0
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in (_PROC / str(pid) / "task").iterdir():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                total += int((task / "schedstat").read_text().split()[0])
    return total


def _kib_field(path: Path, field: str) -> int:
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for line in path.read_text().splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    return 0


def wait_until(
    condition: Callable[[], bool], what: str, *, timeout: float = 10.0
) -> None:
    """
    Return as soon as *condition* holds.

    Raises:
        BenchError: It does not after *timeout* seconds; says *what* was awaited.
    """
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError(f"waited {timeout:.0f} seconds for {what}")
        time.sleep(0.05)
