"""
A ``local`` cache in a process of its own.

``python caching.py DIRECTORY`` opens the cache, says ``ready`` and does what its
standard input says, one command a line:

- ``add PURPOSE FIRST LAST``: add that many names; answers how many were the first.
- ``take PURPOSE FIRST LAST``: take them; answers how many were got.
- ``get PURPOSE NAME``: answers the value, or ``-``.
- ``fill PURPOSE``: write without end.
- ``count PURPOSE WHO``: write without end, and say each number that is written.
- ``write PURPOSE WHO FIRST LAST``: write so many, each by itself; answers ``written``.
- ``read PURPOSE WHO FIRST LAST``: answers how many of them are there, and whole.
- ``publish PURPOSE MESSAGE``
- ``close``: close in good order.
"""

import hashlib
import subprocess
import sys
import threading
from collections.abc import Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from twisted.internet.task import Clock

from sso_proxy.caches.environment import Environment
from sso_proxy.caches.local import LocalCache, LocalCacheConfig
from sso_proxy.caches.store import LocalStore
from sso_proxy.net.clock import SystemClock
from tests.support.running import PATIENCE, environment

T = TypeVar("T")


class MakeLocal(Protocol):
    """Makes a ``local`` cache of this process, below the test's directory."""

    def __call__(
        self,
        directory: str = "cache",
        *,
        name: str = "default",
        opened: bool = True,
        budget: int = 2**24,
    ) -> LocalCache:
        """Make one."""


def now(coroutine: Coroutine[Any, Any, T]) -> T:
    """Give what *coroutine* answers without waiting."""
    try:
        coroutine.send(None)
    except StopIteration as e:
        result: T = e.value
        return result
    raise AssertionError("it waits")


def real_cache(directory: Path, boot: str | None = None) -> LocalCache:
    """Make a cache that goes by the system's clock."""
    store = LocalStore(Environment(directory, SystemClock(), boot), Clock())
    return LocalCache("test", LocalCacheConfig(budget=2**24), store)


COUNTED = 300
"""Different records that ``count`` writes."""


class CacheProcess:
    """Another process that has the cache open."""

    def __init__(self, directory: Path) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            [sys.executable, __file__, str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        assert self.answer() == "ready"

    def say(self, line: str) -> None:
        """Give it something to do."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def answer(self) -> str:
        """Give its next line; empty if it has ended, as it has to if it never says."""
        assert self.process.stdout is not None
        end = threading.Timer(PATIENCE, self.process.kill)
        end.start()
        try:
            return self.process.stdout.readline().strip()
        finally:
            end.cancel()

    def ask(self, line: str) -> str:
        """Have it do something; gives what it answers."""
        self.say(line)
        return self.answer()

    def kill(self) -> None:
        """End it at once, whatever it does."""
        self.process.kill()
        self.process.wait(20)

    def last_words(self) -> list[str]:
        """Give all whole lines that it said and nobody has heard, after its end."""
        assert self.process.stdout is not None
        return self.process.stdout.read().split("\n")[:-1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()


def numbered(who: str, number: int) -> tuple[bytes, bytes]:
    """Give a name and a value; nobody takes half of one, or another, for this."""
    name = f"{who}-{number}".encode()
    return name, hashlib.sha256(name).digest() * 40


def obey(cache: LocalCache, line: str) -> str:  # noqa: C901, PLR0911, PLR0912
    """Do what a line says; gives the answer."""
    match line.split():
        case ["add", purpose, first, last]:
            names = [b"%d" % n for n in range(int(first), int(last))]
            return str(sum(now(cache.add(purpose, name, b"", 60)) for name in names))
        case ["take", purpose, first, last]:
            names = [b"%d" % n for n in range(int(first), int(last))]
            taken = [now(cache.take(purpose, name)) for name in names]
            return str(sum(value is not None for value in taken))
        case ["get", purpose, name]:
            value = now(cache.get(purpose, name.encode()))
            return "-" if value is None else value.decode()
        case ["publish", purpose, message]:
            now(cache.publish(purpose, message.encode()))
            return "published"
        case ["fill", purpose]:
            number = 0
            while True:
                number += 1
                now(cache.put(purpose, b"%d" % number, b"x" * 500, 60))
                now(cache.index_add(purpose, b"index", b"%d" % number, 0.5))
                if number == 1000:
                    print("filling", flush=True)  # noqa: T201
        case ["count", purpose, who]:
            number = 0
            while True:  # in turn, or it would take the room of what others write
                now(cache.put(purpose, *numbered(who, number % COUNTED), 60))
                print(number, flush=True)  # noqa: T201
                number += 1
        case ["write", purpose, who, first, last]:
            for number in range(int(first), int(last)):
                now(cache.put(purpose, *numbered(who, number), 60))
            return "written"
        case ["read", purpose, who, first, last]:
            records = [numbered(who, n) for n in range(int(first), int(last))]
            whole = [now(cache.get(purpose, n)) == value for n, value in records]
            return str(sum(whole))
        case ["close"]:
            cache.store.close()
            return "closed"
        case _:
            raise ValueError(line)


def main() -> None:
    cache = real_cache(Path(sys.argv[1]))
    cache.open()
    print("ready", flush=True)  # noqa: T201
    for line in sys.stdin:
        print(obey(cache, line), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
