"""The JSON Schema of the configuration file, made of the config classes."""

import typing
from collections.abc import Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from sso_proxy.config.checks import Between, non_empty, positive
from sso_proxy.config.documented import option_sentences, options, summary
from sso_proxy.config.model import ComponentConfig, Config, FilePath
from sso_proxy.config.secrets import Secret, is_secret

Schema = dict[str, Any]

Components = Mapping[str, Mapping[str, type]]
"""Config classes by family (``authenticator``) and ``type``."""

_SCALARS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def build_schema(components: Components) -> Schema:
    """
    Build the schema (draft 2020-12).

    Args:
        components: What a ``type`` may be, and its options.  Others may have the form
            ``module:Class``; the schema says nothing about their options.
    """
    definitions: dict[str, Schema] = {}
    root = _table(Config, definitions)
    for family, kinds in components.items():
        tables = root["properties"][family]
        if family == "binding":
            tables["properties"] = {
                name: _kind(name, kind, definitions) for name, kind in kinds.items()
            }
        else:
            tables["additionalProperties"] = _component(kinds, definitions)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "sso-proxy configuration",
        **root,
        "$defs": definitions,
    }


def _table(kind: type, definitions: dict[str, Schema]) -> Schema:
    """Describe the table that a config class reads."""
    sentences = option_sentences(kind)
    properties: dict[str, Schema] = {}
    required = []
    for field in options(kind):
        schema = _type(field.type, definitions)
        schema |= _bounds(field.validator, schema.get("type"))
        if field.name in sentences:
            schema["description"] = sentences[field.name]
        if (default := _default(field)) is not None:
            schema["default"] = default
        properties[field.name] = schema
        if is_secret(field.type):
            file = {"type": "string", "description": f"File that holds {field.name}."}
            properties[f"{field.name}_file"] = file
        elif field.default is attrs.NOTHING:
            required.append(field.name)
    table: Schema = {
        "type": "object",
        "description": summary(kind),
        "properties": properties,
        "additionalProperties": False,
    }
    return table | ({"required": required} if required else {})


def _kind(name: str, kind: type, definitions: dict[str, Schema]) -> Schema:
    """Describe a table whose name says what its ``type`` would."""
    table = _table(kind, definitions)
    table["properties"] = {"type": {"const": name}, **table["properties"]}
    return table


def _component(kinds: Mapping[str, type], definitions: dict[str, Schema]) -> Schema:
    """Describe a table whose ``type`` decides what else may stand there."""
    choices: list[Schema] = []
    for name, kind in kinds.items():
        table = _table(kind, definitions)
        table["properties"] = {"type": {"const": name}, **table["properties"]}
        table["required"] = ["type", *table.get("required", ())]
        choices.append(table)
    outside = {"type": {"type": "string", "pattern": "^[^:]+:[^:]+$"}}
    choices.append({"type": "object", "properties": outside, "required": ["type"]})
    return {"oneOf": choices}


def _type(kind: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: ANN401
    """Describe a value."""
    if kind == FilePath:
        return {"type": "string", "minLength": 1}
    if kind is Secret:
        return {"type": "string", "pattern": "^env:."}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind]}
    if kind is ComponentConfig:
        return {"type": "object"}
    if isinstance(kind, type) and attrs.has(kind):
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name not in definitions:
            definitions[name] = {}  # it may contain itself
            definitions[name] = _table(kind, definitions)
        return {"$ref": f"#/$defs/{name}"}
    return _generic(kind, definitions)


def _generic(kind: Any, definitions: dict[str, Schema]) -> Schema:  # noqa: ANN401
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin is tuple:
        return {"type": "array", "items": _type(arguments[0], definitions)}
    if isinstance(origin, type) and issubclass(origin, Mapping):
        inner = _type(arguments[1], definitions)
        return {"type": "object", "additionalProperties": inner}
    if origin in {Union, UnionType}:
        members = [_type(a, definitions) for a in arguments if a is not NoneType]
        return members[0] if len(members) == 1 else {"anyOf": members}
    if kind is typing.Any:
        return {}
    raise TypeError(f"an option cannot have the type {kind!r}")


def _bounds(validator: Any, of_type: object) -> Schema:  # noqa: ANN401
    """Describe what a validator asks for, as far as a schema can say it."""
    if validator is positive:
        return {"exclusiveMinimum": 0}
    if isinstance(validator, Between):
        return {"minimum": validator.low, "maximum": validator.high}
    if validator is non_empty:
        return {"minItems" if of_type == "array" else "minLength": 1}
    bounds: Schema = {}
    # attrs' and_ and optional keep what they are made of under these names.
    for inner in getattr(validator, "_validators", ()):
        bounds |= _bounds(inner, of_type)
    if (inner := getattr(validator, "validator", None)) is not None:
        bounds |= _bounds(inner, of_type)
    return bounds


def _default(field: "attrs.Attribute[Any]") -> object:
    """Give a default that TOML could say; None if there is none."""
    match field.default:
        case str() | bool() | int() | float():
            return field.default
        case tuple():
            return list(field.default)
        case _:
            return None
