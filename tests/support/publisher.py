"""A server that publishes documents, and does not always mean well."""

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory, Protocol

Answer = Callable[[Any], None]
"""Answers one request over the transport that it is given."""


def page(body: bytes, *fields: str, status: str = "200 OK") -> Answer:
    """Send a whole answer and keep the connection."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    head = "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"
    return lambda transport: transport.write(head + body)


def broken(octets: bytes) -> Answer:
    """Send *octets* and close."""

    def answer(transport: Any) -> None:  # noqa: ANN401
        transport.write(octets)
        transport.loseConnection()

    return answer


def silent(octets: bytes = b"") -> Answer:
    """Send *octets* and nothing more."""
    return lambda transport: transport.write(octets)


NOT_FOUND = page(b"<h1>Not found</h1>", status="404 Not Found")


class Publisher(Factory):
    """
    Serves on an ephemeral port of this machine.

    Attributes:
        pages: The answer to each path; others are not found.
        asked: The paths that were asked for, in order.
        heads: The whole requests.
    """

    def __init__(self, reactor: Any) -> None:  # noqa: ANN401
        self.pages: dict[str, Answer] = {}
        self.asked: list[str] = []
        self.heads: list[bytes] = []
        self.open: list[Any] = []
        self._reactor = reactor
        self.number = 0
        self.start()

    @property
    def origin(self) -> str:
        """Give the origin of what is published."""
        return f"http://127.0.0.1:{self.number}"

    def buildProtocol(self, addr: IAddress | None) -> Protocol:  # noqa: ARG002
        return _Connection(self)

    def start(self) -> None:
        """Listen, again at the same port."""
        self._port = self._reactor.listenTCP(self.number, self, interface="127.0.0.1")
        self.number = self._port.getHost().port

    async def stop(self) -> None:
        """Refuse connections, and cut those that there are."""
        await self._port.stopListening()
        for transport in list(self.open):
            transport.abortConnection()


class _Connection(Protocol):
    """Reads requests without a body."""

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._data = b""

    def connectionMade(self) -> None:
        self._publisher.open.append(self.transport)

    def connectionLost(self, reason: object = None) -> None:  # noqa: ARG002
        self._publisher.open.remove(self.transport)

    def dataReceived(self, data: bytes) -> None:
        self._data += data
        while b"\r\n\r\n" in self._data:
            head, _, self._data = self._data.partition(b"\r\n\r\n")
            path = head.split()[1].decode()
            self._publisher.asked.append(path)
            self._publisher.heads.append(head)
            self._publisher.pages.get(path, NOT_FOUND)(self.transport)
