"""Names of header fields and methods, as far as the configuration judges them."""

import re

FIELD_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 section 5.6.2): a method's or header field's name."""

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
