"""What the backends of one configuration's routes are, and how they are reached."""

from collections.abc import Callable, Container, Mapping
from pathlib import Path
from typing import Any

from twisted.python.reflect import namedAny
from twisted.web.resource import Resource

from sso_proxy.config.backend import Backend, read_backend
from sso_proxy.config.limits import LimitsConfig
from sso_proxy.config.model import RouteConfig, UpstreamConfig
from sso_proxy.config.upstream_parts import UpstreamOptions
from sso_proxy.endpoints.decision_point import DecisionPoint
from sso_proxy.endpoints.tree import Endpoints
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.interfaces import IClock, IHealth, ILocalPolicy, IPolicy
from sso_proxy.net.tls.client import build_client_context
from sso_proxy.net.tls.material import MaterialError
from sso_proxy.net.tls.stream import ClientContext
from sso_proxy.upstream.resource import check_hosted
from sso_proxy.upstream.target import Patience, Target

MakeUpstream = Callable[[Target, Patience], Any]
"""Makes what forwards requests to a backend."""


class RouteUpstreams:
    """
    Gives routes their backends; routes that reach one alike share it.

    Args:
        limits: Limits of routes that say nothing else.
        make: Makes what forwards requests.
        named: Backends of several servers, by name.
    """

    def __init__(
        self,
        limits: LimitsConfig,
        make: MakeUpstream,
        named: Mapping[str, UpstreamOptions] | None = None,
    ) -> None:
        self._limits = limits
        self._make = make
        self._named = named or {}
        self._made: dict[Any, Any] = {}
        self._endpoints = Endpoints()
        self._decision_point: Callable[[str, str], DecisionPoint]

    @property
    def made(self) -> tuple[Any, ...]:
        """All backends, ourselves included."""
        return tuple(self._made.values())

    def states(self) -> tuple[tuple[str, Any], ...]:
        """Give those of several servers, whose state matters, with their places."""
        groups = (getattr(upstream, "servers", None) for upstream in self.made)
        found: dict[Any, None]
        found = dict.fromkeys(each for each in groups if IHealth.providedBy(each))
        return tuple((f"upstream.{each.name}", each) for each in found)

    def options_of(self, route: RouteConfig) -> UpstreamConfig | UpstreamOptions:
        """Give what says how the backend of *route* is reached."""
        backend = read_backend(route.backend)
        if backend.kind == "upstream" and backend.target in self._named:
            return self._named[backend.target]
        return route.upstream

    def places(self, route: RouteConfig) -> tuple[tuple[str, int], ...]:
        """Give host and port of all servers of *route* that have them."""
        urls, backend = [route.backend], read_backend(route.backend)
        if backend.kind == "upstream" and backend.target in self._named:
            urls = [each.url for each in self._named[backend.target].server]
        read = map(read_backend, urls)
        return tuple((each.host, each.port) for each in read if each.host)

    def speaks_tls(self, route: RouteConfig) -> bool:
        """Say whether the backend of *route* is reached with TLS."""
        backend = read_backend(route.backend)
        if backend.kind == "upstream" and backend.target in self._named:
            servers = self._named[backend.target].server
            return any(read_backend(each.url).kind == "https" for each in servers)
        return backend.kind == "https"

    def decide_by(
        self,
        policies: Mapping[str, IPolicy],
        known: Container[str],
        clock: IClock,
    ) -> None:
        """
        Let routes lead to decision points.

        Args:
            policies: All that could be made, by name.
            known: Names of those that there are.
            clock: The time.
        """

        def make(path: str, name: str) -> DecisionPoint:
            policy = policies.get(name)
            if ILocalPolicy.providedBy(policy):
                return DecisionPoint(name, policy, clock)
            if policy is not None:
                problem = f"{name!r} asks somebody; only rules can be asked"
            elif name in known:
                raise ConfigError  # said already
            else:
                problem = f"there is no [policy.{name}]"
            raise ConfigError(Mistake(path, problem))

        self._decision_point = make

    def find(self, path: str, route: RouteConfig) -> Any:  # noqa: ANN401
        """
        Give the backend of *route*, which stands at *path*.

        Raises:
            ConfigError: Its certificates, or what serves inside this process, cannot
                be used.
        """
        limits, wanted, options = self._limits, route.limits, self.options_of(route)
        patience = Patience(
            connect_timeout=wanted.connect_timeout or limits.connect_timeout,
            response_timeout=wanted.response_timeout or limits.response_timeout,
            idle_timeout=options.idle_timeout,
            idle=options.idle,
        )
        backend = read_backend(route.backend)
        mount = "" if backend.proxied else route.path
        key = (route.backend, route.upstream, patience, mount)
        if key not in self._made:
            target = self._target(path, route, backend)
            self._made[key] = self._make(target, patience)
        return self._made[key]

    def own(self, route: RouteConfig) -> Any:  # noqa: ANN401
        """Give what serves our own paths of *route*."""
        depth = len([part for part in route.endpoints.split("/") if part])
        key = ("own", depth)
        if key not in self._made:
            target = Target(
                name="sso-proxy",
                kind="resource",
                application=self._endpoints,
                depth=depth,
            )
            self._made[key] = self._make(target, Patience())
        return self._made[key]

    def own_names(self) -> frozenset[str]:
        """Give the first segments that there are below ``endpoints``."""
        return self._endpoints.names()

    def _target(self, path: str, route: RouteConfig, backend: Backend) -> Target:
        """Read what is needed to reach a backend, or find the object that it is."""
        if backend.kind == "upstream":
            return self._group(route.backend, backend.target)
        context: ClientContext | None = None
        if backend.kind == "https":
            context = _client_context(f"{path}.upstream", route.upstream)
        application: Any = None
        if backend.kind == "decisions":
            application = self._decision_point(f"{path}.backend", backend.target)
        elif backend.kind in {"ticket", "forward-auth"}:
            application = Resource()  # nothing is there: we answer before
        elif not backend.proxied:
            application = _hosted(f"{path}.backend", backend)
        return Target(
            name=route.backend,
            application=application,
            depth=len([part for part in route.path.split("/") if part]),
            kind=backend.kind,
            host=backend.host,
            port=backend.port,
            path=backend.target,
            tls=context,
            server_name=route.upstream.server_name or backend.host,
        )

    def _group(self, name: str, upstream: str) -> Target:
        """Read what is needed to reach several servers."""
        options = self._named.get(upstream)
        if options is None:
            raise ConfigError  # said already
        read = [(each.url, read_backend(each.url)) for each in options.server]
        context: ClientContext | None = None
        if any(backend.kind == "https" for _, backend in read):
            context = _client_context(f"upstream.{upstream}", options)
        servers = tuple(
            Target(
                name=url,
                kind=backend.kind,
                host=backend.host,
                port=backend.port,
                path=backend.target,
                tls=context if backend.kind == "https" else None,
                server_name=options.server_name or backend.host,
            )
            for url, backend in read
        )
        return Target(name=name, kind="upstream", servers=servers, options=options)


def _hosted(path: str, backend: Backend) -> Any:  # noqa: ANN401
    """Find what a backend inside this process is: an object, or a directory."""
    if backend.kind == "static":
        if not Path(backend.target).is_dir():
            raise ConfigError(Mistake(path, f"{backend.target!r} is no directory"))
        return backend.target
    try:
        found = namedAny(backend.target.replace(":", "."))
        check_hosted(backend.kind, found)
    except Exception as e:
        problem = f"cannot load {backend.target!r}: {type(e).__name__}: {e}"
        raise ConfigError(Mistake(path, problem)) from e
    return found


def _client_context(
    path: str, options: UpstreamConfig | UpstreamOptions
) -> ClientContext:
    try:
        return build_client_context(
            ca=_read(options.ca),
            certificate=_read(options.certificate),
            key=_read(options.key),
        )
    except (OSError, MaterialError) as e:
        raise ConfigError(Mistake(path, str(e))) from e


def _read(path: str | None) -> bytes | None:
    return None if path is None else Path(path).read_bytes()
