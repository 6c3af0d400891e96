"""Protected resource metadata: what a client finds out about an API (RFC 9728)."""

import json
import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import attrs

from sso_proxy.errors import BadMessageError
from sso_proxy.specs.http.target import canonical_path

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
"""What comes between host and path of an identifier (section 3)."""

BEARER_METHODS: Final = ("header", "body", "query")
"""Where RFC 6750 sections 2.1 to 2.3 have tokens stand."""

MEMBERS: Final = frozenset(
    {
        "resource",
        "authorization_servers",
        "scopes_supported",
        "bearer_methods_supported",
        "resource_name",
        "resource_documentation",
        "resource_policy_uri",
        "resource_tos_uri",
        "tls_client_certificate_bound_access_tokens",
        "authorization_details_types_supported",
        "dpop_signing_alg_values_supported",
        "dpop_bound_access_tokens_required",
    }
)
"""The members of section 2 that follow from what a route does."""

_HOST = re.compile(r"[a-z0-9_.-]+|\[[0-9a-f:.]+\]")


@attrs.frozen
class Identifier:
    """
    A resource identifier (section 1.2).

    Attributes:
        text: As clients compare it, octet by octet (section 3.3).
        authority: Host and port.
        host: The host alone.
        path: The path; may be empty.
    """

    text: str
    authority: str
    host: str
    path: str

    @property
    def metadata_path(self) -> str:
        """Give where the metadata is: a slash that ends the host goes (section 3.1)."""
        return WELL_KNOWN + ("" if self.path == "/" else self.path)

    @property
    def metadata_url(self) -> str:
        """Give the metadata's URL."""
        return f"https://{self.authority}{self.metadata_path}"

    def covers(self, path: str) -> bool:
        """Say whether *path* is this resource or below it."""
        below = self.path.rstrip("/") + "/"
        return path == self.path or path.startswith(below)


def read_identifier(text: str) -> Identifier:
    """
    Read a resource identifier.

    Raises:
        ValueError: It is no https URL with a lower-case host and a canonical path, or
            it has user information, a query (section 1.2: SHOULD NOT) or a fragment.
    """
    problem = f"{text!r} must be an https URL without query and fragment"
    if not text.isascii() or not text.isprintable() or set(text) & set("?# \\"):
        raise ValueError(problem)
    parts = urlsplit(text)
    if not text.startswith("https://") or not parts.netloc or "@" in parts.netloc:
        raise ValueError(problem)
    try:
        host = parts.netloc.rpartition(":")[0] if parts.port else parts.netloc
    except ValueError:
        raise ValueError(f"{text!r} must have a port that there is") from None
    if not _HOST.fullmatch(host) or host.endswith("."):
        raise ValueError(f"{text!r} must have a lower-case host, as clients compare it")
    try:
        canonical = not parts.path or canonical_path(parts.path) == parts.path
    except BadMessageError:
        canonical = False
    if not canonical:
        raise ValueError(f"{text!r} must have a path without unneeded escapes and dots")
    return Identifier(text, parts.netloc, host, parts.path)


def build_metadata(identifier: Identifier, members: Mapping[str, Any]) -> bytes:
    """
    Write the document (section 2).

    Args:
        identifier: Whose.
        members: The other members; what is None or has no elements is left out
            (section 3.2), false is kept.
    """
    told = {
        name: value
        for name, value in members.items()
        if value is not None and value not in ("", (), [], {})
    }
    document = {"resource": identifier.text, **told}
    return json.dumps(document, indent=2).encode("ascii") + b"\n"
