"""The presentation language of TLS (RFC 8446 section 3), as far as we read it."""

import attrs


class PresentationError(ValueError):
    """The octets are not what the structure says."""


@attrs.define
class Octets:
    """
    Octets that are read from their beginning.

    Attributes:
        data: All of them.
        at: How many have been read.
    """

    data: bytes
    at: int = 0

    @property
    def left(self) -> int:
        """How many have not been read."""
        return len(self.data) - self.at

    def take(self, count: int) -> bytes:
        """
        Read *count* octets.

        Raises:
            PresentationError: There are fewer.
        """
        if count > self.left:
            raise PresentationError("ends too early")
        begin, self.at = self.at, self.at + count
        return self.data[begin : self.at]

    def number(self, width: int) -> int:
        """
        Read a number of *width* octets.

        Raises:
            PresentationError: There are fewer.
        """
        return int.from_bytes(self.take(width), "big")

    def vector(self, width: int, least: int = 0, most: int = 0xFFFF) -> bytes:
        """
        Read a vector of variable length (section 3.4).

        Args:
            width: Octets of its length.
            least: Octets that it has at least.
            most: Octets that it has at most.

        Raises:
            PresentationError: It is shorter or longer than that, or not all there.
        """
        length = self.number(width)
        if not least <= length <= most:
            raise PresentationError("has a length that is not allowed")
        return self.take(length)

    def end(self) -> None:
        """
        Check that nothing is left.

        Raises:
            PresentationError: There is.
        """
        if self.left:
            raise PresentationError("goes on after its end")


def vector(width: int, data: bytes) -> bytes:
    """
    Write *data* as a vector with a length of *width* octets.

    Raises:
        OverflowError: It is longer than that.
    """
    return len(data).to_bytes(width, "big") + data
