"""What several options or tables must not say together."""

import re
from collections.abc import Iterator

from sso_proxy.config.answer_rules import check_answers
from sso_proxy.config.binding_rules import check_bindings
from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.forward_auth_rules import check_forward_auth
from sso_proxy.config.listener_rules import (
    check_admin,
    check_forwarded,
    check_listeners,
)
from sso_proxy.config.model import ServerConfig
from sso_proxy.config.names import FIELD_NAME, NEVER_MANAGED
from sso_proxy.config.operator_parts import AuditConfig
from sso_proxy.config.route_rules import check_routes
from sso_proxy.config.session_info_rules import check_session_info
from sso_proxy.config.signature_rules import check_signatures
from sso_proxy.config.structure import join
from sso_proxy.config.ticket_rules import check_tickets
from sso_proxy.config.token_rules import check_tokens
from sso_proxy.config.upstream_rules import check_upstreams
from sso_proxy.errors import Mistake

_COMPONENT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_OTHER_FIELDS = 8192
"""Octets of a header section besides the cookies of a session."""
_PROXY = re.compile(r"http://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):\d{1,5}/?")


def check_rules(draft: Draft) -> Iterator[Mistake]:
    """Find combinations that are unsafe, contradict each other or have no effect."""
    if draft.server is not None:
        yield from _check_server(draft.server)
        yield from check_admin(draft.server, draft.listeners)
        yield from check_forwarded(draft.server, draft.listeners)
    yield from _check_names(draft)
    yield from _check_caches(draft)
    yield from _check_sessions(draft)
    yield from check_listeners(draft.listeners)
    yield from check_routes(draft)
    yield from check_bindings(draft)
    yield from check_answers(draft)
    yield from check_session_info(draft)
    yield from check_tokens(draft)
    yield from check_tickets(draft)
    yield from check_forward_auth(draft)
    yield from check_signatures(draft)
    yield from check_upstreams(draft)


def _check_server(server: Placed[ServerConfig]) -> Iterator[Mistake]:
    """Check the ``[server]`` table."""
    config = server.value
    if not FIELD_NAME.fullmatch(config.name):
        problem = f"{config.name!r} must be one word: it stands in Via"
        yield Mistake("server.name", problem)
    for number, name in enumerate(config.managed_headers):
        path = f"server.managed_headers[{number}]"
        if not FIELD_NAME.fullmatch(name):
            yield Mistake(path, f"{name!r} is no header field's name")
        elif name.lower() in NEVER_MANAGED:
            problem = f"{name} belongs to HTTP itself; clients have to send it"
            yield Mistake(path, problem)
    yield from _check_audit("server.audit", config.audit, server.raw.get("audit"))
    if config.access_log is not None:
        path = "server.access_log"
        yield from _check_audit(path, config.access_log, server.raw.get("access_log"))
        if config.access_log.file and config.access_log.file == config.audit.file:
            yield Mistake(f"{path}.file", "is the audit's file, too; take another")
    if config.outbound.proxy and not _PROXY.fullmatch(config.outbound.proxy):
        yield Mistake("server.outbound.proxy", "must be 'http://host:port'")


def _check_audit(path: str, audit: AuditConfig, raw: object) -> Iterator[Mistake]:
    """Check that a stream has a target, and only that one."""
    written = raw if isinstance(raw, dict) else {}
    if audit.to == "file" and audit.file is None:
        yield Mistake(join(path, "file"), "is missing; to = 'file' needs it")
    for option in ("file", "syslog"):
        if option in written and audit.to != option:
            problem = f"has no effect with to = {audit.to!r}"
            yield Mistake(join(path, option), problem)


def _check_caches(draft: Draft) -> Iterator[Mistake]:
    """Check that workers share what has to be shared, and caches do not."""
    workers = draft.server.value.workers if draft.server is not None else 1
    places: dict[object, str] = {}
    for placed in draft.caches.values():
        if placed.value.type == "memory" and workers > 1:
            problem = "each worker would have its own; with server.workers take local"
            yield Mistake(join(placed.path, "type"), problem)
        if placed.value.type == "local":
            directory = placed.value.options.get("directory")
            other = places.setdefault(str(directory), placed.path)
            if other != placed.path:
                problem = f"is that of {other}, too; take another for one of them"
                yield Mistake(join(placed.path, "directory"), problem)


def _check_sessions(draft: Draft) -> Iterator[Mistake]:
    """Check that requests with sessions in their cookies are not too large for us."""
    if draft.server is None:
        return
    room = draft.server.value.limits.header_bytes - _OTHER_FIELDS
    for placed in draft.sessions.values():
        octets = placed.value.options.get("max_bytes", 0)
        if placed.value.type == "cookie" and isinstance(octets, int) and octets > room:
            problem = (
                f"requests with {octets} octets of cookies are 431 here; take {room}"
                " at most, or more for server.limits.header_bytes"
            )
            yield Mistake(join(placed.path, "max_bytes"), problem)


def _check_names(draft: Draft) -> Iterator[Mistake]:
    """Check the names that components are given."""
    for family, names in draft.names.items():
        for name in sorted(names):
            if not _COMPONENT_NAME.fullmatch(name):
                problem = "a name is letters, digits, '-' and '_', at most 64"
                yield Mistake(join(family, repr(name)), problem)
    own = draft.authenticators.get("anonymous")
    if own is not None and own.value.type != "anonymous":
        # Who reads "anonymous" in a route must be able to rely on it.
        problem = "the name 'anonymous' is taken: it means access without credentials"
        yield Mistake("authenticator.anonymous", problem)
