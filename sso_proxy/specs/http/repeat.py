"""
Request lines that need no further reading.

A request whose header section is the one before it, octet for octet, differs only in
its request line; if that has this form, it has exactly one reading, and its path is
canonical as it stands: no escape, no dot segment, no empty segment, no parameter.

One whose header section differs in its bearer credential only has one reading, too: the
one before it, with the other credential.  Proxies before us send such requests, when
they share a connection between users.
"""

import re
from typing import Final

import attrs

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.request import Incoming

_SEGMENT = rb"[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*+"

read_repeat_line = re.compile(
    rb"(GET|HEAD|OPTIONS) (/(?:" + _SEGMENT + rb"/)*+(?:" + _SEGMENT + rb")?+)"
    rb"(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*+)? HTTP/1\.1"
).fullmatch
"""Match a whole request line: method, path, and query with its ``?`` or None."""

_is_b64token = re.compile(rb"[A-Za-z0-9._~+/-]++=*+").fullmatch
_BEARER: Final = re.compile(
    rb"\r\nauthorization:[ \t]*bearer ([a-z0-9._~+/-]++=*+)\r\n", re.IGNORECASE
)
_NAMED: Final = re.compile(rb"\r\nauthorization:", re.IGNORECASE)


@attrs.frozen
class Pattern:
    """
    A request head whose credential may be another.

    Attributes:
        incoming: The head as read.
        before: Octets from the end of the request line to the credential.
        after: Octets from the end of the credential to the end of the head.
        place: Which of the header fields has the credential.
        scheme: What stands before the credential in that field.
    """

    incoming: Incoming = attrs.field(repr=False)
    before: bytes = attrs.field(repr=False)
    after: bytes = attrs.field(repr=False)
    place: int
    scheme: str


def find_pattern(rest: bytes, incoming: Incoming) -> Pattern | None:
    """
    Take a head with one bearer credential for a pattern of others.

    Args:
        rest: The head's octets from the end of the request line.
        incoming: The head as read.

    Returns:
        None if there is no credential, or anything unusual about it.
    """
    match = _BEARER.search(rest)
    if match is None or len(_NAMED.findall(rest)) != 1:
        return None
    headers = incoming.head.headers
    places = [i for i, (name, _) in enumerate(headers) if name == "authorization"]
    token = match[1].decode("ascii")
    if len(places) != 1 or not headers[places[0]][1].endswith(" " + token):
        return None
    return Pattern(
        incoming=incoming,
        before=rest[: match.start(1)],
        after=rest[match.end(1) :],
        place=places[0],
        scheme=headers[places[0]][1].removesuffix(token),
    )


def read_like(data: bytes, pattern: Pattern, limits: HeadLimits) -> Incoming | None:
    """
    Read a head as `read_request` does, if it fits *pattern*.

    Args:
        data: All that came; more or less than one whole head does not fit.
        pattern: A head that came before, on a connection that is like this one.
        limits: The budgets.

    Returns:
        None if it does not fit, or has to be read to know what is wrong with it.
    """
    end = data.find(b"\r\n", 0, limits.request_line + 2)
    begin = end + len(pattern.before)
    if (
        end < 0
        or not data.startswith(pattern.before, end)
        or not data.endswith(pattern.after)
        or len(data) - end - 4 > limits.header_bytes
    ):
        return None
    token = data[begin : len(data) - len(pattern.after)]
    match = read_repeat_line(data, 0, end)
    if match is None or _is_b64token(token) is None:
        return None
    known, place, query = pattern.incoming, pattern.place, match[3]
    head = known.head
    field = ("authorization", pattern.scheme + token.decode("ascii"))
    return Incoming(
        head=RequestHead(
            method=match[1].decode("ascii"),
            scheme=head.scheme,
            host=head.host,
            port=head.port,
            path=match[2].decode("ascii"),
            query=None if query is None else query[1:].decode("ascii"),
            headers=(*head.headers[:place], field, *head.headers[place + 1 :]),
        ),
        framing=known.framing,
        forwarded=known.forwarded,
        via=known.via,
    )
