"""
One request head, read once into the value that everything else reads (RFC 9112).

What could be read in two ways is refused, whatever the RFC allows a recipient to
repair: the next reader may repair it otherwise.
"""

import re
from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers, RequestHead
from sso_proxy.specs.http.authority import DEFAULT_PORTS, read_authority
from sso_proxy.specs.http.head import is_token, read_fields, split_head, words
from sso_proxy.specs.http.incoming import Framing, Incoming
from sso_proxy.specs.http.limits import HeadLimits
from sso_proxy.specs.http.names import (
    DROP,
    FORWARDED,
    KEEP,
    ONCE,
    PROTECTED,
    TRACE,
    ManagedNames,
)
from sso_proxy.specs.http.target import PATH_CHARACTERS, canonical_path
from sso_proxy.specs.trace_context import read_trace_context

METHODS: Final = words(
    "ACL BIND CHECKOUT COPY DELETE GET HEAD LINK LOCK M-SEARCH MERGE MKACTIVITY"
    " MKCALENDAR MKCOL MOVE NOTIFY OPTIONS PATCH POST PROPFIND PROPPATCH PURGE PUT"
    " QUERY REBIND REPORT SEARCH SOURCE SUBSCRIBE UNBIND UNLINK UNLOCK UNSUBSCRIBE"
)
"""Methods that are served: the registry's that llhttp knows, without TRACE (it echoes
credentials), CONNECT and PRI."""

ALLOW: Final = ", ".join(sorted(METHODS))
"""What ``Allow`` says with a 405 for another one (RFC 9110 section 15.5.6)."""


_PLAIN: Final = Framing()

# The query is opaque: passed on as it came, never decoded or compared here, so that
# what browsers leave raw in it (``"<>[\]^`{|}``) and bad escapes are nobody's guess.
_QUERY: Final = r"[\x21\x22\x24-\x7e]"
_plain_line = re.compile(
    rf"([A-Z-]++) (/[{PATH_CHARACTERS}]*+)(?:\?({_QUERY}*+))? HTTP/1\.([01])"
).fullmatch
_path_and_query = re.compile(rf"(/[{PATH_CHARACTERS}]*+)(?:\?({_QUERY}*+))?").fullmatch
_absolute_target = re.compile(
    rf"([A-Za-z][A-Za-z0-9+.-]*+)://([^/?]*+)(/[{PATH_CHARACTERS}]*+)?(?:\?({_QUERY}*+))?"
).fullmatch
_is_version = re.compile(r"HTTP/[0-9]\.[0-9]").fullmatch
_is_length = re.compile("[0-9]{1,18}").fullmatch

_COMBINED: Final = {"connection": ", ", "cookie": "; ", "upgrade": ", ", "via": ", "}
"""Fields that may be repeated, and what joins their values (RFC 9110 section 5.3,
RFC 9113 section 8.2.3)."""

_HARMLESS_OPTIONS: Final = frozenset({"", "close", "keep-alive", "te", "upgrade"})


def read_request(
    data: bytes, *, scheme: str, port: int, limits: HeadLimits, managed: ManagedNames
) -> Incoming:
    """
    Read one request head.

    Args:
        data: From the first octet of the request line through the empty line.
        scheme: ``https`` or ``http``, of the connection.
        port: What a ``Host`` without port means: the scheme's default, as a rule.
        limits: The budgets.
        managed: The fields that clients may not set.

    Raises:
        BadMessageError: It cannot be read in exactly one way, or is not served: 400,
            405, 414, 417, 431, 501 or 505.  Where the message ends is then unknown.
    """
    lines = split_head(data)
    line = lines.pop(0)
    if len(line) > limits.request_line:
        raise BadMessageError(414, "request-line-too-long")
    if len(data) - len(line) - 4 > limits.header_bytes:
        raise BadMessageError(431, "headers-too-long")
    if len(lines) > limits.headers:
        raise BadMessageError(431, "too-many-headers")
    method, authority, path, query, minor = _read_line(line, scheme)
    tracing: list[tuple[str, str]] = []
    fields = read_fields(lines)
    kept, special, forwarded, dropped = _sort_fields(fields, managed, tracing)
    host = special.get("host")
    if host is None:
        raise BadMessageError(400, "host-missing")
    name, named_port = read_authority(host)
    if authority is not None and read_authority(authority) != (name, named_port):
        _check_same(authority, name, named_port, scheme)
    plain = 1 + (special.get("connection") == "keep-alive")
    if minor and len(special) == plain:  # as nearly every GET
        framing = _PLAIN
    else:
        framing, removed = _read_framing(special, minor, managed)
        if removed:
            kept = [field for field in kept if field[0] not in removed]
            tracing = [field for field in tracing if field[0] not in removed]
    head = RequestHead(
        method=method,
        scheme=scheme,
        host=name,
        port=port if named_port is None else named_port,
        path=path if path == "*" else canonical_path(path),
        query=query,
        headers=tuple(kept),
    )
    via = special.get("via")
    return Incoming(
        head=head,
        framing=framing,
        forwarded=tuple(forwarded),
        via=() if via is None else tuple(_members(via)),
        trace=read_trace_context(tuple(tracing)) if tracing else None,
        dropped=tuple(dropped),
        path_sent=path,
    )


def _read_line(line: str, scheme: str) -> tuple[str, str | None, str, str | None, int]:
    """Read the request line: method, authority if absolute, path, query, minor."""
    match = _plain_line(line)
    if match is None:
        return _read_unusual_line(line, scheme)
    method, path, query, minor = match.groups()
    if method not in METHODS:
        _refuse_method(method)
    return method, None, path, query, minor == "1"


def _read_unusual_line(
    line: str, scheme: str
) -> tuple[str, str | None, str, str | None, int]:
    """Read a line whose target is not a path, or say what is wrong with it."""
    parts = line.split(" ")
    if len(parts) != 3 or not is_token(parts[0]) or not _is_version(parts[2]):
        raise BadMessageError(400, "request-line")
    method, target, version = parts
    if version not in ("HTTP/1.1", "HTTP/1.0"):
        raise BadMessageError(505, "version")
    if method not in METHODS:
        _refuse_method(method)
    minor = version == "HTTP/1.1"
    if target == "*" and method == "OPTIONS":
        return method, None, "*", None, minor
    if "#" in target:
        raise BadMessageError(400, "target-fragment")
    match = _absolute_target(target)
    if match is None:
        raise BadMessageError(400, "target-malformed")
    named, authority, path, query = match.groups()
    if named.lower() != scheme:
        # RFC 9110 section 7.4: what is for https must have come over https.
        raise BadMessageError(400, "target-scheme")
    if path is None:
        # RFC 9112 section 3.2.4: the last proxy makes the asterisk of it.
        path = "*" if method == "OPTIONS" and query is None else "/"
    return method, authority, path, query, minor


def read_path_and_query(target: str) -> tuple[str, str | None]:
    """
    Split a request target that is a path, perhaps with a query; nothing is decoded.

    Raises:
        BadMessageError: 400: anything else.
    """
    match = _path_and_query(target)
    if match is None:
        raise BadMessageError(400, "target-malformed")
    return match[1], match[2]


def check_method(method: str) -> None:
    """
    Check that *method* is served.

    Raises:
        BadMessageError: 405 or 501: it is not.
    """
    if method not in METHODS:
        _refuse_method(method)


def _refuse_method(method: str) -> None:
    """Say why *method* is not served."""
    if method in ("TRACE", "CONNECT"):
        raise BadMessageError(405, "method-refused")
    raise BadMessageError(501, "method-unknown")


def _check_same(authority: str, host: str, port: int | None, scheme: str) -> None:
    """Refuse an absolute target for another host than ``Host`` names."""
    default = DEFAULT_PORTS[scheme]
    other, other_port = read_authority(authority)
    if (other, other_port or default) != (host, port or default):
        raise BadMessageError(400, "target-host-mismatch")


def _sort_fields(
    fields: Headers, managed: ManagedNames, tracing: list[tuple[str, str]]
) -> tuple[list[tuple[str, str]], dict[str, str], list[tuple[str, str]], list[str]]:
    """
    Sort into what the backend gets, we read, proxies say, and nobody gets.

    The trace context goes to *tracing*.
    """
    kinds = managed.kinds
    kept = []
    once: dict[str, str] = {}
    special: dict[str, str] = {}
    forwarded = []
    dropped: list[str] = []
    joined = False
    for field in fields:
        name = field[0]
        kind = kinds[name]
        if kind == KEEP:
            kept.append(field)
        elif kind == FORWARDED:
            forwarded.append(field)
        elif kind == DROP:
            dropped.append(name)
        elif kind == TRACE:
            tracing.append(field)
        else:
            seen = once if kind == ONCE else special
            if name in seen:
                seen[name] = _combine(name, seen[name], field[1])
                joined = True
            else:
                seen[name] = field[1]
                if kind == ONCE:
                    kept.append(field)
    if joined:
        kept = [(name, once.get(name, value)) for name, value in kept]
    return kept, special, forwarded, dropped


def _combine(name: str, first: str, second: str) -> str:
    """Join the values of a repeated field, or refuse it."""
    separator = _COMBINED.get(name)
    if separator is None:
        raise BadMessageError(417 if name == "expect" else 400, f"{name}-repeated")
    return first + separator + second


def _members(value: str) -> list[str]:
    """Split a list, without its empty members (RFC 9110 section 5.6.1.2)."""
    return [member for part in value.split(",") if (member := part.strip(" \t"))]


def _read_framing(
    special: dict[str, str], minor: int, managed: ManagedNames
) -> tuple[Framing, frozenset[str]]:
    """Read what belongs to this hop; also the names that ``Connection`` takes off."""
    length, chunked = _read_length(special, minor)
    options = frozenset(_members(special.get("connection", "").lower()))
    removed = options - _HARMLESS_OPTIONS
    for name in removed:
        _check_option(name, managed)
    upgrade = special.get("upgrade") if minor and "upgrade" in options else None
    if upgrade and length != 0:
        # Parsers differ in whether the body comes before the other protocol.
        raise BadMessageError(400, "upgrade-with-body")
    expect = special.get("expect")
    if expect is not None and expect.lower() != "100-continue":
        raise BadMessageError(417, "expect-unknown")
    framing = Framing(
        length=length,
        chunked=chunked,
        keep_alive="close" not in options and bool(minor or "keep-alive" in options),
        expect_continue=expect is not None and bool(minor) and length != 0,
        upgrade=upgrade.lower() if upgrade else None,
        minor=int(minor),
    )
    return framing, removed


def _read_length(special: dict[str, str], minor: int) -> tuple[int | None, bool]:
    """Find the body's length (RFC 9112 section 6), and whether it is chunked."""
    coding = special.get("transfer-encoding")
    digits = special.get("content-length")
    if coding is None:
        if digits is None:
            return 0, False
        if not _is_length(digits):
            raise BadMessageError(400, "content-length-malformed")
        return int(digits), False
    if digits is not None:
        raise BadMessageError(400, "content-length-and-transfer-encoding")
    if not minor:
        raise BadMessageError(400, "transfer-encoding-in-1.0")
    if coding.lower() != "chunked":
        known = is_token(coding)
        raise BadMessageError(501 if known else 400, "transfer-encoding-unknown")
    return None, True


def _check_option(name: str, managed: ManagedNames) -> None:
    """Refuse a ``Connection`` option that would take away what was decided on."""
    if not is_token(name):
        raise BadMessageError(400, "connection-malformed")
    if name in PROTECTED or managed.covers(name):
        raise BadMessageError(400, "connection-names-protected")
