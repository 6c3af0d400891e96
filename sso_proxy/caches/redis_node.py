"""One Redis server, wherever it is just now; connected when it is needed."""

from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from twisted.internet.defer import CancelledError, Deferred

from sso_proxy.caches.redis_dial import Access, Dialler, Place, check, reason_of
from sso_proxy.caches.redis_link import Link, OnPush
from sso_proxy.caches.redis_resp import ErrorReply, Reply
from sso_proxy.errors import UnavailableError
from sso_proxy.net.once import Once

FIRST_PAUSE: Final = 0.1
"""Seconds without an attempt after the first failure, at most; doubled by each more."""
LONGEST_PAUSE: Final = 2.0

_SETTLED: Final = 1.0
"""Seconds that a connection lasts which was no failure."""
_AGAIN: Final = frozenset({"READONLY", "MASTERDOWN", "NOAUTH", "WRONGPASS"})
"""Errors that a new connection may mend; nothing was done."""


T = TypeVar("T")


class Backoff:
    """
    Says when the next attempt may begin, later after each failure.

    Args:
        reactor: Knows the time.
        random: Gives numbers from 0 to 1, so that not all processes come at once.
    """

    def __init__(self, reactor: Any, random: Callable[[], float]) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._random = random
        self._failures = 0
        self._not_before = 0.0
        self._trouble = ""

    def check(self) -> None:
        """
        See whether an attempt may begin.

        Raises:
            UnavailableError: It may not yet; says what the last one met.
        """
        if self._reactor.seconds() < self._not_before:
            raise UnavailableError(self._trouble)

    def succeed(self) -> None:
        """Begin anew."""
        self._failures = 0
        self._not_before = 0.0

    def fail(self, trouble: str) -> float:
        """Note a failure; gives the seconds to wait."""
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(self._failures, 10))
        pause *= 0.5 + 0.5 * self._random()
        self._failures += 1
        self._trouble = trouble
        self._not_before = self._reactor.seconds() + pause
        return pause


class Node:
    """
    A server.

    Commands are never sent twice: if a connection ends, nobody knows what was done.

    Args:
        find: Says where it is; raises UnavailableError.
        access: How it is spoken to.
        dialler: Makes connections.
        random: See `Backoff`.
        master: Whether it has to be a master.
    """

    def __init__(
        self,
        find: Callable[[], Awaitable[Place]],
        access: Access,
        dialler: Dialler,
        random: Callable[[], float],
        *,
        master: bool = False,
    ) -> None:
        self._find = find
        self._access = access
        self._dialler = dialler
        self._reactor = dialler.reactor
        self._master = master
        self._link: Link | None = None
        self._connecting = Once(self._connect)
        self._backoff = Backoff(dialler.reactor, random)
        self._since = 0.0
        self._closed = False

    async def call(self, key: bytes, *arguments: bytes, asking: bool = False) -> Reply:
        """
        Have the server do something.

        Args:
            key: Decides about the node in a cluster; here about nothing.
            arguments: The command.
            asking: Whether a node of a cluster is to do it for a slot that it is just
                being given.

        Raises:
            UnavailableError: It did not, or nobody knows whether it did.
        """
        for last in (False, True):
            link = self._link or await self._wait(arguments)
            if asking:
                link.send(b"ASKING").addErrback(_forget)
            reply = await link.send(*arguments)
            if not isinstance(reply, ErrorReply) or reply.code not in _AGAIN:
                return reply
            # It is no master any more, or does not know us: that is for a new
            # connection to find out, to what is the master by now.
            link.close(reason_of(reply))
            if last:
                check(link, reply)
        raise AssertionError(key)

    async def everyone(self) -> tuple["Node", ...]:
        """Give all servers: this one."""
        return (self,)

    @property
    def name(self) -> str:
        """Say where it is, while it is connected."""
        return self._link.name if self._link is not None else "redis"

    async def listen(self, on_push: OnPush) -> Link:
        """
        Make another connection, for messages.

        Raises:
            UnavailableError: It does not work.
        """
        place = await self._find()
        return await self._dialler.dial(
            place, self._access, master=self._master, on_push=on_push
        )

    def close(self) -> None:
        """End the connection, for good."""
        self._closed = True
        if self._link is not None:
            self._link.close()

    async def _wait(self, arguments: tuple[bytes, ...]) -> Link:
        """Wait for a connection, unless there was just none to be had."""
        if not self._connecting.running:
            self._backoff.check()
        return await wait_for(self._connecting, self._dialler, arguments)

    async def _connect(self) -> Link:
        if self._closed:
            raise UnavailableError("redis: closed")
        try:
            place = await self._find()
            link = await self._dialler.dial(place, self._access, master=self._master)
        except UnavailableError as e:
            self._backoff.fail(e.what)
            raise
        if self._closed or link.lost:
            link.close()
            raise UnavailableError(link.lost)
        self._link = link
        link.gate = self._dialler.gate
        self._since = self._reactor.seconds()
        link.on_lost = self._lose
        return link

    def _lose(self) -> None:
        link, self._link = self._link, None
        if link is None:
            return
        if self._reactor.seconds() - self._since < _SETTLED:
            self._backoff.fail(link.lost)
        else:
            self._backoff.succeed()


async def wait_for(once: Once[T], dialler: Dialler, arguments: tuple[bytes, ...]) -> T:
    """
    Wait for what *once* gives, not for ever and not with too many others.

    Args:
        once: Makes it.
        dialler: Knows the limits.
        arguments: The command that waits.

    Raises:
        UnavailableError: Too many wait, or it took too long; or what *once* raises.
    """
    size = sum(map(len, arguments))
    dialler.gate.enter(size)
    joined = Deferred.fromCoroutine(once.join())
    within = dialler.reactor.callLater(dialler.connect_timeout, joined.cancel)
    try:
        return await joined
    except CancelledError:
        if within.active():
            raise
        raise UnavailableError("redis: no connection in time") from None
    finally:
        dialler.gate.leave(size)
        if within.active():
            within.cancel()


def _forget(_: object) -> None:
    """Leave an error to whoever waits for what was sent behind."""
