"""
Run the process model around a gateway that does what its configuration's name says.

``python fake_proxy.py <twistd's options> sso-proxy --config FILE`` is twistd with that
gateway; ``python fake_proxy.py --worker N`` is a worker of it.
"""

import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.protocol import Factory, Protocol

from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.process.worker import run_worker
from sso_proxy.specs.revocations import Revocation


class FakeGateway:
    """
    Answers every connection with its name and process id.

    ``/slow/N`` answers after N seconds.  A configuration named ``unbuildable`` is
    refused, ``crash`` ends the process that starts it, ``mortal`` ends it a moment
    later, ``hangs`` never answers a probe, ``unready`` misses something.
    """

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        config: Config,
        sockets: Sequence[Any],
    ) -> None:
        self.reactor = reactor
        self.config = config
        self.busy: set[Protocol] = set()
        self.idle: Deferred[None] | None = None
        self._sockets = sockets
        self._ports: list[Any] = []

    @property
    def name(self) -> str:
        return self.config.server.name

    def start(self) -> None:
        _build(self.config)
        self.reopen_logs()
        factory = Factory.forProtocol(lambda: Answer(self))
        for sock in self._sockets:
            port = self.reactor.adoptStreamPort(sock.fileno(), sock.family, factory)
            self._ports.append(port)
        if self.name == "mortal":
            self.reactor.callLater(0.01, os._exit, 4)

    async def reload(self, config: Config) -> None:
        _build(config)
        self.config = config

    def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str], *, doubted: bool | None
    ) -> None:
        """Nobody is let in here anyway."""

    async def drain(self) -> None:
        await DeferredList([Deferred.fromCoroutine(_stop(p)) for p in self._ports])
        for sock in self._sockets:
            sock.close()
        if self.busy:
            self.idle = Deferred()
            await self.idle

    async def probe(self) -> tuple[str, ...]:
        if self.name == "hangs":
            await Deferred()
        return ("keys of the issuer",) if self.name == "unready" else ()

    def reopen_logs(self) -> None:
        if self.config.server.audit.file is not None:
            with Path(self.config.server.audit.file).open("a") as file:
                file.write(f"opened by {os.getpid()}\n")

    def refusal(self, id_: str) -> dict[str, Any] | None:
        return {"id": id_} if id_ == "known-1" else None

    async def status(self) -> dict[str, Any]:
        return {"told": "status"}

    async def sessions(self, document: object) -> dict[str, Any]:
        return {"status": 200, "did": document}

    def metrics(self) -> bytes:
        return (
            "# HELP fake_busy Requests under way.\n# TYPE fake_busy gauge\n"
            f"fake_busy {len(self.busy)}\n"
        ).encode()


class Answer(Protocol):
    def __init__(self, gateway: FakeGateway) -> None:
        self._gateway = gateway

    def dataReceived(self, data: bytes) -> None:
        self._gateway.busy.add(self)
        path = data.split(b" ")[1]
        wait = float(path.removeprefix(b"/slow/")) if path != b"/" else 0
        self._gateway.reactor.callLater(wait, self._answer)

    def _answer(self) -> None:
        body = f"{self._gateway.name} {os.getpid()}".encode()
        head = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
        transport: Any = self.transport
        transport.write(head % len(body) + body)
        transport.loseConnection()

    def connectionLost(self, _reason: object = None) -> None:
        self._gateway.busy.discard(self)
        if self._gateway.idle is not None and not self._gateway.busy:
            self._gateway.idle.callback(None)


async def _stop(port: Any) -> None:  # noqa: ANN401
    await port.stopListening()


def _build(config: Config) -> None:
    if config.server.name == "unbuildable":
        raise ConfigError(Mistake("server.name", "cannot be built"))
    if config.server.name == "crash":
        os._exit(3)


def run_main_process(reactor: Any) -> None:  # noqa: ANN401
    """Be twistd; imports here what no worker needs, of which tests start hundreds."""
    from twisted.application import app  # noqa: PLC0415
    from twisted.scripts._twistd_unix import ServerOptions  # noqa: PLC0415
    from twisted.scripts.twistd import runApp  # noqa: PLC0415

    from sso_proxy.config.load import load_config  # noqa: PLC0415
    from sso_proxy.supervisor import Plan, Supervisor  # noqa: PLC0415
    from sso_proxy.tap import Options, build_supervisor  # noqa: PLC0415

    def load(path: Path, _: Path) -> Plan:
        return Plan(config=load_config(path))

    class FakeMaker:
        """What twistd finds where the plugin would be."""

        tapname = "sso-proxy"
        description = "the process model around a fake"
        options = Options

        @staticmethod
        def makeService(options: Options) -> Supervisor:
            worker = (__file__, "--worker")
            return build_supervisor(reactor, options, load, FakeGateway, worker)

    class FakeOptions(ServerOptions):
        @staticmethod
        def _getPlugins(*_: object) -> Any:  # noqa: ANN401, N802
            return [FakeMaker]

    app.run(runApp, FakeOptions)


if __name__ == "__main__":
    from twisted.internet import reactor  # noqa: TID251

    if sys.argv[1] == "--worker":
        sys.exit(run_worker(reactor, sys.argv[2:], FakeGateway))
    for name in [name for name in os.environ if name.startswith("COVERAGE_PROCESS_")]:
        del os.environ[name]  # what workers run is measured where they are real ones
    run_main_process(reactor)
