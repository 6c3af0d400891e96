"""The key ring, as components use it."""

import os
import time
from collections.abc import Callable

from zope.interface import implementer

from sso_proxy.config.key_ring import KeyRing
from sso_proxy.interfaces import ISealer
from sso_proxy.specs.jose.seal import Sealer


@implementer(ISealer)
class RingSealer(Sealer):
    """
    Seals records of one kind with our own keys.

    A new key begins to seal when its time has come, without anybody reading the file
    again: all processes have read it before, and open what it sealed.

    Args:
        kind: What the records are.
        ring: The keys.
        now: Gives the time, in seconds since the epoch.
    """

    def __init__(
        self, kind: str, ring: KeyRing, now: Callable[[], float] = time.time
    ) -> None:
        secrets = {key.kid: key.secret for key in ring.keys}
        super().__init__(kind, secrets, os.urandom)
        self._ring = ring
        self._now = now
        self._until = 0.0

    def seal(self, data: bytes, context: bytes = b"") -> bytes:
        """Seal *data*; it opens only with the same *context*."""
        now = self._now()
        if now >= self._until:
            self.use(self._ring.sealing(now).kid)
            self._until = self._ring.changes(now)
        return super().seal(data, context)
