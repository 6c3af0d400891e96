"""Put what several processes tell about themselves into one document."""

from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.traffic import merge_traffic

_MOST: Final = 100
"""Decisions that are shown."""
_MOST_LOGINS: Final = 2000
"""Logins among which operators look."""


def merge_status(told: Mapping[int, dict[str, Any]], workers: int) -> dict[str, Any]:
    """
    Join what `sso_proxy.status.describe_gateway` gives in each process.

    Args:
        told: What was told, by the process's number.
        workers: How many there should be.
    """
    documents = list(told.values())
    return {
        "workers": [len(documents), workers],
        "traffic": merge_traffic(each["traffic"] for each in documents),
        "decisions": _newest(documents, "decisions", "time", _MOST),
        "logins": _newest(documents, "logins", "created", _MOST_LOGINS),
        "listeners": _added(documents),
        "parts": _parts(documents),
        "upstreams": _upstreams(documents),
        "certificates": documents[0]["certificates"] if documents else [],
    }


def _newest(
    documents: list[dict[str, Any]], member: str, by: str, most: int
) -> list[dict[str, Any]]:
    found = [each for document in documents for each in document[member]]
    return sorted(found, key=lambda each: each[by], reverse=True)[:most]


def _added(documents: list[dict[str, Any]]) -> list[list[Any]]:
    counts: dict[str, int] = {}
    for document in documents:
        for name, count in document["listeners"]:
            counts[name] = counts.get(name, 0) + count
    return [[name, count] for name, count in counts.items()]


def _parts(documents: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Give what a part misses in any process, each line once."""
    found: dict[str, dict[str, None]] = {}
    for document in documents:
        for place, lines in document["parts"].items():
            found.setdefault(place, {}).update(dict.fromkeys(lines))
    return {place: list(lines) for place, lines in found.items()}


def _upstreams(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add up connections; a server is as bad as the worst that a process says."""
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        for upstream in document["upstreams"]:
            known = found.setdefault(
                upstream["name"],
                {"name": upstream["name"], "busy": 0, "idle": 0, "servers": []},
            )
            known["busy"] += upstream["busy"]
            known["idle"] += upstream["idle"]
            for server in upstream["servers"]:
                same = (s for s in known["servers"] if s["server"] == server["server"])
                before = next(same, None)
                if before is None:
                    known["servers"].append(dict(server))
                    continue
                busy = before.get("busy", 0) + server.get("busy", 0)
                if before["state"] == "up" != server["state"]:
                    before.update(server)
                before["busy"] = busy
    return list(found.values())
