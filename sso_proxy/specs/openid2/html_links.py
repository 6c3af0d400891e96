"""
What the head of an HTML page says of an identifier (section 7.3.3, Yadis 6.2.5).

Only the head counts: below it stands what visitors wrote.  So the head is over with the
first thing that browsers do not take for a part of it, whatever comes behind.  It is
read here, and not by the standard library's parser: that one differs between releases
in where scripts and comments end, takes the square of a page's length for some pages,
and raises for others.
"""

import codecs
import re
from collections.abc import Iterator, Mapping
from html import unescape
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.openid2.names import XRDS_LOCATION

MAX_HEAD: Final = 131072
"""Octets of a page that are looked at."""
MOST_TAGS: Final = 1000
"""Tags that are."""

_LONGEST_TAG: Final = 4096

_EMPTY: Final = frozenset({"base", "basefont", "bgsound", "link", "meta"})
_TEXT: Final = frozenset({"title", "script", "style", "noscript", "noframes"})
"""Elements of which nothing is read."""
_FRAME: Final = frozenset({"html", "head"})
_LINKS: Final = {"openid2.provider": "provider", "openid2.local_id": "local_id"}

_space = re.compile(r"[ \t\r\n\f]*+").match
_comment_end = re.compile("--!?>").search
_ATTRIBUTE: Final = (
    r"([^\s/>][^\s/>=]*+)"
    r"(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|(?![\"'])([^\s>]*+)))?+(?!\s*+=)"
)
_attribute = re.compile(_ATTRIBUTE).finditer
_tag = re.compile(
    rf"<(?P<slash>/?)(?P<name>[A-Za-z][^\s/>\0]*+)"
    rf"(?P<rest>(?:[\s/]++|{_ATTRIBUTE})*+)>"
).match
_ends = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE).search for name in _TEXT
}
_reference = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]*);")


@attrs.frozen
class HtmlError(SsoProxyError):
    """
    A page says two things.

    Attributes:
        detail: Which, for the log.
    """

    detail: str


@attrs.frozen(kw_only=True)
class HtmlLinks:
    """
    What the head of a page says; empty where it says nothing.

    Attributes:
        provider: Where the provider is.
        local_id: What the identifier is called there.
        xrds_location: Where the XRDS document is.
    """

    provider: str = ""
    local_id: str = ""
    xrds_location: str = ""


def read_links(page: bytes) -> HtmlLinks:
    """
    Read what the head of *page* says.

    Raises:
        HtmlError: It names two providers, two local identifiers or two documents.
    """
    # What counts is ASCII, in every charset that a page may have.
    text = page[:MAX_HEAD].removeprefix(codecs.BOM_UTF8).decode("latin-1")
    found: dict[str, str] = {}
    for name, attributes in _head(text):
        for what, value in _said(name, attributes):
            if found.setdefault(what, value) != value:
                raise HtmlError(f"names two: {what}")
    return HtmlLinks(**found)


def _said(name: str, attributes: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Give what one element of the head says."""
    if name == "link":
        kinds = attributes.get("rel", "").lower().split()
        for kind, what in _LINKS.items():
            if kind in kinds and "href" in attributes:
                yield what, attributes["href"].strip()
    if name == "meta":
        kind = attributes.get("http-equiv", "").strip().lower()
        if kind == XRDS_LOCATION.lower() and "content" in attributes:
            yield "xrds_location", attributes["content"].strip()


def _head(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the elements of the head, with their attributes, until it is over."""
    place = _skip(text, 0)
    for _ in range(MOST_TAGS):
        tag = _tag(text, place)
        if tag is None or tag.end() - place > _LONGEST_TAG:
            return
        closes, name = bool(tag["slash"]), tag["name"].lower()
        place = tag.end()
        if closes:
            if name in _FRAME or name in {"body", "br"}:
                return
        elif name in _TEXT:
            end = _text_end(text, name, place)
            if end is None:
                return
            place = end
        elif name in _EMPTY:
            yield name, _attributes(tag["rest"])
        elif name not in _FRAME:
            return
        place = _skip(text, place)


def _skip(text: str, place: int) -> int:
    """Skip white space, comments and declarations; at an open one, all is over."""
    while True:
        space = _space(text, place)
        place = place if space is None else space.end()
        if text.startswith("<!--", place):
            # ``<!-->`` and ``<!--->`` are whole comments
            end = _comment_end(text, place + 2)
            over = -1 if end is None else end.end()
        elif text.startswith(("<!", "<?"), place):
            over = text.find(">", place) + 1 or -1
        else:
            return place
        if over < 0:
            return len(text)
        place = over


def _text_end(text: str, name: str, place: int) -> int | None:
    """Give where the element is over in which nothing is read, None if nowhere."""
    end = _ends[name](text, place)
    over = -1 if end is None else text.find(">", end.end())
    if end is None or over < 0:
        return None
    if f"<{name}" in text[place : end.start()].lower():
        return None  # ``<script><!--<script>`` ends elsewhere
    return over + 1


def _attributes(text: str) -> dict[str, str]:
    """Give the attributes of a tag; of two with one name, the first."""
    found: dict[str, str] = {}
    for match in _attribute(text):
        value = next((each for each in match.groups()[1:] if each is not None), "")
        found.setdefault(match[1].lower(), _decode(value))
    return found


def _decode(value: str) -> str:
    """Decode references that end as they should, which no ``&copy=1`` of a URL does."""
    return _reference.sub(lambda match: unescape(match[0]), value)
