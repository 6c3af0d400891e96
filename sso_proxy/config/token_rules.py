"""What ``[[route.token]]`` must not say."""

import re
from collections.abc import Iterator
from typing import Final

from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.names import FIELD_NAME, NEVER_MANAGED, alias
from sso_proxy.config.structure import join
from sso_proxy.config.suggest import unknown
from sso_proxy.config.token_parts import RouteTokenConfig
from sso_proxy.errors import Mistake

_NAMED: Final = frozenset({"header", "cookie", "query", "form", "environ"})
_WITH_SCHEME: Final = frozenset({"authorization", "header"})
_SERVER_NAMES: Final = ("HTTP_", "wsgi.", "sso_proxy.")
_COOKIE: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_PARAMETER: Final = re.compile(r"[A-Za-z0-9._~-]+")
_MEMBER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


def check_tokens(draft: Draft) -> Iterator[Mistake]:
    """Check which tokens each route's backend gets, and where."""
    known = draft.names.get("token", frozenset())
    for route in draft.routes:
        places: dict[str, int] = {}
        for number, token in enumerate(route.value.token):
            path = join(join(route.path, "token"), number)
            if token.name not in known:
                yield Mistake(join(path, "name"), unknown("token", token.name, known))
            yield from _check_options(path, token)
            yield from _check_place(path, token, route)
            other = places.setdefault(_place_of(token), number)
            if other != number:
                yield Mistake(join(path, "to"), f"token[{other}] stands there already")


def _check_options(path: str, token: RouteTokenConfig) -> Iterator[Mistake]:
    """Check that each option is there where it has an effect, and only there."""
    if token.to in _NAMED and not token.field:
        yield Mistake(join(path, "field"), f"is missing; to = {token.to!r} needs it")
    if token.to not in _NAMED and token.field:
        problem = f"has no effect with to = {token.to!r}"
        yield Mistake(join(path, "field"), problem)
    if token.scheme is not None and token.to not in _WITH_SCHEME:
        yield Mistake(join(path, "scheme"), f"has no effect with to = {token.to!r}")
    if token.scheme and not FIELD_NAME.fullmatch(token.scheme):
        problem = f"{token.scheme!r} is no scheme; write one word, as 'Bearer'"
        yield Mistake(join(path, "scheme"), problem)
    if token.scheme == "" and token.to == "authorization":
        problem = "must not be empty; leave it out for 'Bearer'"
        yield Mistake(join(path, "scheme"), problem)
    if token.user and token.to != "basic":
        yield Mistake(join(path, "user"), f"has no effect with to = {token.to!r}")
    if ":" in token.user or not token.user.isprintable():
        yield Mistake(join(path, "user"), "must be printable and have no colon")


def _check_place(
    path: str, token: RouteTokenConfig, route: Placed[RouteConfig]
) -> Iterator[Mistake]:
    """Check that a name can stand where it should, and that nobody else is there."""
    name, path = token.field, join(path, "field")
    match token.to:
        case "header" if name:
            yield from _check_header(path, name, route.value)
        case "cookie" if name and not _COOKIE.fullmatch(name):
            yield Mistake(path, f"{name!r} is no cookie's name")
        case "cookie" if "-sso" in name:
            yield Mistake(path, f"{name!r} is named like cookies of ours")
        case "query" | "form" if name and not _PARAMETER.fullmatch(name):
            yield Mistake(path, f"{name!r} is no parameter's name")
        case "environ" if not route.value.backend.startswith("wsgi:"):
            problem = "only a wsgi: backend has an environ"
            yield Mistake(path.removesuffix("field") + "to", problem)
        case "environ" if name and not _MEMBER.fullmatch(name):
            yield Mistake(path, f"{name!r} is no member's name")
        case "environ" if name.startswith(_SERVER_NAMES) or name == "REMOTE_USER":
            problem = f"{name!r} says something else in an environ"
            yield Mistake(path, problem)


def _check_header(path: str, name: str, route: RouteConfig) -> Iterator[Mistake]:
    """Check that a header field is free for a token."""
    headers = route.headers
    taken = {
        headers.user,
        *(headers.claim_prefix + claim for claim in headers.claims),
        *headers.claim_names.values(),
        *headers.tokens.values(),
    }
    if not FIELD_NAME.fullmatch(name):
        yield Mistake(path, f"{name!r} is no header field's name")
    elif alias(name) in NEVER_MANAGED or alias(name) == "cookie":
        yield Mistake(path, f"{name} belongs to HTTP itself")
    elif alias(name) == "authorization":
        yield Mistake(path, "clients need Authorization; write to = 'authorization'")
    elif alias(name) in {alias(other) for other in taken if other}:
        problem = f"backends may take {name} for another field of route.headers"
        yield Mistake(path, problem)


def _place_of(token: RouteTokenConfig) -> str:
    """Name the place of a token; two tokens cannot be in one."""
    if token.to == "basic" or (token.to == "header" and token.field):
        name = "Authorization" if token.to == "basic" else token.field
        return f"header:{alias(name)}"
    if token.to == "authorization":
        return "header:authorization"
    return f"{token.to}:{token.field}"
