"""XRDS documents: which services an identifier has (Yadis 1.0, section 7.3)."""

import re
from collections.abc import Iterable
from typing import Final, TypeVar

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.xml import (
    Element,
    XmlError,
    children,
    name_of,
    parse_xml,
    text_of,
)

MOST_SERVICES: Final = 64
"""Services in a document, and values of one kind in a service."""
MAX_DOCUMENT: Final = 65536
"""Octets of a document, which anybody can have us read."""
MOST_TAGS: Final = 2000

_XRDS: Final = ("xri://$xrds", "XRDS")
_XRD: Final = "xri://$xrd*($v*2.0)"
_LAST: Final = 1 << 64

_priority = re.compile("[0-9]{1,18}").fullmatch

T = TypeVar("T")


@attrs.frozen
class XrdsError(SsoProxyError):
    """
    A document is no XRDS document that could be read.

    Attributes:
        detail: Why, for the log; says nothing of what is in it.
    """

    detail: str


@attrs.frozen(kw_only=True)
class Service:
    """
    A service of an identifier.

    Attributes:
        types: What it does.
        uris: Where it is, the best first.
        local_ids: What the identifier is called there.
    """

    types: tuple[str, ...]
    uris: tuple[str, ...]
    local_ids: tuple[str, ...] = ()


def read_xrds(document: bytes) -> tuple[Service, ...]:
    """
    Read the services of the last ``XRD`` of a document, the best first.

    Those of one priority stay in their order; those without one come last.

    Raises:
        XrdsError: It is no XRDS document, has a document type, a comment or a
            processing instruction, or more in it than the limits above.
    """
    if len(document) > MAX_DOCUMENT or document.count(b"<") > MOST_TAGS:
        raise XrdsError("is too long")
    try:
        root = parse_xml(document)
        if name_of(root) != _XRDS:
            raise XrdsError("is no XRDS document")
        descriptions = children(root, _XRD, "XRD")
        if not descriptions:
            raise XrdsError("has no XRD")
        services = _few(children(descriptions[-1], _XRD, "Service"))
        return tuple(_read_service(each) for each in _by_priority(services))
    except XmlError as e:
        raise XrdsError(e.detail) from None


def _read_service(service: Element) -> Service:
    uris = _by_priority(_few(children(service, _XRD, "URI")))
    return Service(
        types=_texts(_few(children(service, _XRD, "Type"))),
        uris=_texts(uris),
        local_ids=_texts(_by_priority(_few(children(service, _XRD, "LocalID")))),
    )


def _texts(elements: Iterable[Element]) -> tuple[str, ...]:
    return tuple(text for each in elements if (text := text_of(each)))


def _few(elements: list[T]) -> list[T]:
    if len(elements) > MOST_SERVICES:
        raise XrdsError(f"has more than {MOST_SERVICES} of one kind in one place")
    return elements


def _by_priority(elements: list[Element]) -> list[Element]:
    """Sort by ``priority``: 0 is the best, and none the last."""

    def priority(element: Element) -> int:
        text = element.get("priority", "").strip()
        return int(text) if _priority(text) else _LAST

    return sorted(elements, key=priority)
