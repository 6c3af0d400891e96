"""What the config classes say about their options."""

import inspect
import re
from collections.abc import Iterator
from typing import Any, get_args, get_origin

import attrs

_OPTION = re.compile(r"    (\w+): (.*)")


def summary(kind: type) -> str:
    """Give the first paragraph of a class's docstring, in one line."""
    text = inspect.cleandoc(kind.__doc__ or "")
    return " ".join(text.partition("\n\n")[0].split())


def option_sentences(kind: type) -> dict[str, str]:
    """
    Give what the docstrings of a class, and of its bases, say on each option.

    They stand in the order of the docstring or, if there are bases, of the options.
    """
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        found |= _own_sentences(base)
    if not any(map(attrs.has, kind.__mro__[1:])):
        return found
    names = [field.name for field in attrs.fields(kind)]
    return {name: found[name] for name in names if name in found} | found


def _own_sentences(kind: type) -> dict[str, str]:
    """Read the ``Attributes`` section of a class's docstring."""
    text = inspect.cleandoc(kind.__doc__ or "")
    _, _, section = text.partition("Attributes:\n")
    found: dict[str, list[str]] = {}
    name = ""
    for line in section.splitlines():
        if line and not line.startswith("    "):
            break
        if match := _OPTION.fullmatch(line):
            name = match[1]
            found[name] = [match[2]]
        elif name:
            found[name].append(line.strip())
    return {name: " ".join(" ".join(lines).split()) for name, lines in found.items()}


def options(kind: type) -> list["attrs.Attribute[Any]"]:
    """List the options of a config class, their types resolved."""
    attrs.resolve_types(kind)
    return [field for field in attrs.fields(kind) if field.init]


def classes_below(kind: type) -> Iterator[type]:
    """Give the config classes that options of *kind* are made of, at any depth."""
    for field in options(kind):
        yield from _classes_in(field.type)


def _classes_in(annotation: Any) -> Iterator[type]:  # noqa: ANN401
    if isinstance(annotation, type) and attrs.has(annotation):
        yield annotation
        yield from classes_below(annotation)
    elif get_origin(annotation) is not None:
        for part in get_args(annotation):
            yield from _classes_in(part)
