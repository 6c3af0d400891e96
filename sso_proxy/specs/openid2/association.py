"""
Associations: secrets that a provider shares with us, to sign with (section 8).

The Diffie-Hellman steps take a millisecond each, in one go, and belong into a thread:
`begin_exchange` and `read_association`.
"""

import hmac
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping, Sequence
from hashlib import sha1, sha256
from typing import Any, Final, Literal, Self

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.openid2.message import (
    FormFields,
    MessageError,
    build_fields,
    read_key_values,
    write_key_values,
)
from sso_proxy.specs.openid2.names import NS

Kind = Literal["HMAC-SHA256", "HMAC-SHA1"]
Session = Literal["DH-SHA256", "DH-SHA1", "no-encryption"]

SECRET_BITS: Final = 256
"""Of our part of an exchange: twice the strength of the group, whose modulus is a safe
prime, and four times as fast as one of its length."""
LONGEST_HANDLE: Final = 255
MOST_LIFE: Final = 14 * 86400.0
"""Seconds after which an association is made anew, whatever the provider says."""

_UNSUPPORTED: Final = "unsupported-type"
_MAX_DIGITS: Final = 10
_LEAST_BITS: Final = 1024
_HASHES: Final[Mapping[str, Any]] = {
    "HMAC-SHA256": sha256,
    "HMAC-SHA1": sha1,
    "DH-SHA256": sha256,
    "DH-SHA1": sha1,
}
_SIZES: Final[Mapping[Kind, int]] = {"HMAC-SHA256": 32, "HMAC-SHA1": 20}
_MODULUS: Final = int(
    "DCF93A0B883972EC0E19989AC5A2CE310E1D37717E8D9571BB7623731866E61E"
    "F75A2E27898B057F9891C2E27A639C3F29B60814581CD3B2CA3986D268370557"
    "7D45C2E7E52DC81C7A171876E5CEA74B1448BFDFAF18828EFD2519F14E45E382"
    "6634AF1949E5B535CC829A483B8A76223E5D490A257F05BDFF16F2FB22C583AB",
    16,
)
"""Of appendix B, which providers have whatever we send."""


@attrs.frozen
class AssociationError(SsoProxyError):
    """
    There is no association.

    Attributes:
        detail: Why, for the log; holds no secret.
        unsupported: Whether the provider does not know this kind.
        suggested: The kind that it proposes then, if it can be had.
    """

    detail: str
    unsupported: bool = attrs.field(default=False, kw_only=True)
    suggested: "Offer | None" = attrs.field(default=None, kw_only=True)


@attrs.frozen
class Offer:
    """
    A kind of association, and how its secret comes to us.

    Attributes:
        kind: How is signed.
        session: How the secret is hidden on its way.
    """

    kind: Kind
    session: Session

    def __str__(self) -> str:
        """Give what `read_offer` reads."""
        return f"{self.kind}/{self.session}"

    @property
    def exchanges(self) -> bool:
        """Say whether the secret is hidden by an exchange of ours."""
        return self.session != "no-encryption"

    def may_be_sent_to(self, op_endpoint: str) -> bool:
        """Say whether nobody on the way could read the secret (section 8.4.1)."""
        return self.exchanges or op_endpoint.startswith("https://")


OFFERS: Final = (
    Offer("HMAC-SHA256", "DH-SHA256"),
    Offer("HMAC-SHA1", "DH-SHA1"),
    Offer("HMAC-SHA256", "no-encryption"),
    Offer("HMAC-SHA1", "no-encryption"),
)
"""All that there are, in the order in which they are tried."""


@attrs.frozen(kw_only=True)
class Association:
    """
    A secret that a provider shares with us.

    Attributes:
        handle: What the provider calls it.
        mac_key: The secret.
        kind: How is signed with it.
        op_endpoint: The provider: it signs nothing of any other.
        expires: Seconds since the epoch when it is over.
    """

    handle: str
    mac_key: bytes = attrs.field(repr=False)
    kind: Kind
    op_endpoint: str
    expires: float

    def as_json(self) -> dict[str, Any]:
        """Give what `from_json` reads; secret."""
        return {
            "handle": self.handle,
            "key": self.mac_key.hex(),
            "kind": self.kind,
            "op": self.op_endpoint,
            "exp": self.expires,
        }

    @classmethod
    def from_json(cls, members: Mapping[str, Any]) -> Self:
        """Read what `as_json` gave; nobody but us can have written it."""
        return cls(
            handle=members["handle"],
            mac_key=bytes.fromhex(members["key"]),
            kind=members["kind"],
            op_endpoint=members["op"],
            expires=members["exp"],
        )


@attrs.frozen(kw_only=True)
class Group:
    """
    Numbers for an exchange.

    Attributes:
        modulus: A prime of 1,024 bits at least.
        generator: Of the group.
    """

    modulus: int = attrs.field(repr=False)
    generator: int = 2

    @modulus.validator
    def _check(self, _: object, modulus: int) -> None:
        if modulus.bit_length() < _LEAST_BITS or not modulus % 2:
            raise ValueError(f"the modulus has to be a prime of {_LEAST_BITS} bits")


GROUP: Final = Group(modulus=_MODULUS)


@attrs.frozen(kw_only=True)
class Exchange:
    """
    Our side of a Diffie-Hellman exchange, for one request.

    Attributes:
        public: What the provider is told.
        group: The numbers.
    """

    public: int
    group: Group
    _secret: int = attrs.field(repr=False, alias="secret")

    def shared(self, public: int) -> int:
        """
        Give what both sides know; takes a millisecond.

        Raises:
            AssociationError: The other side sent 0, 1, -1 or none of the group: then
                anybody would know it.
        """
        if not 1 < public < self.group.modulus - 1:
            raise AssociationError("dh_server_public is none of the group, or trivial")
        return pow(public, self._secret, self.group.modulus)


def begin_exchange(secret: int, group: Group = GROUP) -> Exchange:
    """
    Begin an exchange; takes a millisecond.

    Args:
        secret: `SECRET_BITS` random bits, for this once.
        group: The numbers.

    Raises:
        ValueError: It is so small that it could be guessed.
    """
    if secret.bit_length() < SECRET_BITS // 2:
        raise ValueError("the secret is too small")
    public = pow(group.generator, secret, group.modulus)
    return Exchange(public=public, group=group, secret=secret)


def read_offer(text: str) -> Offer:
    """
    Read a kind as in ``HMAC-SHA256/DH-SHA256``.

    Raises:
        ValueError: There is no such kind, or the two do not go together.
    """
    known = {str(offer): offer for offer in OFFERS}
    if text not in known:
        raise ValueError(f"has to be one of {', '.join(known)}")
    return known[text]


def build_associate(offer: Offer, exchange: Exchange | None) -> FormFields:
    """
    Give the fields that ask for an association (section 8.1).

    Args:
        offer: What is asked for.
        exchange: Our side, if *offer* has one.
    """
    pairs = [
        ("mode", "associate"),
        ("assoc_type", offer.kind),
        ("session_type", offer.session),
    ]
    if exchange is not None:
        pairs.append(("dh_consumer_public", write_number(exchange.public)))
    if exchange is not None and exchange.group != GROUP:
        pairs.append(("dh_modulus", write_number(exchange.group.modulus)))
        pairs.append(("dh_gen", write_number(exchange.group.generator)))
    return build_fields(pairs)


def read_association(  # noqa: PLR0913 - one for each thing it depends on
    status: int,
    body: bytes,
    offer: Offer,
    exchange: Exchange | None,
    *,
    op_endpoint: str,
    now: float,
) -> Association:
    """
    Read what a provider answers (sections 8.2 and 8.3); takes a millisecond.

    Args:
        status: Of the answer.
        body: Of the answer; holds the secret.
        offer: What was asked for: nothing else is taken.
        exchange: Our side, if *offer* has one.
        op_endpoint: Who was asked.
        now: Seconds since the epoch.

    Raises:
        AssociationError: It refuses, or what it says cannot be used.
    """
    try:
        fields = read_key_values(body)
    except MessageError as e:
        raise AssociationError(f"status {status}: {e.detail}") from None
    if status != 200 or fields.get("mode") == "error" or "error" in fields:
        raise _refusal(status, fields, op_endpoint)
    if fields.get("ns") != NS:
        raise AssociationError("no answer of OpenID 2.0")
    if (fields.get("assoc_type"), fields.get("session_type")) != (
        offer.kind,
        offer.session,
    ):
        raise AssociationError("another kind than was asked for")
    handle = _read_handle(fields)
    life = _read_life(fields)
    key = _read_key(fields, exchange, offer)
    if len(key) != _SIZES[offer.kind]:
        raise AssociationError("a secret of the wrong length")
    return Association(
        handle=handle,
        mac_key=key,
        kind=offer.kind,
        op_endpoint=op_endpoint,
        expires=now + life,
    )


def sign(association: Association, pairs: Sequence[tuple[str, str]]) -> bytes:
    """
    Give the signature of fields (section 6).

    Raises:
        MessageError: One would be two lines.
    """
    lines, how = write_key_values(pairs), _HASHES[association.kind]
    return hmac.digest(association.mac_key, lines, how().name)


def read_handle(text: str) -> str:
    """
    Check what a provider calls an association (section 8.2.1).

    Raises:
        ValueError: It is empty, longer than `LONGEST_HANDLE`, or has other characters
            than printable ones of ASCII without a blank.
    """
    fine = all("!" <= character <= "~" for character in text)
    if not fine or not 0 < len(text) <= LONGEST_HANDLE:
        raise ValueError("no handle")
    return text


def write_number(number: int) -> str:
    """Write a number: base64 of its two's complement (sections 4.2 and 8.1.2)."""
    octets = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return b64encode(octets).decode("ascii")


def read_base64(text: str) -> bytes:
    """
    Decode base64, which has one spelling only.

    Raises:
        ValueError: It is none.
    """
    try:
        octets = b64decode(text.encode("ascii"), validate=True)
    except (Error, UnicodeEncodeError):
        raise ValueError("no base64") from None
    if b64encode(octets).decode("ascii") != text:
        raise ValueError("base64 that is not canonical")
    return octets


def _refusal(
    status: int, fields: Mapping[str, str], op_endpoint: str
) -> AssociationError:
    """Say why there is none; some providers say so with 200, and without a mode."""
    if fields.get("error_code") != _UNSUPPORTED:
        return AssociationError(f"status {status}: refused")
    suggested = None
    kind, session = fields.get("assoc_type"), fields.get("session_type")
    for known in OFFERS:  # which has no pair that is not legal
        if (known.kind, known.session) == (kind, session):
            suggested = known if known.may_be_sent_to(op_endpoint) else None
    return AssociationError(
        f"status {status}: {_UNSUPPORTED}", unsupported=True, suggested=suggested
    )


def _read_handle(fields: Mapping[str, str]) -> str:
    try:
        return read_handle(fields.get("assoc_handle", ""))
    except ValueError:
        raise AssociationError("assoc_handle is none") from None


def _read_life(fields: Mapping[str, str]) -> float:
    text = fields.get("expires_in", "")
    digits = text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS
    life = float(text) if digits else 0.0
    if not life:
        raise AssociationError("expires_in is no number, or 0")
    return min(life, MOST_LIFE)


def _read_key(
    fields: Mapping[str, str], exchange: Exchange | None, offer: Offer
) -> bytes:
    """Give the secret, as it was sent or hidden by the exchange (section 8.2)."""
    try:
        if exchange is None:
            return read_base64(fields.get("mac_key", ""))
        hidden = read_base64(fields.get("enc_mac_key", ""))
        public = _read_number(fields.get("dh_server_public", ""))
    except ValueError as e:
        raise AssociationError(f"the secret: {e}") from None
    shared = exchange.shared(public)
    octets = shared.to_bytes(shared.bit_length() // 8 + 1, "big")
    mask = _HASHES[offer.session](octets).digest()
    if len(mask) != len(hidden):
        raise AssociationError("a secret of the wrong length")
    return bytes(a ^ b for a, b in zip(mask, hidden, strict=True))


def _read_number(text: str) -> int:
    """
    Read a number as `write_number` writes it.

    Raises:
        ValueError: It is none, or is negative.
    """
    octets = read_base64(text)
    number = int.from_bytes(octets, "big", signed=True)
    if not octets or number < 0:
        raise ValueError("no number")
    return number
