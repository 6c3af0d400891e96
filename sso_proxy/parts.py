"""What a configuration becomes: everything that it names, built."""

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from sso_proxy.interfaces import ICache, ISessionStore
from sso_proxy.net.tls.context import ListenerTls
from sso_proxy.pages import Pages
from sso_proxy.routing import RouteTable
from sso_proxy.specs.jose.public_jwk import PublicKey
from sso_proxy.storage import Needs


@attrs.frozen(kw_only=True)
class Parts:
    """
    Everything that one configuration names, built.

    Attributes:
        routes: All routes.
        tls: Contexts of each listener, or None for a plain one.
        named: Parts whose state matters, with their places in the configuration.
        upstreams: Backends by name.
        sessions: What keeps browser sessions, by name.
        pages: What people see of us.
        caches: The caches that somebody asked for, to be opened before serving.
        needs: What has to be there before it can be served.
        settable: Lower-case names of header fields that policies may set.
        public_keys: Of the keys that tokens for backends are signed with, by the name
            of the tokens.
    """

    routes: RouteTable
    tls: tuple[ListenerTls | None, ...]
    named: tuple[tuple[str, Any], ...]
    upstreams: tuple[Any, ...]
    sessions: Mapping[str, ISessionStore]
    pages: Pages
    caches: tuple[ICache, ...]
    needs: Needs
    settable: frozenset[str]
    public_keys: Mapping[str, Sequence[PublicKey]]

    @property
    def healthy(self) -> tuple[Any, ...]:
        """Give the parts whose state matters, alone."""
        return tuple(part for _, part in self.named)
