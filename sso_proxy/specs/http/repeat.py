"""
Request lines that need no further reading.

A request whose header section is the one before it, octet for octet, differs only in
its request line; if that has this form, it has exactly one reading, and its path is
canonical as it stands: no escape, no dot segment, no empty segment, no parameter.

One whose header section differs in its access token, or the proof that goes with it,
and in nothing else has one reading, too: the one before it, with the other token and
proof.  Proxies before us send such requests, when they share a connection between
users, and so does every client with proofs (RFC 9449).  Likewise for a cookie that is
a credential, where there is no such field.
"""

import re
from collections.abc import Collection
from typing import Final

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.incoming import Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.pattern import Hole, Pattern

_SEGMENT = rb"[A-Za-z0-9_~!$&'()*+,=:@-][A-Za-z0-9._~!$&'()*+,=:@-]*+"

read_repeat_line = re.compile(
    rb"(GET|HEAD|OPTIONS) (/(?:" + _SEGMENT + rb"/)*+(?:" + _SEGMENT + rb")?+)"
    rb"(\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*+)? HTTP/1\.1"
).fullmatch
"""Match a whole request line: method, path, and query with its ``?`` or None."""

_ALNUM = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
_CREDENTIAL: Final = _ALNUM + b"-._~+/="
_COOKIE: Final = _ALNUM + b"%._~*-"
_holes = re.compile(
    rb"\r\n(?:(authorization):[ \t]*+(?:bearer|dpop) ([a-z0-9._~+/-]++=*+)"
    rb"|(dpop):[ \t]*+([a-z0-9._-]++))(?=\r\n)",
    re.IGNORECASE,
).finditer
_cookie = re.compile(rb"[A-Za-z0-9%._~*-]++").match
_cookie_fields = re.compile(
    rb"\r\ncookie:[ \t]*+([^\r\n]*?)[ \t]*+(?=\r\n)", re.IGNORECASE
).finditer
_NAMED: Final = re.compile(rb"\r\n(authorization|dpop):", re.IGNORECASE)


def find_pattern(
    rest: bytes, incoming: Incoming, cookies: Collection[str] = ()
) -> Pattern | None:
    """
    Take a head with one credential for a pattern of others.

    Args:
        rest: The head's octets from the end of the request line.
        incoming: The head as read.
        cookies: Names of cookies that are credentials.

    Returns:
        None if there is no credential, or anything unusual about it.
    """
    names = [name.lower() for name in _NAMED.findall(rest)]
    if not names and cookies:
        return _find_cookie(rest, incoming, cookies)
    matches = list(_holes(rest))
    if b"authorization" not in names or len(set(names)) != len(matches):
        return None
    holes, at = [], 0
    for match in matches:
        of_token = match[1] is not None
        group = 2 if of_token else 4
        name, value = "authorization" if of_token else "dpop", match[group].decode()
        headers = enumerate(incoming.head.headers)
        fields = [(i, text) for i, (field, text) in headers if field == name]
        if len(fields) != 1 or not fields[0][1].endswith(value):
            return None
        place, text = fields[0]
        holes.append(
            Hole(
                before=rest[at : match.start(group)],
                stop=b"\r",
                octets=_CREDENTIAL,
                place=place,
                name=name,
                begin=text.removesuffix(value),
            )
        )
        at = match.end(group)
    once = any(hole.name == "dpop" for hole in holes)
    return Pattern(incoming, tuple(holes), after=rest[at:], once=once)


def _find_cookie(
    rest: bytes, incoming: Incoming, cookies: Collection[str]
) -> Pattern | None:
    """Take a head with one cookie of *cookies* for a pattern of others."""
    lines = list(_cookie_fields(rest))
    headers = enumerate(incoming.head.headers)
    fields = [(place, text) for place, (name, text) in headers if name == "cookie"]
    if len(lines) != 1 or len(fields) != 1:
        return None
    place, text = fields[0]
    if lines[0][1] != text.encode("latin-1"):
        return None
    found, at = [], 0
    for pair in text.split(";"):
        name, equals, _ = pair.partition("=")
        if name.strip(" \t") in cookies:
            found.append((name.strip(" \t"), at + len(name) + len(equals)))
        at += len(pair) + 1
    if len(found) != 1:
        return None
    name, begin = found[0]
    match = _cookie(rest, lines[0].start(1) + begin)
    if match is None or rest[match.end() : match.end() + 1] not in {b";", b"\r"}:
        return None
    hole = Hole(
        before=rest[: match.start()],
        stop=rest[match.end() : match.end() + 1],
        octets=_COOKIE,
        place=place,
        name="cookie",
        begin=text[:begin],
        end=text[begin + len(match[0]) :],
        cookie=name,
    )
    return Pattern(incoming=incoming, holes=(hole,), after=rest[match.end() :])


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
    if end < 0 or len(data) - end - 4 > limits.header_bytes:
        return None
    known = pattern.incoming
    head, at = known.head, end
    headers = list(head.headers)
    for hole in pattern.holes:
        if not data.startswith(hole.before, at):
            return None
        begin = at + len(hole.before)
        at = data.find(hole.stop, begin)
        found = data[begin:at] if at > 0 else b""
        # A regular expression takes twice as long, for each token and proof.
        if not found or found.translate(None, hole.octets):
            return None
        value = hole.begin + found.decode("ascii") + hole.end
        headers[hole.place] = (hole.name, value)
    match = read_repeat_line(data, 0, end)
    after = pattern.after
    if match is None or len(data) - at != len(after) or not data.endswith(after):
        return None
    query = match[3]
    return Incoming(
        head=RequestHead(
            method=match[1].decode("ascii"),
            scheme=head.scheme,
            host=head.host,
            port=head.port,
            path=match[2].decode("ascii"),
            query=None if query is None else query[1:].decode("ascii"),
            headers=tuple(headers),
        ),
        framing=known.framing,
        forwarded=known.forwarded,
        via=known.via,
        dropped=known.dropped,
    )
