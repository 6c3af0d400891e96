"""The key ring, as components use it."""

import os

from zope.interface import implementer

from sso_proxy.config.key_ring import KeyRing
from sso_proxy.interfaces import ISealer
from sso_proxy.specs.jose.seal import Sealer


@implementer(ISealer)
class RingSealer(Sealer):
    """
    Seals records of one kind with our own keys.

    Args:
        kind: What the records are.
        ring: The keys.
    """

    def __init__(self, kind: str, ring: KeyRing) -> None:
        secrets = {key.kid: key.secret for key in ring.keys}
        super().__init__(kind, secrets, os.urandom)
