"""
Tickets of mod_auth_tkt: read, check, and make them.

A ticket is one line of text: a digest and a time in hexadecimal digits, then
``user!tokens!data``.  The digest is over all that, the client's address and a secret
that everybody shares who makes tickets or checks them: whoever can check a ticket can
make one.  docs/formats/auth-tkt.md has it all.

The clock is the caller's: whether a ticket has expired is not looked at here.
"""

import hashlib
import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from functools import lru_cache
from hmac import compare_digest
from ipaddress import IPv4Address, ip_address
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import quote, unquote_to_bytes

import attrs

from sso_proxy.specs.pubtkt_keys import TicketError

TicketEncoding = Literal["utf-8", "latin-1"]
Digest = Literal["md5", "sha256", "sha512"]
IPv6Form = Literal["packed", "text"]
UserForm = Literal["plain", "quoted", "pyramid"]

LONGEST: Final = 4096
"""Octets of a whole ticket; what is encoded for a cookie may have a third more."""
LATEST: Final = 2**32 - 1
"""The last time that a ticket can name, in 2106."""
SHORTEST_SECRET: Final = 8
"""Octets that a secret should have: whoever has a ticket can try secrets at leisure."""
ANYWHERE: Final = "0.0.0.0"  # noqa: S104 - nothing listens there
"""The address in tickets that are good from any address."""

_HASHES: Final[Mapping[str, Callable[[bytes], Any]]] = {
    # The format asks for MD5.  Known are collisions, which whoever knows the secret
    # could make; a forger would have to find the digest of a text with the secret.
    "md5": hashlib.md5,
    "sha256": hashlib.sha256,
    "sha512": hashlib.sha512,
}
_DIGITS: Final[Mapping[str, int]] = {"md5": 32, "sha256": 64, "sha512": 128}
DIGESTS: Final[tuple[Digest, ...]] = ("md5", "sha256", "sha512")
"""The names of digests."""
_TIME: Final = 8
_SHORTEST_TEXT_TIME: Final = 10**9
"""The first time with ten digits."""
_TYPE: Final = "userid_type:"
_IN_BASE64: Final = ("b64unicode", "b64str")
_PYRAMID: Final = f"{_TYPE}b64unicode"

_control = re.compile(rb"[\x00-\x1f\x7f]").search
_is_hex = re.compile(rb"[0-9a-f]*").fullmatch
_is_base64 = re.compile(rb"[A-Za-z0-9+/]+={0,2}").fullmatch
_octal = re.compile(rb"\\([0-3][0-7]{2})").sub
_is_integer = re.compile(r"-?(?:0|[1-9][0-9]*)", re.ASCII).fullmatch
_is_escaped = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*+").fullmatch


@attrs.frozen(kw_only=True)
class Ticket:
    """
    What a ticket says.

    Attributes:
        uid: The user.
        timestamp: Seconds since the epoch when it was made.  How long it is good from
            then on is up to its readers.
        tokens: What the user may do; none has a comma or ``!`` in it.
        udata: Whatever the login server wants to tell; opaque.
    """

    uid: str
    timestamp: int
    tokens: tuple[str, ...] = ()
    udata: str = ""


@attrs.frozen(kw_only=True)
class TicketKey:
    """
    What the readers and makers of tickets have agreed on.

    Attributes:
        secret: What nobody else knows.
        digest: How the digest is made: ``md5``, ``sha256`` or ``sha512``.
        ipv6: How addresses of IPv6 are in the digest, of which mod_auth_tkt knows
            nothing: ``packed``, their 16 octets, or ``text``, as Paste and Pyramid do.
        user: How the user is written: ``plain``, as mod_auth_tkt reads it, ``quoted``,
            URL-encoded as Paste does it, or ``pyramid``: as Pyramid does, URL-encoded
            and of the type that the data say.
        encoding: How octets of the ticket stand for characters.
    """

    secret: bytes = attrs.field(repr=False)
    digest: Digest = "md5"
    ipv6: IPv6Form = "packed"
    user: UserForm = "plain"
    encoding: TicketEncoding = "utf-8"


class _Parts(NamedTuple):
    """
    A ticket's octets, taken apart.

    Attributes:
        mark: The digest.
        timestamp: The time.
        uid: The user as it is in the digest.
        tokens: The tokens, with commas between.
        udata: The data.
    """

    mark: bytes
    timestamp: int
    uid: bytes
    tokens: bytes
    udata: bytes


def verify(text: str | bytes, key: TicketKey, *, ip: str = ANYWHERE) -> Ticket:
    """
    Check a ticket's digest, and read it.

    Args:
        text: The ticket, without the encoding of a cookie.
        key: What it is checked with.
        ip: The address that shows it, which has to be the one that it was made for.

    Raises:
        TicketError: It is not this key's or not this address's, or is none that means
            one thing.
    """
    parts = _split(_octets(text, key.encoding), key)
    mark = _mark(parts, key, ip)
    if not compare_digest(mark, parts.mark):
        raise TicketError("has another digest", reason="ticket-signature")
    return _read(parts, key)


def parse(text: str | bytes, key: TicketKey) -> Ticket:
    """
    Read a ticket without a look at its digest: who gives it must be trusted.

    Raises:
        TicketError: It is none that means one thing.
    """
    return _read(_split(_octets(text, key.encoding), key), key)


def sign(ticket: Ticket, key: TicketKey, *, ip: str = ANYWHERE) -> str:
    """
    Make the text of a ticket that says what *ticket* does.

    Args:
        ticket: What it says.
        key: What its readers check it with.
        ip: The only address that it is good from; `ANYWHERE` for readers that do not
            look at addresses.

    Raises:
        TicketError: A field has a character that it cannot have, or the time is none,
            or all together is too long.
    """
    parts = _parts(ticket, key)
    user = parts.uid if key.user == "plain" else quote(parts.uid, "").encode("ascii")
    begin = b"%b%08x%b!" % (_mark(parts, key, ip), parts.timestamp, user)
    octets = begin + parts.udata
    if parts.tokens or b"!" in parts.udata:
        octets = begin + parts.tokens + b"!" + parts.udata
    # Else without the "!" of tokens, as all makers do it but mod_auth_tkt when it makes
    # a ticket anew: some readers compare the whole text.
    read = _split(octets, key)
    if read._replace(mark=b"") != parts or _read(read, key) != ticket:
        # Such as a "!" in the user, or a comma in a token.
        raise TicketError("has a field that cannot hold this", reason="ticket-field")
    return octets.decode(key.encoding)


def signed_octets(ticket: Ticket, key: TicketKey, *, ip: str = ANYWHERE) -> bytes:
    """
    Give the octets that the first of the two digests of *ticket* is over.

    Of two tickets for addresses of one family they are never the same.

    Raises:
        TicketError: A field has a character that it cannot have, or the time is none.
    """
    return _message(_parts(ticket, key), key, ip)


def encode_cookie(text: str, *, encoding: TicketEncoding = "utf-8") -> str:
    """Write a ticket as the value of a cookie: in base64."""
    return b64encode(text.encode(encoding)).decode("ascii")


def decode_cookie(value: str) -> bytes | None:
    """
    Take a ticket out of the value of a cookie, which may stand in quotes.

    It is the ticket itself if there is a ``!`` in it; URL-encoded if there is a
    ``%21``; else base64, which may be URL-encoded.  In quotes, a backslash and the
    octal number of a character stand for it, as Python's libraries write commas.

    Returns:
        None if it is none of these.
    """
    text = value.removesuffix('"').removeprefix('"')
    octets = text.encode("latin-1", "replace")
    if b"\\" in octets and len(value) - len(text) == 2:
        octets = _octal(lambda escape: bytes([int(escape[1], 8)]), octets)
    if b"!" in octets:
        return octets
    escaped = b"%21" in octets
    if b"%" in octets:
        if not _is_escaped(octets):
            return None
        octets = unquote_to_bytes(octets)
    return octets if escaped else _decode(octets)


def _decode(text: bytes) -> bytes | None:
    """Decode base64, of which the filling at the end may be missing."""
    if not _is_base64(text):
        return None
    digits = text.rstrip(b"=")
    if len(digits) % 4 == 1 or (digits != text and len(text) % 4):
        return None
    octets = b64decode(digits + b"=" * (-len(digits) % 4))
    # Else other letters at the end would stand for the same octets.
    return octets if b64encode(octets).rstrip(b"=") == digits else None


def _parts(ticket: Ticket, key: TicketKey) -> _Parts:
    """
    Give the octets of a ticket's fields.

    Raises:
        TicketError: They cannot be written, or the time is none.
    """
    if not 0 <= ticket.timestamp <= LATEST:
        raise TicketError("names a time that is none", reason="ticket-time")
    uid, udata = ticket.uid, ticket.udata
    if key.user == "pyramid":
        uid = b64encode(uid.encode("utf-8", "replace")).decode("ascii")
        udata = f"{_PYRAMID}|{udata}" if udata else _PYRAMID
    try:
        fields = [t.encode(key.encoding) for t in (uid, ",".join(ticket.tokens), udata)]
    except UnicodeEncodeError:
        raise TicketError(
            f"has characters beyond {key.encoding}", reason="ticket-encoding"
        ) from None
    return _Parts(b"", ticket.timestamp, *fields)


def _octets(text: str | bytes, encoding: TicketEncoding) -> bytes:
    return text.encode(encoding, "replace") if isinstance(text, str) else text


def _split(octets: bytes, key: TicketKey) -> _Parts:
    """
    Take a ticket apart.

    Raises:
        TicketError: It is none.
    """
    if len(octets) > LONGEST:
        raise TicketError(f"has more than {LONGEST} octets", reason="ticket-long")
    digits = _DIGITS[key.digest]
    begin, rest = octets[: digits + _TIME], octets[digits + _TIME :]
    user, found, others = rest.partition(b"!")
    if not found or not _is_hex(begin):
        raise TicketError("is no ticket", reason="ticket-signature")
    tokens, found, udata = others.partition(b"!")
    if not found:
        tokens, udata = b"", others
    if key.user != "plain":
        user = unquote_to_bytes(user)
    if b"\0" in user or b"\0" in others:
        # In the digest, a NUL stands between the fields.
        raise TicketError("has a NUL", reason="ticket-signature")
    return _Parts(begin[:digits], int(begin[digits:], 16), user, tokens, udata)


def _mark(parts: _Parts, key: TicketKey, ip: str) -> bytes:
    """Make the digest of a ticket, in lower-case hexadecimal digits."""
    hashed = _HASHES[key.digest]
    first = hashed(_message(parts, key, ip)).hexdigest().encode()
    digest: str = hashed(first + key.secret).hexdigest()
    return digest.encode()


def _message(parts: _Parts, key: TicketKey, ip: str) -> bytes:
    """Give what the first of the two digests is over."""
    _, timestamp, *fields = parts
    begin = _address(ip, timestamp, key.ipv6)
    return begin + key.secret + b"\0".join(fields)


def _address(ip: str, timestamp: int, form: IPv6Form) -> bytes:
    """
    Write an address and a time for the digest.

    Raises:
        TicketError: *ip* is no address, or the time has too few digits.
    """
    try:
        packed, text = _both_forms(ip)
    except ValueError:
        raise TicketError("is shown by no address", reason="ticket-address") from None
    if text and form == "text":
        # With fewer digits, ::1 with 1234567890 and ::11 with 234567890 are the same.
        if timestamp < _SHORTEST_TEXT_TIME:
            raise TicketError("names a time too long ago", reason="ticket-time")
        return f"{text}{timestamp}".encode()
    return packed + timestamp.to_bytes(4, "big")


@lru_cache(maxsize=1024)
def _both_forms(ip: str) -> tuple[bytes, str]:
    """
    Give the octets of an address, and its text if it is one of IPv6.

    Raises:
        ValueError: It is none.
    """
    address = ip_address(ip)
    if isinstance(address, IPv4Address):
        return address.packed, ""
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped.packed, ""
    return address.packed, str(address)


def _read(parts: _Parts, key: TicketKey) -> Ticket:
    """
    Read what a ticket says.

    Raises:
        TicketError: It cannot be read.
    """
    if any(_control(part) for part in parts[2:]):
        raise TicketError("has a control character", reason="ticket-control")
    try:
        uid, tokens, udata = (part.decode(key.encoding) for part in parts[2:])
    except UnicodeDecodeError:
        raise TicketError(f"is not {key.encoding}", reason="ticket-encoding") from None
    if key.user == "pyramid":
        uid, udata = _typed(uid, udata)
    if not uid:
        raise TicketError("has no user", reason="ticket-uid")
    return Ticket(
        uid=uid,
        timestamp=parts.timestamp,
        tokens=tuple(filter(None, tokens.split(","))),
        udata=udata,
    )


def _is_text(octets: bytes) -> bool:
    """Say whether these are characters in UTF-8, and none controls anything."""
    try:
        octets.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return not _control(octets)


def _typed(uid: str, udata: str) -> tuple[str, str]:
    """
    Read a user of the type that the data say; give the other data, too.

    Raises:
        TicketError: There is no such type, or the user is not of it.
    """
    data = udata.split("|")
    types = [datum for datum in data if datum.startswith(_TYPE)]
    if not types:
        return uid, udata
    udata = "|".join(datum for datum in data if not datum.startswith(_TYPE))
    type_ = ",".join(datum.removeprefix(_TYPE) for datum in types)
    if type_ == "unicode" or (type_ == "int" and _is_integer(uid)):
        return uid, udata
    if type_ in _IN_BASE64:
        octets = _decode(uid.encode("utf-8")) or b""
        if _is_text(octets):
            return octets.decode("utf-8"), udata
    raise TicketError("has a user of another type", reason="ticket-uid")
