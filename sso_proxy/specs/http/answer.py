"""One answer head of a backend (RFC 9112 section 4): refused rather than repaired."""

import re
from typing import Final

import attrs

from sso_proxy.errors import BadAnswerError, BadMessageError
from sso_proxy.model import Headers
from sso_proxy.specs.http.head import check_unfinished, read_fields, split_head
from sso_proxy.specs.http.names import HOP_BY_HOP

_START: Final = b"HTTP/1."


@attrs.frozen(kw_only=True)
class Answer:
    """
    An answer's head.

    Attributes:
        minor: 0 or 1, of HTTP/1.0 or HTTP/1.1.
        status: 100 to 599.
        phrase: The reason phrase; may be empty.
        headers: Without framing and hop-by-hop fields; an answer to HEAD and a 304
            keep ``content-length``, which is not theirs but the representation's.
        length: Octets of the body, 0 if there is none; None if *chunked* or
            *until_close*.
        chunked: The body is chunked.
        until_close: The body ends where the connection ends.
        keep_alive: The backend takes a further request on this connection.
        upgrade: The ``Upgrade`` field in lower case, if ``Connection`` lists it and
            this is HTTP/1.1.
    """

    minor: int
    status: int
    phrase: str
    headers: Headers
    length: int | None
    chunked: bool
    until_close: bool
    keep_alive: bool
    upgrade: str | None = None


_read_status = re.compile(
    r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t\x20-\x7e\x80-\xff]*+))?"
).fullmatch
_is_length = re.compile("[0-9]{1,18}").fullmatch

_SPECIAL: Final = frozenset(
    {*HOP_BY_HOP, "connection", "content-length", "transfer-encoding", "upgrade"}
)
_NO_OPTIONS: Final[frozenset[str]] = frozenset()
_KEEP_ALIVE: Final = frozenset({"keep-alive"})
_HARMLESS_OPTIONS: Final = frozenset({"", "close", "keep-alive", "te", "upgrade"})
_COMBINED: Final = frozenset({*HOP_BY_HOP, "connection", "upgrade"})


def end_of_answer_head(buffer: bytes, limit: int = 65536) -> int:
    """
    Find the index after the empty line that ends the head; -1 if more is needed.

    Args:
        buffer: All that came since the last answer ended.
        limit: Octets that a head may have.

    Raises:
        BadAnswerError: Too long, or what came is no head.
    """
    if not _START.startswith(buffer[:7]):
        raise BadAnswerError("answer-start")
    end = buffer.find(b"\r\n\r\n", 0, limit)
    if end >= 0:
        return end + 4
    if len(buffer) >= limit:
        raise BadAnswerError("answer-head-too-long")
    try:
        check_unfinished(buffer)
    except BadMessageError as error:
        raise BadAnswerError(error.reason) from None
    return -1


def read_answer(data: bytes, *, method: str) -> Answer:
    """
    Read one answer head.

    Args:
        data: From the first octet of the status line through the empty line.
        method: Of the request; an answer to HEAD has no body.

    Raises:
        BadAnswerError: It cannot be read in exactly one way.
    """
    try:
        lines = split_head(data)
        match = _read_status(lines.pop(0))
        fields = read_fields(lines)
    except BadMessageError as error:
        raise BadAnswerError(error.reason) from None
    if match is None:
        raise BadAnswerError("status-line")
    version, digits, phrase = match.groups()
    minor = version == "1"
    status = int(digits)
    fields, special = _sort_fields(fields)
    options = _options(special.get("connection"))
    if options - _HARMLESS_OPTIONS:
        fields = tuple([field for field in fields if field[0] not in options])
    length = _read_length(special, minor=minor)
    if method == "HEAD" or status < 200 or status in (204, 205, 304):
        fields = _check_bodiless(method, status, special, fields)
        length = 0
    chunked = length is None and "transfer-encoding" in special
    until_close = length is None and not chunked
    upgrade = special.get("upgrade") if minor and "upgrade" in options else None
    return Answer(
        minor=int(minor),
        status=status,
        phrase=phrase or "",
        headers=fields,
        length=length,
        chunked=chunked,
        until_close=until_close,
        keep_alive=not until_close
        and "close" not in options
        and (minor or "keep-alive" in options),
        upgrade=upgrade.lower() if upgrade else None,
    )


def _sort_fields(fields: Headers) -> tuple[Headers, dict[str, str]]:
    """Sort into what the client gets and what belongs to this hop."""
    kept = []
    special: dict[str, str] = {}
    for field in fields:
        name = field[0]
        if name not in _SPECIAL:
            kept.append(field)
        elif name in special:
            special[name] = _combine(name, special[name], field[1])
        else:
            special[name] = field[1]
    return tuple(kept), special


def _options(value: str | None) -> frozenset[str]:
    """Read ``Connection``."""
    if value is None:
        return _NO_OPTIONS
    if value == "keep-alive":
        return _KEEP_ALIVE
    return frozenset([option.strip(" \t") for option in value.lower().split(",")])


def _combine(name: str, first: str, second: str) -> str:
    """Join the values of a repeated field, or refuse it."""
    if name not in _COMBINED:
        raise BadAnswerError(f"{name}-repeated")
    return f"{first}, {second}"


def _read_length(special: dict[str, str], *, minor: bool) -> int | None:
    """Read the length that the fields tell; None if chunked or none is told."""
    coding = special.get("transfer-encoding")
    digits = special.get("content-length")
    if digits is not None:
        if coding is not None:
            raise BadAnswerError("content-length-and-transfer-encoding")
        if not _is_length(digits):
            raise BadAnswerError("content-length-malformed")
        return int(digits)
    if coding is not None:
        if not minor:
            raise BadAnswerError("transfer-encoding-in-1.0")
        if coding.lower() != "chunked":
            raise BadAnswerError("transfer-encoding-unknown")
    return None


def _check_bodiless(
    method: str, status: int, special: dict[str, str], fields: Headers
) -> Headers:
    """
    Refuse an answer that must have no body and announces one.

    RFC 9112 section 6.3: HEAD, 1xx, 204 and 304 end with their head, whatever the
    fields say.  A client or a pool that believes the fields instead takes the next
    answer for the body.
    """
    length = special.get("content-length")
    if status == 304 or (method == "HEAD" and status >= 200 and status != 204):
        return fields if length is None else (*fields, ("content-length", length))
    if status == 205:
        # RFC 9110 section 15.3.6: no content, but framed like any other answer.
        if length is None or int(length) != 0:
            raise BadAnswerError("body-in-205")
    elif "transfer-encoding" in special or (length is not None and int(length) != 0):
        raise BadAnswerError("body-in-bodiless-answer")
    return fields
