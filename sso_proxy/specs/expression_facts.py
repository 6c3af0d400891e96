"""The facts that conditions have words for, and what they can be."""

import ipaddress
import re
from typing import Final

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.target import canonical_path, matching_path

TEXTS: Final = (
    "method",
    "subject",
    "issuer",
    "authenticator",
    "acr",
    "host",
    "path",
    "client",
    "tls.version",
    "certificate.subject",
    "certificate.issuer",
    "certificate.serial",
    "certificate.thumbprint",
)
"""Facts that are text."""

LISTS: Final = (
    "scopes",
    "amr",
    "bindings",
    "certificate.dns",
    "certificate.email",
    "certificate.uri",
    "certificate.ip",
)
"""Facts that are lists of text."""

TRUTHS: Final = ("certificate.verified",)
"""Facts that are true or false."""

# What can stand in a list of acr_values, and in a field (RFC 9470 section 3).
_ACR = re.compile(r"[\x21\x23-\x5B\x5D-\x7E]+")


def check_text(name: str, text: str) -> None:
    """
    Check that the fact *name* can ever be *text*.

    A rule that denies by what nothing is equal to would deny nobody.

    Raises:
        ValueError: It cannot.
    """
    match name:
        case "acr" if not _ACR.fullmatch(text):
            raise ValueError(
                "no client could ask for this acr: it may have printable ASCII"
                " characters without blanks, double quotes and backslashes"
            )
        case "client" if text != "unix":
            ipaddress.ip_network(text)
        case "host" if text != text.lower().rstrip("."):
            raise ValueError(f"no host is ever written as {text!r}")
        case "path" if not _is_written(text):
            raise ValueError(f"no path is ever written as {text!r}")


def _is_written(path: str) -> bool:
    """Say whether a request's path can be this, in the form that is compared."""
    try:
        return matching_path(canonical_path(path)) == path
    except BadMessageError:
        return False
