"""Options of sessions that are bound to the browser's device."""

import re
from typing import Final, Literal

import attrs

from sso_proxy.config.checks import Attribute, between, non_empty, path_prefix
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.sessions.device_federation import FederationConfig
from sso_proxy.specs.http.cookies import Scope

Algorithm = Literal["ES256", "RS256"]

NEEDS: Final = frozenset({"get", "add", "delete", "mark"})
"""The operations of a cache that can keep devices' keys."""

_name = re.compile(r"__(?:Host|Secure)-sso-bound(?:-[A-Za-z0-9]+){0,3}").fullmatch


def _paths(instance: object, attribute: Attribute, value: tuple[str, ...]) -> None:
    """Refuse what is no path as browsers have it."""
    for path in value:
        path_prefix(instance, attribute, path)
        if "{" in path:
            raise ValueError(f"{path!r} is no path: browsers know no templates")


@attrs.frozen(kw_only=True)
class DeviceConfig:
    """
    How sessions are bound to a key of the browser's device (DBSC).

    The browser proves again and again that it holds the key, and gets a cookie for a
    short while each time.  It has an effect with ``binding.device`` only.

    Attributes:
        lifetime: Seconds that a proof is good for, and with it a copy of all cookies.
            Below 121, browsers prove again with every request.
        grace: Seconds after a login in which nothing has to be proved: the first page
            is asked for while the browser still makes its key.
        cookie: The cookie that says so; unset, that of the session with ``-bound``:
            ``__Host-sso-bound``.
        exclude: Paths, and all below them, that browsers ask for without a proof.
            Paths of routes without these sessions need not be named.
        algorithms: What keys may be for, the one wanted most first.
        clear_site_data: Whether a browser that logs out is told to forget all cookies,
            also those of other hosts of the same site (Chromium).  Without it, what it
            knows of the key ends with its next request.
        federation: With which sites keys are shared; unset, with none.
    """

    lifetime: int = attrs.field(default=300, validator=between(5, 3600))
    grace: float = attrs.field(default=60.0, validator=between(5, 600))
    cookie: str | None = None
    exclude: tuple[str, ...] = attrs.field(default=(), validator=_paths)
    algorithms: tuple[Algorithm, ...] = attrs.field(
        default=("ES256", "RS256"), validator=non_empty
    )
    clear_site_data: bool = False
    federation: FederationConfig | None = None


def bound_name(session: str, config: DeviceConfig) -> str:
    """
    Give the name of the cookie beside that of the *session*.

    Raises:
        ConfigError: It would be no name for one.
    """
    named, prefix = config.cookie, session.partition("-sso")[0]
    if named is None:
        return session.replace("-sso", "-sso-bound", 1)
    if not _name(named) or not named.startswith(f"{prefix}-"):
        problem = f"{named!r} has to begin with '{prefix}-sso-bound'"
        raise ConfigError(Mistake("device.cookie", problem))
    return named


def attributes_of(scope: Scope) -> str:
    """Give what browsers are told to know the cookie by, besides its name."""
    domain = "" if scope.domain is None else f"; Domain={scope.domain}"
    return (
        f"Path={scope.path}{domain}; Secure; HttpOnly"
        f"; SameSite={scope.same_site.capitalize()}"
    )
