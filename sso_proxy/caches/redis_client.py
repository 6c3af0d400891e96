"""What the ``redis`` cache asks of its servers."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from zope.interface import implementer

from sso_proxy.caches.redis_dial import refuse
from sso_proxy.caches.redis_messages import Messages
from sso_proxy.caches.redis_names import Names
from sso_proxy.caches.redis_resp import ErrorReply, Reply
from sso_proxy.caches.redis_scripts import Script
from sso_proxy.caches.redis_setup import Servers
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClosable
from sso_proxy.traffic import Histogram

_ANY: Final = b""
"""A key for what any server may be asked."""


@implementer(IClosable)
class RedisClient:
    """
    Asks servers, and hears messages.  Outlives a reload.

    Args:
        servers: Where commands go.
        names: Names records.
        reactor: Measures time.
        random: Gives numbers from 0 to 1.

    Attributes:
        durations: How long servers took.
    """

    def __init__(
        self,
        servers: Servers,
        names: Names,
        reactor: Any,  # noqa: ANN401
        random: Callable[[], float],
    ) -> None:
        self.names = names
        self.durations = Histogram()
        self._servers = servers
        self._reactor = reactor
        self.messages = Messages(
            names,
            listen=servers.listen,
            count=self._count,
            reactor=reactor,
            random=random,
        )

    async def call(self, key: bytes, *arguments: bytes) -> Reply:
        """
        Do a command.

        Raises:
            UnavailableError: It was not done, or nobody knows whether it was.
        """
        if not self.messages.settled:
            await self.messages.settle()
        return refuse(await self._timed(key, *arguments))

    async def run(
        self, script: Script, keys: tuple[bytes, ...], *arguments: bytes
    ) -> Reply:
        """
        Run a script, which the server may not have seen before.

        Raises:
            UnavailableError: As for `call`.
        """
        if not self.messages.settled:
            await self.messages.settle()
        rest = (b"%d" % len(keys), *keys, *arguments)
        reply = await self._timed(keys[0], b"EVALSHA", script.sha, *rest)
        if isinstance(reply, ErrorReply) and reply.code == "NOSCRIPT":
            reply = await self._timed(keys[0], b"EVAL", script.text, *rest)
        return refuse(reply)

    async def _timed(self, key: bytes, *arguments: bytes) -> Reply:
        """Have a server do it, and count how long that takes."""
        began = self._reactor.seconds()
        try:
            return await self._servers.call(key, *arguments)
        finally:
            self.durations.note(self._reactor.seconds() - began)

    async def number(self, key: bytes) -> int:
        """
        Read a number; what is not there is 0.

        Raises:
            UnavailableError: As for `call`.
        """
        found = refuse(await self._timed(key, b"GET", key))
        if found is None:
            return 0
        if isinstance(found, bytes) and found.isdigit() and len(found) < 19:
            return int(found)
        raise UnavailableError("redis: something else than a number")

    async def reports(self) -> list[tuple[str, Mapping[str, str]]]:
        """
        Ask all servers how they are; gives names, and what they say.

        Those that do not permit us to ask say nothing.

        Raises:
            UnavailableError: One does not answer.
        """
        found: list[tuple[str, Mapping[str, str]]] = []
        for node in await self._servers.everyone():
            reply = await node.call(_ANY, b"INFO")
            if isinstance(reply, ErrorReply) and reply.code == "NOPERM":
                found.append((node.name, {}))
                continue
            told = refuse(reply)
            text = told.decode("latin-1") if isinstance(told, bytes) else ""
            lines = (line.partition(":") for line in text.splitlines())
            found.append((node.name, {name: value for name, _, value in lines}))
        return found

    def close(self) -> None:
        """End all connections and subscriptions."""
        self.messages.close()
        self._servers.close()

    async def _count(self, purpose: str) -> int:
        return await self.number(self.names.count(purpose))
