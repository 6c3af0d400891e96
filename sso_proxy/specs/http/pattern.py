"""A request head in which a credential may be another one."""

import attrs

from sso_proxy.specs.http.incoming import Incoming


@attrs.frozen
class Hole:
    """
    What may differ in one header field.

    Attributes:
        before: Octets before it, from the hole before or the end of the request line.
        stop: The octet behind it.
        octets: What may stand there, one or more.
        place: Which of the header fields it is in.
        name: That field's name.
        begin: What stands before it in that field.
        end: What stands behind it.
        cookie: The cookie that it is the value of; empty: no cookie's.
    """

    before: bytes = attrs.field(repr=False)
    stop: bytes
    octets: bytes = attrs.field(repr=False)
    place: int
    name: str
    begin: str
    end: str = ""
    cookie: str = ""


@attrs.frozen
class Pattern:
    """
    A request head whose credential, and proof to it, may be others.

    Attributes:
        incoming: The head as read.
        holes: What may differ, in the order of the octets.
        after: Octets from the last hole to the end of the head.
        once: One of the holes has proofs, of which none comes twice.
    """

    incoming: Incoming = attrs.field(repr=False)
    holes: tuple[Hole, ...]
    after: bytes = attrs.field(repr=False)
    once: bool = False
