"""What is known of a logout: what ended here, what a provider said, and the rest."""

from collections.abc import Iterator, Mapping
from typing import Any, Self

import attrs

Told = tuple[tuple[str, str], ...]
"""Statements: which (of `Pages.logged_out`), and the name of the authenticator."""


@attrs.frozen(kw_only=True)
class Report:
    """
    What is known.

    Attributes:
        ended: Whether a session ended here.
        target: Where the browser goes on, on this host; empty: to a page that says
            what is known.
        confirmed: What providers have said.
        unknown: What nobody knows.
        failed: Whether something that was tried is unknown: then people are told,
            wherever they go on.
    """

    ended: bool
    target: str = ""
    confirmed: Told = ()
    unknown: Told = ()
    failed: bool = False

    def tell(self, name: str, what: str, *, done: bool) -> Self:
        """Add what is known of *name*, which was tried."""
        said = ((what, name),)
        if done:
            return attrs.evolve(self, confirmed=self.confirmed + said)
        return attrs.evolve(self, unknown=self.unknown + said, failed=True)

    def admit(self, name: str, what: str) -> Self:
        """Add what is unknown of *name*, as nothing could be tried."""
        return attrs.evolve(self, unknown=(*self.unknown, (what, name)))

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads."""
        return dict(self._members())

    def _members(self) -> Iterator[tuple[str, Any]]:
        for name, value in attrs.asdict(self).items():
            if value:
                yield name, value

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave, and nobody has changed since."""
        return cls(
            ended=members.get("ended", False),
            target=members.get("target", ""),
            confirmed=tuple((w, n) for w, n in members.get("confirmed", ())),
            unknown=tuple((w, n) for w, n in members.get("unknown", ())),
            failed=members.get("failed", False),
        )
