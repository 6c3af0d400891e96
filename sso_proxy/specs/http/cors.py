"""
Which web pages of other origins may read answers: the CORS protocol (Fetch, 3.2).

An origin that is not listed is never named in an answer, so nothing that a page sends
comes back to it.
"""

import re
from typing import Final, Literal

import attrs

from sso_proxy.model import Headers, RequestHead

_CREDENTIALS: Final = frozenset({"authorization", "cookie", "dpop"})

PREFIX: Final = "Access-Control-"
"""What the names of all fields of the protocol begin with."""

_CORS: Final = b"\r\n" + PREFIX.encode("ascii")
_lines = re.compile(b"(?<=\r\n)" + PREFIX.encode("ascii") + b"[^\r\n]*\r\n")


@attrs.frozen(kw_only=True)
class CorsRules:
    """
    What a route lets pages of other origins do.

    Attributes:
        origins: Origins that may read answers; ``*`` is any.
        credentials: Whether with cookies and client certificates, too.
        methods: Methods that pages may use, as a field's value.
        headers: Fields that they may send, likewise.
        exposed: Fields that they may read, likewise.
        max_age: Seconds that a browser may remember this.
        preflight: Who says so before the request is sent.
    """

    origins: frozenset[str]
    credentials: bool = False
    methods: str
    headers: str
    exposed: str
    max_age: int
    preflight: Literal["answer", "backend"] = "answer"


def is_preflight(head: RequestHead) -> bool:
    """
    Say whether a browser asks whether a page may send another request.

    One that has a credential is none: browsers send none with it.
    """
    return (
        head.method == "OPTIONS"
        and len(head.values("origin")) == 1
        and len(head.values("access-control-request-method")) == 1
        and not any(name in _CREDENTIALS for name, _ in head.headers)
    )


def asks_for_method(head: RequestHead) -> bool:
    """Say whether *head* would be a preflight if its method were OPTIONS."""
    return any(name == "access-control-request-method" for name, _ in head.headers)


def allowed_origin(rules: CorsRules, head: RequestHead) -> str:
    """Give what to call the origin that *head* comes from; empty if it may not."""
    if "*" in rules.origins:
        return "*"
    origins = head.values("origin")
    return origins[0] if len(origins) == 1 and origins[0] in rules.origins else ""


def build_cors_fields(rules: CorsRules, head: RequestHead) -> Headers:
    """Build the fields that every answer to *head* gets."""
    fields: list[tuple[str, str]] = []
    if "*" not in rules.origins:
        fields.append(("vary", "Origin"))
    if origin := allowed_origin(rules, head):
        fields.append(("access-control-allow-origin", origin))
        if rules.credentials:
            fields.append(("access-control-allow-credentials", "true"))
        fields.append(("access-control-expose-headers", rules.exposed))
    return tuple(fields)


def build_preflight_fields(rules: CorsRules) -> Headers:
    """Build the further fields of the answer to a preflight."""
    return (
        ("access-control-allow-methods", rules.methods),
        ("access-control-allow-headers", rules.headers),
        ("access-control-max-age", str(rules.max_age)),
    )


def without_cors(block: bytes) -> bytes:
    """Take the backend's CORS fields out of *block*: ours say what holds."""
    return _lines.sub(b"", block) if _CORS in block else block
