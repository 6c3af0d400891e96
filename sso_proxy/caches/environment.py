"""
The files of the ``local`` cache: who may open them, when, and what time it is there.

LMDB is used without waiting for the disk.  The data then survive the death of any
process, even in the middle of a write, but not that of the machine: its pages may have
reached the disk in another order, which LMDB cannot see.  So the file ``in-use`` says
in which boot of the machine the data are in use, or that they were closed in good
order; after anything else they are not trusted, and begin anew.

Time is the machine's monotonic clock with an offset that is stored with the data and
the same for all processes.  It goes on while nothing runs.  Setting the clock neither
brings back what has expired nor makes anything expire.
"""

import fcntl
import json
import os
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

import lmdb
from twisted.logger import Logger

from sso_proxy.caches import layout
from sso_proxy.caches.marks import Marks
from sso_proxy.caches.table import Transaction
from sso_proxy.errors import SsoProxyError, UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.traffic import Histogram

_LAYOUT: Final = 2
_CLOSED: Final = "closed"
_READERS: Final = 512
_LOCK_FILE: Final = 65536
"""Octets of LMDB's lock file: enough for that many readers."""
_RECENT: Final = 30.0
"""Seconds that a failure counts as the state of the cache."""
_PATIENCE: Final = 5.0
"""Seconds that another process may take to open the same files."""
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")

T = TypeVar("T")

_log = Logger()


class UnusableError(SsoProxyError):
    """The files cannot be used; says why, and what to do."""


class Environment:
    """
    The files in one directory, opened once in a process.

    Args:
        directory: Made if it is not there.
        clock: The time.
        boot: Names the time since the machine started; None asks the system.

    Attributes:
        durations: How long reading and writing took, waiting for our turn included; not
            of replay marks, of which there may be one in each request.
    """

    def __init__(self, directory: Path, clock: IClock, boot: str | None = None) -> None:
        self.directory = directory
        self.durations = Histogram()
        self._trouble = ("", 0.0)
        self._clock = clock
        self._boot = _boot_id() if boot is None else boot
        self._size = 0
        self._offset = 0
        self._in_use = -1
        self._turn = _Turn()
        self._marks = Marks()
        self._lmdb: lmdb.Environment | None = None

    @property
    def is_open(self) -> bool:
        """Whether it was opened, and not closed since."""
        return self._in_use >= 0

    def open(self, size: int) -> None:
        """
        Open the files, which may grow to *size* octets; of several sizes the largest.

        Must not be inherited by a fork.

        Raises:
            UnusableError: They are damaged, not ours, or cannot be written.
        """
        if self.is_open:
            self._grow(size)
            return
        if not self._boot:
            raise UnusableError(
                f"{_BOOT_ID} cannot be read: nobody knows when the machine went down"
                " last, and whether the data are whole"
            )
        self._size = size
        try:
            _check_directory(self.directory)
            self._in_use = _open_file(self.directory / "in-use")
            self._turn.open(self.directory / "turn")
            first = _take_in_use(self._in_use)
            if first:
                self._begin_use()
            with self._turn:
                self._lmdb = self._open_lmdb()
                self._offset = self._read_meta(first=first)
            fcntl.flock(self._in_use, fcntl.LOCK_SH)
        except (OSError, lmdb.Error, ValueError, UnusableError) as e:
            self._let_go()
            reason = e.strerror if isinstance(e, OSError) else str(e)
            raise UnusableError(f"{str(self.directory)!r}: {reason}") from e

    def close(self) -> None:
        """Close the files; the last process to do so has them written to the disk."""
        if not self.is_open:
            return
        with suppress(BlockingIOError):
            fcntl.flock(self._in_use, fcntl.LOCK_EX | fcntl.LOCK_NB)
            try:
                self._end_use()
            except (OSError, lmdb.Error, UnavailableError):
                _log.failure("the local cache will begin empty after a restart")
        self._let_go()

    def now(self) -> int:
        """Give the microseconds of the cache's time."""
        return int(self._clock.monotonic() * 1e6) + self._offset

    def read(self, work: Callable[[Transaction, int], T]) -> T:
        """
        Have *work* read; it is given a transaction and the time.

        Raises:
            UnavailableError: The files cannot be read.
        """
        if self._in_use < 0:
            raise self._closed()
        began = self._clock.monotonic()
        try:
            with self._begin(write=False) as txn:
                return work(txn, self.now())
        except (lmdb.Error, UnusableError) as e:
            raise self._failed(e) from e
        finally:
            self.durations.note(self._clock.monotonic() - began)

    def write(self, work: Callable[[Transaction, int], T]) -> T:
        """
        Have *work* write: all of it, or if it raises nothing.

        Raises:
            UnavailableError: The files cannot be written.
        """
        if self._in_use < 0:
            raise self._closed()
        began = self._clock.monotonic()
        try:
            with self._turn, self._begin(write=True) as txn:
                # Only now: another process may have made us wait.
                return work(txn, self.now())
        except (lmdb.Error, UnusableError) as e:
            raise self._failed(e) from e
        finally:
            self.durations.note(self._clock.monotonic() - began)

    def mark(self, mark: bytes, life: int) -> bool:
        """
        Mark what has this hash for *life* microseconds; says whether it was new.

        Raises:
            UnavailableError: It cannot be marked.
        """
        if self._in_use < 0:
            raise self._closed()
        try:
            if not self._marks.is_open:
                self._marks.open(self.directory / "marks")
            now = self.now()
            return self._marks.add(mark, now, now + life)
        except (OSError, ValueError) as e:
            raise self._failed(e) from e

    def trouble(self) -> str:
        """Say why something could not be done in the last half minute, or nothing."""
        what, at = self._trouble
        return what if self._clock.monotonic() - at < _RECENT else ""

    def check_readers(self) -> None:
        """Forget the readers of processes that died: pages were kept for them."""
        if self._lmdb is not None:
            with self._turn:
                self._lmdb.reader_check()

    def _closed(self) -> UnavailableError:
        return UnavailableError(f"the cache in {self.directory}, which is closed")

    def _failed(self, error: Exception) -> UnavailableError:
        """Note that something could not be done."""
        self._trouble = (str(error), self._clock.monotonic())
        if isinstance(error, lmdb.PanicError) and self._lmdb is not None:
            # A write failed half-way: nothing works until it is opened anew.
            self._lmdb.close()
            self._lmdb = None
        return UnavailableError(f"the cache in {self.directory}: {error}")

    def _begin(self, *, write: bool) -> Transaction:
        if self._lmdb is None:
            self._lmdb = self._open_lmdb()
        try:
            return self._lmdb.begin(write=write)
        except lmdb.MapResizedError:  # another process was told a larger size
            self._lmdb.set_mapsize(0)
            return self._lmdb.begin(write=write)

    def _grow(self, size: int) -> None:
        if size > self._size:
            self._size = size
            if self._lmdb is not None:
                self._lmdb.set_mapsize(size)

    def _begin_use(self) -> None:
        """Get rid of data that cannot be trusted, and say that they are in use."""
        said = os.pread(self._in_use, 100, 0).decode("ascii", "replace")
        if said not in {"", _CLOSED, self._boot}:
            _log.warn(
                "the machine went down while the local cache in {directory} was in"
                " use; it begins empty",
                directory=str(self.directory),
            )
            for name in ("data.mdb", "lock.mdb", "marks"):
                (self.directory / name).unlink(missing_ok=True)
        _rewrite(self._in_use, self._boot)
        # Where the disk is full, memory mapped to the file's holes ends the process.
        lock = _open_file(self.directory / "lock.mdb")
        try:
            os.posix_fallocate(lock, 0, _LOCK_FILE)
        finally:
            os.close(lock)

    def _end_use(self) -> None:
        latest = self.now()
        self.write(lambda txn, _: self._write_meta(txn, latest))
        if self._lmdb is not None:
            self._lmdb.sync(True)
            self._marks.sync()
            _rewrite(self._in_use, _CLOSED)

    def _open_lmdb(self) -> lmdb.Environment:
        env = lmdb.open(
            str(self.directory),
            map_size=self._size,
            mode=0o600,
            sync=False,
            metasync=False,
            readahead=False,
            max_readers=_READERS,
            max_spare_txns=1,
        )
        try:
            _check_length(env, self.directory / "data.mdb")
        except BaseException:
            env.close()
            raise
        return env

    def _read_meta(self, *, first: bool) -> int:
        """Give the offset of the cache's time, which the first process in use sets."""
        env = self._lmdb
        if env is None:
            return 0
        with env.begin(write=first) as txn:
            stored = txn.get(layout.META)
            if stored is None and env.stat()["entries"]:
                raise UnusableError("holds data of another program; take another place")
            meta = json.loads(stored) if stored is not None else {}
            if meta.get("layout", _LAYOUT) != _LAYOUT:
                raise UnusableError("was written by another release; move it away")
            if meta.get("boot") == self._boot:
                return int(meta["offset"])
            latest = max(int(self._clock.time() * 1e6), meta.get("latest", 0))
            self._offset = latest - int(self._clock.monotonic() * 1e6)
            self._write_meta(txn, latest)
        return self._offset

    def _write_meta(self, txn: Transaction, latest: int) -> None:
        meta = {
            "layout": _LAYOUT,
            "boot": self._boot,
            "offset": self._offset,
            "latest": latest,
        }
        txn.put(layout.META, json.dumps(meta).encode())

    def _let_go(self) -> None:
        env, self._lmdb = self._lmdb, None
        if env is not None:
            env.close()
        self._marks.close()
        self._turn.close()
        if self._in_use >= 0:
            os.close(self._in_use)
            self._in_use = -1


class _Turn:
    """
    Whose turn it is to write, among processes.

    LMDB has a lock for that, in memory that they share.  But whoever is killed just as
    that lock is handed on to them takes the others' turn to their grave, and these wait
    for ever.  The lock of a file is handed on by the kernel itself.
    """

    __slots__ = ("_descriptor",)

    def __init__(self) -> None:
        self._descriptor = -1

    def open(self, path: Path) -> None:
        """Use the file *path*."""
        self._descriptor = _open_file(path)

    def close(self) -> None:
        """Let go of it."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> None:
        """Wait for our turn."""
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        """Let others have theirs."""
        fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def _boot_id() -> str:
    try:
        return _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def _check_directory(directory: Path) -> None:
    """Make *directory*, or see that it is ours alone."""
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    status = directory.stat()
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnusableError("others than its owner can get at it; chmod 700 it")


def _open_file(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _take_in_use(descriptor: int) -> bool:
    """Lock the file ``in-use``; says whether no other process has it in use."""
    until = time.monotonic() + _PATIENCE
    while True:
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        with suppress(BlockingIOError):
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        if time.monotonic() > until:
            raise UnusableError("another process does not finish opening it")
        time.sleep(0.01)


def _rewrite(descriptor: int, text: str) -> None:
    """Have a file say *text*, and the disk know it."""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, text.encode("ascii"), 0)
    os.fsync(descriptor)


def _check_length(env: lmdb.Environment, path: Path) -> None:
    """
    Check that all pages are there: reading beyond a file's end kills the process.

    Raises:
        UnusableError: Some that are needed are not.
    """
    length = (env.info()["last_pgno"] + 1) * env.stat()["psize"]
    found = path.stat().st_size
    if found >= length:
        return
    # The last pages may be missing because nothing was ever written there.
    os.truncate(path, length)
    try:
        with env.begin() as txn:
            for _ in txn.cursor():
                pass
    except lmdb.Error as e:
        os.truncate(path, found)  # the next start has to see it, too
        raise UnusableError(f"is damaged: {e}; move it away") from e
