"""The reference of the configuration file, as Markdown made of the config classes."""

import collections.abc
import json
import typing
from collections.abc import Iterator, Mapping
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from sso_proxy.config.checks import Between, non_empty, positive
from sso_proxy.config.documented import option_sentences, options, summary
from sso_proxy.config.model import ComponentConfig, Config, FilePath
from sso_proxy.config.schema import Components
from sso_proxy.config.secrets import Secret

_WORDS: Mapping[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "true or false",
    FilePath: "file",
    Secret: "secret",
    typing.Any: "anything",
}

_HEAD = """# Configuration

One TOML file; `sso-proxy check FILE` lists every mistake in it. Relative file names
start at the file's directory. A *secret* never stands in the file: an option `x` of
that type is written as `x_file = "…"` (a file that only its owner and group can read)
or as `x = "env:NAME"`. *unset* means that there is no default value; the sentence says
what holds then.
"""


def render_reference(components: Components) -> str:
    """
    Give the whole reference.

    Args:
        components: Config classes of the components to describe.
    """
    lines = [_HEAD]
    for field in options(Config):
        lines += _render_field(
            field.name, field.type, required=field.default is attrs.NOTHING
        )
        for name, kind in components.get(field.name, {}).items():
            title = f'`[{field.name}.NAME]` with `type = "{name}"`'
            if field.name == "binding":
                title = f"`[binding.{name}]`"
            lines += _section(title, kind)
            for option in options(kind):
                path = f"{field.name}.NAME.{option.name}"
                lines += _render_field(path, option.type)
    return "\n".join(lines)


def _render_field(
    path: str,
    annotation: Any,  # noqa: ANN401
    *,
    required: bool = False,
) -> Iterator[str]:
    """Describe the table at *path*, and the tables in it."""
    kind, shape = _table_in(annotation)
    if kind is None:
        return
    if kind is ComponentConfig:
        sentence = option_sentences(Config)[path]
        yield f"## `[{path}.NAME]`\n\n{_markdown(sentence)} `type` names the plugin, or"
        yield "`module:Class`; the other options are that plugin's.\n"
        return
    name = f"{path}.NAME" if shape is collections.abc.Mapping else path
    title = f"`[[{path}]]`" if shape is tuple else f"`[{name}]`"
    yield from _section(title + (" (at least one)" if required else ""), kind)
    for field in options(kind):
        yield from _render_field(f"{name}.{field.name}", field.type)


def _table_in(annotation: Any) -> tuple[type | None, object]:  # noqa: ANN401
    """Give the config class in an annotation, and what is around it."""
    if (
        isinstance(annotation, type)
        and attrs.has(annotation)
        and annotation is not Secret
    ):
        return annotation, None
    origin = get_origin(annotation)
    for part in get_args(annotation):
        kind, _ = _table_in(part)
        if kind is not None:
            return kind, origin
    return None, None


def _section(title: str, kind: type) -> Iterator[str]:
    """Describe the options of one class."""
    yield f"## {title}\n\n{_markdown(summary(kind))}\n"
    sentences = option_sentences(kind)
    rows = [field for field in options(kind) if _table_in(field.type)[0] is None]
    if not rows:
        return
    yield "| option | type | default | |"
    yield "|---|---|---|---|"
    for field in rows:
        cells = (
            f"`{field.name}`",
            _type(field.type) + _bounds(field.validator),
            _default(field),
            _markdown(sentences.get(field.name, "")),
        )
        escaped = (cell.replace("|", r"\|") for cell in cells)
        yield f"| {' | '.join(escaped)} |"
    yield ""


def _type(kind: Any) -> str:  # noqa: ANN401
    """Name a type as somebody who writes TOML would."""
    if kind in _WORDS:
        return _WORDS[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return " or ".join(f'`"{value}"`' for value in arguments)
    if origin is tuple:
        return f"list of {_type(arguments[0])}s"
    if origin in {Union, UnionType}:
        return " or ".join(_type(a) for a in arguments if a is not NoneType)
    return f"table of {_type(arguments[1])}s"


def _bounds(validator: Any) -> str:  # noqa: ANN401
    """Say what a validator asks for, if it is one of ours."""
    if validator is positive:
        return ", more than 0"
    if validator is non_empty:
        return ", not empty"
    if isinstance(validator, Between):
        return f", {validator.low} to {validator.high}"
    inner = getattr(validator, "validator", None)
    parts = getattr(validator, "_validators", ())
    return "".join(map(_bounds, parts)) + (_bounds(inner) if inner is not None else "")


def _default(field: "attrs.Attribute[Any]") -> str:
    """Write a default as TOML would."""
    if field.default is attrs.NOTHING:
        return "must be set"
    if field.default is None:
        return "unset"
    if isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return "`{}`"
    # What TOML and JSON write alike: strings, numbers, booleans and lists.
    return f"`{json.dumps(field.default)}`"


def _markdown(text: str) -> str:
    """Turn our docstrings' double backquotes into Markdown's single ones."""
    return text.replace("``", "`")
