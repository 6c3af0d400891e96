"""What must not be said where another proxy only asks, and forwards by itself."""

from collections.abc import Iterator
from typing import Final

from sso_proxy.config.draft import Draft, Placed
from sso_proxy.config.listener_rules import serves
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import Mistake

BACKEND: Final = "forward-auth:"
_NOT_TOLD: Final = frozenset({"query", "form", "environ"})


def check_forward_auth(draft: Draft) -> Iterator[Mistake]:
    """Check listeners at which proxies ask, and the routes that they ask about."""
    asked = [route for route in draft.routes if route.value.backend == BACKEND]
    trusted = draft.server is not None and draft.server.value.trusted_proxies
    asking = False
    for listener in draft.listeners:
        if listener.value.forward_auth is None:
            continue
        asking, path = True, join(listener.path, "forward_auth")
        if draft.server is not None and not trusted:
            problem = "needs server.trusted_proxies: nobody else may ask"
            yield Mistake(path, problem)
        if not serves(listener.value):
            yield Mistake(path, "has no effect: this listener only redirects")
        if listener.value.token_binding or listener.value.forwarded_token_binding:
            yield Mistake(path, "no question has the keys of Token Binding with it")
        if not asked:
            yield Mistake(path, f"no route has backend = {BACKEND!r} to ask about")
    for route in asked:
        if draft.listeners and not asking:
            problem = "nobody can ask: no listener has forward_auth"
            yield Mistake(join(route.path, "backend"), problem)
        yield from _check_route(route)


def _check_route(route: Placed[RouteConfig]) -> Iterator[Mistake]:
    """Refuse what only who forwards a request can do."""
    config, problem = route.value, "cannot be done where another proxy forwards"
    written = {
        "strip_prefix": config.strip_prefix,
        "add_prefix": config.add_prefix,
        "signature": config.signature,
        "cors": config.cors,
        "binding.cookies": config.binding.cookies,
        "headers.remove": config.headers.remove,
    }
    for option in (name for name, said in written.items() if said):
        yield Mistake(join(route.path, option), problem)
    if config.path_parameters == "strip":
        path = join(route.path, "path_parameters")
        yield Mistake(path, f"stripping them {problem}; reject them, or keep them")
    for number, token in enumerate(config.token):
        if token.to in _NOT_TOLD:
            path = join(join(join(route.path, "token"), number), "to")
            yield Mistake(path, f"{token.to!r} {problem}; take a field or a cookie")
