"""What one process tells about itself, for the status page of all of them."""

from typing import TYPE_CHECKING, Any, Final

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeoutError
from twisted.logger import Logger

from sso_proxy.session_log import SESSIONS, SessionLog

if TYPE_CHECKING:
    from sso_proxy.assembly import Gateway
    from sso_proxy.parts import Parts

_log = Logger()

_PATIENCE: Final = 1.0
"""Seconds that parts get to say how they are; the main process waits for two."""


async def describe_gateway(gateway: "Gateway") -> dict[str, Any]:
    """
    Give what *gateway* does and has done lately, in the types of JSON.

    The member ``logins`` names users; nothing else does.
    """
    now = gateway.clock.time()
    begun: SessionLog = gateway.shared.get(SESSIONS) or SessionLog()
    sites = [listener.site for listener in gateway.listeners]
    parts = gateway.parts
    return {
        "time": now,
        "traffic": gateway.traffic.document(now),
        "decisions": gateway.decisions.document(),
        "listeners": [[site.name, len(site.connections)] for site in sites],
        "logins": begun.latest(now),
        "parts": {} if parts is None else await _states(gateway, parts),
        "upstreams": [] if parts is None else _upstreams(parts),
        "certificates": [] if parts is None else _certificates(parts),
    }


async def _states(gateway: "Gateway", parts: "Parts") -> dict[str, list[str]]:
    """Give what each part misses, by its place in the configuration."""
    asked = [
        (place, Deferred.fromCoroutine(_state(place, part, gateway.reactor)))
        for place, part in parts.named
    ]
    return {place: await asking for place, asking in asked}


async def _state(place: str, part: Any, reactor: Any) -> list[str]:  # noqa: ANN401
    """Ask *part*; what hangs or fails is no reason to see nothing of the others."""
    asking = Deferred.fromCoroutine(part.probe())
    asking.addTimeout(_PATIENCE, reactor)
    try:
        return [*await asking]
    except DeferredTimeoutError:
        return [f"does not say how it is within {_PATIENCE:g} s"]
    except CancelledError:
        raise
    except Exception:  # noqa: BLE001
        _log.failure("cannot ask {place} how it is", place=place)
        return ["cannot say how it is: see the log"]


def _upstreams(parts: "Parts") -> list[dict[str, Any]]:
    """Give the connections to each backend, and what it tells of its servers."""
    found: dict[str, dict[str, Any]] = {}
    for upstream in parts.upstreams:
        known = found.setdefault(
            upstream.name, {"name": upstream.name, "busy": 0, "idle": 0, "servers": []}
        )
        busy, idle = upstream.counts()
        known["busy"] += busy
        known["idle"] += idle
        # Routes with limits of their own share the servers of an upstream.
        state = getattr(upstream, "state", None)
        known["servers"] = known["servers"] if state is None else state()
    return list(found.values())


def _certificates(parts: "Parts") -> list[list[Any]]:
    """Give what ends when, and how long before that health begins to say so."""
    ends = {end.what: end for tls in parts.tls if tls is not None for end in tls.ends}
    found = sorted(ends.values(), key=lambda end: end.not_after)
    return [[end.what, end.not_after, end.warning] for end in found]
