"""What ``[upstream.NAME]``, and the routes that lead there, must not say."""

import re
from collections.abc import Iterator

from sso_proxy.config.backend import Backend, read_backend
from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.structure import join
from sso_proxy.config.suggest import unknown
from sso_proxy.config.upstream_parts import UpstreamOptions
from sso_proxy.errors import BadMessageError, Mistake
from sso_proxy.specs.http.target import canonical_path

_TLS_ONLY = ("ca", "certificate", "key", "server_name")
_OF_ROUTE = ("host",)
_SERVERS = frozenset({"http", "https", "unix"})
_IN_TARGET = re.compile(r"/[!-~]*")
_IN_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]+")


def check_upstreams(draft: Draft) -> Iterator[Mistake]:
    """Check backends of several servers, and how routes change paths and pause."""
    for route in draft.routes:
        backend = _read(route.value.backend)
        if backend is not None:
            yield from _check_prefixes(route, backend)
            if backend.kind == "upstream":
                yield from _check_route(route, backend, draft)
        if route.value.maintenance is not None:
            yield from _check_maintenance(route)
    for placed in draft.upstreams.values():
        yield from _check_upstream(placed)


def _read(text: str) -> Backend | None:
    try:
        return read_backend(text)
    except ValueError:
        return None  # said elsewhere


def _check_route(
    route: Placed[RouteConfig], backend: Backend, draft: Draft
) -> Iterator[Mistake]:
    """Check that the upstream is there, and says itself how it is reached."""
    known = draft.names.get("upstream", frozenset())
    if backend.target not in known:
        problem = unknown("upstream", backend.target, known)
        yield Mistake(join(route.path, "backend"), problem)
    for option in route.raw.get("upstream", {}):
        if option not in _OF_ROUTE:
            problem = f"has no effect here; write it in [upstream.{backend.target}]"
            yield Mistake(join(join(route.path, "upstream"), option), problem)


def _check_upstream(placed: Placed[UpstreamOptions]) -> Iterator[Mistake]:
    """Check one upstream."""
    options, path = placed.value, placed.path
    kinds = set()
    seen: set[tuple[str, int, str]] = set()
    for number, server in enumerate(options.server):
        where = join(join(join(path, "server"), number), "url")
        try:
            backend = read_backend(server.url)
        except ValueError as e:
            yield Mistake(where, str(e))
            continue
        if backend.kind not in _SERVERS:
            yield Mistake(where, f"a {backend.kind}: backend is no server")
            continue
        kinds.add(backend.kind)
        place = (backend.host, backend.port, backend.target)
        if place in seen:
            yield Mistake(where, f"{server.url!r} stands here twice; use weight")
        seen.add(place)
    if len(kinds & {"http", "https"}) > 1:
        # Whoever listens in on one of them sees what TLS protects with the others.
        problem = "has servers with TLS and without; take http: or https: for all"
        yield Mistake(join(path, "server"), problem)
    yield from _check_tls(placed, tls="https" in kinds or not kinds)
    if not any(server.weight for server in options.server):
        yield Mistake(join(path, "server"), "has no server with a weight above 0")
    if options.balance == "user" and options.slow_start:
        problem = "has no effect with balance = 'user': each keeps their server"
        yield Mistake(join(path, "slow_start"), problem)
    yield from _check_statuses(join(path, "failure_status"), options.failure_status)
    if options.health is not None:
        yield from _check_health(placed)


def _check_tls(placed: Placed[UpstreamOptions], *, tls: bool) -> Iterator[Mistake]:
    """Refuse options that would look as if they protected the way."""
    options, path = placed.value, placed.path
    for option in _TLS_ONLY:
        if option in placed.raw and not tls:
            problem = "has no effect without https: servers"
            yield Mistake(join(path, option), problem)
    if (options.certificate is None) != (options.key is None):
        missing = "key" if options.key is None else "certificate"
        problem = "is missing; certificate and key go together"
        yield Mistake(join(path, missing), problem)


def _check_health(placed: Placed[UpstreamOptions]) -> Iterator[Mistake]:
    """Check how servers are asked."""
    health, path = placed.value.health, join(placed.path, "health")
    if health is None:
        return
    if not _IN_TARGET.fullmatch(health.path):
        problem = f"{health.path!r} is no path; write '/health'"
        yield Mistake(join(path, "path"), problem)
    if health.host is not None and not _IN_HOST.fullmatch(health.host):
        yield Mistake(join(path, "host"), f"{health.host!r} is no host name")
    yield from _check_statuses(join(path, "status"), health.status)
    if health.timeout > health.interval:
        problem = f"must not be more than interval, {health.interval:g}"
        yield Mistake(join(path, "timeout"), problem)


def _check_statuses(path: str, statuses: tuple[int, ...]) -> Iterator[Mistake]:
    for number, status in enumerate(statuses):
        if not 200 <= status <= 599:
            problem = f"{status} is no status of an answer"
            yield Mistake(join(path, number), problem)


def _check_prefixes(route: Placed[RouteConfig], backend: Backend) -> Iterator[Mistake]:
    """Check what is taken off paths, and put before them."""
    strip, add = route.value.strip_prefix, route.value.add_prefix
    for option, prefix in (("strip_prefix", strip), ("add_prefix", add)):
        if not prefix:
            continue
        path = join(route.path, option)
        if not backend.proxied:
            yield Mistake(path, f"has no effect with a {backend.kind}: backend")
        elif not _is_prefix(prefix):
            problem = f"{prefix!r} is no canonical path without a last '/'"
            yield Mistake(path, problem)
    if strip and not f"{route.value.path.rstrip('/')}/".startswith(f"{strip}/"):
        problem = f"{strip!r} is not what path begins with, {route.value.path!r}"
        yield Mistake(join(route.path, "strip_prefix"), problem)
    if strip and strip == add:
        problem = "is what strip_prefix takes off; leave both out"
        yield Mistake(join(route.path, "add_prefix"), problem)


def _is_prefix(prefix: str) -> bool:
    """Say whether *prefix* is whole segments of a path that is canonical."""
    if prefix.endswith("/") or ";" in prefix:
        return False
    try:
        return prefix.startswith("/") and canonical_path(prefix) == prefix
    except BadMessageError:
        return False


def _check_maintenance(route: Placed[RouteConfig]) -> Iterator[Mistake]:
    """Check that something can turn it on."""
    options, path = route.value.maintenance, join(route.path, "maintenance")
    if (
        options is not None
        and options.file is None
        and "on" not in (route.raw.get("maintenance") or {})
    ):
        yield Mistake(path, "is turned on by nothing; write on = true, or a file")
