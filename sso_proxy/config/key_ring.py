"""
Our own symmetric keys: the file ``keys.json``.

A JSON list of objects with ``kid``, ``created`` (seconds since the epoch), ``alg``
(``A256GCM``) and ``k`` (32 octets in base64url without padding).  All of them open.
The first one seals, but not before ``seals_from`` if it has that member: whoever gets
to see what it sealed has read the file by then.
"""

import json
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Final

import attrs

from sso_proxy.config.private_file import read_private, write_private
from sso_proxy.errors import ConfigError, Mistake

ALG: Final = "A256GCM"
_OCTETS: Final = 32
_MOST: Final = 65536
_KID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_K = re.compile(r"[A-Za-z0-9_-]{43}")

Random = Callable[[int], bytes]


@attrs.frozen(kw_only=True)
class RingKey:
    """
    One key.

    Attributes:
        kid: Names it in what it sealed; says nothing about *secret*.
        created: Seconds since the epoch.
        seals_from: Seconds since the epoch from which on it may seal.
        secret: 32 octets.
    """

    kid: str
    created: int
    seals_from: int = 0
    secret: bytes = attrs.field(repr=False)


@attrs.frozen
class KeyRing:
    """
    Keys, newest first; at least one.

    Attributes:
        keys: The first one that may seals, all of them open.
    """

    keys: tuple[RingKey, ...]

    def sealing(self, now: float) -> RingKey:
        """Give the key that seals at the time *now*: the oldest, if none may yet."""
        return next((k for k in self.keys if k.seals_from <= now), self.keys[-1])

    def changes(self, now: float) -> float:
        """Give the time at which another key is going to seal; infinite if never."""
        return min((k.seals_from for k in self.keys if k.seals_from > now), default=inf)


def make_key(now: float, random: Random, *, seals_after: int = 0) -> RingKey:
    """
    Make a key.

    Args:
        now: The time.
        random: Gives so many octets.
        seals_after: Seconds from *now* in which it does not seal yet.
    """
    kid = urlsafe_b64encode(random(9)).decode()
    return RingKey(
        kid=kid,
        created=int(now),
        seals_from=int(now) + seals_after if seals_after else 0,
        secret=random(_OCTETS),
    )


def rotate(ring: KeyRing, key: RingKey, *, keep: int) -> KeyRing:
    """
    Put *key* before the others, of which the *keep* newest stay.

    Those that do not seal yet are not counted: the one that does must not go before.
    Without any to keep, they go, too.
    """
    waiting = [k for k in ring.keys if k.seals_from > key.created] if keep else []
    older = [k for k in ring.keys if k.seals_from <= key.created]
    return KeyRing((key, *waiting, *older[:keep]))


def read_key_ring(path: Path) -> KeyRing:
    """
    Read the file at *path*.

    Raises:
        ConfigError: It is not there or not a key ring, or others than its owner can
            get at it.
    """
    try:
        content = read_private(path, _MOST)
    except FileNotFoundError as e:
        raise _error(path, "is not there; make it with sso-proxy key new") from e
    try:
        return _parse(content)
    except ValueError as e:
        # Not chained: a JSON error holds the document.
        raise _error(path, str(e)) from None


def write_key_ring(path: Path, ring: KeyRing, *, replace: bool) -> None:
    """
    Write the file at *path*, readable by its owner alone, all of it or nothing.

    Args:
        path: Its directory is made if need be.
        ring: What to write.
        replace: Whether there may be a file already; if not, there must be none.

    Raises:
        ConfigError: It cannot be written, or there is one.
    """
    document = [_write_key(key) for key in ring.keys]
    try:
        content = json.dumps(document, indent=1).encode() + b"\n"
        write_private(path, content, replace=replace)
    except OSError as e:
        if isinstance(e, FileExistsError) and path.exists():
            problem = "is there already; sso-proxy key rotate adds a key"
            raise _error(path, problem) from e
        raise _error(path, f"cannot be written: {e.strerror}") from e


def _write_key(key: RingKey) -> dict[str, object]:
    """Give one key's object."""
    later = {"seals_from": key.seals_from} if key.seals_from else {}
    secret = {"alg": ALG, "k": _encode(key.secret)}
    return {"kid": key.kid, "created": key.created, **later, **secret}


def _parse(content: bytes) -> KeyRing:
    """Read the file's content; a message never shows any of it but ``kid``."""
    if len(content) > _MOST:
        raise ValueError(f"is longer than {_MOST} octets")
    try:
        document = json.loads(content)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        raise ValueError("is not JSON") from None
    if not isinstance(document, list) or not document:
        raise ValueError("must be a list of keys, at least one")
    keys = tuple(map(_read_key, document))
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("has two keys with the same kid")
    return KeyRing(keys)


def _read_key(item: object) -> RingKey:
    """Read one key."""
    members = {"kid", "created", "alg", "k"}
    if not isinstance(item, dict) or item.keys() - {"seals_from"} != members:
        raise ValueError(f"has a key without exactly {', '.join(sorted(members))}")
    kid, created, k = item["kid"], item["created"], item["k"]
    if not isinstance(kid, str) or not _KID.fullmatch(kid):
        raise ValueError("has a key whose kid is not 1 to 64 of A-Z a-z 0-9 _ -")
    if type(created) is not int:
        raise ValueError(f"key {kid}: created must be an integer")
    seals_from = item.get("seals_from", 0)
    if type(seals_from) is not int or not 0 <= seals_from < 2**37:
        raise ValueError(f"key {kid}: seals_from must be a time, in seconds")
    if item["alg"] != ALG:
        raise ValueError(f"key {kid}: alg must be {ALG}")
    if not isinstance(k, str) or not _K.fullmatch(k):
        raise ValueError(f"key {kid}: k must be {_OCTETS} octets in base64url")
    secret = urlsafe_b64decode(k + "=")
    return RingKey(kid=kid, created=created, seals_from=seals_from, secret=secret)


def _encode(octets: bytes) -> str:
    return urlsafe_b64encode(octets).rstrip(b"=").decode()


def _error(path: Path, problem: str) -> ConfigError:
    return ConfigError(Mistake(str(path), problem))
