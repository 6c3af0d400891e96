"""Sign requests toward a route's backend (RFC 9421)."""

from collections.abc import Callable
from typing import Final, Protocol

import attrs

from sso_proxy.body import Body
from sso_proxy.config.signature_parts import CONTENT_DIGEST, IDENTITY
from sso_proxy.specs.http.digest import build_content_digest
from sso_proxy.specs.http.signature import (
    SignatureParameters,
    SignedRequest,
    cover,
    read_field_lines,
    sign_request,
)
from sso_proxy.specs.http.signature_keys import RequestSigningKey
from sso_proxy.specs.http.structured import InnerList
from sso_proxy.specs.jose.public_jwk import PublicKey

_SIGNATURE_FIELDS: Final = ("signature", "signature-input")


class _Clock(Protocol):
    """What tells the time."""

    def time(self) -> float:
        """Give seconds since the epoch."""


@attrs.frozen(kw_only=True, eq=False)
class RequestSigner:
    """
    Signs what a backend gets: the octets that are sent, as the backend reads them.

    Attributes:
        key: Signs.
        label: The signature's name.
        tag: What it is for.
        components: What is covered, in this order.
        scheme: ``http`` or ``https``: how the backend is reached.
        digest: Whether the content is covered.
        body_bytes: Octets of content that are held in memory for that.
        expires: Seconds that a signature holds.
        new_nonce: Makes a value that no other signature has; None for none.
        clock: The time.
    """

    key: RequestSigningKey
    label: str = "sso"
    tag: str = "sso-proxy"
    components: tuple[str, ...] = ()
    scheme: str = "http"
    digest: bool = False
    body_bytes: int = 0
    expires: int = 60
    new_nonce: Callable[[], str] | None = None
    clock: _Clock

    @property
    def consumes(self) -> frozenset[str]:
        """
        Name the fields that clients must not send besides.

        Two signatures, or two digests, would be two readings of one request.
        """
        own = (CONTENT_DIGEST,) if self.digest else ()
        return frozenset((*_SIGNATURE_FIELDS, *own))

    @property
    def public_keys(self) -> tuple[PublicKey, ...]:
        """Give the public half of the key as JWK, unless it is a secret."""
        return () if self.key.public is None else (self.key.public,)

    async def read(self, body: Body, most: int) -> None:
        """
        Wait for the whole content, if it is covered.

        Args:
            body: Reads it.
            most: Octets that the route takes.

        Raises:
            BadMessageError: 413 for too much of it, 400 for what is no body.
        """
        if self.digest:
            await body.read(min(most, self.body_bytes))

    def sign(
        self,
        head: bytes,
        *,
        method: str,
        target: str,
        identity: tuple[str, ...],
        content: bytes,
    ) -> bytes:
        """
        Give the field lines that sign a request.

        Args:
            head: The request line and the field lines that are sent.
            method: The method in it.
            target: The target in it.
            identity: The fields in it that say who calls, or hold a token.
            content: All of the content; not looked at without *digest*.

        Raises:
            ValueError: Something in it cannot be signed.
        """
        lines = b""
        if self.digest:
            digest = build_content_digest(content)
            lines = f"Content-Digest: {digest}\r\n".encode("ascii")
        fields = read_field_lines(head.partition(b"\r\n")[2] + lines)
        request = SignedRequest(
            method=method, target=target, scheme=self.scheme, fields=fields
        )
        now = int(self.clock.time())
        told = SignatureParameters(
            created=now,
            expires=now + self.expires,
            nonce=self.new_nonce() if self.new_nonce is not None else None,
            alg=self.key.alg,
            keyid=self.key.keyid,
            tag=self.tag,
        )
        covered = InnerList(cover(self._names(identity), request), told.listed())
        written = sign_request(covered, request, label=self.label, sign=self.key.sign)
        return lines + (
            f"Signature-Input: {written[0]}\r\nSignature: {written[1]}\r\n"
        ).encode("ascii")

    def _names(self, identity: tuple[str, ...]) -> list[str]:
        """Give the names of all that is covered if it is there."""
        names: list[str] = []
        for name in self.components:
            names += identity if name == IDENTITY else (name,)
        return [*names, CONTENT_DIGEST] if self.digest else names
