"""The workers together: start them, replace them, ask them."""

import socket
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
from twisted.internet.defer import Deferred, gatherResults, succeed
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from sso_proxy.config.model import Config
from sso_proxy.errors import ConfigError, Mistake, SsoProxyError
from sso_proxy.process.child import Child, WorkerStartError
from sso_proxy.process.control import OtherEndError, pack_config
from sso_proxy.process.levels import Change
from sso_proxy.process.metrics import merge_metrics
from sso_proxy.specs.revocation_document import write_revocation
from sso_proxy.specs.revocations import Revocation

START_TIMEOUT = 120.0
ASK_TIMEOUT = 2.0
LIVE_TIMEOUT = 4.0
"""Seconds within which a worker has to give a sign of life; fewer than `LOOK_EVERY`."""
LOOK_EVERY = 5.0
"""Seconds between two looks at whether all workers live."""
HANGS = 3
"""A worker that gives no sign of life at so many looks is ended."""
REVOKE_TIMEOUT = 5.0
"""Seconds until a worker that does not say that it refuses who is revoked is ended."""
FIRST_DELAY = 0.1
LONGEST_DELAY = 5.0
PROVEN = 10.0
"""A worker that lived this many seconds did not die of what it started with."""

_log = Logger()


class Pool:
    """
    Workers that serve on the same sockets.

    Args:
        reactor: The reactor.
        arguments: Python's arguments that run a worker, but for the last.
        config: What they serve.
        listeners: What they inherit.
        revocations: What they refuse from their start on; one that starts later, what
            is in it then.
        doubted: Whether they are in doubt if that is all.
    """

    def __init__(  # noqa: PLR0913
        self,
        reactor: Any,  # noqa: ANN401
        arguments: Sequence[str],
        config: Config,
        listeners: Sequence[socket.socket],
        revocations: Iterable[Revocation] = (),
        *,
        doubted: bool = False,
    ) -> None:
        self.replaced = 0
        self._doubted = doubted
        self._revocations = revocations
        self._reactor = reactor
        self._arguments = tuple(arguments)
        self._config = config
        self._listeners = listeners
        self._children: dict[int, Child] = {}
        self._count = config.server.workers
        self._delays = dict.fromkeys(range(1, self._count + 1), FIRST_DELAY)
        self._draining: Deferred[None] | None = None
        self._changing = False
        self._looks = LoopingCall(self._look)
        self._looks.clock = reactor

    def start(self) -> None:
        """
        Start all workers and wait until they serve.  Runs before the reactor does.

        Raises:
            WorkerStartError: One of them cannot; none is left.
        """
        try:
            for number in range(1, self._count + 1):
                self._spawn(number).send_config_now()
            deadline = self._reactor.seconds() + START_TIMEOUT
            for child in self._children.values():
                child.wait_until_ready(deadline - self._reactor.seconds())
        except WorkerStartError:
            while self._children:
                self._children.popitem()[1].kill_and_reap()
            raise
        for child in self._children.values():
            child.attach(self._reactor)
        self._looks.start(LOOK_EVERY, now=False)

    @property
    def draining(self) -> bool:
        """Whether the end has begun."""
        return self._draining is not None

    def pids(self) -> list[int]:
        """Give the process ids of the workers, by their numbers."""
        children = sorted(self._children.values(), key=lambda child: child.number)
        return [child.transport.pid for child in children]

    async def reload(self, config: Config) -> None:
        """
        Have all workers serve *config*; if one cannot, all go back.

        Raises:
            ConfigError: A worker cannot use it.
        """
        old, self._config = self._config, config
        # A worker answers when what began under the old configuration has ended.
        limit = old.server.drain_timeout + START_TIMEOUT
        mistakes = await self._change_all(limit)
        if mistakes:
            self._config = old
            await self._change_all(limit)
            raise mistakes[0]

    async def revoke(
        self,
        add: Iterable[Revocation],
        remove: Iterable[str],
        *,
        doubted: bool | None = None,
    ) -> tuple[str, ...]:
        """
        Have all workers refuse what is in *add*, and no longer what *remove* names.

        While it is *doubted* that this is all, they let nobody in; None: as before.

        One that does not say that it does may go on letting in who is revoked: it is
        ended, and the one that takes its place knows.  One that is starting answers
        when it has; one that is not running knows when it starts.

        Returns:
            Which were ended.
        """
        if doubted is not None:
            self._doubted = doubted
        change = {
            "add": [write_revocation(e) for e in add],
            "remove": [*remove],
            "doubted": doubted,
        }
        children = list(self._children.values())
        asked = [
            self._ask(c, "revoke", change, REVOKE_TIMEOUT if c.ready else START_TIMEOUT)
            for c in children
        ]
        answers = await gatherResults(map(Deferred.fromCoroutine, asked))
        ended = []
        for child, answer in zip(children, answers, strict=True):
            if isinstance(answer, Exception):
                child.kill()
                ended.append(
                    f"worker {child.number}: {answer}; another takes its place"
                )
        return tuple(ended)

    async def drain(self) -> None:
        """Let all workers finish and end; cancelled, kill them."""
        self._draining = Deferred()
        if self._looks.running:
            self._looks.stop()
        # Only workers hold the sockets now, and they take what waits in them.
        for sock in self._listeners:
            sock.close()
        for child in self._children.values():
            child.control.tell({"id": 0, "ask": "drain", "with": None})
        if not self._children:
            return
        try:
            await self._draining
        finally:
            for child in self._children.values():
                child.kill()

    async def faults(self) -> tuple[str, ...]:
        """Say which workers do not run or do not answer."""
        answers = await self._ask_all("live")
        return tuple(
            f"worker {number}: {answer}"
            for number, answer in answers.items()
            if isinstance(answer, Exception)
        )

    async def hanging(self) -> tuple[str, ...]:
        """Say which workers do not even end when they are made to."""
        names = [c.number for c in self._children.values() if c.missed > HANGS]
        return tuple(f"worker {number}" for number in names)

    async def probe(self) -> tuple[str, ...]:
        """Say what any worker misses."""
        missing: dict[str, None] = {}
        for number, answer in (await self._ask_all("ready")).items():
            if isinstance(answer, Exception):
                missing[f"worker {number}: {answer}"] = None
            else:
                missing.update(dict.fromkeys(answer))
        return tuple(missing)

    async def metrics(self) -> str:
        """Give all workers' metrics and how often one was replaced."""
        answers = await self._ask_all("metrics")
        texts = {n: a for n, a in answers.items() if isinstance(a, str)}
        return merge_metrics(texts) + (
            "# HELP sso_proxy_workers Workers that answer.\n"
            "# TYPE sso_proxy_workers gauge\n"
            f"sso_proxy_workers {len(texts)}\n"
            "# HELP sso_proxy_workers_replaced_total Workers that ended unasked.\n"
            "# TYPE sso_proxy_workers_replaced_total counter\n"
            f"sso_proxy_workers_replaced_total {self.replaced}\n"
        )

    async def refusal(self, id_: str) -> dict[str, Any] | None:
        """
        Say why a request was refused lately, if any worker knows.

        Raises:
            OtherEndError: None does, and one of them does not answer.
        """
        children = list(self._children.values())
        answers = await self._ask_each(children, "refusal", id_, ASK_TIMEOUT)
        for answer in answers:
            if isinstance(answer, dict):
                return answer
        for answer in answers:
            if isinstance(answer, Exception):
                raise answer
        return None

    async def sessions(self, document: object) -> dict[str, Any]:
        """
        Have a worker list or end sessions; it tells the others.

        Raises:
            OtherEndError: None answers.
        """
        answer: Any = OtherEndError("no worker is ready")
        for child in [c for c in self._children.values() if c.ready]:
            answer = await self._ask(child, "sessions", document, ASK_TIMEOUT)
            if not isinstance(answer, Exception):
                found: dict[str, Any] = answer
                return found
        raise answer

    async def status(self) -> dict[int, dict[str, Any]]:
        """Give what each worker that answers does, by its number."""
        answers = await self._ask_all("status")
        return {n: a for n, a in answers.items() if isinstance(a, dict)}

    async def set_level(self, change: Change) -> None:
        """Have all workers log as *change* says; one that starts later does not."""
        children = list(self._children.values())
        await self._ask_each(children, "level", attrs.asdict(change), ASK_TIMEOUT)

    async def reopen_logs(self) -> None:
        """Have all workers open their audit and access logs anew."""
        for number, answer in (await self._ask_all("reopen")).items():
            if isinstance(answer, Exception):
                _log.error(
                    "worker {worker} cannot reopen its logs: {reason}",
                    worker=number,
                    reason=answer,
                )

    def _spawn(self, number: int) -> Child:
        child = Child(number, self._config, self._ended, self._revocations)
        child.doubted = self._doubted
        child.spawn(self._reactor, self._arguments, self._listeners)
        self._children[number] = child
        return child

    def _ended(self, child: Child, how: str) -> None:
        del self._children[child.number]
        if self._draining is not None:
            if not self._children and not self._draining.called:
                self._draining.callback(None)
            return
        self.replaced += 1
        if self._reactor.seconds() - child.born > PROVEN:
            self._delays[child.number] = FIRST_DELAY
        delay = self._delays[child.number]
        self._delays[child.number] = min(2 * delay, LONGEST_DELAY)
        _log.error(
            "worker {worker} {how}; another starts in {delay} s",
            worker=child.number,
            how=how,
            delay=delay,
        )
        self._reactor.callLater(delay, self._replace, child.number)

    def _look(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._end_hanging()).addErrback(_not_seen)

    async def _end_hanging(self) -> None:
        """End workers that take connections, or should by now, and do nothing."""
        if self._changing:  # that may take a worker a while, and has its own limit
            return
        children = list(self._children.values())
        answers = await self._ask_each(children, "live", None, LIVE_TIMEOUT)
        for child, answer in zip(children, answers, strict=True):
            if not child.ready:
                late = self._reactor.seconds() - child.born > START_TIMEOUT
                child.missed = max(child.missed + 1, HANGS) if late else 0
            elif isinstance(answer, Exception):
                child.missed += 1
            else:
                child.missed = 0
            lives = self._children.get(child.number) is child
            if child.missed >= HANGS and lives:
                _log.error("worker {worker} hangs; it is ended", worker=child.number)
                child.kill()

    def _replace(self, number: int) -> None:
        if self._draining is not None:
            return
        try:
            child = self._spawn(number)
        except WorkerStartError as e:
            _log.error("{reason}", reason=str(e))
            self._reactor.callLater(LONGEST_DELAY, self._replace, number)
            return
        child.attach(self._reactor)
        child.send_config()

    async def _change_all(self, limit: float) -> list[ConfigError]:
        """
        Have every worker serve our configuration; returns what those say that cannot.

        One that has not started yet is ended: the one that takes its place serves it.
        """
        config = self._config
        packed = pack_config(config)
        stale = [c for c in self._children.values() if c.config is not config]
        self._changing = True
        try:
            answers = await self._ask_each(stale, "reload", packed, limit)
        finally:
            self._changing = False
        objections = []
        for child, answer in zip(stale, answers, strict=True):
            if answer is None:
                child.config = config
            elif isinstance(answer, ConfigError):
                objections.append(answer)
            else:
                child.kill()
                if child.ready:
                    problem = Mistake(f"worker {child.number}", str(answer))
                    objections.append(ConfigError(problem))
        return objections

    async def _ask_all(self, what: str) -> dict[int, Any]:
        """Ask every worker; an exception stands for the answer of one that has none."""
        children = list(self._children.values())
        answers = await self._ask_each(children, what, None, ASK_TIMEOUT)
        missing: dict[int, Any] = {
            number: OtherEndError("not running") for number in self._delays
        }
        return missing | {c.number: a for c, a in zip(children, answers, strict=True)}

    async def _ask_each(
        self,
        children: Sequence[Child],
        what: str,
        argument: object,
        limit: float,
    ) -> list[Any]:
        asked = [
            Deferred.fromCoroutine(self._ask(child, what, argument, limit))
            if child.ready
            else succeed(OtherEndError("not ready"))
            for child in children
        ]
        answers: list[Any] = await gatherResults(asked)
        return answers

    async def _ask(
        self, child: Child, what: str, argument: object, limit: float
    ) -> Any:  # noqa: ANN401
        asking = Deferred.fromCoroutine(child.control.ask(what, argument))
        asking.addTimeout(limit, self._reactor)
        try:
            return await asking
        except DeferredTimeoutError:
            return OtherEndError("does not answer")
        except SsoProxyError as e:
            return e


def _not_seen(failure: Failure) -> None:
    _log.failure("cannot see whether all workers live", failure=failure)
