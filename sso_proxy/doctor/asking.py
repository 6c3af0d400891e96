"""Those whom a configuration needs: asked, timed, and their clocks compared."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import urlsplit

import attrs
from twisted.internet.task import deferLater

from sso_proxy.config.model import OutboundConfig
from sso_proxy.doctor.finding import Finding, State
from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock, IHealth
from sso_proxy.model import WARNING
from sso_proxy.net.http_client import HttpClient
from sso_proxy.net.http_reply import HttpReply
from sso_proxy.tokens.oauth import GrantSource

SLOW: Final = 1.0
"""Seconds for one answer after which people notice."""
OFF: Final = 3.0
"""Seconds by which a clock may differ; what servers say of theirs has whole ones."""
FAR_OFF: Final = 30.0
"""Seconds after which tokens are refused that were just made."""

_NONE: Final[Mapping[str, str]] = {}
_ROUNDS: Final = 4
_PAUSE: Final = 0.02
_REACH: Final = (
    "is it up, and reached from here (names, firewall)? [server.outbound] and its own"
    " options say by which proxy, and whom to trust (ca)"
)
_KNOWN: Final = (
    (
        "its issuer is another",
        "compare issuer with what the metadata say, character by character",
    ),
    (
        "well-known places",
        "is issuer right, character by character? Else say metadata_url",
    ),
    (
        "certificate verify failed",
        "if it is theirs: name the CA that issued it (ca), or renew it there",
    ),
    (
        "VerificationError",
        "its certificate has other names: use one that it has, or another certificate",
    ),
)
"""What faults look like, and what to do; whatever else there is, is out of reach."""


@attrs.frozen
class Heard:
    """
    An answer of somebody's.

    Attributes:
        url: What was asked for.
        reply: The answer.
        seconds: How long it took.
        ahead: Seconds by which their clock is ahead of ours; None if they do not say.
    """

    url: str
    reply: HttpReply
    seconds: float
    ahead: float | None


class ListeningClient(HttpClient):
    """
    A client that remembers what it fetched.

    Args:
        reactor: As for all.
        config: Likewise.
        clock: What others' clocks are compared with.

    Attributes:
        heard: The answers.
        asking: How many are waited for.
    """

    def __init__(self, reactor: Any, config: OutboundConfig, clock: IClock) -> None:  # noqa: ANN401
        super().__init__(reactor, config)
        self._own = reactor
        self._clock = clock
        self.heard: list[Heard] = []
        self.asking = 0

    async def get(
        self,
        url: str,
        headers: Mapping[str, str] = _NONE,
        **more: Any,  # noqa: ANN401
    ) -> HttpReply:
        """Fetch it, as `HttpClient.get` does."""
        began, self.asking = self._clock.monotonic(), self.asking + 1
        try:
            reply = await super().get(url, headers, **more)
        finally:
            self.asking -= 1
        took = self._clock.monotonic() - began
        ahead = _ahead(reply, self._clock.time() - took / 2)
        self.heard.append(Heard(url, reply, took, ahead))
        return reply

    async def rest(self) -> None:
        """Wait until nothing is waited for; each request has a limit of its own."""
        await deferLater(self._own, _PAUSE)
        while self.asking:
            await deferLater(self._own, _PAUSE)


def _ahead(reply: HttpReply, now: float) -> float | None:
    """Compare what somebody says of theirs, which is cut to seconds, with *now*."""
    said = reply.header("date")
    if said is None or reply.header("age") is not None:
        return None  # somebody keeps answers
    with suppress(ValueError):
        return parsedate_to_datetime(said).timestamp() + 0.5 - now
    return None


async def look_at_part(path: str, part: Any, client: ListeningClient) -> Finding | None:  # noqa: ANN401
    """
    Have a part fetch what it needs, and say what is missing then.

    Args:
        path: Where it is configured.
        part: It.
        client: What it fetches by.

    Returns:
        None, if it has nobody to ask and misses nothing.
    """
    begun = len(client.heard)
    if isinstance(part, GrantSource):
        try:
            await part.endpoint.place()
        except UnavailableError as e:
            return Finding("broken", path, e.what, what_to_do(e.what))
    elif hasattr(part, "warm"):
        await part.warm()
    elif not IHealth.providedBy(part):
        return None
    lines = await _missing(part, client)
    heard = client.heard[begun:]
    if lines:
        needed = hasattr(part, "warm") or not all(
            li.startswith(WARNING) for li in lines
        )
        found = "; ".join(line.removeprefix(WARNING) for line in lines)
        todo = "see the log, where each reason stands once"
        if needed:
            todo = what_to_do(found)
        return Finding("broken" if needed else "warning", path, found, todo)
    if not heard:
        return None
    told = ", ".join(f"{each.url} in {1000 * each.seconds:.0f} ms" for each in heard)
    if max(each.seconds for each in heard) > SLOW:
        return Finding("warning", path, told, "slow: logins wait for it")
    return Finding("ok", path, told)


def what_to_do(found: str) -> str:
    """Say what helps against *found*, which nobody could be asked because of."""
    return next((todo for fault, todo in _KNOWN if fault in found), _REACH)


async def _missing(part: Any, client: ListeningClient) -> tuple[str, ...]:  # noqa: ANN401
    """Give what a part misses when all that it has begun to fetch is there."""
    lines: tuple[str, ...] = ()
    for _ in range(_ROUNDS):
        before = len(client.heard)
        lines = await part.probe()
        await client.rest()
        if not lines or len(client.heard) == before:
            break
    return lines


def look_at_clock(heard: Sequence[Heard]) -> Iterator[Finding]:
    """Compare our clock with those of all who were asked."""
    by_host: dict[str, list[float]] = {}
    for each in heard:
        if each.ahead is not None:
            by_host.setdefault(urlsplit(each.url).netloc, []).append(each.ahead)
    if not by_host:
        yield Finding("ok", "clock", "nobody was asked who says what time it is")
    for host, values in by_host.items():
        ahead = min(values, key=abs)
        if abs(ahead) <= OFF:
            yield Finding("ok", "clock", f"as at {host}")
            continue
        which = "behind" if ahead > 0 else "ahead of"
        found = f"{abs(ahead):.0f} s {which} that of {host}"
        todo = "have ours set by NTP (timedatectl, chronyc tracking), or tell them"
        state: State = "broken" if abs(ahead) > FAR_OFF else "warning"
        yield Finding(state, "clock", found, todo)
