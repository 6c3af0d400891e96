"""Filters for directories as values, never text; and what is in names."""

import re
from collections.abc import Mapping
from typing import Final, TypeAlias

import attrs

_ATTRIBUTE: Final = re.compile(
    r"(?:[A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)(?:;[A-Za-z0-9-]+)*"
)
_SPECIAL: Final = re.compile(r'[\\"+,;<>=]')
_LEADING: Final = re.compile(
    r" *([A-Za-z][A-Za-z0-9-]*) *= *((?:[^\\,+;\"]|\\.)*?) *(?:,|\Z)", re.DOTALL
)
_ESCAPE: Final = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)
LONGEST_NAME: Final = 4096
"""Characters of a distinguished name that is read."""
PLACE: Final = "{user}"
"""Where a template of names has the user's."""


@attrs.frozen
class Equal:
    """Entries of which one value of *attribute* equals *value*."""

    attribute: str
    value: str = attrs.field(repr=False)


@attrs.frozen
class Present:
    """Entries that have a value of *attribute*."""

    attribute: str


@attrs.frozen
class Matching:
    """Entries of which a value of *attribute* fits *value* by the matching *rule*."""

    attribute: str
    rule: str
    value: str = attrs.field(repr=False)


@attrs.frozen
class AllOf:
    """Entries that every one of *parts* takes; all entries if there is none."""

    parts: "tuple[Filter, ...]"


@attrs.frozen
class AnyOf:
    """Entries that one of *parts* takes."""

    parts: "tuple[Filter, ...]"


@attrs.frozen
class NoneOf:
    """Entries that *part* does not take."""

    part: "Filter"


Filter: TypeAlias = Equal | Present | Matching | AllOf | AnyOf | NoneOf
"""RFC 4511 section 4.5.1.7, as much as is needed."""

ANYTHING: Final = Present("objectClass")
"""Every entry has one."""


def check_attribute(name: str) -> None:
    """
    Check that *name* is an attribute's (RFC 4512 section 2.5), maybe ``name:rule``.

    Raises:
        ValueError: It is not.
    """
    attribute, colon, rule = name.partition(":")
    good = _ATTRIBUTE.fullmatch(attribute) and (not colon or _ATTRIBUTE.fullmatch(rule))
    if not good:
        raise ValueError(f"{name!r} is no name of an attribute; write 'uid'")


def build_conditions(
    where: Mapping[str, tuple[str, ...]], unless: Mapping[str, tuple[str, ...]]
) -> tuple[Filter, ...]:
    """
    Make filters of conditions, all of which have to hold.

    Args:
        where: By attribute, values of which the entry has to have one; without values,
            it has to have any.  ``attribute:rule`` names a matching rule.
        unless: Likewise; but such an entry is not wanted.
    """
    wanted = [_condition(*each) for each in where.items()]
    unwanted = [NoneOf(_condition(*each)) for each in unless.items()]
    return (*wanted, *unwanted)


def _condition(name: str, values: tuple[str, ...]) -> Filter:
    attribute, colon, rule = name.partition(":")
    if not values:
        return Present(attribute)
    parts: tuple[Filter, ...]
    if colon:
        parts = tuple(Matching(attribute, rule, value) for value in values)
    else:
        parts = tuple(Equal(attribute, value) for value in values)
    return parts[0] if len(parts) == 1 else AnyOf(parts)


def escape_value(text: str) -> str:
    """Write *text* as a value in a distinguished name (RFC 4514 section 2.4)."""
    escaped = _SPECIAL.sub(lambda found: "\\" + found[0], text).replace("\0", "\\00")
    if escaped.startswith((" ", "#")):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and escaped != "\\ ":
        escaped = escaped[:-1] + "\\ "
    return escaped


def check_template(template: str) -> None:
    """
    Check that a template of distinguished names has the user's name, once, as a value.

    Raises:
        ValueError: It has not.
    """
    before, place, after = template.partition(PLACE)
    good = before.endswith("=") and after.startswith(",") and PLACE not in after
    if not place or not good:
        raise ValueError(
            f"{template!r} has to have {PLACE} once, as a whole value:"
            f" 'uid={PLACE},ou=people,dc=example,dc=com'"
        )


def fill_template(template: str, user: str) -> str:
    """Put *user* in; whatever it has in it, it is one value."""
    return template.replace(PLACE, escape_value(user))


def read_leading(name: str, attribute: str) -> str | None:
    """
    Give the value of *attribute* that the distinguished *name* begins with.

    None if it begins with another attribute, or with several.
    """
    found = _LEADING.match(name) if len(name) <= LONGEST_NAME else None
    if found is None or found[1].lower() != attribute.lower():
        return None
    try:
        return _ESCAPE.sub(_unescape, found[2])
    except UnicodeDecodeError:
        return None


def _unescape(found: "re.Match[str]") -> str:
    if found[1] is None:
        return str(found[2])
    return bytes.fromhex(found[1].replace("\\", "")).decode()
