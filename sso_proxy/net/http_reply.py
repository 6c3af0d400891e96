"""What another server answers to a request of our own."""

import attrs

from sso_proxy.model import Headers


@attrs.frozen(kw_only=True)
class HttpReply:
    """
    A whole answer.

    Attributes:
        status: The status code; redirects are answers like others.
        headers: Lower-case names and values, in the order received.
        body: Octets, within the limit that was asked for.
    """

    status: int
    headers: Headers = ()
    body: bytes = attrs.field(default=b"", repr=False)

    def header(self, name: str) -> str | None:
        """Give the first value of the field called *name*, which is lower-case."""
        return next((value for field, value in self.headers if field == name), None)

    @property
    def media_type(self) -> str | None:
        """Give the media type; of two of them, both, which is none."""
        types = [value for name, value in self.headers if name == "content-type"]
        return ", ".join(types) if types else None
