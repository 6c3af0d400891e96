"""
The configuration as it was loaded, for operators to look at, without what is secret.

What an option may hold is known from its class.  Of our own classes we know that all
secrets are of the type `Secret`, and that tables with names of the operator's choice
may be for other servers.  Of a plugin's options we know nothing: its author may keep a
password in a string.  Only their names are shown, and what is true or false.
"""

import re
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

import attrs

from sso_proxy.config.model import ComponentConfig, Config
from sso_proxy.config.secrets import is_secret
from sso_proxy.errors import ConfigError
from sso_proxy.registry import FAMILIES, Registry

LEFT_OUT: Final = "(not shown)"

_VARIABLE: Final = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*")
_AUTHORITY: Final = re.compile(r"(?<=://).*@", re.DOTALL)
"""To the last sign: a password may have a ``/`` in it where it must not."""
_USER: Final = re.compile(r"\S*:(?!//).*@", re.DOTALL)
"""In what is no URL, but was meant as one."""
_QUERY: Final = re.compile(r"(?<=\?)\S*=\S*|(://[^?#]*[?#]).+", re.DOTALL)
_KEYS: Final = ("-----BEGIN", '"kty"')
"""In a key that stands where its file's name belongs."""


def show_config(config: Config) -> dict[str, Any]:
    """Give *config* in the types of JSON and without secrets."""
    registry = _announced()
    return {
        field.name: {
            name: show_component(each, FAMILIES[field.name], registry)
            for name, each in getattr(config, field.name).items()
        }
        if field.name in FAMILIES
        else show_value(getattr(config, field.name), field.type)
        for field in attrs.fields(attrs.resolve_types(Config))
    }


def show_component(
    component: ComponentConfig, interface_name: str, registry: Registry | None
) -> dict[str, Any]:
    """
    Give a component's table, defaults not included.

    Args:
        component: The table.
        interface_name: What is made of it.
        registry: What is announced; None if that is not known: all are others' then.
    """
    own = registry and registry.own_config_class(interface_name, component.type)
    options = component.options
    shown = _show_table(options, own) if own else _show_names(options)
    return {"type": component.type, **shown}


def show_value(value: Any, kind: Any) -> Any:  # noqa: ANN401, PLR0911
    """
    Give an option of one of our own classes, as it was read or as it is written.

    Args:
        value: What it is set to.
        kind: Its type in the class.
    """
    if get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    if value is None or isinstance(value, bool):
        return value
    if is_secret(kind):  # written is where it is, as was checked when it was read
        written = isinstance(value, str) and _VARIABLE.fullmatch(value)
        return value if written else LEFT_OUT
    origin, args = get_origin(kind), get_args(kind)
    if origin in {Union, UnionType}:
        return show_value(value, _member(args, value))
    if attrs.has(kind) and isinstance(value, Mapping | kind):
        return _show_table(value, kind)
    if origin is tuple and isinstance(value, list | tuple):
        return [show_value(each, args[0]) for each in value]
    if isinstance(value, Mapping) and args:
        free = args[0] is str and args[1] in {str, Any}
        inner = object if free else args[1]
        return {_text(name): show_value(each, inner) for name, each in value.items()}
    if isinstance(value, str) and (kind is str or origin is Literal):
        return _text(value)
    return value if kind in {int, float} and type(value) in {int, float} else LEFT_OUT


def _announced() -> Registry | None:
    try:
        # Without plugin_path: ours are not there, and none there is called like ours.
        return Registry.load()
    except ConfigError:  # broken since it was read
        return None


def _show_table(table: Any, kind: Any) -> dict[str, Any]:  # noqa: ANN401
    """Show a table as it is written, or an instance of its class."""
    fields = {
        field.name: field.type if field.metadata.get("shown", True) else object
        for field in attrs.fields(attrs.resolve_types(kind))
    }
    if not isinstance(table, Mapping):
        table = {name: getattr(table, name) for name in fields}
    places = {f"{name}_file": str for name, each in fields.items() if is_secret(each)}
    kinds = {**places, **fields}
    return {name: show_value(each, kinds.get(name)) for name, each in table.items()}


def _show_names(options: Mapping[str, Any]) -> dict[str, Any]:
    """Show what options there are; the names are of the plugin's class, no data."""
    return {
        name: value if isinstance(value, bool) else _measure(value)
        for name, value in options.items()
    }


def _measure(value: Any) -> str:  # noqa: ANN401
    if isinstance(value, Mapping):
        return f"(table of {len(value)}, not shown)"
    if isinstance(value, list | tuple):
        return f"(list of {len(value)}, not shown)"
    return LEFT_OUT


def _member(members: tuple[Any, ...], value: Any) -> Any:  # noqa: ANN401
    """Choose the type that *value* has of those of an option."""
    listed = isinstance(value, list | tuple)
    fitting = [
        member
        for member in members
        if member is not NoneType and (get_origin(member) is tuple) is listed
    ]
    return fitting[0] if fitting else object


def _text(text: str) -> str:
    """Leave out of a text what may give access, if it is a URL or meant to be one."""
    if any(sign in text for sign in _KEYS):
        return LEFT_OUT
    shown = _USER.sub(f"{LEFT_OUT}@", _AUTHORITY.sub(f"{LEFT_OUT}@", text))
    return _QUERY.sub(lambda m: f"{m[1] or ''}{LEFT_OUT}", shown)
