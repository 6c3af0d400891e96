"""What serves: the gateway in this process, or workers; one set of methods for both."""

import socket
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol, TypeAlias

from sso_proxy.config.model import Config
from sso_proxy.process.levels import Change
from sso_proxy.process.limits import free_replaced, settle_memory
from sso_proxy.specs.revocations import Revocation


class ServingGateway(Protocol):
    """What `sso_proxy.assembly.Gateway` does for the process that it serves in."""

    def start(self) -> None:
        """Open everything and begin to accept; raises if that fails."""

    async def reload(self, config: Config) -> None:
        """Build anew, swap, drain; raises ConfigError and leaves the old in place."""

    async def drain(self) -> None:
        """Stop accepting and let requests end."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing, one line each."""

    def revoke(
        self, add: Iterable[Revocation], remove: Iterable[str], *, doubted: bool | None
    ) -> None:
        """
        Refuse what is in *add*, and no longer what *remove* names.

        While it is *doubted* that this is all, nobody is let in; None: as before.
        """

    def reopen_logs(self) -> None:
        """Open audit and access logs anew."""

    def metrics(self) -> bytes:
        """Give the Prometheus text."""

    def refusal(self, id_: str) -> dict[str, Any] | None:
        """Say why a request was refused lately; None if that is not known here."""

    async def sessions(self, document: object) -> dict[str, Any]:
        """List or end sessions; returns a ``status`` and what came of it."""

    async def status(self) -> dict[str, Any]:
        """Give what this process does and has done lately."""


GatewayMaker: TypeAlias = Callable[
    [Any, Config, Sequence[socket.socket]], ServingGateway
]


class Serving(Protocol):
    """What the main process asks of whatever serves."""

    def start(self) -> None:
        """Begin to serve; raises if that fails.  Runs before the reactor does."""

    async def reload(self, config: Config) -> None:
        """Serve as *config* says; raises ConfigError and leaves the old in place."""

    async def revoke(
        self,
        add: Iterable[Revocation],
        remove: Iterable[str],
        *,
        doubted: bool | None = None,
    ) -> tuple[str, ...]:
        """
        Refuse what is in *add*, not what *remove* names; says who does not.

        While it is *doubted* that this is all, nobody is let in; None: as before.
        """

    async def drain(self) -> None:
        """Let requests end, then stop; cancelled, stop at once."""

    async def faults(self) -> tuple[str, ...]:
        """Say what does not run or does not answer."""

    async def hanging(self) -> tuple[str, ...]:
        """Say what hangs and cannot be ended; what can be has been."""

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing, one line each."""

    async def metrics(self) -> str:
        """Give the Prometheus text."""

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        """Say why a request was refused lately; None if nobody knows."""

    async def sessions(self, document: object) -> dict[str, Any]:
        """List or end sessions; returns a ``status`` and what came of it."""

    async def status(self) -> dict[int, dict[str, Any]]:
        """Give what each process that answers does, by its number."""

    async def set_level(self, change: Change) -> None:
        """Have other processes than this one log as *change* says."""

    async def reopen_logs(self) -> None:
        """Open audit and access logs anew."""


class Alone:
    """
    The gateway in this process.

    Args:
        gateway: The gateway.
        revocations: What it refuses from its start on.
        doubted: Whether it is in doubt then.
    """

    def __init__(
        self,
        gateway: ServingGateway,
        revocations: Iterable[Revocation],
        *,
        doubted: bool = False,
    ) -> None:
        self._gateway = gateway
        self._revocations = revocations
        self._doubted = doubted

    def start(self) -> None:
        """Begin to serve."""
        self._gateway.revoke(self._revocations, (), doubted=self._doubted)
        self._gateway.start()
        settle_memory()

    async def reload(self, config: Config) -> None:
        """Serve as *config* says."""
        await self._gateway.reload(config)
        free_replaced()

    async def revoke(
        self,
        add: Iterable[Revocation],
        remove: Iterable[str],
        *,
        doubted: bool | None = None,
    ) -> tuple[str, ...]:
        """Have the gateway refuse what is in *add*, not what *remove* names."""
        self._gateway.revoke(add, remove, doubted=doubted)
        return ()

    async def drain(self) -> None:
        """Let requests end."""
        await self._gateway.drain()

    async def faults(self) -> tuple[str, ...]:
        """Say nothing: whoever asks was answered by the process that serves."""
        return ()

    async def hanging(self) -> tuple[str, ...]:
        """Say nothing, for the same reason."""
        return ()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing."""
        return await self._gateway.probe()

    async def metrics(self) -> str:
        """Give the Prometheus text."""
        return self._gateway.metrics().decode()

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        """Have the gateway say why a request was refused."""
        return self._gateway.refusal(id_)

    async def sessions(self, document: object) -> dict[str, Any]:
        """Have the gateway list or end sessions."""
        return await self._gateway.sessions(document)

    async def status(self) -> dict[int, dict[str, Any]]:
        """Give what the gateway does."""
        return {0: await self._gateway.status()}

    async def set_level(self, change: Change) -> None:
        """Do nothing: there is no other process."""

    async def reopen_logs(self) -> None:
        """Open audit and access logs anew."""
        self._gateway.reopen_logs()
