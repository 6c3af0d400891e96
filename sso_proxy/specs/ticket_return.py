"""
Where a login server of tickets is told to send the browser back to.

mod_auth_pubtkt and mod_auth_tkt write it with escapes of their own; login servers
compare what it says.
"""

from typing import Final
from urllib.parse import unquote_plus, unquote_to_bytes

from sso_proxy.model import RequestHead
from sso_proxy.specs.http.authority import DEFAULT_PORTS

_PLAIN: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789$-_.+!*'(),@~"
)
_ESCAPED: Final = tuple(
    chr(octet) if octet in _PLAIN else f"%{octet:02x}" for octet in range(256)
)


def escape_return(url: bytes) -> str:
    """Escape *url* for an argument as mod_auth_pubtkt does: with lower-case digits."""
    return "".join([_ESCAPED[octet] for octet in url])


def return_url(head: RequestHead, path: str = "") -> bytes:
    """
    Give where a request went to, as mod_auth_pubtkt does: escapes of its path decoded.

    Args:
        head: The canonical head; what proxies say about the host does not count.
        path: The path that was asked for, if it is not that of *head*.
    """
    host = head.host
    if head.port != DEFAULT_PORTS[head.scheme]:
        host = f"{host}:{head.port}"
    query = "" if head.query is None else f"?{head.query}"
    begin = f"{head.scheme}://{host}".encode("latin-1")
    return begin + unquote_to_bytes(path or head.path) + query.encode("latin-1")


def add_argument(url: str, name: str, value: str, separator: str = "&") -> str:
    """Add an argument, whose *value* is escaped, to the query of *url*."""
    return f"{url}{separator if '?' in url else '?'}{name}={value}"


def without_ticket(query: str | None, name: str) -> str | None:
    """
    Write a query as mod_auth_tkt does where it tells a login server of it.

    Arguments end at ``;``, too, each has a ``=``, and that called *name* is left out.
    """
    if query is None:
        return None
    parts = (part.partition("=") for part in query.replace(";", "&").split("&") if part)
    kept = (f"{key}={value}" for key, _, value in parts if unquote_plus(key) != name)
    return "&".join(kept) or None
