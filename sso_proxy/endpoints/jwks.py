"""Our public keys, for those who check what we sign (RFC 7517 section 5)."""

from collections.abc import Iterable, Mapping, Sequence
from typing import ClassVar, Final

from sso_proxy.model import Headers, Request, Response
from sso_proxy.specs.jose.public_jwk import PublicKey, jwks_document

_HEADERS: Final[Headers] = (
    ("content-type", "application/jwk-set+json"),
    ("cache-control", "public, max-age=300"),
    ("x-content-type-options", "nosniff"),
)


def answer_jwks(keys: Iterable[PublicKey]) -> Response:
    """Publish *keys*, of which no two have one name."""
    return Response(
        status=200, reason="jwks", headers=_HEADERS, body=jwks_document(keys)
    )


class KeysAlone:
    """
    Publishes keys where nobody logs in.

    Args:
        keys: The keys; may become more.
    """

    methods: ClassVar[Mapping[str, tuple[str, ...]]] = {"jwks": ("GET", "HEAD")}

    def __init__(self, keys: Sequence[PublicKey]) -> None:
        self._keys = keys

    async def answer(self, request: Request, name: str, rest: str) -> Response | None:  # noqa: ARG002
        """Give the keys to anybody."""
        return None if rest else answer_jwks(self._keys)
