"""Which cookies of applications are bound, and to which keys, on all routes."""

import json
from collections import Counter
from functools import partial

from sso_proxy.bound_cookies import COUNTS, BoundCookies
from sso_proxy.config.model import RouteConfig
from sso_proxy.config.route_parts import CookieBindingConfig
from sso_proxy.config.structure import join
from sso_proxy.device_cookies import PLACE, CookieDevices
from sso_proxy.device_scope import DevicePlaces
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import ITools
from sso_proxy.routing import Route
from sso_proxy.sessions.device_options import NEEDS, DeviceConfig
from sso_proxy.sessions.device_talk import tag_of
from sso_proxy.sessions.devices import build_devices
from sso_proxy.specs.http.bound_cookies import CookieNames


class RouteCookies:
    """
    Makes what binds the cookies of routes.

    Routes of one host that say the same of the same cookies are one application: a
    browser has one key for all of them.

    Args:
        places: Takes what browsers bind to their device, by host.
    """

    def __init__(self, places: DevicePlaces) -> None:
        self._places = places
        self._applications: dict[str, tuple[CookieBindingConfig, CookieDevices]] = {}

    def find(self, path: str, route: RouteConfig, tools: ITools) -> BoundCookies | None:
        """
        Give what binds the cookies of *route*, if anything does.

        Args:
            path: Where the route is in the configuration.
            route: The route.
            tools: What a component may use.

        Raises:
            ConfigError: There is no key of ours to seal them with, or no cache that
                can keep the keys of devices; or another route says something else of
                the same cookies.
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
            devices = self._devices_of(place, route, config, tools)
        except ConfigError as e:
            raise ConfigError(
                *(Mistake(place, m.problem) for m in e.mistakes)
            ) from None
        return BoundCookies(
            route=route.host + route.path,
            names=CookieNames(config.names),
            levels={kind: level for kind, level in levels if level is not None},
            devices=devices,
            sealer=sealer,
            clock=tools.clock,
            counts=tools.shared(COUNTS, Counter),
        )

    def _devices_of(
        self, path: str, route: RouteConfig, config: CookieBindingConfig, tools: ITools
    ) -> CookieDevices | None:
        """
        Give the keys of devices for the application of *route*, if it has any.

        Raises:
            ConfigError: It cannot.
        """
        if config.device is None:
            return None
        name = _name_of(route, config)
        known, devices = self._applications.get(name, (config, None))
        if known != config:
            problem = (
                f"another route of {route.host} binds the same cookies, and says"
                " something else of it; a browser has one key for both"
            )
            raise ConfigError(Mistake(path, problem))
        if devices is None:
            devices = _build(name, config, tools)
            self._applications[name] = config, devices
            place = route.host, route.endpoints
            self._places.add(place, devices, partial(_uses, devices))
        return devices


def _name_of(route: RouteConfig, config: CookieBindingConfig) -> str:
    """Name the application of *route*: the same again after each change of options."""
    return json.dumps(["cookies", route.host, route.endpoints, sorted(config.names)])


def _build(name: str, config: CookieBindingConfig, tools: ITools) -> CookieDevices:
    """
    Make what keeps the keys of devices for one application.

    Raises:
        ConfigError: There is no cache that can keep them, or no key of ours.
    """
    options = config.device_options
    devices = build_devices(
        DeviceConfig(
            lifetime=options.lifetime,
            grace=options.grace,
            exclude=options.exclude,
            algorithms=options.algorithms,
            clear_site_data=False,
        ),
        config.device or "require",
        tools,
        tools.cache(options.cache, NEEDS),
        name=name,
        cookie=f"__Host-sso-bound-{tag_of(name)}",
        scope=PLACE,
    )
    return CookieDevices(
        devices=devices,
        ends_after=options.ends_after,
        sealer=tools.sealer("device-holder"),
        clock=tools.clock,
    )


def _uses(devices: CookieDevices, route: Route) -> bool:
    """Say whether the application's cookies are looked at on *route*."""
    return route.cookies is not None and route.cookies.devices is devices
