"""The options of ``type = "rules"``, in the configuration and in files of rules."""

import re
from collections.abc import Mapping
from typing import Literal

import attrs
from attrs.validators import optional

from sso_proxy.config.checks import (
    between,
    cidr_list,
    host_pattern,
    non_empty,
    path_prefix,
)
from sso_proxy.config.model import FilePath
from sso_proxy.config.names import (
    FIELD_NAME,
    NEVER_MANAGED,
    alias,
    method_problem,
)
from sso_proxy.config.secrets import UNSHOWN
from sso_proxy.specs.expression_times import read_window

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_TAKES = {
    "set-header": {"name", "value"},
    "remove-header": {"name"},
    "log": {"message"},
    "require-binding": {"kind"},
    "end-session": set(),
}


def rule_name(_instance: object, _attribute: object, value: str) -> None:
    """Check the name of a rule: it stands in logs and audit records."""
    if not _NAME.fullmatch(value):
        raise ValueError(
            f"{value!r} must be a short code such as sales-read: lower-case letters,"
            " digits and '._-', 64 characters at most"
        )


def hours(_instance: object, _attribute: object, value: str) -> None:
    """Check hours of the week."""
    read_window(value)


def methods(_instance: object, _attribute: object, value: tuple[str, ...]) -> None:
    """Check methods: a rule about ``get`` would never apply."""
    for problem in map(method_problem, value):
        if problem is not None:
            raise ValueError(problem)


def members(
    _instance: object, _attribute: object, value: Mapping[str, tuple[str, ...]]
) -> None:
    """Check that each member is somebody."""
    for name, each in value.items():
        if "" in each:
            raise ValueError(f"{name} has a member without a name")


@attrs.frozen(kw_only=True)
class ObligationConfig:
    """
    What a rule obliges us to.

    Attributes:
        do: ``set-header`` (*name*, *value*) for the backend; ``remove-header``
            (*name*) of the client's; ``log`` (*message*); ``require-binding`` (*kind*):
            the caller has proved to hold a key of this kind; ``end-session``; or the
            name of an ``[obligation.NAME]`` table.
        name: Name of a header field.
        value: Its value.
        message: A line for the log.
        kind: ``certificate``, ``dpop``, ``token_binding`` or ``device``.
        parameters: Those of an obligation of your own, by name.
    """

    do: str = attrs.field(validator=non_empty)
    name: str | None = None
    value: str | None = attrs.field(default=None, metadata=UNSHOWN)
    message: str | None = None
    kind: str | None = None
    parameters: Mapping[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect."""
        said = self._said
        given = set(said)
        takes = _TAKES.get(self.do, set())
        if missing := takes - given:
            raise ValueError(f"{self.do} needs {', '.join(sorted(missing))}")
        if extra := given - takes:
            raise ValueError(f"{', '.join(sorted(extra))} has no effect: {self.do}")
        if self.parameters and self.do in _TAKES:
            raise ValueError(f"parameters has no effect: {self.do}")
        for option, value in said.items():
            if not value or not value.isprintable():
                raise ValueError(f"{option} is no line of text")
        if self.do == "set-header" and not str(self.value).isascii():
            raise ValueError("value has characters that a header field cannot have")
        if self.name is not None and not FIELD_NAME.fullmatch(self.name):
            raise ValueError(f"{self.name!r} is no header field's name")
        if self.name is not None and alias(self.name) in NEVER_MANAGED:
            raise ValueError(f"{self.name} belongs to HTTP itself")

    @property
    def given(self) -> tuple[str, Mapping[str, str]]:
        """Give it as decisions have it."""
        return self.do, {**self._said, **self.parameters}

    @property
    def _said(self) -> dict[str, str]:
        return {
            option: value
            for option in ("name", "value", "message", "kind")
            if (value := getattr(self, option)) is not None
        }


@attrs.frozen(kw_only=True)
class MatchConfig:
    """
    Which requests a rule is about; what is not written fits any.

    Attributes:
        host: Hosts: ``app.example.com``, ``*.example.com`` (one label).
        path: A prefix of whole segments; ``{name}`` stands for any one segment, which
            conditions then call ``path.name``.
        method: Methods.
        client: Addresses and ranges of clients.
        hours: Hours of the week: ``mon-fri 08:00-18:00 Europe/Berlin``.
        tls_version: Versions that the client may speak.
        certificate: ``any`` client certificate, or a ``verified`` one.
    """

    host: tuple[str, ...] = attrs.field(default=(), validator=host_pattern)
    path: str = attrs.field(default="/", validator=path_prefix)
    method: tuple[str, ...] = attrs.field(default=(), validator=methods)
    client: tuple[str, ...] = attrs.field(default=(), validator=cidr_list)
    hours: str | None = attrs.field(default=None, validator=optional(hours))
    tls_version: tuple[Literal["TLSv1.2", "TLSv1.3"], ...] = ()
    certificate: Literal["any", "verified"] | None = None


@attrs.frozen(kw_only=True)
class RuleConfig:
    """
    One rule.

    Attributes:
        name: Its name, in logs and explanations.
        effect: ``permit``; ``deny``; or ``step_up``: those whose login is less than
            *acr_values* and *max_age* have to log in again.
        match: Which requests it is about.
        when: Conditions; all must hold.
        acr_values: For ``step_up``: authentication contexts that are enough, the best
            first.
        max_age: For ``step_up``: seconds that may have passed since the login.
        obligations: What has to be done if it decides.
    """

    name: str = attrs.field(validator=rule_name)
    effect: Literal["permit", "deny", "step_up"]
    match: MatchConfig = attrs.field(factory=MatchConfig)
    when: str | tuple[str, ...] = ()
    acr_values: tuple[str, ...] = ()
    max_age: int | None = attrs.field(
        default=None, validator=optional(between(0, 10**9))
    )
    obligations: tuple[ObligationConfig, ...] = ()

    def __attrs_post_init__(self) -> None:
        """Refuse what is missing or has no effect."""
        asks = bool(self.acr_values) or self.max_age is not None
        if self.effect == "step_up" and not asks:
            raise ValueError("effect = 'step_up' needs acr_values or max_age")
        if self.effect != "step_up" and asks:
            raise ValueError(
                "acr_values and max_age have no effect without effect = 'step_up'"
            )

    @property
    def conditions(self) -> tuple[str, ...]:
        """All conditions, in their order."""
        return (self.when,) if isinstance(self.when, str) else self.when


@attrs.frozen(kw_only=True)
class GroupFileConfig:
    """
    A file with the members of a group.

    Attributes:
        file: CSV (the first line names the columns), or JSON (a list of texts, or of
            objects), by the end of its name.
        column: The column, or member of the objects, that names members; unset, the
            only one.
    """

    file: FilePath
    column: str | None = None


@attrs.frozen(kw_only=True)
class TableConfig:
    """
    A table to look things up in.

    Attributes:
        file: CSV (the first line names the columns), or JSON (a list of objects), by
            the end of its name.
        key: The column that rows are found by; no two rows have the same.
    """

    file: FilePath
    key: str = attrs.field(validator=non_empty)


@attrs.frozen(kw_only=True)
class RuleSetConfig:
    """
    What a file of rules has in it.

    Attributes:
        groups: Members by name of the group; ``@name`` are all of another group.
        group_files: Files with members by name of the group.
        tables: Tables by name.
        rule: Rules, in their order.
    """

    groups: Mapping[str, tuple[str, ...]] = attrs.field(factory=dict, validator=members)
    group_files: Mapping[str, GroupFileConfig] = attrs.field(factory=dict)
    tables: Mapping[str, TableConfig] = attrs.field(factory=dict)
    rule: tuple[RuleConfig, ...] = ()


@attrs.frozen(kw_only=True)
class RulesConfig(RuleSetConfig):
    """
    Rules, here and in files that configuration management puts there.

    Nothing that matches denies.

    Attributes:
        groups: Members by name of the group; ``@name`` are all of another group.
        group_files: Files with members by name of the group.
        tables: Tables by name.
        rule: Rules, in their order.
        combine: ``deny_overrides``: one rule that denies is enough, and one that asks
            for another login is enough against those that permit; or
            ``first_applicable``: the first rule that fits decides.
        files: Files of rules, as ``policy.d/*.toml``, in the order of their names,
            after the rules here; names with ``*`` have to fit at least one.
    """

    combine: Literal["deny_overrides", "first_applicable"] = "deny_overrides"
    files: tuple[FilePath, ...] = ()
