"""
Cookies of an application: which are bound to their caller's key, and how they travel.

Backends do not read cookies alike.  Some find a second cookie behind a comma or within
quotes, take names in any case, decode escapes in them, or have ``_`` for ``.``.  What
any of them could take for a bound cookie counts as one, and is dropped unless it opens.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import unquote

import attrs

from sso_proxy.specs.http.cookies import OURS

MOST: Final = 4096
"""Octets of a cookie's name and value that browsers keep."""

_LONG: Final = 64
_MOST_NAMES: Final = 1024

_name = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+").fullmatch
_age = re.compile(r"-?[0-9]+").fullmatch
_mangled = re.compile(r"[.\[\s]")
_is_plain = re.compile(r"[!#-+\--:<-~]*").fullmatch
_separator = re.compile(r"[^\w.\[!#$%*+^`~-]")


@attrs.frozen
class SetCookie:
    """
    A ``Set-Cookie`` value (RFC 6265 section 5.2).

    Attributes:
        name: The cookie's name; empty if it has none.
        value: What it says, quotes included.
        attributes: All from the first ``;`` on.
    """

    name: str
    value: str = attrs.field(repr=False)
    attributes: str

    def with_value(self, value: str) -> str:
        """Write it with another value, and for TLS only."""
        secure = any(word == "secure" for word, _ in self._attributes())
        return f"{self.name}={value}{self.attributes}" + ("" if secure else "; Secure")

    def scope(self, host: str) -> str:
        """
        Say where browsers send it that got it from *host*.

        That is this host, or a domain with a dot before it: that and all hosts below.
        """
        domain = ""
        for word, value in self._attributes():
            if word == "domain":
                domain = value.removeprefix(".").lower()
        return f".{domain}" if domain else host

    def deletes(self, now: float) -> bool:
        """Say whether a browser forgets the cookie by it at the time *now*."""
        ages, dates = [], []
        for word, value in self._attributes():
            if word == "max-age" and _age(value):
                ages.append(value)
            elif word == "expires" and (date := _read_date(value)) is not None:
                dates.append(date)
        if ages:  # counts more than a date
            return ages[-1].startswith("-") or not ages[-1].strip("0")
        return bool(dates) and dates[-1] <= now

    @property
    def stays(self) -> bool:
        """Whether a browser may keep the cookie when it ends (section 5.3)."""
        return any(word in {"max-age", "expires"} for word, _ in self._attributes())

    def _attributes(self) -> Iterator[tuple[str, str]]:
        """Give names, in lower case, and values; the last of a name counts."""
        for each in self.attributes.split(";"):
            word, _, value = each.partition("=")
            yield word.strip(" \t").lower(), value.strip(" \t")


def read_set_cookie(text: str) -> SetCookie:
    """Read a ``Set-Cookie`` value, as browsers do."""
    pair, semicolon, attributes = text.partition(";")
    name, equals, value = pair.partition("=")
    if not equals:
        name, value = "", pair
    return SetCookie(name.strip(" \t"), value.strip(" \t"), semicolon + attributes)


class CookieNames:
    """
    Names of cookies.

    Args:
        patterns: Names, or how they begin with ``*`` at the end; ``*`` is all.

    Raises:
        ValueError: One of them is no name of a cookie, or is one of ours.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        self._whole: dict[str, str] = {}
        self._begun: list[tuple[str, str]] = []
        self._found: dict[str, str] = {}
        for pattern in patterns:
            if problem := pattern_problem(pattern):
                raise ValueError(problem)
            folded = _fold(pattern.removesuffix("*"))
            if pattern.endswith("*"):
                self._begun.append((folded, pattern))
            else:
                self._whole[folded] = pattern

    def find(self, name: str) -> str:
        """Give the pattern that some backend may take *name* to fit; or empty."""
        found = self._found.get(name)
        if found is None:
            found = self._look_for(name)
            if len(name) <= _LONG:
                if len(self._found) >= _MOST_NAMES:  # names come from clients
                    self._found.clear()
                self._found[name] = found
        return found

    def _look_for(self, name: str) -> str:
        if name.startswith(OURS):
            return ""
        decoded = _decode(name)
        for folded in (_fold(decoded), _fold(decoded.partition("[")[0])):
            if folded in self._whole:
                return self._whole[folded]
            for begin, pattern in self._begun:
                if folded.startswith(begin):
                    return pattern
        return ""

    def hides_in(self, text: str) -> bool:
        """Say whether a backend may find one of these cookies within *text*."""
        if "=" not in text and "%" not in text:
            return False
        *before, _ = unquote(text, "latin-1").split("=")
        return any(self.find(_separator.split(each.rstrip())[-1]) for each in before)

    def replace(
        self, field: str, give: Callable[[str, str, str], str | None]
    ) -> tuple[str, int]:
        """
        Replace the values of these cookies in a ``Cookie`` field.

        Args:
            field: Its value.
            give: Gives the value for a pattern, a name and the value that came, or
                None if that cookie goes.

        Returns:
            The field's value, and how many cookies went without *give* being asked.
        """
        kept, hidden = [], 0
        for pair in field.split(";"):
            text = pair.strip(" \t")
            name, equals, value = text.partition("=")
            name, value = name.rstrip(" \t"), value.lstrip(" \t")
            if name.startswith(OURS):
                kept.append(text)
            elif equals and _is_plain(name) and (pattern := self.find(name)):
                given = give(pattern, name, value)
                if given is not None:
                    kept.append(f"{name}={given}")
            elif not _is_plain(name) or self.find(name) or self.hides_in(value):
                hidden += bool(text)
            elif text:
                kept.append(text)
        return "; ".join(kept), hidden


def pattern_problem(pattern: str) -> str:
    """Say why *pattern* is not one of `CookieNames`; empty if it is one."""
    begin = pattern.removesuffix("*")
    if pattern != "*" and not _name(begin):
        return f"{pattern!r} is no name of a cookie; write 'JSESSIONID', 'PHP*' or '*'"
    if "*" in begin:
        return f"{pattern!r} has a '*' that is not at its end"
    if begin.startswith(OURS):
        return f"{pattern!r} is ours, and no application's"
    return ""


def depth_of(scope: str) -> int:
    """Count the labels of the domain that *scope* is; 0 for a host."""
    return scope.count(".") if scope.startswith(".") else 0


def scope_of(host: str, depth: int) -> str:
    """Give the scope with this `depth_of` whose cookies go to *host*; else empty."""
    labels = host.split(".")
    if depth > len(labels):
        return ""
    return "." + ".".join(labels[-depth:]) if depth else host


def build_context(name: str, scope: str, keys: Iterable[tuple[str, str]]) -> bytes:
    """
    Write what the value of the cookie *name* is sealed with, for who holds *keys*.

    Args:
        name: The cookie's name, to the letter.
        scope: Where browsers send it.
        keys: Kinds and hashes; nothing here has a line's end in it.
    """

    def lines() -> Iterator[str]:
        yield name
        yield scope
        for kind, key in sorted(keys):
            yield f"{kind}={key}"

    return "\n".join(lines()).encode("latin-1")


def _decode(text: str) -> str:
    """Decode *text* as backends do that decode names of cookies, up to a NUL."""
    return unquote(text.replace("+", " "), "latin-1").partition("\0")[0]


def _fold(text: str) -> str:
    """Write *text* as the most generous backend reads a cookie's name."""
    return _mangled.sub("_", text.strip().strip("\"'").strip()).lower()


def _read_date(text: str) -> float | None:
    """Read an ``Expires``; None if that is no date."""
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError, IndexError, TypeError):  # odd ones
        return None
    return (date if date.tzinfo else date.replace(tzinfo=UTC)).timestamp()
