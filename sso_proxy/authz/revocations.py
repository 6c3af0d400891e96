"""What this process refuses because an operator has revoked it."""

from collections.abc import Iterable
from typing import Final

from sso_proxy.errors import UnavailableError
from sso_proxy.interfaces import IClock
from sso_proxy.model import ANONYMOUS, Decision, Effect, Identity
from sso_proxy.specs.revocations import Revocation, RevocationList

REASON: Final = "revoked"


class Revocations:
    """
    Decides on identities, the same for whoever found them.

    Attributes:
        doubted: Whether more may be revoked that is not known.
    """

    def __init__(self, clock: IClock) -> None:
        self._clock = clock
        self._list = RevocationList()
        self._any = False
        self.doubted = False

    def decide(self, identity: Identity) -> Decision | None:
        """
        Say which revocation *identity* is refused by; None if by none.

        Raises:
            UnavailableError: That is not known, for others may have revoked it.
        """
        if not self._any:  # asked for every request
            return None
        if self.doubted and identity.issuer != ANONYMOUS:
            raise UnavailableError("what other machines have revoked")
        found = self._list.check(identity, self._clock.time())
        if found is None:
            return None
        return Decision(effect=Effect.REVOKED, reasons=(REASON, found.id))

    def change(
        self,
        add: Iterable[Revocation],
        remove: Iterable[str],
        *,
        doubted: bool | None = None,
    ) -> None:
        """
        Let what *remove* names go, and refuse what is in *add*.

        Args:
            add: What is revoked.
            remove: Ids of what is no longer.
            doubted: Whether more may be revoked that is not known; None: as before.
        """
        if doubted is not None:
            self.doubted = doubted
        for name in remove:
            self._list.remove(name)
        for revocation in add:
            self._list.add(revocation)
        self._any = self.doubted or len(self._list) > 0
