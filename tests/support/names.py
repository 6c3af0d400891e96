"""A reactor that looks names up as a test says."""

from typing import Any

from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.address import IPv4Address

reactor: Any = installed


class Names:
    """Gives each name one answer after the other, the last one for ever."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {name.replace("_", "."): each for name, each in answers.items()}
        self.asked: list[str] = []

    def resolveHostName(  # noqa: N802
        self,
        receiver: Any,  # noqa: ANN401
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        **_: object,
    ) -> object:
        self.asked.append(hostName)
        left = self.answers[hostName]
        address = left.pop(0) if len(left) > 1 else left[0]
        receiver.resolutionBegan(self)
        receiver.addressResolved(IPv4Address("TCP", address, portNumber))
        receiver.resolutionComplete()
        return receiver


class Named:
    """The reactor, with names of its own."""

    def __init__(self, resolver: Any) -> None:  # noqa: ANN401
        self.nameResolver = resolver
        self.connected: list[str] = []

    def connectTCP(self, host: str, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401, N802
        self.connected.append(host)
        return reactor.connectTCP(host, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(reactor, name)
