"""Where a route sends its requests."""

import ipaddress
import re
from typing import Literal

import attrs

BackendKind = Literal[
    "http",
    "https",
    "unix",
    "wsgi",
    "static",
    "resource",
    "decisions",
    "ticket",
    "upstream",
    "forward-auth",
]

_FORMS = (
    "'http://host:port', 'https://host:port', 'unix:/path', 'wsgi:module:app',"
    " 'static:/directory', 'resource:module:name', 'decisions:policy',"
    " 'ticket:token', 'upstream:name' or 'forward-auth:'"
)
_NAMED = {
    "decisions": "a policy",
    "ticket": "a token",
    "upstream": "an upstream",
}
_URL = re.compile(r"//(?P<host>[^/?#@\[\]:]+|\[[^/?#@\[\]]+\])(?::(?P<port>\d*))?/?")
_HOST = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_OBJECT = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*:[^\W\d]\w*(?:\.[^\W\d]\w*)*")


@attrs.frozen(kw_only=True)
class Backend:
    """
    A route's ``backend``, taken apart.

    Attributes:
        kind: What stands before the first colon.
        host: For ``http`` and ``https``: lower-case, IPv6 without brackets.
        port: For ``http`` and ``https``.
        target: For the others, what stands after the first colon.
    """

    kind: BackendKind
    host: str = ""
    port: int = 0
    target: str = ""

    @property
    def proxied(self) -> bool:
        """Whether requests leave this process."""
        return self.kind in {"http", "https", "unix", "upstream"}


def read_backend(text: str) -> Backend:
    """
    Take *text* apart.

    Raises:
        ValueError: It has none of the forms; the message says what would be right.
    """
    kind, _, rest = text.partition(":")
    match kind:
        case "http" | "https":
            return _read_url(kind, rest)
        case "unix" | "static":
            if not rest.startswith("/") or "\0" in rest:
                raise ValueError(f"{kind}: needs an absolute path, not {rest!r}")
            return Backend(kind=kind, target=rest)
        case "wsgi" | "resource":
            if not _OBJECT.fullmatch(rest):
                raise ValueError(f"{rest!r} is no 'module:name'")
            return Backend(kind=kind, target=rest)
        case "decisions" | "ticket" | "upstream":
            if not rest:
                raise ValueError(f"{kind}: needs the name of {_NAMED[kind]}")
            return Backend(kind=kind, target=rest)
        case "forward-auth":
            if rest:
                raise ValueError("write 'forward-auth:', with nothing after it")
            return Backend(kind=kind)
        case _:
            raise ValueError(f"{kind!r} is no kind of backend; write {_FORMS}")


def _read_url(kind: Literal["http", "https"], rest: str) -> Backend:
    """Read the part of a URL after its scheme: host and port, and no more."""
    if "@" in rest:
        # Not shown: what stands before it is a password.
        raise ValueError("must not hold a user name or password")
    if (parts := _URL.fullmatch(rest)) is None:
        raise ValueError(
            f"'{kind}:{rest}' is not '{kind}://host:port'; the path that the client"
            " asks for is sent as it is, and none can be put before it"
        )
    default = 443 if kind == "https" else 80
    port = int(parts["port"]) if parts["port"] else default
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is no port")
    return Backend(kind=kind, host=_read_host(parts["host"]), port=port)


def _read_host(host: str) -> str:
    """Check a host name or address."""
    if host.startswith("["):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ValueError as e:
            raise ValueError(f"{host!r} is no IPv6 address") from e
    # All digits and dots is an address or nothing: "127.1" is neither.
    if re.fullmatch(r"[\d.]+", host):
        try:
            return str(ipaddress.IPv4Address(host))
        except ValueError as e:
            raise ValueError(f"{host!r} is no IPv4 address") from e
    if not _HOST.fullmatch(host):
        raise ValueError(f"{host!r} is no host name")
    return host.lower()
