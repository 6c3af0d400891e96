import tempfile
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase

from sso_proxy.testing.demo.proxy import ProxyEndedError, ProxyProcess


class ProxyProcessTests(TestCase):
    def setUp(self) -> None:
        from twisted.internet import reactor  # noqa: PLC0415, TID251

        self.reactor: Any = reactor
        self.directory = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.log = self.directory / "proxy.log"

    def process(self, config: str) -> ProxyProcess:
        path = self.directory / "sso-proxy.toml"
        path.write_text(config)
        proxy = ProxyProcess(self.reactor, path, self.log)
        self.addCleanup(proxy.stop)
        return proxy

    async def test_process_that_ends_says_why(self) -> None:
        proxy = self.process("[nonsense]")
        proxy.start()
        with pytest.raises(ProxyEndedError, match="nonsense"):
            await proxy.listening(1)

    async def test_process_that_never_listens_is_given_up(self) -> None:
        proxy = self.process("")
        self.log.write_text("it thinks")
        with pytest.raises(ProxyEndedError, match="it thinks"):
            await proxy.listening(1, patience=0.1)

    async def test_port_that_answers_is_what_is_waited_for(self) -> None:
        factory = Factory.forProtocol(Protocol)
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        await self.process("").listening(port.getHost().port)

    async def test_process_that_was_not_started_can_be_stopped(self) -> None:
        await self.process("").stop()
