"""The metadata and keys of an authorization server of somebody else's are found."""

from typing import Any

import pytest
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.metadata import IssuerSource
from tests.support.tokens_from_op import TokenDesk

reactor: Any = installed


class IssuerMetadataTests(TestCase):
    @pytest.fixture(autouse=True)
    def find(self, desk: TokenDesk) -> None:
        self.server = desk.server

    async def test_the_name_of_the_issuer_is_enough(self) -> None:
        client = HttpClient(reactor, OutboundConfig(ca=str(self.server.ca)))

        async def close() -> None:
            await client.close()
            await deferLater(reactor, 0.02)

        self.addCleanup(lambda: Deferred.fromCoroutine(close()))
        source = IssuerSource(self.server.issuer, client, SystemClock())
        metadata = await source.metadata()
        assert metadata.issuer == self.server.issuer
        assert metadata.introspection_endpoint is not None
        assert metadata.dpop_signing_alg_values_supported
        keys = await source.key_set()
        for alg, key in self.server.keys.items():
            assert keys.find(key.signer.kid, alg).kid == key.signer.kid
        assert await source.probe() == ()
