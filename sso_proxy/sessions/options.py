"""Options that both types of sessions have."""

from typing import Literal

import attrs

from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.specs.http.cookies import SameSite, Scope, name_problem, scope_problem

OnStoreFailure = Literal["refuse", "login"]


@attrs.frozen(kw_only=True)
class CookieConfig:
    """
    The cookie of a session.  It is always ``Secure`` and ``HttpOnly``.

    Attributes:
        name: Begins with ``__Host-sso``, or with ``__Secure-sso`` if there is a domain
            or path: browsers let nobody else set cookies of the first kind.
        same_site: From which pages browsers send it.  With ``strict`` a link from
            elsewhere arrives without session; ``none`` is for pages in frames of
            other sites.
        domain: The host and all below it get it; unset, its own host only.
        path: Paths that get it.
        persistent: Whether a browser keeps it when it is closed, for as long as the
            session lasts.
    """

    name: str = "__Host-sso"
    same_site: SameSite = "lax"
    domain: str | None = None
    path: str = "/"
    persistent: bool = False


def read_scope(config: CookieConfig) -> Scope:
    """
    Give where the cookie goes.

    Raises:
        ConfigError: No browser would take such a cookie.
    """
    scope = Scope(same_site=config.same_site, path=config.path, domain=config.domain)
    if problem := name_problem(config.name):
        raise ConfigError(Mistake("cookie.name", problem))
    if problem := scope_problem(config.name, scope):
        option = "path" if config.domain is None else "domain"
        raise ConfigError(Mistake(f"cookie.{option}", problem))
    return scope


def check_lifetimes(inactivity: float, lifetime: float) -> None:
    """Raise ConfigError if a session would be over before it is inactive."""
    if inactivity > lifetime:
        problem = f"is more than lifetime, which is {lifetime:g}"
        raise ConfigError(Mistake("inactivity", problem))
