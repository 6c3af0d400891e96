"""
Start real proxies out of a process that has imported the proxy already.

To import it takes four fifths of what a start costs, and tests start hundreds.  What
comes out is what ``python -c "…twistd… run()"`` is from there on: a process of its own
with its own arguments, directory, environment and files.  Tests of starts do without.
"""

import atexit
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

_STANDARD = 3


class Forked:
    """A process, as `subprocess.Popen` would show it."""

    def __init__(self, told: int) -> None:
        self._told = os.fdopen(told, "rb", buffering=0)
        self.returncode: int | None = None
        self.pid = int(self._told.readline())

    def poll(self) -> int | None:
        """Give the exit code, if it has ended."""
        return self._read(0)

    def wait(self, timeout: float) -> int:
        """
        Wait for the end; returns the exit code.

        Raises:
            TimeoutExpired: It goes on.
        """
        code = self._read(timeout)
        if code is None:
            raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
        return code

    def _read(self, timeout: float) -> int | None:
        if self.returncode is None and select.select([self._told], [], [], timeout)[0]:
            with closing(self._told):
                self.returncode = int(self._told.readline())
        return self.returncode


@functools.cache
def _template(python_path: str) -> socket.socket:
    """Start the process that the others come from; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(  # noqa: S603
            [sys.executable, __file__, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": python_path},
            pass_fds=[theirs.fileno()],
        )

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def start(
    arguments: Sequence[str], output: int, directory: Path, environ: Mapping[str, str]
) -> Forked:
    """Run twistd with *arguments*; *output* is where it prints."""
    template = _template(environ["PYTHONPATH"])
    task = json.dumps([list(arguments), str(directory), dict(environ)]).encode()
    told, tell = os.pipe()
    with open(os.devnull) as nothing:  # noqa: PTH123
        socket.send_fds(template, [task], [nothing.fileno(), output, output, tell])
    os.close(tell)
    return Forked(told)


def _become(task: bytes, files: Sequence[int]) -> None:
    """Fork, and return in the new process; this one says who it is, and how it ends."""
    *standard, tell = files
    if pid := os.fork():
        for file in {*standard, 0, 1, 2}:
            os.close(file)
        os.write(tell, b"%d\n" % pid)
        status = os.waitpid(pid, 0)[1]
        os.write(tell, b"%d\n" % os.waitstatus_to_exitcode(status))
        os._exit(0)
    os.close(tell)
    for number, file in enumerate(standard):
        os.dup2(file, number)
        os.close(file)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    arguments, directory, environ = json.loads(task)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environ)
    sys.argv[:] = ["twistd", *arguments]
    sys.path[0] = ""


def _serve(requests: socket.socket) -> bool:
    """Fork for each request; returns True in the new processes, False at the end."""
    with requests:
        while True:
            task, files, _, _ = socket.recv_fds(requests, 1 << 20, _STANDARD + 1)
            if not task:
                return False
            if os.fork() == 0:
                break
            for file in files:
                os.close(file)
            while _ended():
                pass
    _become(task, files)
    return True


def _ended() -> bool:
    """Let one of those go that only waited for theirs."""
    try:
        return os.waitpid(-1, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return False


def main() -> None:
    """Import what a proxy needs, and become one, or more."""
    from twisted.scripts import twistd  # noqa: PLC0415 - only here, as what follows

    import sso_proxy.assembly  # noqa: PLC0415
    import sso_proxy.checking  # noqa: PLC0415
    import sso_proxy.tap  # noqa: F401, PLC0415

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    gc.freeze()
    if _serve(socket.socket(fileno=int(sys.argv[1]))):
        twistd.run()


if __name__ == "__main__":
    main()
