"""What one process tells about itself, for the status page of all of them."""

from typing import TYPE_CHECKING, Any

from sso_proxy.session_log import SESSIONS, SessionLog

if TYPE_CHECKING:
    from sso_proxy.assembly import Gateway
    from sso_proxy.parts import Parts


async def describe_gateway(gateway: "Gateway") -> dict[str, Any]:
    """
    Give what *gateway* does and has done lately, in the types of JSON.

    The member ``logins`` names users; nothing else does.
    """
    now = gateway.clock.time()
    log: SessionLog = gateway.shared.get(SESSIONS) or SessionLog()
    sites = [listener.site for listener in gateway.listeners]
    parts = gateway.parts
    return {
        "time": now,
        "traffic": gateway.traffic.document(now),
        "decisions": gateway.decisions.document(),
        "listeners": [[site.name, len(site.connections)] for site in sites],
        "logins": log.latest(now),
        "parts": {} if parts is None else await _states(parts),
        "upstreams": [] if parts is None else [*map(_upstream, parts.upstreams)],
        "certificates": [] if parts is None else _certificates(parts),
    }


async def _states(parts: "Parts") -> dict[str, list[str]]:
    """Give what each part misses, by its place in the configuration."""
    return {place: [*await part.probe()] for place, part in parts.named}


def _upstream(upstream: Any) -> dict[str, Any]:  # noqa: ANN401
    busy, idle = upstream.counts()
    # What has several servers tells of each.
    state = getattr(upstream, "state", None)
    servers = [] if state is None else state()
    return {"name": upstream.name, "busy": busy, "idle": idle, "servers": servers}


def _certificates(parts: "Parts") -> list[list[Any]]:
    ends = dict(
        expiry for tls in parts.tls if tls is not None for expiry in tls.expiries
    )
    return [[what, end] for what, end in sorted(ends.items(), key=lambda e: e[1])]
