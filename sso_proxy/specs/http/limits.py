"""What a header section may cost, as a value."""

import attrs


@attrs.frozen(kw_only=True)
class HeadLimits:
    """
    Budgets of one request head, counted on the octets as they come.

    Attributes:
        request_line: Octets of the request line without its CRLF; more is 414.
        header_bytes: Octets of all field lines with their CRLF; more is 431.
        headers: Number of field lines; more is 431.
    """

    request_line: int = 8192
    header_bytes: int = 32768
    headers: int = 100
