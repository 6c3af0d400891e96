"""
What an answer to an authorization request consists of.

OAuth 2.0 Multiple Response Type Encoding Practices, OpenID Connect Core section 3.
"""

from typing import Final, Self

import attrs

RESPONSE_TYPES: Final = (
    "code",
    "id_token",
    "id_token token",
    "code id_token",
    "code token",
    "code id_token token",
)
"""The response types that can be asked for; their words have no order."""

_KNOWN: Final = {frozenset(text.split()): text for text in RESPONSE_TYPES}


@attrs.frozen
class ResponseType:
    """
    One of `RESPONSE_TYPES`.

    Attributes:
        text: As it is there.
    """

    text: str

    @classmethod
    def read(cls, text: str) -> Self:
        """
        Read a response type, in whichever order.

        Raises:
            ValueError: There is no such response type, or a word is there twice.
        """
        words = text.split(" ")
        known = _KNOWN.get(frozenset(words))
        if known is None or len(words) != len(known.split()):
            raise ValueError(f"must be one of {', '.join(map(repr, RESPONSE_TYPES))}")
        return cls(known)

    @property
    def words(self) -> frozenset[str]:
        """Give what it consists of."""
        return frozenset(self.text.split())

    @property
    def has_code(self) -> bool:
        """Say whether tokens are got at the token endpoint."""
        return "code" in self.words

    @property
    def has_id_token(self) -> bool:
        """Say whether an ID token comes through the browser."""
        return "id_token" in self.words

    @property
    def has_token(self) -> bool:
        """Say whether an access token comes through the browser."""
        return "token" in self.words

    @property
    def has_tokens(self) -> bool:
        """Say whether the browser brings what must not be seen on the way."""
        return self.has_id_token or self.has_token

    @property
    def default_mode(self) -> str:
        """
        Give how answers come if nobody says how.

        OAuth 2.0 Multiple Response Type Encoding Practices sections 3 and 5.
        """
        return "fragment" if self.has_tokens else "query"

    @property
    def members(self) -> frozenset[str]:
        """Give the parameters of an answer that logs somebody in."""
        return frozenset("access_token" if w == "token" else w for w in self.words)

    @property
    def required_hashes(self) -> tuple[str, ...]:
        """
        Give what an ID token from the browser has to vouch for.

        OpenID Connect Core sections 3.2.2.10 and 3.3.2.11.
        """
        if not self.has_id_token:
            return ()
        wanted = {"at_hash": self.has_token, "c_hash": self.has_code}
        return tuple(name for name, there in wanted.items() if there)


CODE: Final = ResponseType("code")
"""The default."""
