"""Who gains and who loses by a new configuration."""

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.explain.report import Explanation, Verdict
from sso_proxy.explain.situation import (
    SOURCES,
    WHO_NOBODY,
    Situation,
    Who,
)
from sso_proxy.model import ANONYMOUS, Identity

Explain = Callable[[Situation], Explanation]

_MOST_LINE: Final = 65536


@attrs.frozen(kw_only=True)
class Asked:
    """
    A request by which two configurations are compared.

    Attributes:
        name: What is said of it.
        situation: It.
        count: How often it was made.
    """

    name: str
    situation: Situation
    count: int = 1


@attrs.frozen(kw_only=True)
class Change:
    """
    A request that becomes of something else.

    Attributes:
        asked: It.
        old: Why it was decided as it was.
        new: Why it would be decided otherwise.
    """

    asked: Asked
    old: Explanation
    new: Explanation

    @property
    def kind(self) -> str:
        """Say what that is to the caller: ``gains``, ``loses`` or ``changes``."""
        if self.new.verdict == "permit":
            return "gains"
        return "loses" if self.old.verdict == "permit" else "changes"


@attrs.define
class Comparison:
    """
    What came of comparing.

    Attributes:
        changes: What differs.
        same: How many requests do not.
        untold: How many cannot be decided by what is known of them.
        skipped: How many records could not be used, by why.
    """

    changes: list[Change] = attrs.field(factory=list)
    same: int = 0
    untold: int = 0
    skipped: Counter[str] = attrs.field(factory=Counter)


def compare(requests: Iterable[Asked], old: Explain, new: Explain) -> Comparison:
    """Have both configurations decide on all *requests*."""
    comparison = Comparison()
    for asked in requests:
        before, after = old(asked.situation), new(asked.situation)
        if "unknown" in (before.verdict, after.verdict):
            comparison.untold += asked.count
        elif _essence(before) == _essence(after):
            comparison.same += asked.count
        else:
            comparison.changes.append(Change(asked=asked, old=before, new=after))
    return comparison


def _essence(explanation: Explanation) -> tuple[Verdict, int, str, Any]:
    """Give what a caller or backend would notice."""
    return (
        explanation.verdict,
        explanation.status,
        explanation.user if explanation.verdict == "permit" else "",
        explanation.headers,
    )


def write_comparison(comparison: Comparison) -> Iterator[str]:
    """Give the lines for a terminal."""
    for kind in ("loses", "gains", "changes"):
        for change in comparison.changes:
            if change.kind != kind:
                continue
            times = f" ({change.asked.count} times)" if change.asked.count > 1 else ""
            yield f"{kind}: {change.asked.name}{times}"
            yield f"    old: {change.old.summary}"
            yield f"    new: {change.new.summary}"
    count = Counter[str]()
    for change in comparison.changes:
        count[change.kind] += change.asked.count
    kinds = ", ".join(f"{count[kind]} {kind}" for kind in ("loses", "gains", "changes"))
    yield f"{kinds}, {comparison.same} the same, {comparison.untold} cannot be told"
    for why, number in sorted(comparison.skipped.items()):
        yield f"note: {number} records left out: {why}"


def comparison_to_json(comparison: Comparison) -> dict[str, Any]:
    """Give it in the types of JSON."""
    return {
        "v": 1,
        "changes": [
            {
                "kind": change.kind,
                "request": change.asked.name,
                "count": change.asked.count,
                "old": change.old.summary,
                "new": change.new.summary,
            }
            for change in comparison.changes
        ],
        "same": comparison.same,
        "untold": comparison.untold,
        "skipped": dict(comparison.skipped),
    }


def read_audit_log(file: Path, skipped: Counter[str]) -> list[Asked]:
    """
    Read the requests of an audit log, equal ones once.

    Claims, scopes and certificates are not in it: what depends on them cannot be told.

    Args:
        file: Lines of JSON (docs/formats/audit.md).
        skipped: Counts what cannot be used.

    Raises:
        ConfigError: The file cannot be read.
    """
    found: dict[tuple[Any, ...], Asked] = {}
    try:
        with file.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                record = _parse(line)
                why = "no audit record" if record is None else _unusable(record)
                if record is None or why:
                    skipped[why] += 1
                    continue
                key = _key(record)
                known = found.get(key)
                if known is None:
                    found[key] = _asked(record)
                else:
                    found[key] = attrs.evolve(known, count=known.count + 1)
    except OSError as e:
        problem = f"cannot be read: {e.strerror}"
        raise ConfigError(Mistake(str(file), problem)) from e
    return list(found.values())


def _parse(line: str) -> dict[str, Any] | None:
    if len(line) > _MOST_LINE:
        return None
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(record, dict) or record.get("v") != 1:
        return None
    texts = ("method", "path", "host", "issuer", "subject", "client", "authenticator")
    if not all(isinstance(record.get(name), str) for name in texts):
        return None
    good = isinstance(record.get("time"), int | float)
    good &= isinstance(record.get("bindings"), list)
    good &= isinstance(record.get("tls"), dict | None)
    return record if good else None


def _unusable(record: dict[str, Any]) -> str:
    """Say why a record says nothing about who may do what; empty if it does."""
    if not record["host"] or not record["path"].startswith("/"):
        return "the request could not be read"
    if any(record[name].endswith("…") for name in ("path", "issuer", "subject")):
        return "a text that was cut"
    if not record["issuer"] and record.get("reason") != "no-credential":
        return "refused before it was known who calls"
    return ""


def _key(record: dict[str, Any]) -> tuple[Any, ...]:
    tls = record["tls"] or {}
    certificate = tls.get("certificate") or {}
    return (
        *(record[n] for n in ("method", "host", "path", "issuer", "subject")),
        record["client"],
        record["authenticator"],
        *sorted(map(str, record["bindings"])),
        certificate.get("x5t#S256"),
        bool(tls),
    )


def _asked(record: dict[str, Any]) -> Asked:
    tls = record["tls"]
    scheme = "https" if tls is not None else "http"
    url = f"{scheme}://{record['host']}{record['path']}"
    by = f"{record['subject']} of {record['issuer']}" if record["issuer"] else "nobody"
    return Asked(
        name=f"{record['method']} {url} by {by}",
        situation=Situation(
            url=url,
            method=record["method"],
            who=_who(record),
            certificate_known=bool(tls) and tls.get("certificate") is None,
            client=record["client"] if record["client"] != "unix" else "",
            at=float(record["time"]),
            bindings=tuple(map(str, record["bindings"])),
        ),
    )


def _who(record: dict[str, Any]) -> Who:
    if not record["issuer"] or record["issuer"] == ANONYMOUS:
        return Who(identity=WHO_NOBODY, missing=frozenset())
    return Who(
        identity=Identity(
            issuer=record["issuer"],
            subject=record["subject"],
            authenticator=record["authenticator"],
        ),
        missing=frozenset({"claims", "scopes", *SOURCES}),
    )
