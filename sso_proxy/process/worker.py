"""
A worker: serves on the sockets it inherited, does what the main process asks.

``python -m sso_proxy.tap N``, started by the main process with the line to
it as descriptor 3 and N listening sockets from descriptor 4 on.  When the line breaks
the main process is gone, and the worker finishes its requests and ends.
"""

import os
import signal
import socket
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.logger import (
    ILogObserver,
    LogEvent,
    Logger,
    LogLevel,
    globalLogBeginner,
)
from twisted.python.failure import Failure
from zope.interface import implementer

from sso_proxy.errors import SsoProxyError
from sso_proxy.process import signals
from sso_proxy.process.control import Control, Message, RefusedError, unpack_config
from sso_proxy.process.levels import Change, Levels
from sso_proxy.process.limits import free_replaced, settle_memory
from sso_proxy.process.logs import pack
from sso_proxy.process.serving import GatewayMaker, ServingGateway
from sso_proxy.specs.revocation_document import restore_revocation

CONTROL = 3
FIRST_LISTENER = 4

_log = Logger()


@implementer(ILogObserver)
class LogToParent:
    """Has the main process write the log; drops lines while it does not keep up."""

    def __init__(self, control: Control, levels: Levels) -> None:
        self._control = control
        self._levels = levels
        self._dropped = 0

    def __call__(self, event: LogEvent) -> None:
        """Send *event*, if it is wanted."""
        if not self._levels.wants(event):
            return
        if self._control.full:
            self._dropped += 1
            return
        if self._dropped:
            gap: LogEvent = {
                "log_format": "{dropped} log lines were dropped here",
                "log_level": LogLevel.warn,
                "log_namespace": __name__,
                "log_time": event.get("log_time"),
                "dropped": self._dropped,
            }
            self._dropped = 0
            self._control.tell({"log": pack(gap)})
        self._control.tell({"log": pack(event)})


class Worker:
    """The life of a worker process."""

    def __init__(
        self,
        reactor: Any,  # noqa: ANN401
        make_gateway: GatewayMaker,
        sockets: Sequence[socket.socket],
    ) -> None:
        self.exit_code = 0
        self.levels = Levels(reactor.seconds)
        self.control = Control(self._told, self._lost, self._answer)
        self._reactor = reactor
        self._make_gateway = make_gateway
        self._sockets = sockets
        self._gateway: ServingGateway | None = None
        self._drain_timeout = 0.0
        self._ending: Deferred[None] | None = None
        self._over = False

    def end(self) -> None:
        """
        Finish requests, then end.

        Both the main process and a service manager may say so, in any order; only the
        main process cuts requests off before their time, by SIGKILL.
        """
        if self._ending is None:
            self._ending = Deferred.fromCoroutine(self._drain())
            self._ending.addTimeout(self._drain_timeout, self._reactor)
            self._ending.addErrback(self._cut_off)
            self._ending.addBoth(lambda _: self._hang_up())

    async def _drain(self) -> None:
        if self._gateway is not None:
            await self._gateway.drain()

    def _cut_off(self, failure: Failure) -> None:
        if failure.check(DeferredTimeoutError) is None:
            _log.failure("cannot drain", failure=failure)
        else:
            _log.warn("requests that took too long were cut off")

    def _hang_up(self) -> None:
        self._over = True
        if self.control.is_open:
            self.control.close()  # and then `_lost`
        else:
            self._reactor.stop()

    def _lost(self) -> None:
        if self._over:
            self._reactor.stop()
        else:
            self.end()

    def _told(self, message: Message) -> None:
        if "config" in message:
            self._start(message["config"], message)

    def _start(self, packed: str, first: Message) -> None:
        try:
            config = unpack_config(packed)
            self._drain_timeout = config.server.drain_timeout
            gateway = self._make_gateway(self._reactor, config, self._sockets)
            revoked = map(restore_revocation, first["revocations"])
            gateway.revoke(revoked, (), doubted=first["doubted"])
            gateway.start()
        except (SsoProxyError, OSError) as e:
            self._give_up(str(e))
        except Exception as e:  # noqa: BLE001
            _log.failure("cannot start")
            self._give_up(f"{type(e).__name__}: {e}")
        else:
            self._gateway = gateway
            self.control.tell({"ready": True})
            settle_memory()

    def _give_up(self, why: str) -> None:
        self.exit_code = 1
        self.control.tell({"broken": why})
        self.end()

    async def _answer(self, what: str, argument: Any) -> Any:  # noqa: ANN401
        if what == "drain":
            self.end()
            return None
        if self._gateway is None:
            raise RefusedError("it has not started yet")
        match what:
            case "reload":
                config = unpack_config(argument)
                await self._gateway.reload(config)
                free_replaced()
                self._drain_timeout = config.server.drain_timeout
            case "revoke":
                add = [restore_revocation(each) for each in argument["add"]]
                doubted = argument["doubted"]
                self._gateway.revoke(add, argument["remove"], doubted=doubted)
            case "reopen":
                self._gateway.reopen_logs()
            case "level":
                self.levels.change(Change(**argument))
            case _:
                return await _tell(self._gateway, what, argument)
        return None


async def _tell(gateway: ServingGateway, what: str, argument: Any) -> Any:  # noqa: ANN401
    """Say what the main process asks, which changes nothing about how we serve."""
    match what:
        case "live":
            return True
        case "ready":
            return await gateway.probe()
        case "metrics":
            return gateway.metrics().decode()
        case "refusal":
            return gateway.refusal(argument)
        case "sessions":
            return await gateway.sessions(argument)
        case "status":
            return await gateway.status()
        case _:
            raise RefusedError(f"nobody here knows how to {what}")


def run_worker(
    reactor: Any,  # noqa: ANN401
    arguments: Sequence[str],
    make_gateway: GatewayMaker,
) -> int:
    """Run a worker; returns the exit code."""
    # A terminal sends these to all its processes; what they mean the parent tells us.
    signals.ignore(signal.SIGINT, signal.SIGHUP, signal.SIGUSR1)
    sockets = []
    for fd in range(FIRST_LISTENER, FIRST_LISTENER + int(arguments[0])):
        os.set_inheritable(fd, False)
        sockets.append(socket.socket(fileno=fd))
    worker = Worker(reactor, make_gateway, sockets)
    globalLogBeginner.beginLoggingTo([LogToParent(worker.control, worker.levels)])
    worker.control.attach(reactor, socket.socket(fileno=CONTROL))
    signals.install(reactor, {signal.SIGTERM: worker.end})
    reactor.run(installSignalHandlers=False)
    return worker.exit_code
