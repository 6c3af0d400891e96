"""
The main process: sockets before privileges go, then serving, reloading and ending.

- SIGHUP: read the configuration again and serve it; if anything is wrong, go on.
- SIGUSR1: open log, audit and access files again.
- SIGTERM, SIGINT: finish requests, then end with 0; a second one ends at once.
"""

import os
import signal
import sys
import time
from collections.abc import Callable
from typing import Any, NoReturn

import attrs
from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.logger import ILogObserver, Logger
from twisted.python.failure import Failure

from sso_proxy.accepting import PATIENCE
from sso_proxy.config.model import Config
from sso_proxy.config.operator_parts import AdminConfig
from sso_proxy.config.shown import show_config
from sso_proxy.config.state import OPERATORS_FILE
from sso_proxy.errors import ConfigError, Mistake, SsoProxyError
from sso_proxy.net.clock import SystemClock
from sso_proxy.net.tls.context import ListenerTls
from sso_proxy.net.tls.operators import build_operators_tls
from sso_proxy.process import signals
from sso_proxy.process.admin_listener import AdminListener
from sso_proxy.process.levels import USUAL, Change, Levels
from sso_proxy.process.limits import raise_file_limit
from sso_proxy.process.logs import FileLog
from sso_proxy.process.notify import Notifier, Watchdog
from sso_proxy.process.pool import Pool
from sso_proxy.process.revocation_sharing import Sharing
from sso_proxy.process.revocations import FILE, Keeper
from sso_proxy.process.serving import Alone, GatewayMaker, Serving
from sso_proxy.process.sockets import (
    Address,
    Listeners,
    Owner,
    initial_environment,
    open_sockets,
    take_inherited,
)
from sso_proxy.process.state import (
    make_admin_secret,
    make_key_ring,
    make_state_directory,
)
from sso_proxy.process.status import merge_status
from sso_proxy.revocation_list import SharedList
from sso_proxy.storage import Needs, state_dir_of

_GRACE = 1.0
"""Seconds that workers get to end by themselves after ``drain_timeout``."""

_log = Logger()


class StartError(SsoProxyError):
    """The proxy cannot start; says why."""


@attrs.frozen(kw_only=True)
class Plan:
    """
    A configuration that was checked.

    Attributes:
        config: What to serve.
        needs: What has to be there before.
    """

    config: Config
    needs: Needs = attrs.field(factory=Needs)


@attrs.frozen(kw_only=True)
class Program:
    """
    What a supervisor runs.

    Attributes:
        load: Reads the configuration and checks all of it that can be checked without
            serving; raises ConfigError.
        make_gateway: Makes what serves in a process.
        worker: Python's arguments that run a worker.
        owner: Whom privileges are dropped to.
        log: The log, if it is not twistd's alone.
        levels: How much of it is wanted.
        share: Opens the list of what is revoked that machines share, if the
            configuration says so; raises ConfigError.
    """

    load: Callable[[], Plan]
    make_gateway: GatewayMaker
    worker: tuple[str, ...]
    owner: Owner = attrs.field(factory=Owner)
    log: FileLog | None = None
    levels: Levels = attrs.field(factory=lambda: Levels(time.monotonic))
    share: Callable[[Any, Config], SharedList | None] = lambda _reactor, _config: None


class Supervisor(Service):
    """
    The service that twistd runs.

    Args:
        reactor: The reactor.
        program: What to run.
        plan: What ``program.load`` has returned.
    """

    def __init__(self, reactor: Any, program: Program, plan: Plan) -> None:  # noqa: ANN401
        self._reactor = reactor
        self._program = program
        self._needs = plan.needs
        self._config = plan.config
        self._listeners = Listeners()
        self._admin = AdminListener(reactor)
        self._keeper = Keeper(state_dir_of(plan.config) / FILE, SystemClock())
        self._sharing = Sharing(self._keeper, reactor)
        self._notifier = Notifier({})
        self._watchdog = Watchdog(reactor, self._notifier, self._hanging)
        self._serving: Serving | None = None
        self._ending: Deferred[None] | None = None
        self._reload_wanted = False
        self._reloading = False
        self._reload_refused = False
        self._stopping = False

    def setServiceParent(self, parent: Any) -> None:  # noqa: ANN401, N802
        """Give the application our log, before it makes one that cannot be reopened."""
        if self._program.log is not None:
            parent.setComponent(ILogObserver, self._program.log)
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]

    def privilegedStartService(self) -> None:
        """Open the listening sockets and make the state directory; no more as root."""
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        signals.install(
            self._reactor,
            {signal.SIGHUP: self.reload, signal.SIGUSR1: self.reopen_logs},
        )
        self._notifier = Notifier(os.environ)
        self._watchdog = Watchdog(self._reactor, self._notifier, self._hanging)
        try:
            raise_file_limit(self._config.server.connections)
            make_state_directory(self._needs, self._program.owner)
            if self._config.server.admin is not None and self._program.owner.uid >= 0:
                # Without privileges it could not be made when something is revoked.
                directory = state_dir_of(self._config)
                make_state_directory(Needs(directory=directory), self._program.owner)
            self._listeners = open_sockets(
                _addresses(self._config),
                self._config.server.backlog,
                take_inherited(initial_environment()),
                self._program.owner,
            )
        except (SsoProxyError, OSError) as e:
            self._give_up(e)

    def startService(self) -> None:
        """Begin to serve; after fork and privilege drop, before the reactor runs."""
        super().startService()  # type: ignore[no-untyped-call]
        try:
            make_key_ring(self._needs)
            self._keeper.load()
            self._share(self._program.share(self._reactor, self._config), self._config)
            self._serving = self._keeper.serving = self._make_serving()
            self._serving.start()
            if self._config.server.admin is not None:
                self._open_admin(self._config.server.admin)
        except (SsoProxyError, OSError) as e:
            self._give_up(e)
        # The reactor installs handlers of its own when it starts to run.
        self._reactor.callWhenRunning(
            signals.install,
            self._reactor,
            {signal.SIGTERM: self.end, signal.SIGINT: self.end},
        )
        # Who is told that we serve may end us at once, and not before we can hear it.
        self._reactor.callWhenRunning(self._begin, self._serving)

    def _begin(self, serving: Serving) -> None:
        self._sharing.start(serving)
        # Listeners do not wait longer, either.
        known = Deferred.fromCoroutine(self._sharing.wait(PATIENCE))
        known.addCallback(lambda _: self._say_ready())

    def _say_ready(self) -> None:
        """Say that all requests are served from now on."""
        if self._stopping:
            return
        names = ", ".join(map(str, self._listeners.names()))
        _log.info("serving on {names}", names=names)
        self._notifier.tell("READY=1", "STATUS=serving")
        self._watchdog.start()

    def stopService(self) -> Deferred[None]:
        """Finish requests, for ``drain_timeout`` at most."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._stopping = True  # whoever asked: just after the start, it may be Twisted
        self._watchdog.stop()
        self._notifier.tell("STOPPING=1", "STATUS=finishing requests")
        limit = self._config.server.drain_timeout
        if self._config.server.workers > 1:
            limit += _GRACE
        self._ending = Deferred.fromCoroutine(self._drain())
        self._ending.addTimeout(limit, self._reactor)
        self._ending.addErrback(_cut_off)
        self._ending.addCallback(lambda _: Deferred.fromCoroutine(self._close()))
        return self._ending

    def end(self) -> None:
        """Finish requests and end; called again, end at once."""
        if self._ending is not None:
            self._ending.cancel()
        elif not self._stopping:
            self._stopping = True
            seconds = self._config.server.drain_timeout
            _log.info("ending; requests may take {seconds} s more", seconds=seconds)
            self._reactor.stop()

    def reload(self) -> None:
        """Serve what the configuration file says now, if that can be served."""
        self._reload_wanted = True
        if not self._reloading:
            self._reloading = True
            Deferred.fromCoroutine(self._reload_while_wanted())

    def reopen_logs(self) -> None:
        """Open log, audit and access files anew, after they were renamed."""
        if self._program.log is not None:
            self._program.log.reopen()
        if self._serving is not None:
            reopening = Deferred.fromCoroutine(self._serving.reopen_logs())
            reopening.addErrback(
                lambda f: _log.failure("cannot reopen logs", failure=f)
            )

    async def faults(self) -> tuple[str, ...]:
        """Say what does not run or does not answer."""
        if self._serving is None:
            return ("not started",)
        return await self._serving.faults()

    async def _hanging(self) -> tuple[str, ...]:
        return () if self._serving is None else await self._serving.hanging()

    async def probe(self) -> tuple[str, ...]:
        """Say what is missing to serve; ending, we want no more requests."""
        if self._serving is None or self._stopping:
            return ("ending" if self._stopping else "not started",)
        here = (*self._sharing.health(), *self._admin.health())
        return (*here, *await self._serving.probe())

    async def metrics(self) -> str:
        """Give the Prometheus text."""
        text = "" if self._serving is None else await self._serving.metrics()
        return (
            f"{text}"
            "# HELP sso_proxy_reload_refused Whether the last reload was refused.\n"
            "# TYPE sso_proxy_reload_refused gauge\n"
            f"sso_proxy_reload_refused {int(self._reload_refused)}\n"
        )

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        """Say why a request was refused lately; None if nobody knows."""
        return None if self._serving is None else await self._serving.refusal(id_)

    async def sessions(self, document: object) -> dict[str, Any]:
        """List or end sessions."""
        if self._serving is None:
            return {"status": 503, "problem": "not started"}
        return await self._serving.sessions(document)

    async def status(self) -> dict[str, Any]:
        """Give what the status page shows of all processes."""
        serving = self._serving
        told = {} if serving is None else await serving.status()
        document = merge_status(told, self._config.server.workers)
        return {
            **document,
            "name": self._config.server.name,
            "missing": [*await self.probe()],
            "reload_refused": self._reload_refused,
        }

    async def log_levels(self, document: object) -> dict[str, Any]:
        """Log as *document* says, in all processes; an empty one changes nothing."""
        levels = self._program.levels
        if document != {}:
            change = Change.read(document)
            if isinstance(change, str):
                return {"status": 400, "problem": change}
            _log.info(  # while it is still logged
                "logging {namespace} from level {least} on for {seconds} s",
                namespace=change.namespace,
                least=change.level,
                seconds=change.seconds,
            )
            if not levels.change(change):
                return {"status": 507, "problem": "too many namespaces are changed"}
            if self._serving is not None:
                await self._serving.set_level(change)
        return {"status": 200, "usual": USUAL, "levels": levels.show()}

    def configuration(self) -> dict[str, Any]:
        """Give the configuration that is served, without secrets."""
        shown: dict[str, Any] = show_config(self._config)
        return shown

    def _make_serving(self) -> Serving:
        sockets = self._listeners.sockets
        if self._config.server.workers == 1:
            make = self._program.make_gateway
            gateway = make(self._reactor, self._config, sockets)
            doubted = self._sharing.doubted
            return Alone(gateway, self._keeper.list, doubted=doubted)
        return Pool(
            self._reactor,
            self._program.worker,
            self._config,
            sockets,
            self._keeper.list,
            doubted=self._sharing.doubted,
        )

    def _share(self, shared: SharedList | None, config: Config) -> None:
        options = config.server.revocations
        self._sharing.use(shared, 0.0 if options is None else options.stale)

    def _open_admin(self, config: AdminConfig) -> None:
        address, secret = Address(config.address, config.port), None
        tls = _operators_tls(config)
        if address.path is None and tls is None:
            secret = make_admin_secret(state_dir_of(self._config) / OPERATORS_FILE)
        self._admin.open(address, self, self._keeper, secret, tls)

    async def _reload_while_wanted(self) -> None:
        while self._reload_wanted and not self._stopping:
            self._reload_wanted = False
            self._reload_refused = True
            self._notifier.tell_reloading(time.monotonic())
            try:
                await self._reload()
                self._reload_refused = False
            except ConfigError as e:
                for mistake in e.mistakes:
                    _log.error("not reloaded: {mistake}", mistake=mistake)
            except Exception:  # noqa: BLE001
                _log.failure("not reloaded")
            if not self._stopping:
                status = "serving"
                if self._reload_refused:
                    status = "serving as before: a reload was refused, see the log"
                self._notifier.tell("READY=1", f"STATUS={status}")
        self._reloading = False

    async def _reload(self) -> None:
        if self._serving is None:
            return
        plan = self._program.load()
        check_change(self._config, plan.config)
        make_state_directory(plan.needs, Owner())
        make_key_ring(plan.needs)
        operators_tls = _operators_tls(plan.config.server.admin)
        shared = self._program.share(self._reactor, plan.config)
        try:
            await self._serving.reload(plan.config)
        except BaseException:
            if shared is not None:
                shared.close()
            raise
        self._config = plan.config
        self._admin.reload(operators_tls)
        self._share(shared, plan.config)
        self._sharing.start(self._serving)
        _log.info("reloaded")

    async def _drain(self) -> None:
        if self._serving is not None:
            await self._serving.drain()

    async def _close(self) -> None:
        self._sharing.close()
        await self._admin.close()
        self._listeners.close()

    def _give_up(self, error: Exception) -> NoReturn:
        """End the start; twistd removes the pid file and gives the exit code."""
        self._listeners.close()
        for line in str(error).splitlines():
            _log.critical("cannot start: {reason}", reason=line)
            print(f"sso-proxy: cannot start: {line}", file=sys.__stderr__)
        sys.excepthook = lambda *_: None  # all was said; a traceback would bury it
        raise StartError(str(error))


def check_change(old: Config, new: Config) -> None:
    """
    Check that *new* can take the place of *old* in running processes.

    Raises:
        ConfigError: It changes what was opened with privileges, or before workers.
    """
    mistakes = [
        Mistake(f"server.{name}", "cannot change by a reload; restart to change it")
        for name in ("workers", "state_dir", "admin", "backlog")
        if getattr(old.server, name) != getattr(new.server, name)
    ]
    if _addresses(old) != _addresses(new):
        problem = "addresses cannot change by a reload; restart to change them"
        mistakes.append(Mistake("listener", problem))
    if mistakes:
        raise ConfigError(*mistakes)


def _addresses(config: Config) -> list[Address]:
    return [Address(each.address, each.port) for each in config.listener]


def _operators_tls(config: AdminConfig | None) -> ListenerTls | None:
    if config is None:
        return None
    return build_operators_tls(config, now=time.time())


def _cut_off(failure: Failure) -> None:
    if failure.check(CancelledError, DeferredTimeoutError) is None:
        _log.failure("cannot drain", failure=failure)
    else:
        _log.warn("requests that took too long were cut off")
