"""What is known about a server that is asked often."""

from collections.abc import Callable
from typing import Final

from sso_proxy.interfaces import IClock
from sso_proxy.net.circuit import Circuit

_TELL_AFTER: Final = 5.0
"""Seconds between lines in the log, when things change all the time."""


class Standing:
    """
    Keeps account of how asking a server goes.

    Args:
        clock: The time.
        tell: Logs what is news: the problem, or nothing when there is none any more.

    Attributes:
        problem: What is wrong with the server, as far as is known; or empty.
    """

    def __init__(self, clock: IClock, tell: Callable[[str], None]) -> None:
        self.problem = ""
        self._clock = clock
        self._tell = tell
        self._circuit = Circuit(clock)
        self._told = ""
        self._tell_at = float("-inf")

    @property
    def is_down(self) -> bool:
        """Say whether the server counts as down."""
        return self._circuit.is_open

    def admit(self) -> bool:
        """Say whether the server may be asked now; it then has to be."""
        return self._circuit.admit()

    def note(self, problem: str = "", *, counts: bool = False) -> None:
        """
        Note how it went.

        Args:
            problem: What was wrong; empty if nothing was.
            counts: Whether that says that the server is down.
        """
        if counts:
            self._circuit.failed()
        else:
            self._circuit.succeeded()
        self.problem = problem
        now = self._clock.monotonic()
        if problem == self._told or now < self._tell_at:
            return
        self._told, self._tell_at = problem, now + _TELL_AFTER
        self._tell(problem)
