"""Bind an application's cookies, without a configuration."""

from typing import Any

from sso_proxy.bound_cookies import BoundCookies
from sso_proxy.config.key_ring import KeyRing
from sso_proxy.sealing import RingSealer
from sso_proxy.specs.http.bound_cookies import CookieNames
from sso_proxy.testing.clock import SettableClock
from sso_proxy.testing.fakes import KEY_RING


def bound(*names: str, ring: KeyRing = KEY_RING, **levels: Any) -> BoundCookies:  # noqa: ANN401
    """Bind cookies to certificates, unless told otherwise."""
    return BoundCookies(
        route="app.example.com/",
        names=CookieNames(names or ["JSESSIONID"]),
        levels=levels or {"certificate": "require"},
        sealer=RingSealer("application-cookie", ring),
        clock=SettableClock(),
    )
