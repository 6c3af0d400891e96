"""What the status page shows, as texts and plots, of what the processes tell."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any, Final

from markupsafe import Markup

from sso_proxy.endpoints.plots import duration, lines, sparkline, stacked_bars
from sso_proxy.model import WARNING
from sso_proxy.traffic import BOUNDS, SLOTS, STEP

_CLASSES: Final = ((2, "ok"), (3, "moved"), (4, "refused"), (5, "failed"))
_QUANTILES: Final = ((0.5, "p50"), (0.9, "p90"), (0.99, "p99"))
_MINUTE: Final = 60 // STEP
_TOGETHER: Final = 3
"""Slots that one point of the latencies is of."""
_DAY: Final = 86400.0
_MOST_LOGINS: Final = 100
"""Rows of a table that somebody can still look through."""
_UNBOUND: Final = "none at login"
"""What is known of sessions then: browsers register keys of devices after it."""


def _address_order(address: str) -> tuple[int, int, str]:
    try:
        found = ip_address(address)
    except ValueError:  # of a unix socket
        return 0, 0, address
    return found.version, int(found), ""


def _binding(login: dict[str, Any]) -> str:
    return ", ".join(login["bindings"]) or _UNBOUND


_ORDERS: Final[dict[str, Callable[[dict[str, Any]], Any]]] = {
    "user": lambda login: login["subject"].casefold(),
    "issuer": lambda login: login["issuer"],
    "application": lambda login: login["application"],
    "address": lambda login: _address_order(login["address"]),
    "age": lambda login: -login["created"],
    "binding": _binding,
}


def build_view(
    document: dict[str, Any], now: float, find: str = "", by: str = ""
) -> dict[str, Any]:
    """
    Give what the template shows.

    Args:
        document: As `sso_proxy.supervisor.Supervisor.status` gives it.
        now: Seconds since the epoch.
        find: Words that a shown session has in it, wherever.
        by: What sessions are sorted by; by age, if it is nothing of theirs.
    """
    by = by if by in _ORDERS else "age"
    logins = _find_logins(document["logins"], find, by)
    slots = _slots(document["traffic"], now)
    upstreams = document["upstreams"]
    missing = document["missing"]
    return {
        "name": document["name"],
        "time": _time(now),
        "workers": document["workers"],
        "wrong": [line for line in missing if not line.startswith(WARNING)],
        "warnings": [
            line.removeprefix(WARNING).strip()
            for line in missing
            if line.startswith(WARNING)
        ],
        "reload_refused": document["reload_refused"],
        "tiles": _tiles(slots, document),
        "traffic": _traffic_plot(slots, now),
        "latency": _latency_plot(slots, now),
        "routes": _routes(slots),
        "parts": [_part(*each) for each in sorted(document["parts"].items())],
        "upstreams": [_upstream(each) for each in upstreams],
        "certificates": [
            _certificate(what, end, soon, now)
            for what, end, soon in document["certificates"]
        ],
        "decisions": [_decision(each, now) for each in document["decisions"]],
        "logins": [_login(each, now) for each in logins[:_MOST_LOGINS]],
        "found": len(logins),
        "known": len(document["logins"]),
        "issuers": sorted({each["issuer"] for each in document["logins"]}),
        "find": find,
        "by": by,
        "orders": [*_ORDERS],
    }


def _find_logins(
    logins: Sequence[dict[str, Any]], find: str, by: str
) -> list[dict[str, Any]]:
    words = find.casefold().split()

    def fits(login: dict[str, Any]) -> bool:
        members = ("subject", "issuer", "application", "address", "in", "id")
        text = " ".join([*(str(login[m]) for m in members), _binding(login)]).casefold()
        return all(word in text for word in words)

    return sorted(filter(fits, logins), key=_ORDERS[by])


def age(seconds: float) -> str:
    """Write how long ago something was: ``3 min``."""
    for unit, size in (("d", _DAY), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size or (seconds >= size and unit != "d"):
            return f"{int(seconds // size)} {unit}"
    return f"{max(int(seconds), 0)} s"


def quantile(counts: Sequence[int], share: float) -> float | None:
    """Give the duration that *share* of those in the buckets took at most."""
    wanted = share * sum(counts)
    if not wanted:
        return None
    before, low = 0, 0.0
    for count, bound in zip(counts, (*BOUNDS, BOUNDS[-1] * 2), strict=True):
        if before + count >= wanted:
            return low + (bound - low) * (wanted - before) / count
        before, low = before + count, bound
    return low


def _slots(told: Iterable[dict[str, Any]], now: float) -> list[dict[str, Any]]:
    """Give every slot of the last quarter of an hour but the one that is not over."""
    known = {slot["start"]: slot for slot in told}
    nothing: dict[str, Any] = {"answers": [], "durations": [0] * (len(BOUNDS) + 1)}
    last = int(now) // STEP * STEP - STEP
    starts = range(last - (SLOTS - 2) * STEP, last + 1, STEP)
    return [known.get(start, nothing) for start in starts]


def _count(slots: Iterable[dict[str, Any]], kind: int = 0) -> int:
    return sum(n for s in slots for _, k, n in s["answers"] if kind in (0, k))


def _durations(slots: Iterable[dict[str, Any]]) -> list[int]:
    return [sum(each) for each in zip(*(s["durations"] for s in slots), strict=True)]


def _tiles(slots: list[dict[str, Any]], document: dict[str, Any]) -> list[list[str]]:
    lately = slots[-5 * _MINUTE :]
    counts, total = _durations(lately), _count(lately)
    failed = _count(lately, 5)
    middle, slow = quantile(counts, 0.5), quantile(counts, 0.99)
    rate = _count(slots[-_MINUTE:]) / 60
    connections = sum(count for _, count in document["listeners"])
    share = f"{100 * failed / total:.3g} %" if total else "—"
    return [
        ["Requests", f"{rate:.3g}/s", "in the last minute", ""],
        ["Failures", share, "5xx, in five minutes", "bad" if failed else ""],
        ["Median", _duration(middle), "in five minutes", ""],
        ["99th percentile", _duration(slow), "in five minutes", ""],
        ["Connections", f"{connections}", "of clients, open", ""],
    ]


def _duration(seconds: float | None) -> str:
    return "—" if seconds is None else duration(seconds)


def _traffic_plot(slots: list[dict[str, Any]], now: float) -> Markup:
    pairs = [slots[i : i + 2] for i in range(0, len(slots), 2)]
    layers = [
        (name, [_count(pair, kind) / STEP / 2 for pair in pairs])
        for kind, name in _CLASSES
    ]
    total, failed = _count(slots), _count(slots, 5)
    label = f"{total} requests in 15 minutes, {failed} of them failed with 5xx"
    return stacked_bars(layers, _times(now), label)


def _latency_plot(slots: list[dict[str, Any]], now: float) -> Markup:
    groups = [slots[i : i + _TOGETHER] for i in range(0, len(slots), _TOGETHER)]
    counts = [_durations(group) for group in groups]
    series = [
        (n, [quantile(each, share) for each in counts]) for share, n in _QUANTILES
    ]
    whole = _durations(slots)
    values = (f"{n} {_duration(quantile(whole, share))}" for share, n in _QUANTILES)
    return lines(series, _times(now), f"Durations in 15 minutes: {', '.join(values)}")


def _times(now: float) -> list[str]:
    return [
        f"{datetime.fromtimestamp(now - 60 * m, UTC):%H:%M}" for m in (15, 10, 5, 0)
    ]


def _routes(slots: list[dict[str, Any]]) -> list[dict[str, Any]]:
    counts: Counter[str] = Counter()
    for slot in slots:
        for route, _, count in slot["answers"]:
            counts[route] += count
    found = []
    for name, _ in counts.most_common():
        own = [
            {"answers": [each for each in slot["answers"] if each[0] == name]}
            for slot in slots
        ]
        rates = [
            float(_count(own[i : i + _MINUTE])) for i in range(0, len(own), _MINUTE)
        ]
        found.append(
            {
                "name": name or "no route",
                "count": f"{_count(own):,}",
                "refused": f"{_count(own, 4):,}",
                "failed": f"{_count(own, 5):,}",
                "plot": sparkline(rates, f"{_count(own)} requests in 15 minutes"),
            }
        )
    return found


def _part(place: str, missing: list[str]) -> dict[str, Any]:
    wrong = [line for line in missing if not line.startswith(WARNING)]
    state = "failed" if wrong else "refused" if missing else "ok"
    words = {"failed": "not working", "refused": "warning", "ok": "working"}
    told = [line.removeprefix(WARNING).strip() for line in missing]
    return {"place": place, "state": state, "word": words[state], "lines": told}


def _upstream(upstream: dict[str, Any]) -> dict[str, Any]:
    return {**upstream, "servers": [_server(each) for each in upstream["servers"]]}


def _server(server: dict[str, Any]) -> dict[str, Any]:
    state, since = server["state"], server.get("since")
    told = [server.get("why") or "", "" if since is None else f"for {age(since)}"]
    return {
        "server": server["server"],
        "state": state,
        "look": {"up": "ok", "down": "failed", "open": "failed"}.get(state, "refused"),
        "told": ", ".join(filter(None, told)),
        "busy": server.get("busy", ""),
    }


def _certificate(what: str, end: float, soon: float, now: float) -> dict[str, Any]:
    left = end - now
    state = "failed" if left <= 0 else "refused" if left < soon else "ok"
    when = f"{datetime.fromtimestamp(end, UTC):%Y-%m-%d %H:%M} UTC"
    word = "ended" if left <= 0 else f"{age(left)} left"
    if state == "refused":
        word = f"ends soon: {word}"
    return {"what": what, "end": when, "word": word, "state": state}


def _decision(decided: dict[str, Any], now: float) -> dict[str, Any]:
    looks = {"permit": "ok", "deny": "refused", "error": "failed"}
    failed = decided["status"] >= 500
    return {
        **decided,
        "look": "failed" if failed else looks[decided["decision"]],
        "ago": _ago(now - decided["time"]),
        "took": duration(decided["seconds"]),
    }


def _ago(seconds: float) -> str:
    return f"{age(seconds)} ago" if seconds >= 1 else "just now"


def _login(login: dict[str, Any], now: float) -> dict[str, Any]:
    return {
        **login,
        "ago": age(now - login["created"]),
        "at": _time(login["created"]),
        "binding": _binding(login),
    }


def _time(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d %H:%M:%S} UTC"
