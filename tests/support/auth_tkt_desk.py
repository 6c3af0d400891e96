"""Tickets of mod_auth_tkt, requests with them, and answers, in few words."""

import hashlib
import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from ipaddress import ip_address
from typing import Any, Final

import attrs

from sso_proxy.specs.auth_tkt import (
    ANYWHERE,
    Ticket,
    TicketKey,
    decode_cookie,
    encode_cookie,
    sign,
    verify,
)
from sso_proxy.specs.pubtkt_keys import TicketError

SSO: Final = "http://sso.test/"
SECRET: Final = "a secret that all share"
UNBELIEVED: Final = "?"
"""Stands for a ticket with a wrong digest in `Said.given`."""
OLD_SECRET: Final = "what it was before"
TIMEOUT: Final = 600
HERE: Final = "127.0.0.1"
SIX: Final = "2001:db8::1"
DIGEST_OF: Final[Mapping[str, Any]] = {
    "app.test": "md5",
    "sha256.test": "sha256",
    "sha512.test": "sha512",
    "nosecret.test": "md5",
    "six.test": "md5",
}
"""The digest of each site."""
URLS: Final[Mapping[str, str]] = {
    "login_url": SSO + "login",
    "timeout_url": SSO + "login?timeout=1",
    "post_timeout_url": SSO + "login?posttimeout=1",
    "unauth_url": SSO + "login?unauth=1",
}
SETTINGS: Final[Mapping[str, Mapping[str, Any]]] = {
    "/": {},
    "/ignoreip": {"ignore_ip": True},
    "/tok": {"tokens": ("admin", "staff")},
    "/tok/null": {"tokens": ("NULL", "admin")},
    "/guest": {"guest_login": True},
    "/guest/fall": {"guest_login": True, "guest_fallback": True},
    "/guest/tok": {"guest_login": True, "tokens": ("admin",)},
    "/guest/cookie": {
        "guest_login": True,
        "guest_cookie": True,
        "guest_user": "visitor",
    },
    "/guest/uuid": {"guest_login": True, "guest_user": "visitor-%8U"},
    "/guest/empty": {"guest_login": True, "guest_empty": True},
    "/name": {"cookie_name": "sso_t", "back_argument": "url"},
    "/noback": {"back_argument": ""},
    "/backcookie": {"back_cookie": "back_to"},
    "/norefresh": {"timeout_refresh": 0.0},
    "/always": {"timeout_refresh": 1.0},
    "/never": {"timeout": 0.0},
    "/ssl": {"require_ssl": True},
    "/amp": {"query_separator": "&"},
    "/relative": {"login_url": "/login"},
    "/domain": {"cookie_domain": "estate.test"},
    "/secure": {"cookie_secure": True},
    "/url": {"url_ticket": "cookie"},
    "/once": {"url_ticket": "once"},
    "/alone": {"guest_login": True, **dict.fromkeys(URLS)},
    "/every": {"every_cookie": True},
}
"""Options that our routes have beside those of all."""


def made(
    body: bytes,
    ip: str = ANYWHERE,
    time_text: bytes = b"6b49d200",
    more: bytes = b"",
    meant: tuple[bytes, bytes, bytes] | None = None,
) -> bytes:
    """
    Make an MD5 ticket, good or not, whose octets behind the time are *body*.

    Args:
        body: User, tokens, data.
        ip: For which address.
        time_text: The digits of its time.
        more: What follows that is not in the digest.
        meant: User, tokens and data in the digest, if not those of *body*.
    """
    uid, _, others = body.partition(b"!")
    tokens, found, udata = others.partition(b"!")
    fields = meant or ((uid, tokens, udata) if found else (uid, b"", others))
    begin = ip_address(ip).packed + int(time_text, 16).to_bytes(4, "big")
    secret = SECRET.encode()
    first = hashlib.md5(begin + secret + b"\0".join(fields), usedforsecurity=False)
    last = hashlib.md5(first.hexdigest().encode() + secret, usedforsecurity=False)
    return last.hexdigest().encode() + time_text + body + more


_cookie = re.compile(r"([^=]*)=([^;]*)").match


@attrs.frozen
class Said:
    """
    An answer.

    Attributes:
        status: The status.
        location: Where it sends browsers to; empty for nowhere.
        seen: What the backend saw: ``user``, ``tok``, ``data``.
        given: What is in the cookie that it sets, ``user!tokens!data name domain``,
            such as ``alice!! auth_tkt app.test``; empty if it sets none.
    """

    status: int
    location: str = ""
    seen: Mapping[str, str] = attrs.field(factory=dict)
    given: str = ""


@attrs.frozen
class Desk:
    """
    Makes tickets and reads what is given.

    Attributes:
        now: When it was opened.
    """

    now: int = attrs.field(factory=lambda: int(time.time()))

    def ticket(  # noqa: PLR0913 - all that tickets are made of
        self,
        uid: str = "alice",
        *,
        age: int = 0,
        tokens: tuple[str, ...] = (),
        udata: str = "",
        ip: str = HERE,
        secret: str = SECRET,
        digest: Any = "md5",  # noqa: ANN401
    ) -> str:
        """Make a ticket that is *age* seconds old."""
        ticket = Ticket(
            uid=uid, timestamp=int(time.time()) - age, tokens=tokens, udata=udata
        )
        key = TicketKey(secret=secret.encode(), digest=digest)
        return sign(ticket, key, ip=ip)

    def given(self, fields: Iterable[str], ip: str = HERE) -> str:
        """Say what is in the one cookie that an answer sets, and is good now."""
        said = []
        for field in fields:
            match = _cookie(field)
            assert match is not None
            name, value = match.groups()
            attributes = field.lower().replace(" ", "").split(";")[1:]
            assert "path=/" in attributes
            domain = next(a[7:] for a in attributes if a.startswith("domain="))
            gone = any(a.startswith("expires=") and "1970" in a for a in attributes)
            if not value:
                assert gone or "max-age=0" in attributes
            elif "%2f" not in value:
                value = self._read(value, ip)
            said.append(f"{value} {name} {domain}")
        return ", ".join(said)

    def _read(self, value: str, ip: str) -> str:
        octets = decode_cookie(value)
        assert octets is not None
        for address in (ip, ANYWHERE):
            try:
                ticket = verify(octets, TicketKey(secret=SECRET.encode()), ip=address)
            except TicketError:
                continue
            return "!".join((ticket.uid, ",".join(ticket.tokens), ticket.udata))
        return UNBELIEVED


Fields = Callable[[Desk], Iterable[str]]


@attrs.frozen
class Row:
    """
    One request.

    Attributes:
        name: What is special about it.
        theirs: What Debian's module answers.
        fields: Gives its header fields beside ``Host``.
        path: Its target.
        ours: What ours answers, if that is something else.
        why: Why.
        method: Its method.
        version: Of HTTP/1.
        host: What ``Host`` says.
        peer: The address that it comes from.
    """

    name: str
    theirs: Said
    fields: Fields = attrs.field(default=lambda _: ())
    path: str | Callable[[Desk], str] = "/x"
    ours: Said | None = None
    why: str = ""
    method: str = attrs.field(default="GET", kw_only=True)
    version: str = attrs.field(default="1.1", kw_only=True)
    host: str = attrs.field(default="app.test", kw_only=True)
    peer: str = attrs.field(default=HERE, kw_only=True)

    def octets(self, desk: Desk, *more: str) -> bytes:
        """Give the request as it is sent."""
        path = self.path if isinstance(self.path, str) else self.path(desk)
        lines = [
            f"{self.method} {path} HTTP/{self.version}",
            f"Host: {self.host}",
            *self.fields(desk),
            *more,
            "Connection: close",
        ]
        if self.method == "POST":
            lines.append("Content-Length: 0")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def check(self, wanted: Said, said: Said) -> None:
        """Compare an answer with one that is *wanted*, as far as that says."""
        assert (said.status, said.location, said.given) == (
            wanted.status,
            wanted.location,
            wanted.given,
        )
        if wanted.seen:
            assert {name: said.seen.get(name) for name in wanted.seen} == wanted.seen


def to(
    place: str,
    path: str = "/x",
    *,
    status: int = 307,
    host: str = "app.test",
    given: str = "",
) -> Said:
    """Send to *place* of the login server."""
    separator = ";" if "?" in place else "?"
    back = f"http%3a%2f%2f{host}" + path.replace("/", "%2f")
    return Said(status, f"{SSO}{place}{separator}back={back}", given=given)


def ok(user: str = "alice", given: str = "", **seen: str) -> Said:
    """Let somebody in."""
    return Said(200, seen={"user": user, **seen}, given=given)


LOGIN: Final = to("login")
GONE: Final = " auth_tkt app.test"
"""What is given to browsers whose ticket is taken from them."""


def base64(uid: str = "alice", **ticket: Any) -> Fields:  # noqa: ANN401
    """Show a ticket as login servers write it."""
    return written(encode_cookie, uid, **ticket)


def written(
    write: Callable[[str], str],
    uid: str = "alice",
    name: str = "auth_tkt",
    **ticket: Any,  # noqa: ANN401
) -> Fields:
    """Show a ticket in a cookie that is encoded in another way."""
    return lambda desk: [f"Cookie: {name}={write(desk.ticket(uid, **ticket))}"]


def octets(
    body: bytes,
    more: bytes = b"",
    write: Callable[[bytes], bytes] = bytes,
    meant: tuple[bytes, bytes, bytes] | None = None,
) -> Fields:
    """Show a ticket of these octets in base64; *write* changes its time."""

    def fields(_: Desk) -> Iterable[str]:
        now = int(time.time())
        now = next(t for t in range(now, 0, -1) if not (b"%08x" % t).isdigit())
        text = write(b"%08x" % now)
        ticket = made(body, HERE, text, more, meant)
        return [f"Cookie: auth_tkt={b64encode(ticket).decode()}"]

    return fields


def always(*fields: str) -> Fields:
    """Send header fields without a ticket."""
    return lambda _: fields


def two(first: str, second: str, **ticket: Any) -> Fields:  # noqa: ANN401
    """Show two cookies; ``{}`` stands for the good one's value."""
    return lambda desk: [
        f"Cookie: {first}; {second}".replace(
            "{}", encode_cookie(desk.ticket("alice", **ticket))
        )
    ]
