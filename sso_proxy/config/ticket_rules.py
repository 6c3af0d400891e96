"""What ``[route.ticket]`` must not say."""

import re
from collections.abc import Iterator
from typing import Final

from sso_proxy.config.backend import Backend, read_backend
from sso_proxy.config.draft import Draft
from sso_proxy.config.names import FIELD_NAME
from sso_proxy.config.structure import join
from sso_proxy.config.suggest import unknown
from sso_proxy.config.ticket_parts import RouteTicketConfig
from sso_proxy.errors import Mistake
from sso_proxy.specs.http.back_target import read_pattern
from sso_proxy.specs.http.cookies import OURS

_DOMAIN: Final = re.compile(r"[a-z0-9][a-z0-9-]*(?:\.[a-z0-9][a-z0-9-]*)+")
_ARGUMENT: Final = re.compile(r"[A-Za-z0-9._~-]+")
_TAKEN: Final = ("timeout", "unauth", "posttimeout", "ip")


def check_tickets(draft: Draft) -> Iterator[Mistake]:
    """Check what gives tickets, and to which sites."""
    known = draft.names.get("token", frozenset())
    for route in draft.routes:
        config, path = route.value, join(route.path, "ticket")
        backend = _backend_of(config.backend)
        gives = backend is not None and backend.kind == "ticket"
        if backend is not None and gives and backend.target not in known:
            problem = unknown("token", backend.target, known)
            yield Mistake(join(route.path, "backend"), problem)
        if gives and config.ticket is None:
            yield Mistake(path, f"is missing; {config.backend!r} needs it")
        if config.ticket is None:
            continue
        if not gives:
            yield Mistake(path, "has no effect without backend = 'ticket:NAME'")
        if "{" in config.path:
            problem = "a login server is at one path, without {name}"
            yield Mistake(join(route.path, "path"), problem)
        if {*config.authenticate} == {"anonymous"}:
            problem = "nobody logs in here, and nobody in particular gets no ticket"
            yield Mistake(join(route.path, "authenticate"), problem)
        yield from _check_cookie(path, config.ticket, config.host)
        yield from _check_back(path, config.ticket)


def _backend_of(text: str) -> Backend | None:
    try:
        return read_backend(text)
    except ValueError:
        return None  # said elsewhere


def _check_cookie(path: str, ticket: RouteTicketConfig, host: str) -> Iterator[Mistake]:
    """Check that browsers take the cookie."""
    domain = ticket.domain
    if not _DOMAIN.fullmatch(domain):
        problem = f"{domain!r} is no domain; write 'example.com'"
        yield Mistake(join(path, "domain"), problem)
    elif not ("." + host.removeprefix("*.")).endswith("." + domain):
        problem = f"browsers take no cookie for {domain} from {host}"
        yield Mistake(join(path, "domain"), problem)
    for option in ("cookie", "back_cookie"):
        name = getattr(ticket, option)
        if name and (not FIELD_NAME.fullmatch(name) or name.startswith("__Host-")):
            problem = f"{name!r} is no name of a cookie for a domain"
            yield Mistake(join(path, option), problem)
        if name.startswith(OURS):
            yield Mistake(join(path, option), "is the name of a cookie of ours")
    if ticket.same_site == "none" and not ticket.secure:
        problem = "browsers refuse SameSite=None without Secure"
        yield Mistake(join(path, "same_site"), problem)


def _check_back(path: str, ticket: RouteTicketConfig) -> Iterator[Mistake]:
    """Check that tickets get where browsers are sent back to."""
    for number, text in enumerate(ticket.back):
        pattern, problem = read_pattern(text), ""
        if not f".{pattern.host}".endswith(f".{ticket.domain}"):
            problem = f"is not in {ticket.domain}: the cookie never gets there"
        elif pattern.scheme == "http" and ticket.secure:
            problem = "the cookie never gets there; it needs secure = false"
        if problem:
            yield Mistake(join(join(path, "back"), number), problem)
    if not _ARGUMENT.fullmatch(ticket.back_argument) or ticket.back_argument in _TAKEN:
        problem = f"{ticket.back_argument!r} cannot be the name of this argument"
        yield Mistake(join(path, "back_argument"), problem)
