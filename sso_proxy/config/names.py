"""Names of header fields and methods, as far as the configuration judges them."""

import re

FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 section 5.6.2): a method's or header field's name."""

_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?")

NEVER_MANAGED = frozenset(
    {
        "connection",
        "content-length",
        "expect",
        "host",
        "keep-alive",
        "proxy-connection",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that frame or route a message: no option may name them."""


def alias(name: str) -> str:
    """
    Give the one spelling of all names that a backend may take for *name*.

    CGI, WSGI and many frameworks fold case, ``-``, ``_`` and ``.``.
    """
    return re.sub(r"[-_.]", "-", name.lower())


def method_problem(method: str) -> str | None:
    """Say why *method* cannot be one that a route allows."""
    if method in {"TRACE", "CONNECT"}:
        return f"{method} is never forwarded"
    if not FIELD_NAME.fullmatch(method) or method != method.upper():
        return f"{method!r} is no method; they are case-sensitive, as 'GET'"
    return None


def origin_problem(origin: str) -> str | None:
    """Say why *origin* is none (RFC 6454 section 6.2)."""
    if not _ORIGIN.fullmatch(origin):
        return f"{origin!r} is no origin; write 'https://app.example.com'"
    return None
