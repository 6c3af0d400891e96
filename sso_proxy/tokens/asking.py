"""Ask a server for tokens, unless it is known to be down."""

from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeAlias

from twisted.internet.defer import CancelledError
from twisted.logger import Logger

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.net.no_reply import NoReplyError, Trouble
from sso_proxy.net.standing import Standing
from sso_proxy.token import NotIssued, Token

_log = Logger()

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
    """

    def __init__(self, name: str, clock: IClock, counts: Counter[str]) -> None:
        self._name = name
        self._counts = counts
        self._standing = Standing(clock, self._tell)

    async def ask(self, fetch: Fetch) -> Answer:
        """
        Ask by *fetch*.

        Raises:
            UnavailableError: There is no answer, or the server is down and not asked.
        """
        if not self._standing.admit():
            what = f"token.{self._name}: {self.problem}"
            raise UnavailableError(what, status=503)
        try:
            answer = await fetch()
        except UnavailableError as e:
            self._counts["unavailable"] += 1
            # A caller whose credential makes the server stumble must not have it left
            # alone: only who says nothing at all is down.
            silent = isinstance(e, NoReplyError) and e.trouble is not Trouble.GARBLED
            self._standing.note(e.what, counts=silent)
            raise
        except CancelledError:
            self._counts["unavailable"] += 1
            self._standing.note("there was no token in time", counts=True)
            raise
        if isinstance(answer, Token):
            self._counts["issued"] += 1
            self._standing.note()
        elif answer.status >= 500:
            self._counts["unusable"] += 1
            self._standing.note(f"{answer.reason} {answer.detail}")
        else:
            self._counts["refused"] += 1
            if answer.status in REFUSALS:  # else nobody was asked
                self._standing.note()
        return answer

    @property
    def problem(self) -> str:
        """Say what is wrong with the server, as far as is known; or nothing."""
        return self._standing.problem

    def _tell(self, problem: str) -> None:
        """Log what is news."""
        if problem:
            _log.warn("No token {name}: {why}", name=self._name, why=problem)
        else:
            _log.info("Tokens {name} are issued again", name=self._name)
