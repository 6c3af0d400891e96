"""
The container image: built by podman as docs/howto/packages.md says, run, and asked.

Everything happens in a directory and in namespaces (mounts, processes) of this run's
own, and is gone with it.  Ends with 1 if the image is not what the page promises.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.bench.procs import exit_on_sigterm
from tests.support.programs import program

# Some systems have controllers in both versions of cgroups, which crun refuses.
INSIDE = """
! [ -e /sys/fs/cgroup/unified/cgroup.controllers ] || umount /sys/fs/cgroup/unified
exec "$@"
"""


def main(arguments: Sequence[str]) -> int:
    """Run the tests; gives what they end with."""
    if os.geteuid() != 0:
        sys.stderr.write("make image: only root can build and run it here\n")
        return 1
    if sys.version_info[:2] != (3, 11):
        sys.stderr.write("make image: what is installed must fit Python 3.11\n")
        return 1
    exit_on_sigterm()
    apart = ("--mount", "--mount-proc", "--pid", "--fork", "--kill-child")
    tests = str(Path(__file__).with_name("shipped.py"))
    pytest = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", tests)
    # Podman takes no long paths.
    with tempfile.TemporaryDirectory(prefix="image.", dir="/var/tmp") as directory:
        return subprocess.run(  # noqa: S603
            [
                *(program("unshare"), *apart, "/bin/sh", "-ec", INSIDE, "sh"),
                *(*pytest, *arguments),
            ],
            env={**os.environ, "IMAGE_DIRECTORY": directory, "TMPDIR": directory},
            check=False,
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
