"""
Where processes begin: what ``twistd sso-proxy`` runs, and what a worker runs.

twistd calls `makeService` as root, before it forks: it reads and checks the
configuration and opens nothing but the log file.
"""

import os
import pwd
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from twisted.python import usage

from sso_proxy.config.load import load_config
from sso_proxy.config.state import state_directory
from sso_proxy.errors import ConfigError
from sso_proxy.process.levels import Levels
from sso_proxy.process.logs import FileLog, ReopenableFile
from sso_proxy.process.serving import GatewayMaker
from sso_proxy.process.sockets import Owner
from sso_proxy.process.worker import run_worker
from sso_proxy.revocation_list import open_shared
from sso_proxy.supervisor import Plan, Program, Supervisor

WORKER = ("-P", "-m", "sso_proxy.tap")
"""Python's arguments; it finds no module in the current directory, as we do not."""


class Options(usage.Options):
    """The options of ``twistd sso-proxy``."""

    synopsis = "--config FILE"
    optParameters = [  # noqa: RUF012 - twistd's interface
        ["config", "c", None, "The configuration file."],
    ]
    compData = usage.Completions(optActions={"config": usage.CompleteFiles("*.toml")})

    def postOptions(self) -> None:
        """Refuse to guess where the configuration is."""
        if not self["config"]:
            raise usage.UsageError("--config FILE is missing")


def load_and_check(path: Path, state_dir: Path) -> Plan:
    """
    Read the configuration file at *path* and check it; what serves logs the notes.

    Args:
        path: Its name.
        state_dir: The state directory, unless the file names another.  Found out once,
            at the start: without privileges one would look for it elsewhere.

    Raises:
        ConfigError: It cannot be used, with every mistake.
    """
    from sso_proxy.checking import check  # noqa: PLC0415 - not for other gateways

    config = load_config(path)
    if config.server.state_dir is None:
        server = attrs.evolve(config.server, state_dir=str(state_dir))
        config = attrs.evolve(config, server=server)
    return Plan(config=config, needs=check(config).needs)


def makeService(options: Options) -> Supervisor:
    """
    Make the service, or say everything that is wrong and exit with 1.

    Raises:
        SystemExit: The configuration cannot be used.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - options may choose it

    from sso_proxy.assembly import Gateway  # noqa: PLC0415 - not for other gateways

    return build_supervisor(reactor, options, load_and_check, Gateway)


def build_supervisor(
    reactor: Any,  # noqa: ANN401
    options: Options,
    load: Callable[[Path, Path], Plan],
    make_gateway: GatewayMaker,
    worker: tuple[str, ...] = WORKER,
) -> Supervisor:
    """
    Make the service that serves what *load* reads.

    Raises:
        SystemExit: The configuration cannot be used, or the log not be written.
    """
    path = Path(options["config"]).absolute()  # the daemon may change directory
    try:
        state_dir = state_directory(None, uid=os.geteuid(), environ=os.environ)
        plan = load(path, state_dir)
    except ConfigError as e:
        lines = "\n".join(f"  {mistake}" for mistake in e.mistakes)
        raise SystemExit(f"sso-proxy: {path} cannot be used:\n{lines}") from None
    twistd: Mapping[str, Any] = options.parent or {}
    owner = owner_after_drop(twistd)
    levels = Levels(time.monotonic)
    program = Program(
        load=lambda: load(path, state_dir),
        make_gateway=make_gateway,
        worker=worker,
        owner=owner,
        log=open_log(twistd, owner, levels),
        levels=levels,
        share=open_shared,
    )
    return Supervisor(reactor, program, plan)


def owner_after_drop(twistd: Mapping[str, Any]) -> Owner:
    """Say whom we run as once twistd, with these options, has dropped privileges."""
    uid, gid = twistd.get("uid"), twistd.get("gid")
    if uid is not None and gid is None:
        gid = pwd.getpwuid(uid).pw_gid
    return Owner(-1 if uid is None else uid, -1 if gid is None else gid)


def open_log(twistd: Mapping[str, Any], owner: Owner, levels: Levels) -> FileLog | None:
    """
    Open the log that twistd, with these options, would; None if it is of another kind.

    Raises:
        SystemExit: It cannot be opened.
    """
    name = twistd.get("logfile")
    if not name and not twistd.get("nodaemon"):
        name = "twistd.log"
    if twistd.get("logger") or twistd.get("syslog"):
        return None
    if not name or name == "-":
        return FileLog(None, levels) if twistd.get("nodaemon") else None
    try:
        return FileLog(ReopenableFile(name, owner), levels)
    except OSError as e:
        raise SystemExit(f"sso-proxy: cannot write the log {name}: {e}") from None


def main(arguments: Sequence[str]) -> int:
    """Be a worker of the process that started this one; returns the exit code."""
    from twisted.internet import reactor  # noqa: PLC0415 - not when twistd imports this

    from sso_proxy.assembly import Gateway  # noqa: PLC0415 - not for other gateways

    return run_worker(reactor, arguments, Gateway)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
