"""The options that authenticators with passwords have in common."""

from typing import Final

import attrs

from sso_proxy.config.checks import between, positive
from sso_proxy.net.tries import Pace

_FORGET_AFTER: Final = 3600.0


@attrs.frozen(kw_only=True)
class PasswordConfig:
    """
    The options of authenticators with passwords.

    Attributes:
        checker: The ``[checker.N]`` table that knows the passwords.
        issuer: The identity's issuer; unset, ``checker:`` and the checker's name, so
            that somebody is the same by ``form`` and by ``basic``.
        acr: The authentication context that a password is; empty: none is said.
        tries: Wrong passwords for one user without a pause.
        tries_per_address: Wrong passwords from one address without a pause.
        first_pause: Seconds of the first pause; each further one is twice as long.
        longest_pause: Seconds of the longest.  Whoever knows a user's name can have the
            user wait that long.
        cache: The cache that has the counts; unset, the default one.
    """

    checker: str
    issuer: str | None = None
    acr: str = ""
    tries: int = attrs.field(default=10, validator=between(1, 1000))
    tries_per_address: int = attrs.field(default=30, validator=between(1, 100_000))
    first_pause: float = attrs.field(default=2.0, validator=positive)
    longest_pause: float = attrs.field(default=300.0, validator=between(1, 86400))
    cache: str | None = None

    def pace(self, free: int) -> Pace:
        """Give how often tries may follow each other."""
        return Pace(
            free=free,
            first=self.first_pause,
            longest=self.longest_pause,
            memory=max(_FORGET_AFTER, 2 * self.longest_pause),
        )
