"""What this process refuses because an operator has revoked it."""

from collections.abc import Iterable
from typing import Final

from sso_proxy.interfaces import IClock
from sso_proxy.model import Decision, Effect, Identity
from sso_proxy.specs.revocations import Revocation, RevocationList

REASON: Final = "revoked"


class Revocations:
    """Decides on identities, the same for whoever found them."""

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._list = RevocationList()
        self._any = False

    def decide(self, identity: Identity) -> Decision | None:
        """Say which revocation *identity* is refused by; None if by none."""
        if not self._any:  # asked for every request
            return None
        found = self._list.check(identity, self._clock.time())
        if found is None:
            return None
        return Decision(effect=Effect.REVOKED, reasons=(REASON, found.id))

    def change(self, add: Iterable[Revocation], remove: Iterable[str]) -> None:
        """Let what *remove* names go, and refuse what is in *add*."""
        for name in remove:
            self._list.remove(name)
        for revocation in add:
            self._list.add(revocation)
        self._any = len(self._list) > 0
