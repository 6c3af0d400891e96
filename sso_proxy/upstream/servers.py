"""The servers of an upstream, and who of them gets a request; requests that wait."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, Protocol

import attrs
from twisted.logger import Logger
from zope.interface import implementer

from sso_proxy.interfaces import IHealth
from sso_proxy.model import WARNING
from sso_proxy.net.stream import Stream
from sso_proxy.net.ticker import Ticker
from sso_proxy.upstream.balance import in_turn, least_busy, of_user, seed_of
from sso_proxy.upstream.standing import Judging, Standing
from sso_proxy.upstream.target import Target

_log = Logger()

_CHOICES: Final[Mapping[str, Callable[[Sequence["Member"], bytes], "Member"]]] = {
    "round_robin": in_turn,
    "least_connections": least_busy,
    "user": of_user,
}


class Server:
    """
    What is known of a server; a reload that keeps it keeps this.

    Attributes:
        name: Its URL.
        standing: Whether it is well.
        requests: Requests that it got so far.
        failures: Those that failed, by what was wrong.
        busy: Requests and tunnels that it has.
        tunnels: The latter.
    """

    __slots__ = ("busy", "failures", "name", "requests", "standing", "tunnels")

    def __init__(self, name: str, now: float) -> None:
        self.name = name
        self.standing = Standing(now)
        self.requests = 0
        self.failures: dict[str, int] = {}
        self.busy = 0
        self.tunnels: list[Stream] = []


class Member:
    """
    A server, as one configuration sees it.

    Attributes:
        server: The server.
        target: Where it is.
        share: Its weight, as it is written.
        weight: The same, as it is now.
        turn: What is kept of its turns.
        seed: Octets that stand for it.
    """

    __slots__ = ("seed", "server", "share", "target", "turn", "weight")

    def __init__(self, server: Server, target: Target, share: int = 1) -> None:
        self.server = server
        self.target = target
        self.share = share
        self.weight = float(share)
        self.turn = 0.0
        self.seed = seed_of(server.name)

    @property
    def busy(self) -> int:
        """Requests that it has."""
        return self.server.busy


@attrs.frozen(kw_only=True)
class Rules:
    """
    How requests are shared out; times in seconds.

    Attributes:
        balance: ``round_robin``, ``least_connections`` or ``user``.
        connections: Requests and tunnels at one server at a time.
        queue: Requests that may wait.
        queue_timeout: How long.
        tries: Servers that may get one request.
        failure: What counts as a failure: ``connect``, ``timeout``, ``closed``.
        failure_status: Statuses that do.
        judging: By what servers are judged.
    """

    balance: str = "round_robin"
    connections: int = 1024
    queue: int = 128
    queue_timeout: float = 5.0
    tries: int = 3
    failure: frozenset[str] = frozenset({"connect"})
    failure_status: frozenset[int] = frozenset()
    judging: Judging = attrs.field(factory=Judging)


class Waiter(Protocol):
    """A request that has no server yet."""

    @property
    def key(self) -> bytes:
        """Who makes it, for who keeps users apart."""

    @property
    def tried(self) -> Sequence[Member]:
        """Servers that had it."""

    def go_to(self, member: Member) -> None:
        """Go to *member*, which counts it already."""

    def give_up(self, status: int, reason: str) -> None:
        """Answer that there is no server for it."""


@implementer(IHealth)
class Servers:
    """
    Shares requests out among servers.

    Attributes:
        name: The upstream's.
        members: The servers.
        rules: How.
        refused: Requests that no server got, by reason.
        retries: Requests that went on to another server.

    Args:
        name: The upstream's.
        members: The servers.
        rules: How.
        ticker: Tells the time, and calls `tick`.
    """

    def __init__(
        self, name: str, members: Sequence[Member], rules: Rules, ticker: Ticker
    ) -> None:
        self.name = name
        self.members = members
        self.rules = rules
        self.refused: dict[str, int] = {}
        self.retries = 0
        self._choose = _CHOICES[rules.balance]
        self._keeps = rules.balance == "user"
        self._now = ticker.now
        self._ticker = ticker
        self._waiting: dict[Waiter, float] = {}
        self._serving = self._again = False
        self._closed = False
        ticker.call_each(self.tick)

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._waiting)

    def place(self, waiter: Waiter) -> None:
        """Send *waiter* to a server, let it wait, or have it give up."""
        found = self._find(waiter)
        if isinstance(found, Member):
            self._take(found, waiter)
            waiter.go_to(found)
        elif found:
            self._refuse(waiter, found)
        elif len(self._waiting) >= self.rules.queue:
            self._refuse(waiter, "upstream-busy")
        else:
            self._waiting[waiter] = self._now() + self.rules.queue_timeout

    def another(self, waiter: Waiter) -> bool:
        """Say whether there is one more server that *waiter* may go to."""
        if len(waiter.tried) >= self.rules.tries:
            return False
        return bool(self._candidates(waiter))

    def forget(self, waiter: Waiter) -> None:
        """Let *waiter*, which nobody waits for any more, wait no longer."""
        self._waiting.pop(waiter, None)

    def succeeded(self, member: Member, *, tried: bool = False) -> None:
        """Learn that *member* has answered; *tried*: what has tried it out."""
        if member.server.standing.succeeded(self._now(), tried=tried):
            self._changed(member)

    def failed(
        self, member: Member, kind: str, why: str, *, tried: bool = False
    ) -> None:
        """
        Learn that *member* has failed; whether that counts, the rules say.

        Args:
            member: The server.
            kind: What was wrong, as rules name it.
            why: The same, for people.
            tried: Whether the request has tried it out.
        """
        server, now = member.server, self._now()
        server.failures[kind] = server.failures.get(kind, 0) + 1
        if kind in self.rules.failure or kind == "status":
            if server.standing.failed(why, now, self.rules.judging, tried=tried):
                self._changed(member)
        elif tried:
            server.standing.end_try(now)

    def checked(self, member: Member, why: str) -> None:
        """Learn how *member* has answered a check: *why* is empty if it is well."""
        now, judging = self._now(), self.rules.judging
        standing = member.server.standing
        if why:
            changed = standing.missed_check(why, now, judging)
        else:
            changed = standing.passed_check(now, judging)
        if changed:
            self._changed(member)

    def free(self, member: Member) -> None:
        """Learn that *member* has one request less."""
        member.server.busy -= 1
        if self._waiting:
            self._serve()

    def dropped(self, member: Member, *, tried: bool = False) -> None:
        """Learn that nobody waits for what *member* was asked; *tried*: for a try."""
        if tried:
            member.server.standing.end_try(self._now())
        self.free(member)

    def keep(self, member: Member, stream: Stream) -> None:
        """Count *stream* as a request of *member* until it is closed."""
        member.server.tunnels.append(stream)

    def tick(self, now: float) -> None:
        """Look after what takes too long, or is over."""
        for member in self.members:
            tunnels = member.server.tunnels
            for stream in [each for each in tunnels if each.closed]:
                tunnels.remove(stream)
                member.server.busy -= 1
        for waiter in [w for w, until in self._waiting.items() if until <= now]:
            del self._waiting[waiter]
            self._refuse(waiter, "upstream-queue-timeout")
        if self._waiting:
            self._serve()
        if self._closed and not self._waiting:
            self._ticker.forget(self.tick)

    def close(self) -> None:
        """Serve those who wait, and nobody after them."""
        self._closed = True

    async def probe(self) -> tuple[str, ...]:
        """Say who is down: other routes are served all the same."""
        down = [m for m in self.members if not m.server.standing.up]
        if down and len(down) == len(self.members):
            return (f"{WARNING}upstream.{self.name}: no server is well",)
        return tuple(
            f"{WARNING}upstream.{self.name}: {m.server.name} is down"
            f" ({m.server.standing.why})"
            for m in down
        )

    def state(self) -> list[dict[str, Any]]:
        """Give what is known of each server, for whoever looks."""
        now, judging = self._now(), self.rules.judging
        return [
            {
                "server": member.server.name,
                "state": _state(member, now, judging),
                "why": member.server.standing.why,
                "since": now - member.server.standing.since,
                "busy": member.server.busy,
                "weight": member.share,
            }
            for member in self.members
        ]

    def _candidates(self, waiter: Waiter) -> list[Member]:
        now, judging, tried = self._now(), self.rules.judging, waiter.tried
        found = []
        for member in self.members:
            standing = member.server.standing
            if member.share and member not in tried and standing.admits(now, judging):
                if judging.slow_start:
                    member.weight = member.share * standing.share(now, judging)
                found.append(member)
        return found

    def _find(self, waiter: Waiter) -> Member | str:
        """Give who gets *waiter*; empty if all are busy; a reason if all are down."""
        candidates, most = self._candidates(waiter), self.rules.connections
        if not candidates:
            return "upstream-down"
        if self._keeps:
            chosen = self._choose(candidates, waiter.key)
            return chosen if chosen.busy < most else ""
        candidates = [each for each in candidates if each.busy < most]
        return self._choose(candidates, b"") if candidates else ""

    def _take(self, member: Member, waiter: Waiter) -> None:
        server = member.server
        server.busy += 1
        server.requests += 1
        if waiter.tried:
            self.retries += 1
        server.standing.begin_try(self._now(), self.rules.judging)

    def _refuse(self, waiter: Waiter, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
        waiter.give_up(503, reason)

    def _serve(self) -> None:
        """Send on those who wait, as far as there is room."""
        self._again = True
        if self._serving:  # one who was sent on has failed, or was answered, at once
            return
        self._serving = True
        try:
            while self._again:
                self._again = False
                self._serve_all([*self._waiting])
        finally:
            self._serving = False

    def _serve_all(self, waiters: Iterable[Waiter]) -> None:
        for waiter in waiters:
            if waiter not in self._waiting:
                continue
            found = self._find(waiter)
            if found == "":
                if self._keeps or waiter.tried:  # there may be room for others
                    continue
                return
            del self._waiting[waiter]
            if isinstance(found, Member):
                self._take(found, waiter)
                waiter.go_to(found)
            else:
                self._refuse(waiter, found)

    def _changed(self, member: Member) -> None:
        standing = member.server.standing
        if standing.up:
            _log.info(
                "Upstream {upstream}: {server} is well again",
                upstream=self.name,
                server=member.server.name,
            )
        else:
            _log.warn(
                "Upstream {upstream}: {server} is down: {why}",
                upstream=self.name,
                server=member.server.name,
                why=standing.why,
            )
        if self._waiting:
            self._serve()


def _state(member: Member, now: float, judging: Judging) -> str:
    standing = member.server.standing
    if not standing.up:
        return "open" if standing.tries else "down"
    if not member.share:
        return "draining"
    return "slow" if standing.is_slow(now, judging) else "up"
