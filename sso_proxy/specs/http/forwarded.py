"""
What proxies before us say about the client, and what we say to the backend (RFC 7239).

To be read only if the peer is a trusted proxy.  Two families say the same thing,
``Forwarded`` and ``X-Forwarded-*``.  A proxy that writes one of them often passes the
other on as the client sent it, so neither can have precedence: where both are there
they must agree, else the request is refused.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.model import Headers
from sso_proxy.specs.http.authority import DEFAULT_PORTS
from sso_proxy.specs.http.head import TCHAR

_pair = re.compile(
    rf"[ \t]*+({TCHAR}++)="
    rf'(?:({TCHAR}++)|"((?:[\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]'
    r'|\\[\t\x20-\x7e\x80-\xff])*+)")[ \t]*+(;|,|\Z)'
).match
_nothing = re.compile(r"[ \t]*+(;|,|\Z)").match
_quoted_pair = re.compile(r"\\(.)")
_node = re.compile(
    r"(?:([0-9.]{7,15})|\[([0-9A-Fa-f:.]{2,45})\])(?::(?:[0-9]{1,5}|_[A-Za-z0-9._-]++))?"
).fullmatch
_is_token = re.compile(f"{TCHAR}++").fullmatch

_ANSWERS: Final = 4096
"""Addresses whose answer is remembered."""


def normal_address(text: str) -> str | None:
    """
    Give an IP address in the one way to write it, or None if it is none.

    IPv4 mapped into IPv6 is given as IPv4, so that a range means the same addresses
    on a listener of both families.
    """
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return str(_unmapped(address))


def _unmapped(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def trusted_ranges(cidrs: Iterable[str]) -> Callable[[str], bool]:
    """
    Make the test for whether an address is in one of *cidrs*.

    ``unix`` in *cidrs* stands for peers on a unix socket.  Text that is no address is
    in no range.

    Raises:
        ValueError: One of *cidrs* is no address or range.
    """
    wanted = set(cidrs)
    unix = "unix" in wanted
    networks = [ip_network(cidr) for cidr in wanted - {"unix"}]

    def is_within(text: str) -> bool:
        try:
            address = _unmapped(ip_address(text))
        except ValueError:
            return False
        return any(address in network for network in networks)

    answer = lru_cache(maxsize=_ANSWERS)(is_within)

    def is_trusted(text: str) -> bool:
        """Say whether *text*, an IP address or ``unix``, is in a range."""
        if text == "unix":
            return unix
        return len(text) <= 64 and answer(text)

    return is_trusted


def client_address(peer: str, fields: Headers, trusted: Callable[[str], bool]) -> str:
    """
    Find the client: the right-most address that is not a trusted proxy's.

    From the peer on to the left, each trusted proxy is believed about the one hop
    before it.  An entry that is no address (``unknown``, an obfuscated name) ends the
    walk at the proxy that wrote it.

    Args:
        peer: The address at the other end of our connection.
        fields: The request's forwarding fields.
        trusted: Says whether an address is a trusted proxy's.

    Raises:
        BadMessageError: 400: ``Forwarded`` is malformed, or names another client
            than ``X-Forwarded-For``.
    """
    here = normal_address(peer) or peer
    if not trusted(peer):
        return here
    listed = [
        entry.strip(" \t")
        for name, value in fields
        if name == "x-forwarded-for"
        for entry in value.split(",")
    ]
    elements = read_forwarded(fields)
    named = [element.get("for", "") for element in elements]
    if not any(named):
        return _walk(here, listed, trusted)
    found = _walk(here, named, trusted)
    if listed and _walk(here, listed, trusted) != found:
        raise BadMessageError(400, "forwarded-conflict")
    return found


def _walk(here: str, hops: list[str], trusted: Callable[[str], bool]) -> str:
    """Go from *here* to the left while the hop reached is trusted."""
    for hop in reversed(hops):
        address = _read_node(hop)
        if address is None:
            return here
        here = address
        if not trusted(address):
            return here
    return here


def _read_node(text: str) -> str | None:
    """Read an address with or without port (RFC 7239 section 6), or None."""
    if len(text) > 80:
        return None
    match = _node(text)
    return normal_address((match[1] or match[2]) if match else text)


def read_forwarded(fields: Headers) -> list[Mapping[str, str]]:
    """
    Read all ``Forwarded`` fields: one mapping for each hop, parameters in lower case.

    Raises:
        BadMessageError: 400: not the grammar of RFC 7239 section 4.  Nothing is
            skipped: an open quote of the client's would swallow what the proxy
            behind it wrote.
    """
    elements: list[Mapping[str, str]] = []
    for name, value in fields:
        if name == "forwarded":
            elements.extend(_read_elements(value))
    return elements


def _read_elements(value: str) -> Iterable[Mapping[str, str]]:
    element: dict[str, str] = {}
    at = 0
    while True:
        match = _pair(value, at)
        if match is not None:
            name = match[1].lower()
            if name in element:
                raise BadMessageError(400, "forwarded-malformed")
            text = match[2]
            element[name] = _quoted_pair.sub(r"\1", match[3]) if text is None else text
        else:
            match = _nothing(value, at)
            if match is None:
                raise BadMessageError(400, "forwarded-malformed")
        at = match.end()
        end = match[match.lastindex or 0]
        if end != ";" and element:
            yield element
            element = {}
        if not end:
            break


def forwarded_proto(fields: Headers) -> str | None:
    """
    Say which scheme the nearest proxy was asked with: ``http``, ``https`` or None.

    Raises:
        BadMessageError: 400: something else, or the two families differ.
    """
    protos = [
        element["proto"] for element in read_forwarded(fields) if "proto" in element
    ][-1:]
    last = [value for name, value in fields if name == "x-forwarded-proto"][-1:]
    protos += [value.rpartition(",")[2].strip(" \t") for value in last]
    schemes = {proto.lower() for proto in protos}
    if not schemes:
        return None
    if len(schemes) > 1 or not schemes <= DEFAULT_PORTS.keys():
        raise BadMessageError(400, "forwarded-conflict")
    return schemes.pop()


def has_passed(via: Iterable[str], name: str) -> bool:
    """
    Say whether a message came by *name* before (RFC 9110 section 7.6.3): a loop.

    Args:
        via: The members of ``Via``: protocol, received-by, perhaps a comment.
        name: A pseudonym; compared without regard to case.
    """
    wanted = name.lower()
    return any(member.lower().split()[1:2] == [wanted] for member in via)


def build_forwarded(*, client: str, scheme: str, host: str, port: int) -> Headers:
    """
    Say to the backend where a request comes from, in both families.

    Only the client is named, not the trusted proxies between it and us: then an
    application finds it from whichever end it counts.

    Args:
        client: The client's IP address, or ``unix``.
        scheme: What the client used.
        host: The canonical host.
        port: The port that the client addressed.
    """
    address = normal_address(client)
    authority = host if port == DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    node = "unknown" if address is None else address
    if ":" in node:
        node = f"[{node}]"
    forwarded = f"for={_quote(node)};host={_quote(authority)};proto={_quote(scheme)}"
    fields = [
        ("forwarded", forwarded),
        ("x-forwarded-proto", scheme),
        ("x-forwarded-host", authority),
        ("x-forwarded-port", str(port)),
    ]
    if address is not None:
        fields.insert(1, ("x-forwarded-for", address))
    return tuple(fields)


def _quote(value: str) -> str:
    """Write a parameter's value; what could end it early stays inside (A14)."""
    if _is_token(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
