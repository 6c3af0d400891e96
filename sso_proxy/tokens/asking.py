"""Ask a server for tokens, unless it is known to be down."""

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.circuit import Circuit
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.token import NotIssued, Token

_log = Logger()

_TELL_AFTER: Final = 5.0
"""Seconds between lines in the log, when things change all the time."""

REFUSALS: Final = frozenset({401, 403})
"""What servers mean by a refusal."""

Answer: TypeAlias = Token | NotIssued
Fetch: TypeAlias = Callable[[], Coroutine[Any, Any, Answer]]
"""
Gets a token, for whoever wants it, whether who wanted it first is still there or not.

Gives NotIssued for what the server refuses, raises UnavailableError if it says nothing.
"""


class Asker:
    """
    Asks one server.

    Args:
        name: What the configuration calls the source of tokens.
        clock: The time.
        counts: What happens is counted here.

    Attributes:
        problem: What is wrong with the server, as far as is known; or empty.
    """

    def __init__(self, name: str, clock: IClock, counts: Counter[str]) -> None:
        self.problem = ""
        self._name = name
        self._clock = clock
        self._counts = counts
        self._circuit = Circuit(clock)
        self._told = ""
        self._tell_at = float("-inf")

    async def ask(self, fetch: Fetch) -> Answer:
        """
        Ask by *fetch*.

        Raises:
            UnavailableError: There is no answer, or the server is down and not asked.
        """
        if not self._circuit.admit():
            what = f"token.{self._name}: {self.problem}"
            raise UnavailableError(what, status=503)
        try:
            answer = await fetch()
        except UnavailableError as e:
            self._counts["unavailable"] += 1
            # A caller whose credential makes the server stumble must not have it left
            # alone: only who says nothing at all is down.
            silent = isinstance(e, NoReplyError) and e.trouble is not Trouble.GARBLED
            self._note(e.what, counts=silent)
            raise
        except CancelledError:
            self._counts["unavailable"] += 1
            self._note("there was no token in time", counts=True)
            raise
        if isinstance(answer, Token):
            self._counts["issued"] += 1
            self._note("", counts=False)
        elif answer.status >= 500:
            self._counts["unusable"] += 1
            self._note(f"{answer.reason} {answer.detail}", counts=False)
        else:
            self._counts["refused"] += 1
            if answer.status in REFUSALS:  # else nobody was asked
                self._note("", counts=False)
        return answer

    def _note(self, problem: str, *, counts: bool) -> None:
        """Keep account, and log what is news."""
        if counts:
            self._circuit.failed()
        else:
            self._circuit.succeeded()
        self.problem = problem
        now = self._clock.monotonic()
        if problem == self._told or now < self._tell_at:
            return
        self._told, self._tell_at = problem, now + _TELL_AFTER
        if problem:
            _log.warn("No token {name}: {why}", name=self._name, why=problem)
        else:
            _log.info("Tokens {name} are issued again", name=self._name)
