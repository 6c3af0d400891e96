"""
The audit record: one line of JSON for every request; see docs/formats/audit.md.

Built in parts, since most of it is the same for all requests of an admission:
`place_part` and `caller_part` once, `audit_line` for each request.  Everything from
outside is escaped wherever it could matter: a record cannot be forged, and no reader's
terminal driven, by what a client sends.
"""

import functools
import json
import time as time_module
from collections.abc import Iterable
from typing import Any, Final, Literal, final

from sso_proxy.model import TlsFacts

VERSION: Final = 1

MAX_TEXT: Final = 512
"""Characters that a text from outside may have; the rest is cut, and shown so."""

MAX_PATH: Final = 2048
"""Characters of the path of a request that was not let through."""

DecisionMember = Literal["permit", "deny", "error"]

_QUOTES: Final = 26
"""Quotation marks in what `frame_of` makes, if none of the values has one."""

_PLAIN: Final = bytes(set(range(0x20, 0x7F)) - set(b"\\?"))
"""Octets that need no escaping.  ``?`` is none: it stands for what is not ASCII."""

_dump = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_quote = json.encoder.encode_basestring_ascii


def place_part(  # noqa: PLR0913
    *,
    listener: str,
    client: str,
    peer: str,
    tls: TlsFacts | None = None,
    host: str = "",
    route: str = "",
) -> str:
    """
    Give the members that stay the same for a client's requests to a route.

    As JSON without the braces, in ASCII, and so does `caller_part`; a record has both.

    Args:
        listener: Where the connection was accepted: ``0.0.0.0:8443``.
        client: The client's address, after trusted proxies.
        peer: The address at the other end of the connection.
        tls: Facts of the client's TLS connection.
        host: The canonical host.
        route: The route's name.
    """
    return (
        f'"listener":{_quote(_cut(listener))},"client":{_quote(client)}'
        f',"peer":{_quote(peer)},"tls":{"null" if tls is None else _tls(tls)}'
        f',"host":{_quote(_cut(host))},"route":{_quote(_cut(route))}'
    )


def caller_part(  # noqa: PLR0913
    *,
    authenticator: str = "",
    issuer: str = "",
    subject: str = "",
    user: str = "",
    bindings: Iterable[str] = (),
    session: str = "",
) -> str:
    """
    Give the members that stay the same for an identity's requests.

    Args:
        authenticator: The configured name of the one that found the identity.
        issuer: The identity's issuer.
        subject: The identity's subject.
        user: The name that the backend knows the user by.
        bindings: Kinds of binding that were satisfied.
        session: The id of the browser's session, which is no secret.
    """
    who = _quote(_cut(subject))
    name = who if user == subject else _quote(_cut(user))
    kinds = ",".join([_quote(kind) for kind in bindings]) if bindings else ""
    return (
        f'{_voucher_part(authenticator, issuer)},"subject":{who},"user":{name}'
        f',"bindings":[{kinds}],"session":{_quote(session)}'
    )


@functools.lru_cache(maxsize=256)  # there are a few, and many whom they vouch for
def _voucher_part(authenticator: str, issuer: str) -> str:
    """Give the members that say who vouches for an identity."""
    return (
        f',"authenticator":{_quote(_cut(authenticator))}'
        f',"issuer":{_quote(_cut(issuer))}'
    )


def _tls(facts: TlsFacts) -> str:
    certificate = facts.certificate
    shown = "null"
    if certificate is not None:
        verified = "true" if certificate.verified else "false"
        thumbprint = _quote(certificate.thumbprint)
        shown = f'{{"x5t#S256":{thumbprint},"verified":{verified}}}'
    return (
        f'{{"version":{_quote(facts.version)},"cipher":{_quote(facts.cipher)}'
        f',"server_name":{_quote(_cut(facts.server_name or ""))}'
        f',"certificate":{shown}}}'
    )


def audit_line(  # noqa: PLR0913
    stable: str,
    *,
    time: float,
    id: str,  # noqa: A002
    method: str,
    path: str,
    status: int,
    reason: str,
    sent: int,
    received: int,
    duration: float,
    upstream_status: int | None,
    upstream: str,
    decision: DecisionMember = "permit",
) -> bytes:
    """
    Give the record of a request that could be read, as a line.

    The values are canonical and need no escaping, which is not taken on trust: a line
    that has more quotation marks than its own, a backslash or a character that is not
    printable ASCII is made again, with everything escaped.

    Args:
        stable: From `place_part` and `caller_part`.
        time: When the head was complete, seconds since the epoch.
        id: The request id.
        method: The request's method.
        path: Its canonical path, without the query.
        status: What the client got; 0 if it got nothing.
        reason: A short code; empty if the answer is the backend's.
        sent: Octets of the answer's body.
        received: Octets of the request's body.
        duration: Seconds from *time* to the end of the answer.
        upstream_status: What the backend answered, or None.
        upstream: The backend asked, or empty.
        decision: ``permit``, ``deny`` or ``error``.
    """
    frame = frame_of(
        method=method,
        path=path,
        status=status,
        reason=reason,
        upstream_status=upstream_status,
        upstream=upstream,
        decision=decision,
    )
    if frame is not None and is_plain(id):
        return framed_line(
            frame,
            stable,
            time=time,
            id=id,
            sent=sent,
            received=received,
            duration=duration,
        )
    return _escaped_line(
        stable,
        {
            "v": VERSION,
            "time": round(time, 6),
            "id": _cut(id),
            "decision": decision,
            "method": _cut(method),
            "path": path,
            "status": status,
            "reason": _cut(reason),
            "sent": sent,
            "received": received,
            "duration": round(duration, 6),
            "upstream": _cut(upstream),
            "upstream_status": upstream_status,
        },
    )


@final
class Frame:
    """
    What is the same in the records of equal requests that were answered alike.

    Attributes:
        decided: The members between id and sizes.
        answered: Those between the duration and what is known of the caller.
    """

    __slots__ = ("answered", "decided")

    def __init__(self, decided: str, answered: str) -> None:
        self.decided: Final = decided
        self.answered: Final = answered


def frame_of(  # noqa: PLR0913
    *,
    method: str,
    path: str,
    status: int,
    reason: str,
    upstream_status: int | None,
    upstream: str,
    decision: DecisionMember = "permit",
) -> Frame | None:
    """
    Give what `framed_line` needs; None if any of it has to be escaped.

    Args:
        method: As that of `audit_line`, and so are the others.
        path: Its canonical path, without the query.
        status: What the client got; 0 if it got nothing.
        reason: A short code; empty if the answer is the backend's.
        upstream_status: What the backend answered, or None.
        upstream: The backend asked, or empty.
        decision: ``permit``, ``deny`` or ``error``.
    """
    decided = (
        f',"decision":"{decision}","method":"{method}","path":"{path}"'
        f',"status":{status},"reason":"{reason}","sent":'
    )
    answered = (
        f',"upstream":"{upstream}","upstream_status":'
        f"{'null' if upstream_status is None else upstream_status},"
    )
    octets = (decided + answered).encode("ascii", "replace")
    if octets.count(b'"') != _QUOTES or octets.translate(None, _PLAIN):
        return None
    return Frame(decided, answered)


def is_plain(request_id: str) -> bool:
    """Say whether a request id has nothing in it that could need escaping."""
    return (
        request_id.isascii()
        and request_id.isprintable()
        and '"' not in request_id
        and "\\" not in request_id
    )


def framed_line(  # noqa: PLR0913
    frame: Frame,
    stable: str,
    *,
    time: float,
    id: str,  # noqa: A002
    sent: int,
    received: int,
    duration: float,
) -> bytes:
    """
    Give the same line as `audit_line`, whose arguments these are.

    *frame* is what `frame_of` gave for the others; *id* has to be plain (`is_plain`).
    """
    began, took = int(time * 1e6 + 0.5), int(duration * 1e6 + 0.5)
    if began < 0 or took < 0:  # a clock was set back
        return (
            f'{{"v":1,"time":{time:.6f},"id":"{id}"{frame.decided}{sent}'
            f',"received":{received},"duration":{duration:.6f}{frame.answered}'
            f"{stable}}}\n"
        ).encode("ascii")
    # To format a float takes ten times as long.
    second, tick = _whole(began), began % 1_000_000
    lasted, rest = _whole(took), took % 1_000_000
    return (
        f'{{"v":1,"time":{second}.{_TWO[tick // 10000]}{_TWO[tick // 100 % 100]}'
        f'{_TWO[tick % 100]},"id":"{id}"{frame.decided}{sent},"received":{received}'
        f',"duration":{lasted}.{_TWO[rest // 10000]}{_TWO[rest // 100 % 100]}'
        f"{_TWO[rest % 100]}{frame.answered}{stable}}}\n"
    ).encode("ascii")


@final
class _Second:
    """The second that was written last: many records in a row are of the same."""

    __slots__ = ("number", "text")

    def __init__(self) -> None:
        self.number = 0
        self.text = "0"


_LAST: Final = _Second()
_TWO: Final = [f"{i:02d}" for i in range(100)]
"""Two digits each."""


def _whole(microseconds: int) -> str:
    """Write how many seconds they are."""
    whole = microseconds // 1_000_000
    if not whole:
        return "0"
    if whole != _LAST.number:
        _LAST.number, _LAST.text = whole, str(whole)
    return _LAST.text


def refused_line(  # noqa: PLR0913
    stable: str,
    *,
    time: float,
    id: str,  # noqa: A002
    status: int,
    reason: str,
    sent: int,
    received: int,
    duration: float,
    method: str = "",
    path: str = "",
    decision: DecisionMember | None = None,
) -> bytes:
    """
    Give the record of a request that was not let through, or could not be read.

    Args:
        stable: From `place_part` and `caller_part`, with what is known; empty if
            nothing is.
        time: When the request was given up, seconds since the epoch.
        id: The request id.
        status: What the client got; 0 if it got nothing.
        reason: Why it could not be read.
        sent: Octets of the answer's body.
        received: Octets received of the request.
        duration: Seconds from its first octet.
        method: The method, or what stands in its place; escaped and cut.
        path: The path, or what stands in its place; escaped, and cut before a
            query, which may hold a secret.
        decision: ``deny`` or ``error``; unset, what *status* says.
    """
    for sign in "?#\r\n":
        path = path.partition(sign)[0]
    return _escaped_line(
        stable,
        {
            "v": VERSION,
            "time": round(time, 6),
            "id": _cut(id),
            "decision": decision or decision_of(status),
            "method": _cut(method, 32),
            "path": _cut(path, MAX_PATH),
            "status": status,
            "reason": _cut(reason),
            "sent": sent,
            "received": received,
            "duration": round(duration, 6),
            "upstream": "",
            "upstream_status": None,
        },
    )


def decision_of(status: int) -> DecisionMember:
    """Say what a request that was not let through met with, by our answer's status."""
    denied = status in {401, 403, 404, 405, 421} or 300 <= status < 400
    return "deny" if denied else "error"


def combined_line(  # noqa: PLR0913
    *,
    client: str,
    user: str,
    time: float,
    method: str,
    path: str,
    status: int,
    sent: int,
    minor: int = 1,
    referer: str = "",
    agent: str = "",
) -> bytes:
    r"""
    Give a line in the form of Apache's combined log, in ASCII.

    Blanks in *user*, quotation marks, backslashes and whatever is not printable ASCII
    become ``\xHH``.  Queries are left out of *referer* as they are of *path*: they may
    hold secrets.
    """
    shown = _shown(user).replace(" ", "\\x20") or "-"
    referer = _shown(_cut(referer.partition("?")[0], 2048)) or "-"
    line = (
        f"{client or '-'} - {shown} [{_clock_time(int(time))}]"
        f' "{_shown(method)} {_shown(path)} HTTP/1.{minor}" {status} {sent or "-"}'
        f' "{referer}" "{_shown(_cut(agent)) or "-"}"\n'
    )
    return line.encode("ascii")


def _is_plain(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _cut(text: str, length: int = MAX_TEXT) -> str:
    return text if len(text) <= length else text[:length] + "…"


_NOTHING: Final = place_part(listener="", client="", peer="") + caller_part()


def _escaped_line(stable: str, members: dict[str, Any]) -> bytes:
    return f"{_dump(members)[:-1]},{stable or _NOTHING}}}\n".encode("ascii")


def _shown(text: str) -> str:
    if _is_plain(text) and '"' not in text and "\\" not in text:
        return text
    return "".join(
        chr(octet)
        if 0x20 <= octet < 0x7F and octet not in b'"\\'
        else f"\\x{octet:02x}"
        for octet in text.encode("utf-8", "surrogatepass")
    )


_MONTHS: Final = (
    *("Jan", "Feb", "Mar", "Apr", "May", "Jun"),
    *("Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
)


@functools.lru_cache(maxsize=4)
def _clock_time(second: int) -> str:
    """Write *second* as ``10/Oct/2026:13:55:36 +0000``, whatever the locale."""
    t = time_module.gmtime(second)
    return (
        f"{t.tm_mday:02}/{_MONTHS[t.tm_mon - 1]}/{t.tm_year}"
        f":{t.tm_hour:02}:{t.tm_min:02}:{t.tm_sec:02} +0000"
    )
