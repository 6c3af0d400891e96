"""What the main process makes in the state directory, before anything serves."""

import os
import time
from pathlib import Path

from twisted.logger import Logger

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.sockets import Owner
from sso_proxy.storage import Needs

_log = Logger()


def make_state_directory(needs: Needs, owner: Owner) -> None:
    """
    Make the state directory for *owner*, if anything is kept there and it is not.

    Runs before privileges are dropped: afterwards ``/var/lib`` is out of reach.

    Raises:
        ConfigError: It cannot be made.
    """
    directory = needs.directory
    if directory is None or directory.is_dir():
        return
    try:
        directory.mkdir(mode=0o700, parents=True)
        os.chown(directory, owner.uid, owner.gid)
    except OSError as e:
        problem = f"{str(directory)!r} cannot be made: {e.strerror}"
        raise ConfigError(Mistake("server.state_dir", problem)) from e
    _log.info("made the state directory {path}", path=str(directory))


def make_key_ring(needs: Needs) -> None:
    """
    Make the key ring, if it is needed and not there.

    Runs after privileges were dropped, so that it belongs to whoever reads it, and in
    the main process alone: workers that made one each would not open what the others
    seal.

    Raises:
        ConfigError: It cannot be made.
    """
    path = needs.key_ring
    if path is None or _is_there(path):
        return
    ring = KeyRing((make_key(time.time(), os.urandom),))
    try:
        write_key_ring(path, ring, replace=False)
    except ConfigError as e:
        if _is_there(path):  # somebody else was quicker; it is read like any other
            return
        problems = (Mistake("key_ring", f"{m.path} {m.problem}") for m in e.mistakes)
        raise ConfigError(*problems) from e
    _log.info("made the key ring {path}", path=str(path))


def _is_there(path: Path) -> bool:
    """Say whether there is anything; what cannot be looked at is, to be told of."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
