"""Tickets of mod_auth_pubtkt, requests with them, and answers, in few words."""

import time
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from typing import Final
from urllib.parse import quote

import attrs

from sso_proxy.specs.pubtkt import encrypt_bauth
from tests.support.pubtkt_keys import signing_key

SSO: Final = "http://sso.test/"
APP: Final = "http%3a%2f%2fapp.test"
BASIC_KEY: Final = "0123456789abcdef"
LOCATIONS: Final[Mapping[str, Mapping[str, object]]] = {
    "/": {},
    "/dsa": {"public_key": "dsa"},
    "/dsa1024": {"public_key": "dsa1024"},
    "/rsa1024": {"public_key": "rsa1024"},
    "/rsa256": {"digest": "SHA256"},
    "/rsa512": {"digest": "SHA512"},
    "/digest-before-key": {"digest": "SHA256"},
    "/rsa256/childkey": {"digest": "SHA256"},
    "/key2": {"public_key": "rsa.2"},
    "/tok": {"tokens": ("admin", "staff")},
    "/tok/null": {"tokens": ("NULL",)},
    "/mfa": {"require_multifactor": True},
    "/hdr": {"headers": ("X-My-Auth", "Cookie")},
    "/fake": {"fake_basic": True},
    "/bauth": {"passthru_basic": True},
    "/bauthenc": {"passthru_basic": True, "passthru_basic_key": BASIC_KEY},
    "/ssl": {"require_ssl": True},
    "/name": {"cookie_name": "sso_t", "back_argument": "url"},
}
"""Options that our routes have beside those of all."""
URLS: Final[Mapping[str, str]] = {
    "login_url": SSO + "login",
    "timeout_url": SSO + "login?timeout=1",
    "post_timeout_url": SSO + "login?posttimeout=1",
    "unauth_url": SSO + "login?unauth=1",
    "refresh_url": SSO + "refresh",
    "bad_ip_url": SSO + "badip",
    "multifactor_url": SSO + "mfa",
}
_IV = bytes(range(16))
PLAIN = b64encode(b"al:pw").decode()
WRONG_KEY = encrypt_bauth(b"al:secretpw", b"fedcba9876543210", _IV)
NOBODY = "nologin.test"
"""A site without a login server."""


@attrs.frozen
class Said:
    """
    An answer.

    Attributes:
        status: The status.
        location: Where it sends browsers to; empty for nowhere.
        seen: What the backend saw: ``user``, ``tok``, ``data``, ``authorization``.
    """

    status: int
    location: str = ""
    seen: Mapping[str, str] = attrs.field(factory=dict)


class Desk:
    """Makes tickets, the same one for the same words."""

    def __init__(self) -> None:
        self.now = int(time.time())
        self._made: dict[tuple[str, str, str | None], str] = {}

    def ticket(self, body: str, key: str = "rsa", digest: str | None = None) -> str:
        """Sign *body*, in which ``{3600}`` stands for the time in an hour."""
        name = (body, key, digest)
        if name not in self._made or "{0}" in body:
            text = self.dated(body)
            mark = signing_key(key, digest).sign(text.encode())
            self._made[name] = f"{text};sig={b64encode(mark).decode()}"
        return self._made[name]

    def dated(self, body: str) -> str:
        """Put times into *body*."""
        for seconds in (3600, 60, -10):
            body = body.replace(f"{{{seconds}}}", str(self.now + seconds))
        return body.replace("{0}", str(int(time.time())))

    def with_plus(self, uid: str) -> str:
        """Make a ticket whose signature has a ``+`` in it."""
        bodies = (good(uid, udata=f"{number}") for number in range(1000))
        tickets = (self.ticket(body) for body in bodies)
        return next(each for each in tickets if "+" in each.partition(";sig=")[2])


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
    """

    name: str
    theirs: Said
    fields: Fields = attrs.field(default=lambda _: ())
    path: str = "/x"
    ours: Said | None = None
    why: str = ""
    method: str = attrs.field(default="GET", kw_only=True)
    version: str = attrs.field(default="1.1", kw_only=True)
    host: str = attrs.field(default="app.test", kw_only=True)

    def octets(self, desk: Desk) -> bytes:
        """Give the request as it is sent."""
        lines = [
            f"{self.method} {self.path} HTTP/{self.version}",
            f"Host: {self.host}",
            *self.fields(desk),
            "Connection: close",
        ]
        if self.method == "POST":
            lines.append("Content-Length: 0")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    def ask(self, desk: Desk, send: Callable[[bytes], Said]) -> Said:
        """Ask, and once more if another second has begun meanwhile."""
        for _ in range(3):
            second = int(time.time())
            said = send(self.octets(desk))
            if int(time.time()) == second:
                break
        return said

    def check(self, wanted: Said, said: Said) -> None:
        """Compare an answer with one that is *wanted*, as far as that says."""
        assert (said.status, said.location) == (wanted.status, wanted.location)
        if wanted.seen:
            assert {name: said.seen.get(name) for name in wanted.seen} == wanted.seen


def good(uid: str = "alice", until: str = "{3600}", udata: str = "") -> str:
    """Give what a plain ticket says."""
    return f"uid={uid};validuntil={until};tokens=;udata={udata}"


def to(place: str, path: str = "/x", *, status: int = 307, arg: str = "back") -> Said:
    """Send to *place* of the login server."""
    separator = "&" if "?" in place else "?"
    back = APP + path.replace("/", "%2f")
    return Said(status, f"{SSO}{place}{separator}{arg}={back}")


def ok(user: str = "alice", **seen: str) -> Said:
    """Let somebody in."""
    return Said(200, seen={"user": user, **seen})


LOGIN = to("login")


def cookie(
    body: str, key: str = "rsa", digest: str | None = None, name: str = "auth_pubtkt"
) -> Fields:
    """Show a ticket as login servers set it."""
    return lambda desk: [f"Cookie: {name}={quote(desk.ticket(body, key, digest), '')}"]


def shown(write: Callable[[str], str], body: str = good()) -> Fields:
    """Show a ticket in another way: *write* gives a header field for its text."""
    return lambda desk: [write(desk.ticket(body))]


def both(fields: Fields, *more: str) -> Fields:
    """Add header fields."""
    return lambda desk: [*fields(desk), *more]


def changed(change: Callable[[str], str]) -> Fields:
    """Show a ticket that is changed before it is URL-encoded."""
    return shown(lambda text: f"Cookie: auth_pubtkt={quote(change(text), safe='')}")


def written(write: Callable[[str], str], body: str = good()) -> Fields:
    """Show a ticket in a cookie that is encoded in another way."""
    return shown(lambda text: f"Cookie: auth_pubtkt={write(text)}", body)


def plus(write: Callable[[str], str]) -> Fields:
    """Show a ticket that has a ``+`` in its signature."""
    return lambda desk: [write(desk.with_plus("plus"))]


def more(fields: Fields, *others: str) -> Fields:
    """Add header fields."""
    return lambda desk: [*fields(desk), *others]


def always(*fields: str) -> Fields:
    """Send header fields without a ticket."""
    return lambda _: fields


def two(first: str, second: str) -> Fields:
    """Show two cookies; ``{}`` stands for the good one's value."""
    return shown(
        lambda text: f"Cookie: {first}; {second}".replace("{}", quote(text, ""))
    )


def padded(octets: int) -> Fields:
    """Show a ticket of so many octets, most of them in udata."""

    def fields(desk: Desk) -> Iterable[str]:
        mark = len(";sig=") + 344  # of RSA with 2,048 bits
        room = octets - mark - len(desk.dated(good()))
        return cookie(good(udata="e" * room))(desk)

    return fields


def altered(text: str) -> str:
    body, _, mark = text.partition(";sig=")
    return f"{body};sig={'A' if mark[0] != 'A' else 'B'}{mark[1:]}"


def bauth(value: str) -> Fields:
    return cookie(f"uid=alice;validuntil={{3600}};bauth={value};tokens=;udata=")


def encrypted(credentials: bytes) -> Fields:
    return bauth(encrypt_bauth(credentials, BASIC_KEY.encode(), _IV))


def tok(tokens: str) -> Fields:
    return cookie(f"uid=alice;validuntil={{3600}};tokens={tokens};udata=")


def mfa(field: str) -> Fields:
    return cookie(good() + field)


def cip(address: str, until: str = "{3600}") -> Fields:
    return cookie(f"uid=alice;cip={address};validuntil={until};tokens=;udata=")


def grace(when: str) -> Fields:
    return cookie(f"uid=alice;validuntil={{3600}};graceperiod={when};tokens=;udata=")
