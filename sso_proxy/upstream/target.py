"""Where backends are, and how long they may take."""

from typing import Any, Final

import attrs

from sso_proxy.config.upstream_parts import UpstreamOptions
from sso_proxy.net.tls.stream import ClientContext

_LOOPBACK: Final = frozenset({"127.0.0.1", "::1"})


@attrs.frozen(kw_only=True)
class Target:
    """
    Where a backend is.

    Attributes:
        name: Its URL, for logs.
        kind: ``http``, ``https``, ``unix``, ``wsgi``, ``static``, ``resource`` or
            ``upstream``.
        host: Host name or address; empty for a unix socket.
        port: TCP port.
        path: A unix socket's path.
        tls: The context for https, or None.
        server_name: The name to expect in its certificate.
        application: For a backend inside this process: the object, or a directory.
        depth: Path segments that lead to it.
        servers: For an upstream, where each of its servers is.
        options: For an upstream, what is said of it.
    """

    name: str
    kind: str = "http"
    host: str = ""
    port: int = 0
    path: str = ""
    tls: ClientContext | None = attrs.field(default=None, repr=False)
    server_name: str = ""
    application: Any = attrs.field(default=None, repr=False)
    depth: int = 0
    servers: "tuple[Target, ...]" = ()
    options: UpstreamOptions | None = attrs.field(default=None, repr=False)


def place_of(target: Target) -> tuple[str, int]:
    """Give what two URLs of one server have in common: a host and port, or a path."""
    if target.kind == "unix":
        return target.path, 0
    host = "localhost" if target.host in _LOOPBACK else target.host
    return host, target.port


@attrs.frozen(kw_only=True)
class Patience:
    """How long a backend may take, in seconds, and how much stays open."""

    connect_timeout: float = 5.0
    response_timeout: float = 60.0
    idle_timeout: float = 30.0
    idle: int = 128
