"""Podman, with all that it stores in a directory of its own, and without a registry."""

import re
import resource
import subprocess
from pathlib import Path
from tempfile import TemporaryFile

import attrs

from tests.support.programs import program
from tests.support.wheels import put_wheels

LONG = 600
"""Seconds for a build, which downloads a Debian and its packages."""

BASE = re.compile(r"^FROM (debian:(\w+)-slim)\b", re.MULTILINE)


@attrs.frozen
class Engine:
    """
    Podman.

    Attributes:
        directory: Where everything is; podman insists on less than 50 characters.
    """

    directory: Path

    def command(self, verb: str, *arguments: str | Path) -> list[str]:
        """Give the whole command."""
        apart = (
            *(f"--root={self.directory / 'store'}", "--storage-driver=overlay"),
            *(f"--runroot={self.directory / 'run'}", "--cgroup-manager=cgroupfs"),
            *(f"--tmpdir={self.directory / 'tmp'}", "--events-backend=file"),
        )
        return [program("podman"), *apart, verb, *map(str, arguments)]

    def run(
        self, verb: str, *arguments: str | Path, cwd: Path | None = None
    ) -> tuple[int, str, str]:
        """Run a command to its end; gives how it ended, its output and its errors."""
        with TemporaryFile("w+") as said, TemporaryFile("w+") as wrong:
            # Not pipes: those a container would keep open that goes on.
            done = subprocess.run(  # noqa: S603
                self.command(verb, *arguments),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=wrong,
                timeout=LONG,
                check=False,
                cwd=cwd,
            )
            for file in (said, wrong):
                file.seek(0)
            return done.returncode, said.read(), wrong.read()

    def told(self, verb: str, *arguments: str | Path, cwd: Path | None = None) -> str:
        """Run a command that must not fail; gives its output."""
        code, said, wrong = self.run(verb, *arguments, cwd=cwd)
        assert code == 0, said[-3000:] + wrong[-3000:]
        return said

    def build(self, tree: Path, command: list[str]) -> None:
        """Build an image of *tree* as *command* says, which is that of the page."""
        assert command[:2] == ["podman", "build"]
        text = (tree / command[command.index("-f") + 1]).read_text()
        ((name, suite),) = set(BASE.findall(text))
        self._put_base(name, suite)
        options = self._without_index()
        self.told("build", *options, *command[2:], cwd=tree)

    def _put_base(self, name: str, suite: str) -> None:
        """Make what a registry would give: the smallest Debian, by its own packages."""
        archive = self.directory / "base.tar"
        subprocess.run(  # noqa: S603
            [
                *(program("mmdebstrap"), "--quiet", "--variant=minbase"),
                *("--dpkgopt=path-exclude=/usr/share/doc/*", suite, archive),
            ],
            check=True,
            timeout=LONG,
        )
        self.told("import", "--quiet", archive, name)
        archive.unlink()

    def _without_index(self) -> list[str]:
        """Give options: no registry of images, and a directory in place of an index."""
        wheels, pip = self.directory / "wheels", self.directory / "pip.conf"
        wheels.mkdir()
        put_wheels(wheels, "ldap")
        pip.write_text("[global]\nno-index = true\nfind-links = /wheels\n")
        return [
            *("--pull=never", "--isolation=chroot"),
            *(f"--volume={wheels}:/wheels:ro", f"--volume={pip}:/etc/pip.conf:ro"),
        ]


def limits() -> list[str]:
    """Give options for limits: those that podman sets itself, not everybody may set."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = min(files, 65536)
    return [f"--ulimit=nofile={files}:{files}", "--ulimit=nproc=4096:4096"]
