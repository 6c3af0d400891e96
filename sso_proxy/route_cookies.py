"""Which cookies of one route's application are bound, and to which keys."""

from collections import Counter

from sso_proxy.bound_cookies import COUNTS, BoundCookies
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.structure import join
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools
from sso_proxy.specs.http.bound_cookies import CookieNames


def build_bound_cookies(
    path: str, route: RouteConfig, tools: ITools
) -> BoundCookies | None:
    """
    Make what binds the cookies of *route*, which stands at *path*, if anything does.

    Raises:
        ConfigError: There is no key of ours to seal them with.
    """
    config = route.binding.cookies
    if config is None:
        return None
    levels = (
        ("certificate", config.certificate),
        ("token_binding", config.token_binding),
    )
    place = join(path, "binding.cookies")
    try:
        sealer = tools.sealer("application-cookie")
    except ConfigError as e:
        raise ConfigError(*(Mistake(place, m.problem) for m in e.mistakes)) from None
    return BoundCookies(
        route=route.host + route.path,
        names=CookieNames(config.names),
        levels={kind: level for kind, level in levels if level is not None},
        sealer=sealer,
        clock=tools.clock,
        counts=tools.shared(COUNTS, Counter),
    )
