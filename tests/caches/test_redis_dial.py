"""Connections: verified, let in, in time; or none, with the reason."""

from typing import Any

from twisted.internet.protocol import Factory, Protocol

from sso_proxy.caches.redis_dial import Access, Place
from sso_proxy.caches.redis_link import Link
from sso_proxy.config.secrets import Secret
from sso_proxy.net.tls.client import ClientTls
from tests.support.programs import free_port
from tests.support.redis_case import RedisCase
from tests.support.redis_servers import USER, USER_PASSWORD


class Liar(Protocol):
    """Says something, whatever it is asked."""

    text = b""

    def connectionMade(self) -> None:
        if self.text:
            self.transport.write(self.text)  # type: ignore[union-attr]


class DialTests(RedisCase):
    async def dial(
        self,
        host: str,
        port: int,
        *,
        within: float = 2.0,
        **access: Any,  # noqa: ANN401
    ) -> Link:
        dialler = self.dialler(connect_timeout=within)
        link = await dialler.dial(Place(host, port), Access(**access))
        self.addCleanup(self.drop, link)
        return link

    async def drop(self, link: Link) -> None:
        link.close()
        await self.pause(0.01)

    async def refused(self, port: int, host: str = "127.0.0.1", **access: Any) -> str:  # noqa: ANN401
        problem = await self.failure_of(self.dial(host, port, **access))
        await self.pause(0.01)
        return problem

    def lie(self, text: bytes) -> int:
        """Listen, and tell everybody *text*."""
        factory = Factory.forProtocol(type("", (Liar,), {"text": text}))
        port = self.reactor.listenTCP(0, factory, interface="127.0.0.1")
        self.addCleanup(port.stopListening)
        return int(port.getHost().port)

    def tls(self, ca: str = "ca", certificate: str | None = "client") -> ClientTls:
        """Give what a client trusts, and shows."""
        place = self.servers.directory
        trusted = (place / f"{ca}.crt").read_bytes()
        if certificate is None:
            return ClientTls(ca=trusted)
        return ClientTls(
            ca=trusted,
            certificate=(place / f"{certificate}.crt").read_bytes(),
            key=(place / f"{certificate}.key").read_bytes(),
        )

    async def test_unix_socket_is_as_good_as_a_port(self) -> None:
        self.servers.plain.wait()
        link = await self.dial(str(self.servers.socket), 0)
        assert await link.send(b"PING") == b"PONG"

    async def test_user_with_a_certificate_is_let_in(self) -> None:
        login: Any = {"username": USER, "password": Secret(USER_PASSWORD)}
        port = self.servers.tls.port
        link = await self.dial("127.0.0.1", port, tls=self.tls(), **login)
        assert await link.send(b"PING") == b"PONG"

    async def test_name_in_certificates_can_be_another_than_the_address(self) -> None:
        login: Any = {"username": USER, "password": Secret(USER_PASSWORD)}
        port = self.servers.tls.port
        for name, good in (("redis.example.com", True), ("other.example.com", False)):
            dialling = self.dial(
                "127.0.0.1", port, tls=self.tls(), server_name=name, **login
            )
            if good:
                assert await (await dialling).send(b"PING") == b"PONG"
            else:
                assert "redis at" in await self.failure_of(dialling)
        await self.pause(0.01)

    async def test_server_of_another_authority_gets_no_password(self) -> None:
        tls = self.tls(ca="other")
        problem = await self.refused(self.servers.tls.port, tls=tls)
        assert "certificate verify failed" in problem

    async def test_server_without_our_certificate_says_no(self) -> None:
        tls = self.tls(certificate=None)
        assert "redis at" in await self.refused(self.servers.tls.port, tls=tls)

    async def test_wrong_password_is_named_and_not_shown(self) -> None:
        wrong: Any = {"username": USER, "password": Secret("wr0ng-s3cret")}
        port = self.servers.tls.port
        problem = await self.refused(port, tls=self.tls(), **wrong)
        assert "refuses our user or password" in problem
        assert "s3cret" not in problem

    async def test_missing_password_is_named(self) -> None:
        port = self.servers.tls.port
        assert "wants a password" in await self.refused(port, tls=self.tls())

    async def test_other_machines_are_not_spoken_to_without_tls(self) -> None:
        """Where a Sentinel or a cluster sends us, no check of the file has been."""
        problem = await self.refused(6379, host="192.0.2.1")
        assert "no TLS" in problem

    async def test_nobody_there_is_a_reason(self) -> None:
        assert "refused" in (await self.refused(free_port())).lower()

    async def test_database_is_chosen(self) -> None:
        link = await self.dial("127.0.0.1", self.servers.plain.port, database=7)
        info = await link.send(b"CLIENT", b"LIST")
        assert isinstance(info, bytes)
        assert b"db=7" in info

    async def test_liar_is_left(self) -> None:
        for text in (
            b"HTTP/1.1 400 Bad Request\r\n\r\n",
            b"$99999999\r\n",
            b"+" * 9999,
        ):
            assert "sends" in await self.refused(self.lie(text))

    async def test_silent_server_costs_a_bounded_time(self) -> None:
        begin = self.reactor.seconds()
        assert "no connection within" in await self.refused(self.lie(b""), within=0.2)
        assert self.reactor.seconds() - begin < 1

    async def test_replica_is_no_master(self) -> None:
        replica = self.servers.run(
            "--replicaof", "127.0.0.1", str(self.servers.plain.port)
        )
        dialler = self.dialler()
        place = Place("127.0.0.1", replica.port)
        problem = await self.failure_of(dialler.dial(place, Access(), master=True))
        assert "no master" in problem
        await self.pause(0.01)


def test_access_shows_no_password() -> None:
    assert "s3cret" not in repr(Access(username="u", password=Secret("s3cret")))


def test_what_stays_on_the_machine_is_known() -> None:
    for place in (Place("/run/redis.sock", 0), Place("::1", 1), Place("localhost", 1)):
        assert place.is_local
    for host in ("192.0.2.1", "localhost.example.com", "127.0.0.1.example.com"):
        assert not Place(host, 6379).is_local
