"""A Redis Cluster: which node has which slot, and what to do when that changes."""

from collections.abc import Callable, Sequence
from typing import Final

import attrs
from twisted.internet.task import deferLater

from sso_proxy.caches.redis_dial import Access, Dialler, Place, check
from sso_proxy.caches.redis_link import Link, OnPush
from sso_proxy.caches.redis_names import SLOTS, slot_of
from sso_proxy.caches.redis_node import Backoff, Node, wait_for
from sso_proxy.caches.redis_resp import ErrorReply, Reply
from sso_proxy.errors import UnavailableError
from sso_proxy.net.once import Once

_REDIRECTIONS: Final = 5
"""Times that a command may be sent elsewhere."""
_REFRESH: Final = 0.5
"""Seconds between two questions who has which slot, at least."""
_MOST_NODES: Final = 256
_PAUSE: Final = 0.05
"""Seconds before a cluster that is changing just now is asked again."""


@attrs.frozen
class Redirection:
    """
    The answer of a node that a slot is on another one.

    Attributes:
        asking: Whether for this one command only.
        slot: The slot.
        place: Where it is; the host is empty for the same as now.
    """

    asking: bool
    slot: int
    place: Place


class Cluster:
    """
    All nodes, as one server.

    Args:
        seeds: Nodes to ask about the others.
        access: How all are spoken to.
        dialler: Makes connections.
        random: See `Backoff`.
    """

    def __init__(
        self,
        seeds: Sequence[Place],
        access: Access,
        dialler: Dialler,
        random: Callable[[], float],
    ) -> None:
        self._seeds = tuple(seeds)
        self._access = access
        self._dialler = dialler
        self._random = random
        self._nodes: dict[Place, Node] = {}
        self._slots: dict[int, Place] = {}
        self._refreshed = float("-inf")
        self._refreshing = Once(self._refresh)
        self._backoff = Backoff(dialler.reactor, random)
        self._closed = False

    async def call(self, key: bytes, *arguments: bytes) -> Reply:
        """
        Have the node do it that has the slot of *key*; follow where it sends us.

        Raises:
            UnavailableError: None did it, or nobody knows whether one did.
        """
        slot, asking, left = slot_of(key), False, _REDIRECTIONS
        place = await self._place_of(slot, arguments)
        until = self._dialler.reactor.seconds() + self._dialler.timeout
        while left and self._dialler.reactor.seconds() < until:
            try:
                reply = await self._node(place).call(key, *arguments, asking=asking)
            except UnavailableError:
                # Another node may have taken its slots over; the next call will see.
                self._look_again()
                raise
            if not isinstance(reply, ErrorReply):
                return reply
            left, asking = left - 1, False
            if moved := read_redirection(reply):
                place = attrs.evolve(moved.place, host=moved.place.host or place.host)
                asking = moved.asking
                if not asking:
                    self._slots[slot] = place
                    self._look_again()
            elif reply.code == "TRYAGAIN":
                await self._rest(arguments)
                place, left = self._slots.get(slot, place), _REDIRECTIONS
            else:
                if reply.code == "CLUSTERDOWN":
                    self._look_again()
                return reply
        raise UnavailableError("redis cluster: a slot is on its way between nodes")

    async def everyone(self) -> tuple[Node, ...]:
        """
        Give all nodes that have slots.

        Raises:
            UnavailableError: Nobody says which these are.
        """
        await self._place_of(0, ())
        return tuple(self._node(place) for place in {*self._slots.values()})

    async def listen(self, on_push: OnPush) -> Link:
        """
        Make a connection for messages, to any node: all of them pass them on.

        Raises:
            UnavailableError: It does not work.
        """
        _, link = await self._somewhere(on_push)
        return link

    def close(self) -> None:
        """End all connections, for good."""
        self._closed = True
        for node in self._nodes.values():
            node.close()

    async def _rest(self, arguments: tuple[bytes, ...]) -> None:
        """Let a moment pass: some of the keys have moved, some have not."""
        size = sum(map(len, arguments))
        self._dialler.gate.enter(size)
        try:
            await deferLater(self._dialler.reactor, _PAUSE)
        finally:
            self._dialler.gate.leave(size)

    def _look_again(self) -> None:
        """Ask anew who has which slot, soon and not too often."""
        now = self._dialler.reactor.seconds()
        if now - self._refreshed > _REFRESH:
            self._refreshed = now
            self._refreshing.begin()

    async def _place_of(self, slot: int, arguments: tuple[bytes, ...]) -> Place:
        if slot not in self._slots:
            if not self._refreshing.running:
                self._backoff.check()
            await wait_for(self._refreshing, self._dialler, arguments)
        if slot not in self._slots:
            raise UnavailableError("redis cluster: nobody serves a slot")
        return self._slots[slot]

    def _node(self, place: Place) -> Node:
        node = self._nodes.get(place)
        if node is None:
            if self._closed:
                raise UnavailableError("redis: closed")
            if len(self._nodes) >= _MOST_NODES:
                raise UnavailableError("redis cluster: too many nodes")

            async def find() -> Place:
                return place

            node = Node(find, self._access, self._dialler, self._random)
            self._nodes[place] = node
        return node

    async def _refresh(self) -> None:
        """Learn who has which slot, and forget nodes that have none."""
        try:
            slots = self._slots = await self._ask()
        except UnavailableError as e:
            self._backoff.fail(e.what)
            raise
        self._backoff.succeed()
        for place in self._nodes.keys() - {*slots.values()}:
            self._nodes.pop(place).close()

    async def _ask(self) -> dict[int, Place]:
        """Ask any node who has which slot."""
        place, link = await self._somewhere()
        try:
            answer = check(link, await link.send(b"CLUSTER", b"SLOTS"))
        finally:
            link.close()
        slots = read_slots(answer, place)
        if not slots:
            raise UnavailableError(f"{place}: has no slots to tell of")
        return slots

    async def _somewhere(self, on_push: OnPush | None = None) -> tuple[Place, Link]:
        """Connect to any node: to one that we know, or else to those configured."""
        places = [*dict.fromkeys((*self._slots.values(), *self._seeds))]
        # Not always the same one, which may be dead.
        places.sort(key=lambda _: self._random())
        problem = "redis cluster: no node"
        for place in places[:_REDIRECTIONS]:
            try:
                dialled = self._dialler.dial(place, self._access, on_push=on_push)
                return place, await dialled
            except UnavailableError as e:
                problem = e.what
        raise UnavailableError(problem)


def read_redirection(reply: ErrorReply) -> Redirection | None:
    """Read ``MOVED`` or ``ASK``, slot, host and port; None if it is something else."""
    match reply.text.split(b" "):
        case [b"MOVED" | b"ASK" as kind, slot, address]:
            host, _, port = address.rpartition(b":")
            place = _place(host, port)
            if place is not None and slot.isdigit() and len(slot) < 6:
                return Redirection(kind == b"ASK", int(slot), place)
        case _:
            pass
    return None


def read_slots(reply: Reply, asked: Place) -> dict[int, Place]:
    """
    Read the answer to ``CLUSTER SLOTS``: the master of each slot.

    Nothing is believed of an answer that names more slots than there are: it would take
    as long to read as its sender likes.
    """
    found: dict[int, Place] = {}
    named = 0
    for entry in reply if isinstance(reply, list) else []:
        match entry:
            case [int(first), int(last), [host, int(port), *_], *_]:
                name = host if isinstance(host, bytes) else b""
                place = _place(name, b"%d" % port)
                if place is None or not 0 <= first <= last < SLOTS:
                    continue
                named += last - first + 1
                if named > SLOTS:
                    return {}
                place = attrs.evolve(place, host=place.host or asked.host)
                found.update(dict.fromkeys(range(first, last + 1), place))
            case _:
                pass
    return found


def _place(host: bytes, port: bytes) -> Place | None:
    good = host.isascii() and len(host) <= 255 and port.isdigit() and len(port) < 6
    if not good or not 0 < int(port) < 65536:
        return None
    return Place(host.decode("ascii"), int(port))
