"""One address after the other, over real sockets."""

import socket
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.net.connect import Address, Connector
from sso_proxy.net.nest import Nest


class ConnectorTests(TestCase):
    """A listener on 127.0.0.1, and nobody on 127.0.0.2."""

    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        self.nest = Nest(reactor)
        self.addCleanup(self.nest.close)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(self.listener.close)
        port = self.listener.getsockname()[1]
        self.there: Address = (socket.AF_INET, ("127.0.0.1", port))
        self.nobody: Address = (socket.AF_INET, ("127.0.0.2", port))

    def connector(self, *addresses: Address) -> tuple[Connector, Deferred[Any]]:
        ended: Deferred[Any] = Deferred()
        connector = Connector(self.nest, addresses, ended.callback, ended.callback)
        return connector, ended

    async def connect(self, *addresses: Address) -> socket.socket | str:
        connector, ended = self.connector(*addresses)
        connector.start()
        ended.addTimeout(5, self.reactor)
        found: socket.socket | str = await ended
        if isinstance(found, socket.socket):
            self.addCleanup(found.close)
        return found

    async def test_next_address_is_tried_where_one_refuses(self) -> None:
        sock = await self.connect(self.nobody, self.there)
        assert isinstance(sock, socket.socket)
        assert sock.getpeername() == self.there[1]
        assert not sock.getblocking()

    async def test_last_refusal_is_told(self) -> None:
        assert await self.connect(self.nobody, self.nobody) == "Connection refused"

    async def test_name_without_addresses_fails(self) -> None:
        assert await self.connect() == "no address"

    async def test_address_that_no_socket_takes_is_passed_over(self) -> None:
        """A path longer than the system's limit, for one."""
        odd: Address = (socket.AF_UNIX, "/" + "x" * 200)
        assert isinstance(await self.connect(odd), str)
        assert isinstance(await self.connect(odd, self.there), socket.socket)

    async def test_socket_that_is_not_there_fails(self) -> None:
        nothing: Address = (socket.AF_UNIX, "/nothing/here")
        assert await self.connect(nothing) == "No such file or directory"

    async def test_who_gave_up_is_not_told(self) -> None:
        connector, ended = self.connector(self.there)
        connector.start()
        connector.abort()
        await deferLater(self.reactor, 0.05)
        assert not ended.called
