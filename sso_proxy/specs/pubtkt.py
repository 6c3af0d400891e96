"""
Tickets of mod_auth_pubtkt: read, check, and make them.

A ticket is one line of text, ``uid=alice;validuntil=1800000000;tokens=;udata=;sig=…``:
fields ``name=value`` with ``;`` between them, and last the signature, in base64, over
everything before ``;sig=``.  docs/formats/pubtkt.md has it all.

The clock is the caller's: whether a ticket has expired is not looked at here.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from typing import Final, Literal
from urllib.parse import quote

import attrs
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

from sso_proxy.specs.pubtkt_keys import SigningKey, TicketError, VerifyingKey

TicketEncoding = Literal["utf-8", "latin-1"]

LONGEST: Final = 1024
"""Octets of a whole ticket."""
SHORTEST_COOKIE: Final = 64
"""Octets of a ticket in a cookie; what has fewer counts as none."""
LIMITS: Final[Mapping[str, int]] = {
    "uid": 255,
    "cip": 39,
    "bauth": 255,
    "tokens": 255,
    "udata": 255,
}
"""Octets of a field.  mod_auth_pubtkt cuts longer ones off; here they are refused."""
LATEST: Final = 2**32 - 1
"""The last time that a ticket can name, in 2106: its readers have 32 bits for it."""
BAUTH_BLOCK: Final = 16
"""Octets of the key, the IV, and of a block of an encrypted ``bauth``."""

_SIGNATURE: Final = b";sig="
_control = re.compile(rb"[\x00-\x1f\x7f]").search
_HEX: Final = "0123456789ABCDEFabcdef"
_ESCAPES: Final = {
    f"{high}{low}".encode(): bytes.fromhex(high + low)
    for high in _HEX
    for low in _HEX
    if high + low != "00"
}
"""Two hexadecimal digits, to the octet that they stand for; a NUL is none."""
_alphabet = re.compile(rb"[A-Za-z0-9+/]*+").match
_digits = re.compile(r"[0-9]{1,10}(?![0-9])", re.ASCII).match


@attrs.frozen(kw_only=True)
class Ticket:
    """
    What a ticket says.

    Attributes:
        uid: The user.
        valid_until: The last second, since the epoch, in which it is good.
        cip: The client's address; empty for any.
        grace_period: The last second in which it needs no refreshing; 0: it never does.
        bauth: What stands behind ``Basic`` for the backend, in base64, perhaps
            encrypted; empty for nothing.  A secret: it has a password in it.
        tokens: What the user may do; none has a comma in it.
        udata: Whatever the login server wants to tell; opaque.
        multifactor: ``1`` if the user logged in with more than a password; empty if
            the ticket does not say.
    """

    uid: str
    valid_until: int
    cip: str = ""
    grace_period: int = 0
    bauth: str = attrs.field(default="", repr=False)
    tokens: tuple[str, ...] = ()
    udata: str = ""
    multifactor: str = ""


def verify(
    text: str | bytes, key: VerifyingKey, *, encoding: TicketEncoding = "utf-8"
) -> Ticket:
    """
    Check a ticket's signature, and read it.

    Args:
        text: The ticket, without the encoding of a cookie.
        key: Whose tickets are good.
        encoding: How octets of the ticket stand for characters.

    Raises:
        TicketError: It is not this key's, or is none that means one thing.
    """
    octets = text.encode(encoding, "replace") if isinstance(text, str) else text
    if len(octets) > LONGEST:
        raise TicketError(f"has more than {LONGEST} octets", reason="ticket-long")
    signed, found, rest = octets.partition(_SIGNATURE)
    if not found:
        raise TicketError("has no signature", reason="ticket-signature")
    key.verify(signed, _decode(rest, "ticket-signature"))
    return _read(signed, encoding)


def parse(text: str | bytes, *, encoding: TicketEncoding = "utf-8") -> Ticket:
    """
    Read a ticket without a look at its signature: who gives it must be trusted.

    What stands behind the first ``;sig=`` is never read: nobody has signed it.

    Raises:
        TicketError: It is none that means one thing.
    """
    octets = text.encode(encoding, "replace") if isinstance(text, str) else text
    if len(octets) > LONGEST:
        raise TicketError(f"has more than {LONGEST} octets", reason="ticket-long")
    return _read(octets.partition(_SIGNATURE)[0], encoding)


def sign(ticket: Ticket, key: SigningKey, *, encoding: TicketEncoding = "utf-8") -> str:
    """
    Make the text of a ticket that says what *ticket* does.

    Raises:
        TicketError: A field has a character that it cannot have, or is too long, or all
            together are.
    """
    fields = ";".join(f"{name}={value}" for name, value in _fields(ticket))
    try:
        signed = fields.encode(encoding)
    except UnicodeEncodeError:
        raise TicketError(
            f"has characters beyond {encoding}", reason="ticket-encoding"
        ) from None
    if _read(signed, encoding) != ticket:
        # Such as a ";" in a value, or a comma in a token.
        raise TicketError("has a field that cannot hold this", reason="ticket-field")
    signature = b64encode(key.sign(signed)).decode("ascii")
    if len(signed) + len(_SIGNATURE) + len(signature) > LONGEST:
        raise TicketError(f"has more than {LONGEST} octets", reason="ticket-long")
    return f"{fields};sig={signature}"


def encode_cookie(text: str, *, encoding: TicketEncoding = "utf-8") -> str:
    """Write a ticket as the value of a cookie: URL-encoded, ``+`` too."""
    return quote(text, safe="", encoding=encoding)


def decode_cookie(value: str) -> bytes | None:
    """
    Take a ticket out of the value of a cookie, which may stand in quotes.

    Returns:
        None if it is not URL-encoded, or has a NUL in it.
    """
    return decode_field(value.removesuffix('"').removeprefix('"'))


def decode_field(value: str) -> bytes | None:
    """
    Take a ticket out of the value of another header field.

    A ``+`` stands for a blank: in the base64 of signatures it has to be ``%2B``.

    Returns:
        None if it is not URL-encoded, or has a NUL in it.
    """
    octets = value.encode("latin-1").replace(b"+", b" ")
    first, *others = octets.split(b"%")
    try:  # this is done for each request
        parts = [_ESCAPES[part[:2]] + part[2:] for part in others]
    except KeyError:
        return None
    return first + b"".join(parts)


def encode_bauth(user: str, password: str) -> str:
    """Write the credentials of a backend as the ``bauth`` of a ticket, in clear."""
    return b64encode(f"{user}:{password}".encode()).decode("ascii")


def encrypt_bauth(credentials: bytes, key: bytes, iv: bytes) -> str:
    """
    Encrypt ``user:password`` for the ``bauth`` of a ticket.

    AES-128 in CBC mode, filled up with NULs, without a check of its own: that nobody
    changes it is up to the signature of the ticket.

    Args:
        credentials: Without NULs.
        key: `BAUTH_BLOCK` octets that reader and writer share.
        iv: `BAUTH_BLOCK` octets, random, new each time.

    Raises:
        ValueError: The credentials have a NUL in them.
    """
    if b"\0" in credentials:
        raise ValueError("credentials cannot have a NUL")
    filled = credentials + b"\0" * (-len(credentials) % BAUTH_BLOCK)
    cipher = Cipher(AES(key), CBC(iv)).encryptor()
    return b64encode(iv + cipher.update(filled) + cipher.finalize()).decode("ascii")


def decrypt_bauth(bauth: str, key: bytes) -> bytes:
    """
    Decrypt the ``bauth`` of a ticket.

    What is no longer than an IV counts as not encrypted, as mod_auth_pubtkt has it.
    Another key gives other octets, and no error: nothing says that they are wrong.

    Raises:
        TicketError: These are no whole blocks.
    """
    octets = _decode(bauth.encode("latin-1", "replace"), "ticket-bauth")
    iv, blocks = octets[:BAUTH_BLOCK], octets[BAUTH_BLOCK:]
    if not blocks:
        return octets
    if len(blocks) % BAUTH_BLOCK:
        raise TicketError("bauth has no whole blocks", reason="ticket-bauth")
    # CBC without a MAC is what the format has; the ticket's signature covers it.
    cipher = Cipher(AES(key), CBC(iv)).decryptor()
    return (cipher.update(blocks) + cipher.finalize()).partition(b"\0")[0]


def _decode(text: bytes, reason: str) -> bytes:
    """
    Decode base64 up to the first octet that is none.

    What follows is nobody's word, and ignored, as mod_auth_pubtkt does.
    """
    match = _alphabet(text)
    digits = match[0] if match else b""
    if not digits or len(digits) % 4 == 1:
        raise TicketError("no base64", reason=reason)
    return b64decode(digits + b"=" * (-len(digits) % 4))


def _read(signed: bytes, encoding: TicketEncoding) -> Ticket:
    """Read what stands before the signature."""
    if _control(signed):
        raise TicketError("has a control character", reason="ticket-control")
    values: dict[bytes, bytes] = {}
    for part in signed.split(b";"):
        name, equals, value = part.partition(b"=")
        if not equals:
            continue
        if name in values:
            # Of two readers, one takes the first and the other the last.
            raise TicketError("has a field twice", reason="ticket-duplicate")
        values[name] = value
    for known, most in LIMITS.items():
        if len(values.get(known.encode(), b"")) > most:
            raise TicketError(
                f"{known} has more than {most} octets", reason="ticket-field-long"
            )
    try:
        texts = {name: value.decode(encoding) for name, value in values.items()}
    except UnicodeDecodeError:
        raise TicketError(f"is not {encoding}", reason="ticket-encoding") from None
    return _build(texts)


def _build(texts: Mapping[bytes, str]) -> Ticket:
    uid = texts.get(b"uid", "")
    if not uid:
        raise TicketError("has no uid", reason="ticket-uid")
    valid_until = _read_time(texts.get(b"validuntil", ""))
    if not valid_until:
        raise TicketError("has no validuntil", reason="ticket-time")
    grace_period = texts.get(b"graceperiod", "")
    return Ticket(
        uid=uid,
        valid_until=valid_until,
        cip=texts.get(b"cip", ""),
        grace_period=_read_time(grace_period) if grace_period else 0,
        bauth=texts.get(b"bauth", ""),
        tokens=tuple(filter(None, texts.get(b"tokens", "").split(","))),
        udata=texts.get(b"udata", ""),
        multifactor=texts.get(b"multifactor", ""),
    )


def _read_time(text: str) -> int:
    """
    Read the number that *text* begins with.

    What follows the digits is ignored, as C's ``atoi`` does; but a sign, or more than
    32 bits, would be a time in another century there.
    """
    match = _digits(text)
    number = int(match[0]) if match else LATEST + 1
    if number > LATEST:
        raise TicketError("names a time that is none", reason="ticket-time")
    return number


def _fields(ticket: Ticket) -> Iterator[tuple[str, str]]:
    """Give the fields in the order in which PHP's login server writes them."""
    yield "uid", ticket.uid
    if ticket.cip:
        yield "cip", ticket.cip
    yield "validuntil", str(ticket.valid_until)
    if ticket.grace_period:
        yield "graceperiod", str(ticket.grace_period)
    if ticket.bauth:
        yield "bauth", ticket.bauth
    yield "tokens", ",".join(ticket.tokens)
    yield "udata", ticket.udata
    if ticket.multifactor:
        yield "multifactor", ticket.multifactor
