r"""
Where a login server sends a browser back to: to listed sites, and nowhere else.

A site says where its user wanted to go, in an argument that anybody can write.  What
browsers and servers could take for another host is refused: user names before an ``@``,
``\`` for ``/``, names that are not plain ASCII, tabs and line ends, missing slashes.
"""

import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import unquote_to_bytes

import attrs

from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.return_target import TargetError

MOST: Final = 4096
"""Octets of an address to go back to."""

_HOST: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,62})(?:\.[a-z0-9_](?:[a-z0-9_-]{0,62}))*"
_pattern = re.compile(
    rf"(?:(https?)://)?(\*\.)?({_HOST})(?::([1-9][0-9]{{0,4}}))?", re.ASCII
).fullmatch
_url = re.compile(
    rb"(https?)://([A-Za-z0-9_.-]{1,253})(?::([0-9]{1,5}))?((?:[/?].*)?)", re.DOTALL
).fullmatch
_unreadable = re.compile(rb"[\x00-\x1f\x7f\\]").search
_bare_percent = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_PLAIN: Final = frozenset(
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    b"-._~!$&'()*+,;=:@/?%[]"
)


@attrs.frozen(kw_only=True)
class BackPattern:
    """
    Sites that browsers may be sent back to.

    Attributes:
        scheme: ``https`` or ``http``.
        host: The host, in small letters.
        below: Whether it is every host below that, and not this itself.
        port: The port.
    """

    scheme: str
    host: str
    below: bool
    port: int

    def covers(self, scheme: str, host: str, port: int) -> bool:
        """Say whether this origin is one of them."""
        if (scheme, port) != (self.scheme, self.port):
            return False
        return host.endswith("." + self.host) if self.below else host == self.host


def read_pattern(text: str) -> BackPattern:
    """
    Read ``app.example.com``, ``*.example.com``, perhaps with scheme and port.

    Raises:
        ValueError: It is nothing like that.
    """
    found = _pattern(text)
    port = int(found[4]) if found and found[4] else 0
    if found is None or port > 65535:
        raise ValueError(
            f"{text!r} is no site; write 'app.example.com', '*.example.com' or"
            " 'https://app.example.com:8443'"
        )
    scheme = found[1] or "https"
    return BackPattern(
        scheme=scheme,
        host=found[3],
        below=bool(found[2]),
        port=port or DEFAULT_PORTS[scheme],
    )


def read_arguments(query: str | None) -> dict[str, list[bytes]]:
    """
    Take the query of a login server apart as mod_auth_pubtkt and mod_auth_tkt write it.

    They separate arguments by ``&`` or ``;``, and escape both within them; ``+`` is
    itself.
    """
    found: dict[str, list[bytes]] = {}
    for part in re.split("[&;]", query or ""):
        name, _, value = part.partition("=")
        key = unquote_to_bytes(name).decode("latin-1")
        found.setdefault(key, []).append(unquote_to_bytes(value))
    return found


def read_back(url: bytes, allowed: Sequence[BackPattern]) -> str:
    """
    Give the URL that *url* means, as it can stand in ``Location``.

    Args:
        url: What a site has asked for, without the escapes of the argument.
        allowed: The sites that there are.

    Raises:
        TargetError: It is of none of them, or could be read in two ways.
    """
    if len(url) > MOST:
        raise TargetError("it is too long")
    if _unreadable(url):
        raise TargetError("it has a control character or a backslash")
    parts = _url(url)
    if parts is None:
        raise TargetError("it is no URL of a site")
    scheme, host = parts[1].decode("ascii"), parts[2].decode("ascii").lower()
    default = DEFAULT_PORTS[scheme]
    port = int(parts[3]) if parts[3] else default
    if not any(each.covers(scheme, host, port) for each in allowed):
        raise TargetError("it is of a site that is not listed")
    if not re.fullmatch(_HOST, host):
        raise TargetError("its host is no name")
    rest = _bare_percent.sub(b"%25", parts[4])
    text = "".join(chr(o) if o in _PLAIN else f"%{o:02X}" for o in rest)
    if not text.startswith("/"):
        text = f"/{text}"
    return f"{scheme}://{host}{'' if port == default else f':{port}'}{text}"
