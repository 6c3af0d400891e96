"""What the main process makes in the state directory, before anything serves."""

import os
import re
import time
from base64 import urlsafe_b64encode
from pathlib import Path
from typing import Final

from twisted.logger import Logger

from sso_proxy.config.key_ring import KeyRing, make_key, write_key_ring
from sso_proxy.config.private_file import read_private, write_private
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.sockets import Owner
from sso_proxy.storage import Needs

_SECRET: Final = re.compile(rb"[A-Za-z0-9_-]{32,256}")

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
        if owner != Owner():  # services may not have the call at all
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


def make_admin_secret(path: Path) -> str:
    """
    Give what operators have to know to revoke, kept in the file *path*.

    Every program on this machine reaches a TCP port on loopback; who may read the
    state directory is an operator.  Runs after privileges were dropped.

    Raises:
        ConfigError: It cannot be made, or not be used.
    """
    if not _is_there(path):
        try:
            write_private(path, urlsafe_b64encode(os.urandom(33)), replace=False)
        except OSError as e:
            problem = f"cannot be written: {e.strerror}"
            raise ConfigError(Mistake(str(path), problem)) from e
    secret = read_private(path, 1024).strip()
    if not _SECRET.fullmatch(secret):
        problem = "must be one line of 32 to 256 letters, digits, _ and -"
        raise ConfigError(Mistake(str(path), problem))
    return secret.decode()


def _is_there(path: Path) -> bool:
    """Say whether there is anything; what cannot be looked at is, to be told of."""
    try:
        path.lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True
