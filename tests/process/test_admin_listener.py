"""The operators' listener in the main process."""

import http.client
import ssl
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import treq
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.net.tls.operators import build_operators_tls
from sso_proxy.process.admin_listener import AdminListener
from sso_proxy.process.sockets import Address, ListenError
from sso_proxy.specs.revocations import Revocation
from sso_proxy.testing.pki import Pki

REACTOR: Any = running_reactor


class FakeRevoker:
    list: tuple[Revocation, ...] = ()

    async def revoke(self, document: object) -> Any:  # noqa: ANN401
        raise NotImplementedError

    async def lift(self, name: str) -> Any:  # noqa: ANN401
        raise NotImplementedError


class FakeStatus:
    async def faults(self) -> tuple[str, ...]:
        return ()

    async def probe(self) -> tuple[str, ...]:
        return ()

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        return {"id": id_} if id_ == "known-1" else None

    async def status(self) -> dict[str, Any]:
        return {"told": "status"}

    def configuration(self) -> dict[str, Any]:
        return {"server": {"name": "shown"}}

    async def log_levels(self, document: object) -> dict[str, Any]:
        return {"status": 200, "levels": [document]}

    async def sessions(self, document: object) -> dict[str, Any]:
        return {"status": 200, "did": document}

    async def metrics(self) -> str:
        return "fake 1\n"


def is_socket(path: str) -> bool:
    return Path(path).is_socket()


def connected(
    port: int, files: tuple[Path, Path] | None, trust: Path
) -> http.client.HTTPSConnection:
    """Give a connection with the certificate of *files*."""
    context = ssl.create_default_context(cafile=str(trust))
    context.check_hostname = False
    if files is not None:
        context.load_cert_chain(*files)
    return http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)


def ask_over(connection: http.client.HTTPSConnection) -> int:
    """Ask for the configuration; gives the status."""
    connection.request("GET", "/configuration", headers={"Host": "admin.example"})
    answer = connection.getresponse()
    answer.read()
    return answer.status


def ask(port: int, files: tuple[Path, Path] | None, trust: Path) -> int:
    """Ask over a connection of its own."""
    with closing(connected(port, files, trust)) as connection:
        return ask_over(connection)


class AdminListenerTests(TestCase):
    def setUp(self) -> None:
        self.listener = AdminListener(REACTOR)

    async def test_answers_until_it_is_closed(self) -> None:
        address = self.listener.open(
            Address("127.0.0.1", 0), FakeStatus(), FakeRevoker(), None
        )
        url = f"http://127.0.0.1:{address.port}/metrics"
        response = await treq.get(url, persistent=False, timeout=10)
        assert await response.text() == "fake 1\n"
        await self.listener.close()
        with pytest.raises(Exception, match="refused"):
            await treq.get(url, persistent=False, timeout=10)

    async def test_unix_socket_is_removed_when_it_is_closed(self) -> None:
        path = str(self.mktemp())
        self.listener.open(Address(f"unix:{path}"), FakeStatus(), FakeRevoker(), None)
        assert is_socket(path)
        await self.listener.close()
        assert not is_socket(path)

    async def test_address_that_is_taken_is_refused(self) -> None:
        address = self.listener.open(
            Address("127.0.0.1", 0), FakeStatus(), FakeRevoker(), None
        )
        with pytest.raises(ListenError):
            AdminListener(REACTOR).open(address, FakeStatus(), FakeRevoker(), None)
        await self.listener.close()

    async def test_closing_what_was_never_opened_does_nothing(self) -> None:
        await self.listener.close()

    async def test_operators_certificates_count_and_no_others(self) -> None:
        place = Path(str(self.mktemp()))
        place.mkdir()  # noqa: ASYNC240
        ours, operators, others = Pki.create(), Pki.create(), Pki.create()
        trust, theirs = ours.write(place, "ours"), operators.write(place, "operators")
        certificate, key = ours.issue("admin", server=True).write(place, "admin")
        config = AdminConfig(
            address="127.0.0.1",
            certificate=str(certificate),
            key=str(key),
            client_ca=str(theirs),
        )
        tls = build_operators_tls(config, now=time.time())
        address = self.listener.open(
            Address("127.0.0.1", 0), FakeStatus(), FakeRevoker(), None, tls
        )
        operator = operators.issue("op", client=True).write(place, "op")
        assert await deferToThread(ask, address.port, operator, trust) == 200
        for who in (
            None,
            others.issue("op", client=True).write(place, "other"),
            operators.issue("op", client=True, expired=True).write(place, "old"),
            operators.issue("op", server=True).write(place, "server"),
        ):
            with pytest.raises(OSError):  # noqa: PT011
                await deferToThread(ask, address.port, who, trust)
        await self.listener.close()

    async def test_reload_takes_other_certificates_and_lists(self) -> None:
        place = Path(str(self.mktemp()))
        place.mkdir()  # noqa: ASYNC240
        ours, operators = Pki.create(), Pki.create()
        old, trust = ours.write(place, "old"), ours.write(place, "ours")
        theirs, revoked = operators.write(place, "operators"), place / "operators.crl"
        revoked.write_bytes(operators.crl([]))
        certificate, key = ours.issue("admin", server=True).write(place, "admin")
        config = AdminConfig(
            address="127.0.0.1",
            certificate=str(certificate),
            key=str(key),
            client_ca=str(theirs),
            client_crl=str(revoked),
        )
        leaves = operators.issue("leaves", client=True)
        stays = operators.issue("stays", client=True).write(place, "stays")
        address = self.listener.open(
            Address("127.0.0.1", 0),
            FakeStatus(),
            FakeRevoker(),
            None,
            build_operators_tls(config, now=time.time()),
        )
        gone = leaves.write(place, "leaves")
        connection = connected(address.port, gone, old)
        self.addCleanup(connection.close)
        assert await deferToThread(ask_over, connection) == 200
        new_ours = Pki.create()
        new_ours.issue("admin", server=True).write(place, "admin")
        new_ours.write(place, "ours")
        self.listener.reload(build_operators_tls(config, now=time.time()))
        assert await deferToThread(ask, address.port, gone, trust) == 200
        assert await deferToThread(ask_over, connection) == 200, "an open one stays"
        with pytest.raises(ssl.SSLError):
            await deferToThread(ask, address.port, stays, old)
        revoked.write_bytes(operators.crl([leaves]))
        self.listener.reload(build_operators_tls(config, now=time.time()))
        assert await deferToThread(ask, address.port, stays, trust) == 200
        for who in (
            lambda: ask(address.port, gone, trust),
            lambda: ask_over(connection),
        ):
            with pytest.raises((OSError, http.client.HTTPException)):
                await deferToThread(who)
        await self.listener.close()

    async def test_certificate_that_has_ended_is_a_warning(self) -> None:
        """It keeps nobody from being served: nothing should take the proxy out."""
        place = Path(str(self.mktemp()))
        place.mkdir()  # noqa: ASYNC240
        pki = Pki.create()
        certificate, key = pki.issue("admin", server=True, expired=True).write(
            place, "admin"
        )
        config = AdminConfig(
            address="127.0.0.1",
            certificate=str(certificate),
            key=str(key),
            client_ca=str(pki.write(place, "ca")),
        )
        assert self.listener.health() == ()
        tls = build_operators_tls(config, now=time.time())
        self.listener.open(
            Address("127.0.0.1", 0), FakeStatus(), FakeRevoker(), None, tls
        )
        (line,) = self.listener.health()
        assert line.startswith("warning: server.admin.certificate")
        assert "has expired" in line
        await self.listener.close()

    def test_without_a_certificate_there_is_no_tls(self) -> None:
        assert build_operators_tls(AdminConfig(address="127.0.0.1"), now=0) is None
