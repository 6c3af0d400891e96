"""The content of requests."""

from typing import Protocol


class Body(Protocol):
    """
    The content of a request, which is not here unless it is read.

    Attributes:
        content: The octets, once they were read; then these are what is forwarded.
    """

    content: bytes | None

    async def read(self, limit: int) -> bytes:
        """
        Wait for the whole content.

        Raises:
            BadMessageError: 413 for more than *limit* octets, 400 for what is no body.
        """
