"""What a token says, once somebody vouches for it: its issuer's key, or its issuer."""

from collections.abc import Mapping
from typing import Any, Protocol

import attrs


@attrs.frozen(kw_only=True)
class Verified:
    """
    What was found out about a token.

    Attributes:
        claims: What its issuer says.
        expires: Seconds since the epoch when it stops saying so, or None.
        until: Seconds since the epoch when it has to be found out anew.
    """

    claims: Mapping[str, Any] = attrs.field(repr=False)
    expires: float | None
    until: float


class Verifier(Protocol):
    """Finds out what a token says; remembers nothing."""

    async def verify(self, token: str) -> Verified:
        """
        Give what *token* says.

        Raises:
            TokenError: It must not be honoured.
            UnavailableError: Nobody can say whether it is to be.
        """
