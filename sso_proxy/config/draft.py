"""A file's tables as far as they can be read, beside all that is wrong with them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Generic, TypeVar

import attrs

from sso_proxy.config.model import (
    ComponentConfig,
    Config,
    KeyRingConfig,
    ListenerConfig,
    PagesConfig,
    RouteConfig,
    ServerConfig,
)
from sso_proxy.config.structure import join, structure, told
from sso_proxy.config.suggest import unknown
from sso_proxy.config.upstream_parts import UpstreamOptions
from sso_proxy.errors import ConfigError, Mistake
from sso_proxy.registry import FAMILIES

T = TypeVar("T")


@attrs.frozen(kw_only=True)
class Placed(Generic[T]):
    """
    One table that could be read.

    Attributes:
        path: Where it stands: ``route[0]``.
        raw: What was written there; tells a default from the same value written.
        value: What it says.
    """

    path: str
    raw: Mapping[str, Any] = attrs.field(repr=False)
    value: T


@attrs.frozen(kw_only=True)
class Draft:
    """
    What rules that look at several tables go by; a table with mistakes is left out.

    Attributes:
        server: The ``[server]`` table.
        key_ring: The ``[key_ring]`` table.
        pages: The ``[pages]`` table.
        listeners: The ``[[listener]]`` tables.
        routes: The ``[[route]]`` tables.
        authenticators: The ``[authenticator.N]`` tables by name.
        mappers: The ``[mapper.N]`` tables by name.
        bindings: The ``[binding.N]`` tables by kind.
        caches: The ``[cache.N]`` tables by name.
        sessions: The ``[session.N]`` tables by name.
        tokens: The ``[token.N]`` tables by name.
        policies: The ``[policy.N]`` tables by name.
        obligations: The ``[obligation.N]`` tables by name.
        checkers: The ``[checker.N]`` tables by name.
        upstreams: The ``[upstream.N]`` tables by name.
        names: All names written in each family, of tables with mistakes, too.
        mistakes: What is wrong.
    """

    server: Placed[ServerConfig] | None = None
    key_ring: Placed[KeyRingConfig] | None = None
    pages: Placed[PagesConfig] | None = None
    listeners: tuple[Placed[ListenerConfig], ...] = ()
    routes: tuple[Placed[RouteConfig], ...] = ()
    authenticators: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    mappers: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    bindings: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    caches: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    sessions: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    tokens: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    policies: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    obligations: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    checkers: Mapping[str, Placed[ComponentConfig]] = attrs.field(factory=dict)
    upstreams: Mapping[str, Placed[UpstreamOptions]] = attrs.field(factory=dict)
    names: Mapping[str, frozenset[str]] = attrs.field(factory=dict)
    mistakes: tuple[Mistake, ...] = ()


def read_draft(raw: Mapping[str, Any], directory: Path) -> Draft:
    """Read each table of *raw* for itself, so that one does not hide the others."""
    reader = _Reader(directory)
    known = [field.name for field in attrs.fields(Config)]
    for key in raw.keys() - set(known):
        reader.mistakes.append(Mistake(key, unknown("table", key, known)))
    # An absent [server] is an empty one: rules see its defaults.
    server = reader.table("server", raw.get("server", {}), ServerConfig)
    key_ring = raw.get("key_ring")
    return Draft(
        server=server,
        key_ring=None
        if key_ring is None
        else reader.table("key_ring", key_ring, KeyRingConfig),
        pages=reader.table("pages", raw.get("pages", {}), PagesConfig),
        listeners=reader.tables("listener", raw.get("listener"), ListenerConfig),
        routes=reader.tables("route", raw.get("route"), RouteConfig),
        authenticators=reader.family("authenticator", raw.get("authenticator", {})),
        mappers=reader.family("mapper", raw.get("mapper", {})),
        bindings=reader.family("binding", _with_types(raw.get("binding", {}))),
        caches=reader.family("cache", raw.get("cache", {})),
        sessions=reader.family("session", raw.get("session", {})),
        tokens=reader.family("token", raw.get("token", {})),
        policies=reader.family("policy", raw.get("policy", {})),
        obligations=reader.family("obligation", raw.get("obligation", {})),
        checkers=reader.family("checker", raw.get("checker", {})),
        upstreams=reader.family("upstream", raw.get("upstream", {}), UpstreamOptions),
        names={
            family: frozenset(raw[family])
            for family in (*FAMILIES, "upstream")
            if isinstance(raw.get(family), dict)
        },
        mistakes=tuple(reader.mistakes),
    )


def _with_types(raw: object) -> object:
    """Let tables whose names are kinds go without ``type``: it is the same."""
    if not isinstance(raw, dict):
        return raw
    return {
        name: {"type": name, **table} if isinstance(table, dict) else table
        for name, table in raw.items()
    }


@attrs.frozen
class _Reader:
    """Reads tables and remembers what is wrong."""

    _directory: Path
    mistakes: list[Mistake] = attrs.field(factory=list)

    def table(self, path: str, raw: object, kind: type[T]) -> Placed[T] | None:
        """Read one table; None if it cannot be read."""
        if not isinstance(raw, dict):
            problem = f"must be a table, not {told(raw)}"
            self.mistakes.append(Mistake(path, problem))
            return None
        try:
            value = structure(raw, kind, path=path, directory=self._directory)
        except ConfigError as e:
            self.mistakes.extend(e.mistakes)
            return None
        return Placed(path=path, raw=raw, value=value)

    def tables(self, name: str, raw: object, kind: type[T]) -> tuple[Placed[T], ...]:
        """Read a list of tables, at least one."""
        if not raw or not isinstance(raw, list):
            self.mistakes.append(Mistake(name, f"must be written, as [[{name}]]"))
            return ()
        read = (self.table(join(name, i), item, kind) for i, item in enumerate(raw))
        return tuple(table for table in read if table is not None)

    def family(
        self,
        name: str,
        raw: object,
        kind: type[T] = ComponentConfig,  # type: ignore[assignment]
    ) -> dict[str, Placed[T]]:
        """Read tables that have names of their own."""
        if not isinstance(raw, dict):
            self.mistakes.append(Mistake(name, f"must be written as [{name}.NAME]"))
            return {}
        found = {}
        for key, item in raw.items():
            if placed := self.table(join(name, key), item, kind):
                found[key] = placed
        return found
