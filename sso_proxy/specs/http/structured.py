"""
Structured fields (RFC 9651, which replaces RFC 8941): what signatures are written in.

Items, and lists and dictionaries of items and inner lists, with parameters.  Values
are integers, booleans, strings, tokens and byte sequences; decimals, dates and display
strings are refused.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

import attrs

_LONGEST: Final = 65536
"""Characters of a field that are read."""

_key = re.compile(r"[a-z*][a-z0-9_.*-]*+")
_integer = re.compile(r"-?[0-9]{1,15}+(?![0-9.])")
_string = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*+)"')
_token = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*+")
_binary = re.compile(r":([A-Za-z0-9+/]*+={0,2}):")
_boolean = re.compile(r"\?([01])")
_blanks = re.compile(r" *+")
_optional_blanks = re.compile(r"[ \t]*+")
_is_printable = re.compile(r"[\x20-\x7e]*+").fullmatch


@attrs.frozen
class Token:
    """A word that stands without quotes (section 3.3.4)."""

    text: str


Bare: TypeAlias = int | str | bytes | bool | Token
"""A value without parameters; a ``str`` is a string, with quotes."""

Parameters: TypeAlias = tuple[tuple[str, Bare], ...]
"""Parameters in their order, each name once."""


@attrs.frozen
class Item:
    """
    A value with parameters (section 3.3).

    Attributes:
        value: The value.
        parameters: Its parameters.
    """

    value: Bare
    parameters: Parameters = ()


@attrs.frozen
class InnerList:
    """
    A list in parentheses, with parameters (section 3.1.1).

    Attributes:
        items: What stands in it.
        parameters: The parameters of the whole list.
    """

    items: tuple[Item, ...]
    parameters: Parameters = ()


Member: TypeAlias = Item | InnerList


def write_bare(value: Bare) -> str:
    """
    Write a value (section 4.1.3.1).

    Raises:
        ValueError: It is a string that is not visible ASCII and blanks, an integer of
            more than 15 digits, or no token.
    """
    match value:
        case bool():
            return "?1" if value else "?0"
        case int() if abs(value) < 10**15:
            return str(value)
        case bytes():
            return f":{b64encode(value).decode('ascii')}:"
        case str() if _is_printable(value):
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case Token() if _token.fullmatch(value.text):
            return value.text
    raise ValueError("a structured field cannot hold this value")


def write_member(member: Member) -> str:
    """
    Write an item or an inner list.

    Raises:
        ValueError: A value or a parameter's name cannot be written.
    """
    if isinstance(member, Item):
        return write_bare(member.value) + _write_parameters(member.parameters)
    inside = " ".join(write_member(item) for item in member.items)
    return f"({inside}){_write_parameters(member.parameters)}"


def write_dictionary(members: Mapping[str, Member]) -> str:
    """
    Write a dictionary (section 4.1.2).

    Raises:
        ValueError: A key, a value or a parameter's name cannot be written.
    """
    written = []
    for key, member in members.items():
        if isinstance(member, Item) and member.value is True:
            written.append(_write_key(key) + _write_parameters(member.parameters))
        else:
            written.append(f"{_write_key(key)}={write_member(member)}")
    return ", ".join(written)


def read_dictionary(text: str) -> dict[str, Member]:
    """
    Read a dictionary; the values of several field lines are joined by commas before.

    A key that stands there twice is refused, although section 4.2.2 lets the last one
    win: two readers of one signature must never see two signatures.

    Raises:
        ValueError: It is none, has a type of value that is not read here, or is
            longer than 65536 characters.
    """
    reader = _Reader(_of_length(text).strip(" "))
    members: dict[str, Member] = {}
    while not reader.ended:
        key = reader.take(_key, "a key")[0]
        if key in members:
            raise ValueError("the field has a key twice")
        members[key] = reader.member() if reader.skip("=") else reader.flag()
        reader.next_member()
    return members


def read_list(text: str) -> tuple[Member, ...]:
    """
    Read a list (section 4.2.1); the values of several field lines are joined by commas.

    Raises:
        ValueError: As for `read_dictionary`.
    """
    reader = _Reader(_of_length(text).strip(" "))
    members: list[Member] = []
    while not reader.ended:
        members.append(reader.member())
        reader.next_member()
    return tuple(members)


def read_item(text: str) -> Item:
    """
    Read an item (section 4.2.3).

    Raises:
        ValueError: As for `read_dictionary`, or there is something after it.
    """
    reader = _Reader(_of_length(text).strip(" "))
    item = reader.member()
    if isinstance(item, InnerList) or not reader.ended:
        raise ValueError("the field is no item")
    return item


def _of_length(text: str) -> str:
    """Give *text* back unless it is too long to be read."""
    if len(text) > _LONGEST:
        raise ValueError("the field is too long")
    return text


class _Reader:
    """Reads structured fields from left to right (section 4.2)."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    @property
    def ended(self) -> bool:
        return self._at == len(self._text)

    def skip(self, char: str) -> bool:
        """Step over *char* if it is next."""
        found = self._text.startswith(char, self._at)
        self._at += found
        return found

    def next_member(self) -> None:
        """Step over a comma and the blanks around it, unless the end is here."""
        self.take(_optional_blanks, "a blank")
        if self.ended:
            return
        if not self.skip(","):
            raise ValueError("the field has no comma where one must be")
        self.take(_optional_blanks, "a blank")
        if self.ended:
            raise ValueError("the field ends with a comma")

    def take(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        """Take what matches *pattern* here."""
        match = pattern.match(self._text, self._at)
        if match is None:
            raise ValueError(f"the field has no {what} where one must be")
        self._at = match.end()
        return match

    def flag(self) -> Item:
        """Read the parameters of a member without value, which is true."""
        return Item(True, self._parameters())

    def member(self) -> Member:
        """Read an item or an inner list."""
        if not self.skip("("):
            return self._item()
        items: list[Item] = []
        while True:
            blanks = self.take(_blanks, "a blank")[0]
            if self.skip(")"):
                return InnerList(tuple(items), self._parameters())
            if items and not blanks:
                raise ValueError("the field has items that are not apart")
            items.append(self._item())

    def _item(self) -> Item:
        value = self._bare()
        return Item(value, self._parameters())

    def _parameters(self) -> Parameters:
        found: dict[str, Bare] = {}
        while self.skip(";"):
            self.take(_blanks, "a blank")
            key = self.take(_key, "a parameter's name")[0]
            if key in found:
                raise ValueError("the field has a parameter twice")
            found[key] = self._bare() if self.skip("=") else True
        return tuple(found.items())

    def _bare(self) -> Bare:
        begin = self._text[self._at : self._at + 1]
        if begin == '"':
            return re.sub(r"\\(.)", r"\1", self.take(_string, "a string")[1])
        if begin == ":":
            return _read_binary(self.take(_binary, "a byte sequence")[1])
        if begin == "?":
            return self.take(_boolean, "a boolean")[1] == "1"
        if begin and begin in "-0123456789":
            return int(self.take(_integer, "an integer")[0])
        return Token(self.take(_token, "a value")[0])


def _read_binary(encoded: str) -> bytes:
    try:
        octets = b64decode(encoded, validate=True)
    except Error:
        raise ValueError("the field has a byte sequence that is no base64") from None
    if b64encode(octets).decode("ascii") != encoded:  # two ways to write one value
        raise ValueError("the field has a byte sequence that is no canonical base64")
    return octets


def _write_key(key: str) -> str:
    if not _key.fullmatch(key):
        raise ValueError(f"{key!r} is no key of a structured field")
    return key


def _write_parameters(parameters: Iterable[tuple[str, Bare]]) -> str:
    return "".join(
        f";{_write_key(key)}" + ("" if value is True else f"={write_bare(value)}")
        for key, value in parameters
    )
