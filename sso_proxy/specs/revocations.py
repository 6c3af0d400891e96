"""
What is refused before its time: single tokens, and whoever tokens speak for.

A revocation selects by one of

- ``token_sha256``: one token, by its digest;
- ``issuer`` and ``jti``: one token, by the name that its issuer gave it;
- ``issuer`` with ``subject``, ``client_id`` and ``issued_before``, in any combination:
  whatever was issued to them before a moment, or at any time.

It holds until its ``until``, and from the next decision on: the pipeline asks for every
identity, whoever found it and whenever.
"""

import json
import math
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.model import Identity

MOST: Final = 10_000
"""Revocations at once.  More than that is a case for ``issued_before``."""

_KEPT_AFTER: Final = 86400
"""Seconds that one is kept after its time: a clock that was set forward for a moment
must not have us forget."""

TEXTS: Final = ("token_sha256", "issuer", "jti", "subject", "client_id")
"""The attributes of a revocation that are text."""

_Key = tuple[str | None, ...]


class RevocationsFullError(SsoProxyError):
    """There is no room for another revocation."""


@attrs.frozen(kw_only=True)
class Revocation:
    """
    One revocation.

    Attributes:
        token_sha256: SHA-256 of a token in base64url without padding, of all of it or
            of a JWS without its last dot and signature.
        issuer: The identity's issuer.
        jti: The token's ``jti``.
        subject: The identity's subject, or the token's ``sub``.
        client_id: The token's ``client_id`` or ``azp``.
        issued_before: Seconds since the epoch; what says an ``iat`` from then on
            passes.  None selects whatever was issued when.
        until: Seconds since the epoch when this is over.
    """

    token_sha256: str | None = None
    issuer: str | None = None
    jti: str | None = None
    subject: str | None = None
    client_id: str | None = None
    issued_before: int | None = None
    until: int

    @property
    def id(self) -> str:
        """The name of what is selected: the same for the same, whenever it ends."""
        chosen = [getattr(self, name) for name in (*TEXTS, "issued_before")]
        return encode_digest(sha256(json.dumps(chosen).encode()).digest()[:12])

    def selects(self, issued: float | None, now: float) -> bool:
        """
        Say whether this holds *now* for what was *issued* then.

        Nobody can say that something was issued late enough that does not say when.
        """
        if now >= self.until:
            return False
        before = self.issued_before
        return before is None or issued is None or issued < before

    @property
    def key(self) -> tuple[str | None, ...]:
        """What this is found by; others that differ in their times have the same."""
        if self.token_sha256 is not None:
            return ("token", "", self.token_sha256)
        if self.jti is not None:
            return ("jti", self.issuer, self.jti)
        return ("whose", self.issuer, self.subject, self.client_id)


class RevocationList:
    """
    All revocations; what it costs to look does not depend on how many there are.

    False while there is none.
    """

    def __init__(self) -> None:
        self._all: dict[str, Revocation] = {}
        self._by_key: dict[_Key, dict[str, Revocation]] = {}
        self._strictest: dict[_Key, tuple[Revocation, ...]] = {}
        self._groups: Counter[_Key] = Counter()

    def __len__(self) -> int:
        """Count them."""
        return len(self._all)

    def __iter__(self) -> Iterator[Revocation]:
        """Go through them, in the order in which they came."""
        return iter(self._all.values())

    def add(self, revocation: Revocation) -> Revocation:
        """
        Add *revocation*; returns what is in force.

        One that selects the same stays if it holds for longer: repeating a revocation
        never weakens it.

        Raises:
            RevocationsFullError: There are `MOST` already.
        """
        name, key = revocation.id, revocation.key
        known = self._all.get(name)
        if known is not None and known.until >= revocation.until:
            return known
        if known is None and len(self._all) >= MOST:
            raise RevocationsFullError(f"there are {MOST} revocations already")
        self._all[name] = revocation
        self._groups[key[:2]] += known is None
        self._by_key.setdefault(key, {})[name] = revocation
        self._strictest[key] = _strictest(self._by_key[key].values())
        return revocation

    def remove(self, name: str) -> Revocation | None:
        """Take out and return the one whose `Revocation.id` is *name*, if there is."""
        found = self._all.pop(name, None)
        if found is None:
            return None
        key = found.key
        self._groups[key[:2]] -= 1
        if not self._groups[key[:2]]:
            del self._groups[key[:2]]
        del self._by_key[key][name]
        self._strictest[key] = _strictest(self._by_key[key].values())
        if not self._by_key[key]:
            del self._by_key[key], self._strictest[key]
        return found

    def over(self, now: float) -> list[str]:
        """Give the ids of those whose time has been over for a day."""
        return [k for k, each in self._all.items() if each.until + _KEPT_AFTER <= now]

    def check(self, identity: Identity, now: float) -> Revocation | None:
        """Give a revocation that holds for *identity* at the time *now*, or None."""
        for key in self._keys_of(identity):
            for revocation in self._strictest.get(key, ()):
                issued = read_seconds(identity.claims.get("iat"))
                if revocation.selects(issued, now):
                    return revocation
        return None

    def _keys_of(self, identity: Identity) -> list[_Key]:
        """Give all that *identity* may be found by, of what is there at all."""
        claims, issuer, keys = identity.claims, identity.issuer, list[_Key]()
        if identity.token and ("token", "") in self._groups:
            keys.extend(
                ("token", "", digest) for digest in token_digests(identity.token)
            )
        if ("jti", issuer) in self._groups:
            keys.extend(("jti", issuer, jti) for jti in _texts(claims.get("jti")))
        if ("whose", issuer) in self._groups:
            clients = {None, *_texts(claims.get("client_id"), claims.get("azp"))}
            for subject in {None, identity.subject, *_texts(claims.get("sub"))}:
                keys.extend(("whose", issuer, subject, client) for client in clients)
        return keys


def token_digests(token: str) -> tuple[str, ...]:
    """
    Give the digests that *token* can be revoked by.

    The second, of a JWS without its signature, is the safe one: whoever holds a token
    with an ECDSA signature can make another signature of it that is as good.
    """
    whole = _digest(token)
    if token.count(".") != 2:
        return (whole,)
    return (whole, _digest(token.rpartition(".")[0]))


def encode_digest(octets: bytes) -> str:
    """Write *octets* in base64url without padding."""
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def read_seconds(value: object) -> float | None:
    """Read a number as JSON has it; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if -1e15 < value < 1e15 else None  # NaN is neither


def _strictest(revocations: Iterable[Revocation]) -> tuple[Revocation, ...]:
    """Leave out those that another one says more than, about the same."""
    found: list[Revocation] = []
    for each in sorted(revocations, key=_strictness, reverse=True):
        if not found or each.until > found[-1].until:
            found.append(each)
    return tuple(found)


def _strictness(revocation: Revocation) -> tuple[float, int]:
    before = revocation.issued_before
    return (math.inf if before is None else before, revocation.until)


def _texts(*values: object) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _digest(text: str) -> str:
    return encode_digest(sha256(text.encode()).digest())
