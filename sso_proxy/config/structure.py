"""
Turn what TOML said into the frozen classes, strictly, with every mistake at once.

Nothing is converted: ``"10"`` is no number, 1 is no string and no ``true``, and one
string is no list of strings.
"""

import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

import attrs
from cattrs import Converter
from cattrs.cols import homogenous_tuple_structure_factory
from cattrs.errors import (
    AttributeValidationNote,
    BaseValidationError,
    ForbiddenExtraKeysError,
    IterableValidationNote,
)
from cattrs.gen import make_dict_structure_fn, make_mapping_structure_fn, override

from sso_proxy.config.credentials import find_file
from sso_proxy.config.model import ComponentConfig, FilePath
from sso_proxy.config.secrets import (
    HOW,
    Secret,
    SecretSource,
    is_secret,
    read_secret,
)
from sso_proxy.config.suggest import unknown
from sso_proxy.errors import ConfigError, Mistake

T = TypeVar("T")

_WORDS: Mapping[object, str] = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    tuple: "a list",
    list: "a list",
    dict: "a table",
    FilePath: "a file's name",
    Secret: "a secret",
}
_TOLD: Mapping[object, str] = {
    str: "a string",
    int: "an integer",
    float: "a fraction",
    list: "a list",
    tuple: "a list",
    dict: "a table",
}


def structure(
    raw: Mapping[str, Any], into: type[T], *, path: str, directory: Path
) -> T:
    """
    Read one table of the configuration file.

    Args:
        raw: The table, as ``tomllib`` gives it.
        into: An attrs class; its options may have the types of TOML, lists as
            ``tuple[X, ...]``, further attrs classes, `FilePath` and `Secret`.
        path: Where the table stands in the file; empty for the file itself.
        directory: Where relative file names start.

    Raises:
        ConfigError: Options are unknown, missing or unusable: all of them.
    """
    try:
        return _converter(directory.absolute()).structure(raw, into)
    except Exception as e:  # noqa: BLE001
        raise ConfigError(*_read_mistakes(e, path)) from None


def join(path: str, key: object) -> str:
    """Give the path of *key* in the table, or the element in the list, *path*."""
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path else str(key)


@lru_cache(maxsize=8)
def _converter(directory: Path) -> Converter:
    """Make the converter for a file in *directory*."""
    converter = Converter(detailed_validation=True, forbid_extra_keys=True)

    def file_path(value: object, _: object) -> str:
        name = str(_scalar(value, str))
        if not name or "\0" in name:
            raise ValueError("must be a file's name")
        return str(find_file(name, directory=directory, environ=os.environ))

    def secret(value: object, _: object) -> Secret:
        if isinstance(value, Secret):  # nothing in a file is one
            return value
        if not isinstance(value, SecretSource):
            value = SecretSource("…", written=value)
        return read_secret(value, directory=directory, environ=os.environ)

    def component(value: object, _: object) -> ComponentConfig:
        options = dict(_table(value))
        if not isinstance(kind := options.pop("type", None), str) or not kind:
            raise ValueError("type must name a plugin, as in type = 'bearer'")
        return ComponentConfig(type=kind, options=options, directory=str(directory))

    converter.register_structure_hook_func(lambda _: True, _refuse)
    converter.register_structure_hook_func(lambda t: t is Any, lambda value, _: value)
    converter.register_structure_hook(bytes, _refuse)
    for scalar in (str, int, float, bool):
        converter.register_structure_hook(scalar, _scalar)
    converter.register_structure_hook_factory(_is_table_of, _mapping_hook)
    converter.register_structure_hook_factory(_is_list, _list_hook)
    converter.register_structure_hook_factory(_is_union, _union_hook)
    converter.register_structure_hook_factory(_is_literal, _literal_hook)
    converter.register_structure_hook_factory(attrs.has, _class_hook)
    converter.register_structure_hook_func(lambda t: t == FilePath, file_path)
    converter.register_structure_hook_func(lambda t: t is Secret, secret)
    converter.register_structure_hook_func(lambda t: t is ComponentConfig, component)
    return converter


def told(value: object) -> str:
    """Say of what kind *value* is, and not what it is: it may be a secret."""
    if isinstance(value, bool):
        return str(value).lower()
    return _TOLD.get(type(value), "a date or time")


def _refuse(_: object, kind: object) -> object:
    """Refuse types that cattrs would convert into: a string is no ``list[str]``."""
    raise TypeError(f"cannot be read: the option's class has the type {kind!r}")


def _is_table_of(kind: object) -> bool:
    return isinstance(origin := get_origin(kind), type) and issubclass(origin, Mapping)


def _is_list(kind: object) -> bool:
    return get_origin(kind) is tuple and get_args(kind)[1:] == (...,)


def _is_union(kind: object) -> bool:
    return get_origin(kind) in {Union, UnionType}


def _is_literal(kind: object) -> bool:
    return get_origin(kind) is Literal


def _scalar(value: object, kind: object) -> object:
    """Accept exactly what TOML said, and integers as numbers."""
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise TypeError(f"must be {_WORDS.get(kind, str(kind))}, not {told(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"must be finite, not {value!r}")
    return value


def _table(value: object) -> Mapping[str, Any]:
    """Accept a table."""
    if not isinstance(value, Mapping):
        raise TypeError(f"must be a table, not {told(value)}")
    return value


def _mapping_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    key, value = get_args(kind)
    base = make_mapping_structure_fn(
        dict[key, value],  # type: ignore[valid-type]
        converter,
        detailed_validation=True,
    )
    return lambda raw, _: base(_table(raw), kind)


def _list_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    base = homogenous_tuple_structure_factory(kind, converter)

    def hook(value: object, _: object) -> object:
        # A string is iterable: "api" would be the list of its letters.
        if not isinstance(value, list | tuple):
            raise TypeError(f"must be a list, not {told(value)}")
        return base(value, kind)

    return hook


def _literal_hook(kind: object, _: Converter) -> Callable[[Any, Any], Any]:
    allowed = get_args(kind)

    def hook(value: object, _: object) -> object:
        if type(value) is not str or value not in allowed:
            choice = ", ".join(map(repr, allowed))
            written = repr(value) if type(value) is str else told(value)
            raise ValueError(f"must be one of {choice}, not {written}")
        return value

    return hook


def _union_hook(kind: object, converter: Converter) -> Callable[[Any, Any], Any]:
    members = [member for member in get_args(kind) if member is not NoneType]

    def hook(value: object, _: object) -> object:
        if len(members) == 1:
            return converter.structure(value, members[0])
        for member in members:
            try:
                return converter.structure(value, member)
            except BaseValidationError:
                raise  # of the right shape, and wrong inside
            except (TypeError, ValueError):
                continue
        words = (_WORDS.get(get_origin(m) or m, str(m)) for m in members)
        raise TypeError(f"must be {' or '.join(words)}, not {told(value)}")

    return hook


def _class_hook(kind: Any, converter: Converter) -> Callable[[Any, Any], Any]:  # noqa: ANN401
    """Read a table, each option through its validator too, so that all are heard."""
    attrs.resolve_types(kind)
    options = [field for field in attrs.fields(kind) if field.init]
    hooks: dict[str, Any] = {
        field.name: override(struct_hook=_checked(field, converter))
        for field in options
    }
    base = make_dict_structure_fn(
        kind,
        converter,
        _cattrs_forbid_extra_keys=True,
        _cattrs_detailed_validation=True,
        **hooks,
    )
    secrets = [f.name for f in options if is_secret(f.type)]

    def hook(raw: object, _: object) -> object:
        return base(_point_to_secrets(dict(_table(raw)), secrets), kind)

    return hook


def _checked(
    field: "attrs.Attribute[Any]", converter: Converter
) -> Callable[[Any, Any], Any]:
    def hook(value: object, kind: Any) -> object:  # noqa: ANN401
        structured = converter.structure(value, kind)
        if field.validator is not None:
            try:
                field.validator(None, field, structured)
            except AttributeError:
                # It looks at other options, too, and is heard when all are there.
                return structured
        return structured

    return hook


def _point_to_secrets(raw: dict[str, Any], secrets: list[str]) -> dict[str, Any]:
    """Replace secret options, and what stands for them, by where to read them."""
    for name in secrets:
        if isinstance(raw.get(name), Secret):
            continue
        file = raw.pop(f"{name}_file", None)
        if file is not None or name in raw:
            raw[name] = SecretSource(name, written=raw.get(name), file=file)
    return raw


def _read_mistakes(exc: BaseException, path: str) -> Iterator[Mistake]:
    """Collect the leaves of cattrs' tree of exceptions, each with its path."""
    if isinstance(exc, ForbiddenExtraKeysError):
        known = [field.name for field in attrs.fields(exc.cl)]
        for key in sorted(exc.extra_fields):
            yield Mistake(join(path, key), unknown("option", key, known))
    elif isinstance(exc, BaseValidationError):
        for inner in exc.exceptions:
            notes = getattr(inner, "__notes__", ())
            where = next(
                (_place(note) for note in notes if _place(note) is not None), None
            )
            below = path if where is None else join(path, where)
            if isinstance(inner, KeyError) and inner.args == (where,):
                yield Mistake(below, _missing(exc.cl, str(where)))
            else:
                yield from _read_mistakes(inner, below)
    elif isinstance(exc, TypeError | ValueError) and exc.args:
        yield Mistake(path, str(exc.args[0]))
    else:
        yield Mistake(path, f"cannot be read: {type(exc).__name__}: {exc}")


def _place(note: object) -> str | int | None:
    """Give the key or position that a note of cattrs' tells."""
    match note:
        case AttributeValidationNote():
            return note.name
        case IterableValidationNote():
            return note.index
        case _:
            return None


def _missing(kind: Any, name: str) -> str:  # noqa: ANN401
    """Say what belongs into an option that has no default."""
    field = next(f for f in attrs.fields(kind) if f.name == name)
    if field.type is Secret:
        return f"is missing; {HOW.format(name=name)}"
    word = _WORDS.get(get_origin(field.type) or field.type, "set")
    return f"is missing; it must be {word}"
