"""Whoever is needed is asked, and their clock is looked at."""

import json
import shutil
import ssl
import tempfile
import time
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from twisted.internet import reactor as installed  # noqa: TID251 - a real one
from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase
from zope.interface import implementer

from sso_proxy.config.model import OutboundConfig
from sso_proxy.config.secrets import Secret
from sso_proxy.doctor.asking import Heard, ListeningClient, look_at_clock, look_at_part
from sso_proxy.interfaces import IHealth
from sso_proxy.model import WARNING
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.http_client import ClientTls
from sso_proxy.net.http_reply import HttpReply
from sso_proxy.net.metadata import IssuerSource
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import FakeTools
from sso_proxy.testing.pki import Pki
from sso_proxy.testing.tokens import TokenSigner
from sso_proxy.tokens.exchange import ExchangeSource
from sso_proxy.tokens.exchange_config import ExchangeConfig
from tests.support.programs import Backend, free_port, read_request

reactor: Any = installed
NONE = HttpReply(status=200)
KEY = TokenSigner(alg="ES256", kid="1", key=ec.generate_private_key(ec.SECP256R1()))


def states(*ahead: float | None) -> list[str]:
    heard = [Heard(f"https://{n}.example/", NONE, 0, a) for n, a in enumerate(ahead)]
    return [finding.state for finding in look_at_clock(heard)]


@pytest.mark.parametrize(
    ("ahead", "state"),
    [(0.4, "ok"), (-2, "ok"), (5, "warning"), (-29, "warning"), (-31, "broken")],
)
def test_a_clock_may_differ_by_a_second_or_two(ahead: float, state: str) -> None:
    assert states(ahead) == [state]


def test_each_server_is_compared_with() -> None:
    assert states(0, 100, None) == ["ok", "broken"]
    assert states(None) == ["ok"]
    heard = [Heard("https://a.example/", NONE, 0, 100.0)]
    (finding,) = look_at_clock(heard)
    assert finding.found == "100 s behind that of a.example"


def test_one_slow_answer_says_nothing_about_a_clock() -> None:
    heard = [Heard("https://a.example/", NONE, 0, ahead) for ahead in (9.0, 0.1)]
    assert [finding.state for finding in look_at_clock(heard)] == ["ok"]


@implementer(IHealth)
class Part:
    """Misses what it says."""

    def __init__(self, *lines: str) -> None:
        self.lines = lines

    async def probe(self) -> tuple[str, ...]:
        return self.lines


class Login(Part):
    """Has a provider, without which sessions go on, but nobody logs in."""

    async def warm(self) -> None:
        """Have fetched what there is."""


class AskingTests(TestCase):
    """A server that publishes metadata and keys, with a clock of its own."""

    def setUp(self) -> None:
        self.off, self.field = 0.0, b""
        self.takes = 0.0
        self.pass_time: Callable[[float], object] = time.sleep
        self.more: dict[str, str] = {}
        self.pki = Pki.create()
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        issued = self.pki.issue("localhost", dns=["localhost"], server=True)
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*issued.write(directory, "server"))
        self.server = Backend(self.answer, tls=context)
        self.addCleanup(self.server.close)
        self.client = ListeningClient(reactor, OutboundConfig(), SystemClock())
        self.addCleanup(lambda: Deferred.fromCoroutine(self.close()))
        self.issuer = f"https://localhost:{self.server.port}"

    async def close(self) -> None:
        await self.client.close()
        await deferLater(reactor, 0.02)

    def answer(self, sock: Any, _: int) -> None:  # noqa: ANN401
        """Say what an issuer says of itself."""
        while request := read_request(sock):
            keys = b"/keys" in request.partition(b"\r\n")[0]
            uri = f"{self.issuer}/keys"
            own = {"issuer": self.issuer, "jwks_uri": uri, **self.more}
            said = {"keys": [KEY.public_jwk()]} if keys else own
            body = json.dumps(said).encode()
            self.pass_time(self.takes)
            date = formatdate(time.time() + self.off, usegmt=True)
            sock.sendall(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
                b"Date: %b\r\n%bContent-Length: %d\r\n\r\n%b"
                % (date.encode(), self.field, len(body), body)
            )

    def source(self, **tls: bytes) -> IssuerSource:
        trust = ClientTls(ca=tls.get("ca", self.pki.ca_pem))
        return IssuerSource(self.issuer, self.client, SystemClock(), trust)

    async def test_what_was_fetched_is_told(self) -> None:
        finding = await look_at_part("authenticator.a", self.source(), self.client)
        assert finding is not None
        assert finding.state == "ok", finding
        assert f"{self.issuer}/keys in " in finding.found
        assert [each.state for each in look_at_clock(self.client.heard)] == ["ok"]

    async def test_slow_answers_are_a_warning(self) -> None:
        clock = SettableClock(time.time())
        self.client = ListeningClient(reactor, OutboundConfig(), clock)
        self.pass_time = clock.advance
        for self.takes, state in ((0.9, "ok"), (1.1, "warning")):
            finding = await look_at_part("authenticator.a", self.source(), self.client)
            assert finding is not None
            assert finding.state == state, finding
            assert ("logins wait for it" in finding.todo) == (state == "warning")

    async def test_a_source_of_tokens_has_to_be_found(self) -> None:
        options = {"client_id": "proxy", "client_secret": Secret("s" * 40)}
        directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, directory)
        ca = str(self.pki.write(directory))
        config = ExchangeConfig(issuer=self.issuer, ca=ca, **options)  # type: ignore[arg-type]
        tools = FakeTools(http_client=self.client, clock=SettableClock(time.time()))
        source = ExchangeSource(config, tools)
        self.more = {"token_endpoint": f"{self.issuer}/token"}
        finding = await look_at_part("token.t", source, self.client)
        assert finding is not None
        assert finding.state == "ok", finding
        self.more = {}
        other = ExchangeSource(config, tools)
        finding = await look_at_part("token.t", other, self.client)
        assert finding is not None
        assert finding.state == "broken", finding
        assert "has no token_endpoint" in finding.found

    async def test_a_clock_that_is_off_is_noticed(self) -> None:
        self.off = 300
        await look_at_part("authenticator.a", self.source(), self.client)
        (finding,) = look_at_clock(self.client.heard)
        assert finding.state == "broken"
        assert finding.found in {
            f"{seconds} s behind that of localhost:{self.server.port}"
            for seconds in (299, 300, 301)
        }

    async def test_an_answer_that_somebody_has_kept_says_nothing(self) -> None:
        self.off, self.field = -300, b"Age: 300\r\n"
        await look_at_part("authenticator.a", self.source(), self.client)
        (finding,) = look_at_clock(self.client.heard)
        assert finding.state == "ok"

    async def test_whom_nobody_trusts_is_broken(self) -> None:
        stranger = self.source(ca=Pki.create().ca_pem)
        finding = await look_at_part("authenticator.a", stranger, self.client)
        assert finding is not None
        assert finding.state == "broken"
        assert "name the CA that issued it" in finding.todo

    async def test_who_says_to_be_another_is_broken(self) -> None:
        self.more = {"issuer": f"{self.issuer}/"}
        finding = await look_at_part("authenticator.a", self.source(), self.client)
        assert finding is not None
        assert finding.state == "broken"
        assert "compare issuer with what the metadata say" in finding.todo

    async def test_another_name_than_the_certificate_has_is_broken(self) -> None:
        self.issuer = f"https://127.0.0.1:{self.server.port}"
        finding = await look_at_part("authenticator.a", self.source(), self.client)
        assert finding is not None
        assert finding.state == "broken"
        assert "its certificate has other names" in finding.todo

    async def test_who_is_down_is_broken(self) -> None:
        self.issuer = f"https://localhost:{free_port()}"
        finding = await look_at_part("authenticator.a", self.source(), self.client)
        assert finding is not None
        assert finding.state == "broken"
        assert "is it up, and reached from here" in finding.todo

    async def test_what_a_part_says_is_told(self) -> None:
        found = await look_at_part("mapper.m", Part(f"{WARNING}old"), self.client)
        assert str(found).startswith("warning mapper.m: old; ")
        found = await look_at_part("mapper.m", Part("a", "b"), self.client)
        assert str(found).startswith("broken  mapper.m: a; b; ")
        found = await look_at_part("authenticator.a", Login(f"{WARNING}x"), self.client)
        assert str(found).startswith("broken  authenticator.a: x; ")
        assert await look_at_part("mapper.m", Part(), self.client) is None
        assert await look_at_part("mapper.m", object(), self.client) is None
