"""
Sessions as octets.

A JSON object.  ``f`` is the lowest number of a format that a reader has to know.
Members that a reader does not know are kept and written back, so an older and a newer
release may share a store while one takes the other's place: what a newer one adds must
mean nothing where it is not known, or ``f`` has to become larger.  A record with a
larger ``f`` than ours cannot be read, and is no session.

``keys`` has hashes of the keys that a session is bound to, by kind.

``sources`` has for each source the names of claims that say there what they say in
``claims``, and the other claims: most are the same, and cookies are short.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.model import Identity
from sso_proxy.session import Session

FORMAT: Final = 2
"""That of sessions that are bound to keys: who does not know it must not let them in.
Others are of format 1."""

_STRINGS: Final = ("id", "iss", "sub", "by")
_NUMBERS: Final = ("born", "used", "ends")
_OBJECTS: Final = ("claims", "cnf", "data")
_KNOWN: Final = frozenset(
    ("f", "scopes", "until", "rev", "sources", "keys", *_STRINGS, *_NUMBERS, *_OBJECTS)
)


def write_record(session: Session) -> bytes:
    """
    Write *session*.

    Raises:
        TypeError: A claim or something in the data is of no type of JSON.
        ValueError: A number there is none that JSON knows.
    """
    identity = session.identity
    record = {
        **session.extra,
        "f": FORMAT if session.keys else 1,
        "id": session.id,
        "iss": identity.issuer,
        "sub": identity.subject,
        "by": identity.authenticator,
        "claims": dict(identity.claims),
        "scopes": sorted(identity.scopes),
        "cnf": dict(identity.confirmation),
        "until": identity.expires,
        "born": session.created,
        "used": session.used,
        "ends": session.expires,
        "rev": session.revision,
        "data": dict(session.data),
        "sources": _write_sources(identity),
    }
    if session.keys:
        record["keys"] = dict(session.keys)
    return json.dumps(
        record, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    ).encode("utf-8", "surrogatepass")


def read_record(octets: bytes) -> Session:
    """
    Read what `write_record` of this or another release wrote.

    Raises:
        ValueError: It cannot be read by this release.
    """
    try:
        record = json.loads(octets.decode("utf-8", "surrogatepass"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(record, dict) or not _is_count(record.get("f")):
        raise ValueError("no record of a session")
    if record["f"] > FORMAT:
        raise ValueError(f"a record of the later format {record['f']}")
    _check_types(record)
    identity = Identity(
        issuer=record["iss"],
        subject=record["sub"],
        authenticator=record["by"],
        claims=record["claims"],
        scopes=frozenset(record["scopes"]),
        confirmation=record["cnf"],
        expires=record.get("until"),
        sources=_read_sources(record.get("sources", {}), record["claims"]),
    )
    return Session(
        id=record["id"],
        identity=identity,
        created=record["born"],
        used=record["used"],
        expires=record["ends"],
        data=record["data"],
        revision=record["rev"],
        keys=record.get("keys", {}),
        extra={name: record[name] for name in record.keys() - _KNOWN},
    )


def _write_sources(identity: Identity) -> dict[str, Any]:
    """Write what is another than in the claims, and the names of what is not."""
    texts = {name: _text(value) for name, value in identity.claims.items()}
    written = {}
    for source, claims in identity.sources.items():
        same = [
            name for name, value in claims.items() if texts.get(name) == _text(value)
        ]
        others = {name: claims[name] for name in claims.keys() - set(same)}
        written[source] = [same, others]
    return written


def _read_sources(written: Any, claims: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ANN401
    """
    Read what `_write_sources` wrote.

    Raises:
        ValueError: It is of another form.
    """
    try:
        return {
            source: {**{name: claims[name] for name in same}, **others}
            for source, (same, others) in written.items()
        }
    except (AttributeError, KeyError, TypeError):
        raise ValueError("the sources of the claims are of another form") from None


def _text(value: Any) -> str:  # noqa: ANN401
    """Give a text in which true and 1 differ, as they do not in Python."""
    return json.dumps(value, sort_keys=True)


def _check_types(record: Mapping[str, Any]) -> None:
    good = (
        all(isinstance(record.get(name), str) for name in _STRINGS)
        and all(_is_number(record.get(name)) for name in _NUMBERS)
        and all(isinstance(record.get(name), dict) for name in _OBJECTS)
        and isinstance(record.get("scopes"), list)
        and all(isinstance(scope, str) for scope in record["scopes"])
        and (record.get("until") is None or _is_number(record["until"]))
        and _is_count(record.get("rev"))
        and _is_texts(record.get("keys", {}))
    )
    if not good:
        raise ValueError("a member of the record is missing, or of another type")


def _is_texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _is_number(value: object) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and -1e15 < value < 1e15  # type: ignore[operator]  # NaN is neither


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
