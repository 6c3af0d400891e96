"""The operators' listener in the main process."""

from pathlib import Path
from typing import Any

import pytest
import treq
from twisted.internet import reactor as running_reactor  # noqa: TID251
from twisted.trial.unittest import TestCase

from sso_proxy.process.admin_listener import AdminListener
from sso_proxy.process.sockets import Address, ListenError
from sso_proxy.specs.revocations import Revocation

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
