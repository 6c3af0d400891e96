"""What was looked at, how it is, and what to do."""

from typing import Literal

import attrs

State = Literal["ok", "warning", "broken"]


@attrs.frozen
class Finding:
    """
    One thing that was looked at.

    Attributes:
        state: ``ok``; ``warning``: people may have trouble; ``broken``: they have.
        what: What was looked at.
        found: What was found; nothing secret.
        todo: What to do; empty if there is nothing.
    """

    state: State
    what: str
    found: str
    todo: str = ""

    def __str__(self) -> str:
        """Give the line for the operator."""
        todo = f"; {self.todo}" if self.todo else ""
        return f"{self.state:8}{self.what}: {self.found}{todo}"
