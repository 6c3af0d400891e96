"""
Listening sockets, made once and shared by all that serve.

Workers inherit the same sockets.  Several sockets on one port (``SO_REUSEPORT``) would
each have a queue of its own, and closing one resets the connections that wait in it.
"""

import contextlib
import ipaddress
import os
import socket
import stat
from collections.abc import Sequence
from pathlib import Path

import attrs
from twisted.logger import Logger

from sso_proxy.errors import SsoProxyError

UNIX = "unix:"
SYSTEMD = "systemd:"
_FIRST_INHERITED = 3
"""The first descriptor that systemd passes (sd_listen_fds(3))."""
_UNIX_MODE = 0o660

_log = Logger()


@attrs.frozen
class Address:
    """
    Where to listen.

    Attributes:
        address: An IP address, ``::`` for both families, ``unix:/path``, or
            ``systemd:name`` for the socket that systemd passes under that name.
        port: The TCP port; 0 lets the system choose one.
    """

    address: str
    port: int = 0

    @property
    def path(self) -> str | None:
        """The path of a unix socket, or None."""
        if self.address.startswith(UNIX):
            return self.address.removeprefix(UNIX)
        return None

    @property
    def passed_as(self) -> str | None:
        """The name under which systemd passes the socket, or None."""
        if self.address.startswith(SYSTEMD):
            return self.address.removeprefix(SYSTEMD)
        return None

    def __str__(self) -> str:
        """Name the place in a message."""
        if self.path is not None or self.passed_as is not None:
            return self.address
        return f"{self.address} port {self.port}"


@attrs.frozen
class Owner:
    """
    Whom files belong to once privileges are dropped.

    Attributes:
        uid: The user; -1 leaves it.
        gid: The group; -1 leaves it.
    """

    uid: int = -1
    gid: int = -1


class ListenError(SsoProxyError):
    """At least one address cannot be listened on; one line for each."""


@attrs.frozen
class Inherited:
    """
    A socket that systemd has passed.

    Attributes:
        sock: The socket.
        name: The unit's ``FileDescriptorName=``; empty if it was not told.
    """

    sock: socket.socket
    name: str = ""


class Listeners:
    """
    Listening, non-blocking sockets, and the files of those that are unix sockets.

    Attributes:
        sockets: One for each address, in the order asked for.
    """

    def __init__(self) -> None:
        self.sockets: list[socket.socket] = []
        self._files: dict[str, tuple[int, int]] = {}

    def add(self, sock: socket.socket, path: str | None = None) -> None:
        """Add *sock*, which made the file *path* or no file."""
        sock.setblocking(False)
        self.sockets.append(sock)
        if path is not None:
            self._files[path] = _identity(path)

    def names(self) -> list[Address]:
        """Say where they listen, ports that the system chose included."""
        return [_name(sock) for sock in self.sockets]

    def close(self) -> None:
        """
        Close the sockets and remove their files.

        A file that somebody else has put in the place of ours stays, and so does one
        that privileges no longer suffice for: the next start removes it.
        """
        for sock in self.sockets:
            sock.close()
        for path, identity in self._files.items():
            with contextlib.suppress(FileNotFoundError, PermissionError):
                if _identity(path) == identity:
                    Path(path).unlink()
        self._files.clear()


def open_sockets(
    addresses: Sequence[Address],
    backlog: int,
    inherited: Sequence[Inherited] = (),
    owner: Owner | None = None,
) -> Listeners:
    """
    Listen on each of *addresses*.

    One of *inherited* that has an address' name, or is bound to it, is used for it;
    those that nobody wants are closed.

    Raises:
        ListenError: Names every address that failed; nothing stays open.
    """
    listeners = Listeners()
    problems: list[str] = []
    spare = list(inherited)
    for address in addresses:
        try:
            known = _find_inherited(spare, address)
            if known is not None:
                spare.remove(known)
                listeners.add(known.sock)
            elif address.path is not None:
                sock = _open_unix(address.path, backlog, owner or Owner())
                listeners.add(sock, address.path)
            else:
                listeners.add(_open_tcp(address, backlog))
        except OSError as e:
            problems.append(f"cannot listen on {address}: {_reason(e)}")
    for unwanted in spare:
        name = unwanted.name or str(unwanted.sock.getsockname())
        _log.warn("no listener wants the socket {name} that was passed", name=name)
        unwanted.sock.close()
    if problems:
        listeners.close()
        raise ListenError("\n".join(problems))
    return listeners


def take_inherited(started_with: bytes) -> list[Inherited]:
    """
    Take over the listening sockets that systemd passed, if it passed some to us.

    *started_with* is the environment that this process was started with, in the form
    of ``/proc/self/environ``: Twisted removes the variables from its copy as soon as
    its endpoints are imported.

    Raises:
        ListenError: What was passed is no socket.
    """
    variables = dict(
        each.split(b"=", 1) for each in started_with.split(b"\0") if b"=" in each
    )
    count = variables.get(b"LISTEN_FDS", b"")
    if variables.get(b"LISTEN_PID") != b"%d" % os.getpid() or not count.isdigit():
        return []
    names = variables.get(b"LISTEN_FDNAMES", b"").decode("ascii", "replace").split(":")
    if len(names) != int(count):
        names = [""] * int(count)
    taken = []
    for fd, name in enumerate(names, _FIRST_INHERITED):
        try:
            os.set_inheritable(fd, False)
            taken.append(Inherited(socket.socket(fileno=fd), name))
        except OSError as e:
            problem = f"descriptor {fd} ({name}), which was passed, is no socket"
            raise ListenError(f"{problem}: {e.strerror}") from e
    return taken


def initial_environment() -> bytes:
    """Give what `take_inherited` reads; empty where the system does not tell."""
    try:
        return Path("/proc/self/environ").read_bytes()
    except OSError:
        return b""


def is_bound_to(sock: socket.socket, address: Address) -> bool:
    """Say whether *sock* is the listening stream socket that *address* describes."""
    if address.passed_as is not None or not _listens(sock):
        return False
    name = sock.getsockname()
    if address.path is not None:
        return sock.family == socket.AF_UNIX and name == address.path
    if sock.family not in {socket.AF_INET, socket.AF_INET6}:
        return False
    return (ipaddress.ip_address(name[0]), name[1]) == (
        ipaddress.ip_address(address.address),
        address.port,
    )


def remove_stale(path: str) -> None:
    """
    Remove the unix socket *path* if nobody listens on it any more.

    Raises:
        FileExistsError: It is no socket.
        OSError: Somebody listens there, or the file may not be removed.
    """
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(f"{path} exists and is no socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            Path(path).unlink()
            return
        except BlockingIOError:  # its queue is full: somebody listens
            pass
    raise OSError("another process listens there")


def _find_inherited(
    inherited: Sequence[Inherited], address: Address
) -> Inherited | None:
    """
    Find the socket for *address*.

    Raises:
        OSError: There must be one, and there is none that would do.
    """
    if address.passed_as is None:
        return next((e for e in inherited if is_bound_to(e.sock, address)), None)
    named = [each for each in inherited if each.name == address.passed_as]
    if not named:
        names = ", ".join(sorted(repr(each.name) for each in inherited)) or "none"
        raise OSError(f"systemd passes no such socket; it passes {names}")
    if len(named) > 1:
        raise OSError(f"systemd passes {len(named)} of that name; one socket a unit")
    if not _listens(named[0].sock):
        raise OSError("it is no listening stream socket (ListenStream=, Accept=no)")
    return named[0]


def _listens(sock: socket.socket) -> bool:
    return (
        sock.family in {socket.AF_INET, socket.AF_INET6, socket.AF_UNIX}
        and sock.type == socket.SOCK_STREAM
        and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) != 0
    )


def _open_tcp(address: Address, backlog: int) -> socket.socket:
    ip = ipaddress.ip_address(address.address)
    family = socket.AF_INET6 if ip.version == 6 else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if ip.version == 6:
            both = ip.is_unspecified
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(not both))
        sock.bind((address.address, address.port))
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _open_unix(path: str, backlog: int, owner: Owner) -> socket.socket:
    remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Nobody may connect before the file has its final owner and mode.
        umask = os.umask(0o777)
        try:
            sock.bind(path)
        finally:
            os.umask(umask)
        if owner != Owner():  # services may not have the call at all
            os.chown(path, owner.uid, owner.gid)
        Path(path).chmod(_UNIX_MODE)
        sock.listen(backlog)
    except OSError:
        sock.close()
        raise
    return sock


def _name(sock: socket.socket) -> Address:
    name = sock.getsockname()
    if sock.family == socket.AF_UNIX:
        return Address(f"{UNIX}{name}")
    return Address(name[0], name[1])


def _identity(path: str) -> tuple[int, int]:
    status = os.lstat(path)
    return status.st_dev, status.st_ino


def _reason(error: OSError) -> str:
    if isinstance(error, PermissionError):
        return (
            f"{error.strerror}; start as root with --uid, or give the process"
            " CAP_NET_BIND_SERVICE"
        )
    return error.strerror or str(error)
