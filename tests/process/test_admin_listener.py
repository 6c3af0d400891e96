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


def ask(port: int, files: tuple[Path, Path] | None, trust: Path) -> int:
    """Ask for the revocations, with the certificate of *files*; gives the status."""
    context = ssl.create_default_context(cafile=str(trust))
    context.check_hostname = False
    if files is not None:
        context.load_cert_chain(*files)
    connection = http.client.HTTPSConnection(
        "127.0.0.1", port, timeout=10, context=context
    )
    with closing(connection):
        connection.request("GET", "/configuration", headers={"Host": "admin.example"})
        return connection.getresponse().status


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

    def test_without_a_certificate_there_is_no_tls(self) -> None:
        assert build_operators_tls(AdminConfig(address="127.0.0.1"), now=0) is None
