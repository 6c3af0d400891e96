"""Names that strangers give lead nowhere but to single hosts of the Internet."""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet import reactor as installed  # noqa: TID251
from twisted.internet import ssl
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.protocol import Factory, Protocol
from twisted.trial.unittest import TestCase
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from sso_proxy.config.model import OutboundConfig
from sso_proxy.net.guard import Guard
from sso_proxy.net.http_client import HttpClient, NoReplyError
from sso_proxy.testing.pki import Pki
from tests.support.names import Named

reactor: Any = installed

LOCAL = (
    "127.0.0.1",
    "127.8.9.1",
    "0.0.0.0",  # noqa: S104
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.251",
    "240.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::a00:1",
    "2002:a00:1::1",
    "fe80::1",
    "fc00::1",
    "fd12:3456::1",
    "ff02::1",
    "2001:db8::1",
)


@pytest.mark.parametrize("address", LOCAL)
def test_no_address_of_this_network_is_allowed(address: str) -> None:
    assert not Guard().allows(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111"])
def test_hosts_of_the_internet_are_allowed(address: str) -> None:
    assert Guard().allows(address)


def test_an_operator_may_allow_networks() -> None:
    guard = Guard.of(["10.0.0.0/8", "fd12:3456::/32"])
    assert guard.allows("10.1.2.3")
    assert guard.allows("fd12:3456::1")
    assert not guard.allows("192.168.1.1")
    assert not guard.allows("fd13::1")


def test_what_is_no_network_cannot_be_allowed() -> None:
    with pytest.raises(ValueError, match="network"):
        Guard.of(["example.com"])


class Resolver:
    """Gives one answer after the other, as a server that rebinds names does."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []
        self.ours: list[str] = []

    def resolveHostName(  # noqa: N802
        self,
        receiver: Any,  # noqa: ANN401
        hostName: str,  # noqa: N803
        portNumber: int = 0,  # noqa: N803
        *_: object,
        **__: object,
    ) -> object:
        found: Sequence[str]
        if hostName in self.ours:  # a proxy's, by its address
            receiver.resolutionBegan(self)
            receiver.addressResolved(IPv4Address("TCP", hostName, portNumber))
            receiver.resolutionComplete()
            return receiver
        self.asked.append(hostName)
        found = self.answers.pop(0) if self.answers else ()
        receiver.resolutionBegan(self)
        for address in found:
            kind: Any = IPv6Address if ":" in address else IPv4Address
            receiver.addressResolved(kind("TCP", address, portNumber))
        receiver.resolutionComplete()
        return receiver


class Asked(Protocol):
    """A proxy that notes what it is asked for, and goes away."""

    def __init__(self, asked: list[bytes]) -> None:
        self.asked = asked

    def dataReceived(self, data: bytes) -> None:
        self.asked.append(data)
        assert self.transport is not None
        self.transport.loseConnection()


class Hello(Resource):
    isLeaf = True

    def render_GET(self, request: Request) -> bytes:
        return str(request.getHeader("host")).encode()


class GuardedRequests(TestCase):
    def setUp(self) -> None:
        directory = Path(tempfile.mkdtemp())
        pki = Pki.create("CA")
        self.ca = pki.write(directory)
        own = pki.issue("op.example", dns=["op.example"], server=True)
        mine: dict[str, Any] = {
            "privateKey": load_pem_private_key(own.key_pem, None),
            "certificate": load_pem_x509_certificate(own.cert_pem),
        }
        make: Any = Hello  # not annotated
        options = ssl.CertificateOptions(**mine)
        site = Site(make())
        port = reactor.listenSSL(0, site, options, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        self.url = f"https://op.example:{port.getHost().port}/"

    def client(self, resolver: Resolver, *networks: str) -> HttpClient:
        self.reactor = Named(resolver)
        config = OutboundConfig(ca=str(self.ca), timeout=5.0)
        self.parent = HttpClient(self.reactor, config)
        return self.parent.guarded(Guard.of(networks))

    async def test_exactly_the_address_that_was_judged_is_connected_to(self) -> None:
        """The name is looked up once; certificate and Host are the name's."""
        resolver = Resolver(["127.0.0.1"], ["8.8.8.8"])
        reply = await self.client(resolver, "127.0.0.0/8").get(self.url)
        assert reply.body == self.url.split("/")[2].encode()
        assert resolver.asked == ["op.example"]
        assert self.reactor.connected == ["127.0.0.1"]
        await self.parent.close()

    async def test_a_name_that_leads_here_is_refused(self) -> None:
        client = self.client(Resolver(["127.0.0.1"]))
        with pytest.raises(NoReplyError, match="leads to a local address"):
            await client.get(self.url)
        assert self.reactor.connected == []

    async def test_one_bad_address_refuses_the_good_ones(self) -> None:
        client = self.client(Resolver(["8.8.8.8", "10.0.0.1"]))
        with pytest.raises(NoReplyError, match="leads to a local address"):
            await client.get(self.url)
        assert self.reactor.connected == []

    async def test_an_address_instead_of_a_name_is_judged_too(self) -> None:
        client = self.client(Resolver())
        for host in ("127.0.0.1", "[::1]", "169.254.169.254"):
            with pytest.raises(NoReplyError, match="leads to a local address"):
                await client.get(f"http://{host}/")
        assert self.reactor.connected == []

    async def test_a_name_without_an_address_has_no_reply(self) -> None:
        with pytest.raises(NoReplyError, match="DNSLookupError"):
            await self.client(Resolver()).get(self.url)

    async def test_the_next_address_is_tried(self) -> None:
        client = self.client(Resolver(["127.0.0.2", "127.0.0.1"]), "127.0.0.0/8")
        assert (await client.get(self.url)).status == 200
        assert self.reactor.connected == ["127.0.0.2", "127.0.0.1"]
        await self.parent.close()

    async def test_a_proxy_is_told_the_address_and_not_the_name(self) -> None:
        """Else the proxy would look the name up again."""
        asked: list[bytes] = []
        factory = Factory.forProtocol(lambda: Asked(asked))
        port = reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        proxy = f"http://127.0.0.1:{port.getHost().port}"
        resolver = Resolver(["8.8.8.8"])
        resolver.ours = ["127.0.0.1"]
        config = OutboundConfig(proxy=proxy)
        client = HttpClient(Named(resolver), config).guarded(Guard())
        with pytest.raises(NoReplyError):
            await client.get("https://op.example/")
        assert asked[0].startswith(b"CONNECT 8.8.8.8:443 HTTP/1.1\r\n")

    async def test_there_is_one_client_for_one_guard(self) -> None:
        self.client(Resolver())
        one = self.parent.guarded(Guard.of(["10.0.0.0/8"]))
        assert one is self.parent.guarded(Guard.of(["10.0.0.0/8"]))
        assert one is not self.parent.guarded(Guard())
