"""What conditions may look at: the values of their operands."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias
from urllib.parse import unquote

import attrs

from sso_proxy.model import CertificateFacts, Identity, Request
from sso_proxy.specs.claims import claim_at, value_at
from sso_proxy.specs.expression_tree import (
    CellOperand,
    ClaimOperand,
    FactOperand,
    Operand,
    PartOperand,
)
from sso_proxy.specs.http.target import matching_path

Getter: TypeAlias = Callable[[Identity, Request], Any]
"""Gives a value, or None where there is none."""

Table: TypeAlias = Mapping[str, Mapping[str, str]]
"""Rows by their key; values by column."""

_DELIMITERS: Final = frozenset("/\\;")
"""What some backends end a segment at, even if it was escaped."""

_PART = re.compile(r"\{(\w+)\}")


class UndefinedError(Exception):
    """A condition names what is not there; says what."""


@attrs.frozen(kw_only=True)
class Context:
    """
    What a condition may name besides facts and claims.

    Attributes:
        template: The path template whose named parts it may name.
        groups: Members of each group.
        tables: Tables by name.
    """

    template: str = "/"
    groups: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    tables: Mapping[str, Table] = attrs.field(factory=dict)


NOTHING: Final = Context()
"""No named parts, groups or tables."""


def make_getter(operand: Operand, context: Context) -> Getter:
    """
    Give what finds the value of *operand*.

    Raises:
        UndefinedError: It is in *context* only, and is not there.
    """
    match operand:
        case FactOperand(name):
            return FACTS[name]
        case PartOperand(name):
            return _part(name, context.template)
        case CellOperand(table, key, column):
            return _cell(table, make_getter(key, context), column, context)
        case ClaimOperand((str(name),), "claims"):
            return lambda identity, _request: identity.claims.get(name)
        case ClaimOperand(path, source):
            return _claim(path, source)


def _claim(path: tuple[str | int | None, ...], source: str) -> Getter:
    """Find a claim inside others, or as one source has it."""
    plain = tuple(step for step in path if isinstance(step, str))
    if len(plain) < len(path):
        if source == "claims":
            return lambda identity, _request: value_at(identity.claims, path)
        whole = (source, *path)
        return lambda identity, _request: value_at(identity.sources, whole)
    if source == "claims":
        return lambda identity, _request: claim_at(identity.claims, plain)
    named = (source, *plain)
    return lambda identity, _request: claim_at(identity.sources, named)


def _part(name: str, template: str) -> Getter:
    """Find the segment of the path that stands at ``{name}``."""
    segments = template.split("/")
    if f"{{{name}}}" not in segments:
        known = ", ".join(_PART.findall(template)) or "none"
        raise UndefinedError(f"{template!r} has no part {name!r}; its parts: {known}")
    if segments.count(f"{{{name}}}") > 1:
        raise UndefinedError(f"{template!r} has more than one part {name!r}")
    number = segments.index(f"{{{name}}}")

    def part(_identity: Identity, request: Request) -> str | None:
        found = request.head.path.split("/")
        return _decoded(found[number]) if number < len(found) else None

    return part


def _decoded(segment: str) -> str | None:
    """Give what a segment says; None if backends may read several things in it."""
    try:
        text = unquote(segment, errors="strict")
    except UnicodeDecodeError:
        return None
    plain = text and text.isprintable() and not _DELIMITERS & set(text)
    return text if plain else None


def _cell(table: str, key: Getter, column: str, context: Context) -> Getter:
    """Find a row by the value of another operand."""
    rows = context.tables.get(table)
    if rows is None:
        known = ", ".join(context.tables) or "none"
        raise UndefinedError(f"there is no table {table!r}; there are: {known}")
    if rows and not any(column in row for row in rows.values()):
        known = ", ".join(next(iter(rows.values())))
        raise UndefinedError(f"{table!r} has no column {column!r}; it has: {known}")

    def cell(identity: Identity, request: Request) -> str | None:
        found = key(identity, request)
        row = rows.get(found) if isinstance(found, str) else None
        return row.get(column) if row is not None else None

    return cell


def _certificate(get: Callable[[CertificateFacts], Any]) -> Getter:
    """Look at the client's certificate, if there is one."""

    def fact(_identity: Identity, request: Request) -> Any:  # noqa: ANN401
        tls = request.tls
        if tls is None or tls.certificate is None:
            return None
        return get(tls.certificate)

    return fact


def _name(kind: str) -> Getter:
    """Give all alternative names of one kind."""
    return _certificate(lambda c: [text for name, text in c.names if name == kind])


def _amr(identity: Identity, _request: Request) -> Any:  # noqa: ANN401
    """Give how the user authenticated (RFC 8176); one word is a list, too."""
    found = identity.claims.get("amr")
    return [found] if isinstance(found, str) else found


FACTS: Final[Mapping[str, Getter]] = {
    "method": lambda _identity, request: request.head.method,
    "host": lambda _identity, request: request.head.host,
    "path": lambda _identity, request: matching_path(request.head.path),
    "client": lambda _identity, request: request.client.address,
    "subject": lambda identity, _request: identity.subject,
    "issuer": lambda identity, _request: identity.issuer,
    "authenticator": lambda identity, _request: identity.authenticator,
    "acr": lambda identity, _request: identity.claims.get("acr"),
    "amr": _amr,
    "scopes": lambda identity, _request: list(identity.scopes),
    "bindings": lambda _identity, request: list(request.bindings),
    "tls.version": lambda _identity, request: request.tls and request.tls.version,
    "certificate.subject": _certificate(lambda c: c.subject),
    "certificate.issuer": _certificate(lambda c: c.issuer),
    "certificate.serial": _certificate(lambda c: c.serial),
    "certificate.thumbprint": _certificate(lambda c: c.thumbprint),
    "certificate.verified": _certificate(lambda c: c.verified),
    "certificate.dns": _name("dns"),
    "certificate.email": _name("email"),
    "certificate.uri": _name("uri"),
    "certificate.ip": _name("ip"),
}
"""Every fact that the grammar has a word for."""

CHANGING: Final = frozenset({"method", "path"})
"""Those that differ between repeated requests (`sso_proxy.edge.memo`)."""

STEADY: Final = frozenset(
    {"method", "subject", "issuer", "authenticator", "acr", "amr", "scopes"}
)
"""Those that are the same whenever one identity sends one method."""
