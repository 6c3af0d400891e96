"""
XML from others: read without anything that can name, fetch or multiply, and bounded.

A document is looked at as octets before the parser sees it: declarations (``<!DOCTYPE``
with its entities), comments and processing instructions are refused, none of which a
token needs.  Comments are, too, because programs disagree about the text around one.
"""

import re
from typing import Any, Final, TypeAlias

import attrs
from lxml import etree

from sso_proxy.errors import SsoProxyError

Element: TypeAlias = etree._Element  # noqa: SLF001 - lxml's only name for it

MAX_OCTETS: Final = 1048576
_MAX_DEPTH: Final = 100
_MAX_TAGS: Final = 40000
_MAX_ATTRIBUTES: Final = 64
_MAX_NAMESPACES: Final = 64
_BOM: Final = b"\xef\xbb\xbf"
_IDS: Final = frozenset({"id", "assertionid", "responseid"})
_EVENTS: Final = ("start", "end", "start-ns", "end-ns")

_declaration = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*([\"'])1\.0\1"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*([\"'])(?i:utf-8|us-ascii)\2)?"
    rb"(?:[ \t\r\n]+standalone[ \t\r\n]*=[ \t\r\n]*([\"'])(?:yes|no)\3)?"
    rb"[ \t\r\n]*\?>"
).match
_markup = re.compile(rb"<\?|<!(?!\[CDATA\[)").search
_unholdable = re.compile(
    "[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]"
).search


@attrs.frozen
class XmlError(SsoProxyError):
    """
    A document must not be read.

    Attributes:
        detail: Why, for the log; says nothing of what is in it.
    """

    detail: str


class TextError(ValueError):
    """XML cannot hold a text."""


def check_text(text: str) -> None:
    """
    Check that XML 1.0 can hold *text* (section 2.2).

    Raises:
        TextError: It has a control character, or half of a surrogate pair.
    """
    if _unholdable(text):
        raise TextError("has a character that XML cannot hold")


def parse_xml(data: bytes) -> Element:
    """
    Read a document and give its root.

    Raises:
        XmlError: It is too large, too deep or not well-formed, is not UTF-8, has a
            document type, a comment or a processing instruction, or two elements in it
            have one id.
    """
    body = _check_octets(data)
    try:
        root = etree.fromstring(body, _parser())
    except etree.XMLSyntaxError:
        # Its text may quote the document.
        raise XmlError("is not well-formed") from None
    _check_tree(root)
    return root


def canonical(element: Element) -> bytes:
    """
    Give *element* as a document of its own: Canonical XML 1.0, without comments.

    All namespaces that are in scope stay declared: values may name them, and so may
    signatures (``InclusiveNamespaces``).

    Raises:
        XmlError: It has no canonical form.
    """
    alone = etree.tostring(element, encoding="utf-8", with_tail=False)
    try:
        tree = etree.fromstring(alone, _parser())
        done: bytes = etree.tostring(tree, method="c14n", with_comments=False)
    except (etree.XMLSyntaxError, etree.C14NError):
        raise XmlError("has no canonical form") from None
    return done


def name_of(element: Element) -> tuple[str, str]:
    """Give the namespace, which may be empty, and the local name of *element*."""
    name = etree.QName(element)
    return name.namespace or "", name.localname


def children(element: Element, namespace: str, *names: str) -> list[Element]:
    """Give the child elements in *namespace* with one of *names*, or with any."""
    found = []
    for child in element:
        where, name = name_of(child)
        if where == namespace and (not names or name in names):
            found.append(child)
    return found


def only_child(element: Element, namespace: str, name: str) -> Element | None:
    """
    Give the one child element with this name, or None if there is none.

    Raises:
        XmlError: There are several.
    """
    found = children(element, namespace, name)
    if len(found) > 1:
        raise XmlError(f"has several {name}")
    return found[0] if found else None


def text_of(element: Element | None) -> str:
    """
    Give the text in *element*, without white space around it; None has none.

    Raises:
        XmlError: There are elements in it.
    """
    if element is None:
        return ""
    if len(element):
        raise XmlError(f"has elements in {name_of(element)[1]}")
    return (element.text or "").strip(" \t\r\n")


def _check_octets(data: bytes) -> bytes:
    """Check what can be checked before anything is parsed, and give what is parsed."""
    if len(data) > MAX_OCTETS:
        raise XmlError(f"has more than {MAX_OCTETS} octets")
    body = data.removeprefix(_BOM)
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise XmlError("is not UTF-8") from None
    if declared := _declaration(body):
        # What it says is known now, and the parser would believe it.
        body = body[declared.end() :]
    if b"\0" in body or _markup(body):
        raise XmlError("has a document type, a comment or a processing instruction")
    if body.count(b"<") > _MAX_TAGS:
        raise XmlError(f"has more than {_MAX_TAGS} tags")
    return body


def _check_tree(root: Element) -> None:
    """Check how deep and wide a tree is, and that each id is there once."""
    ids: set[str] = set()
    depth = namespaces = 0
    walk: Any = etree.iterwalk(root, events=_EVENTS)  # pairs of several kinds
    for event, element in walk:
        match event:
            case "start":
                depth += 1
                if element.attrib:
                    _check_attributes(element, ids)
            case "end":
                depth -= 1
            case "start-ns":
                namespaces += 1
            case _:
                namespaces -= 1
        if depth > _MAX_DEPTH:
            raise XmlError(f"is more than {_MAX_DEPTH} elements deep")
        if namespaces > _MAX_NAMESPACES:
            # the canonical form takes their number times that of the elements
            raise XmlError(f"has more than {_MAX_NAMESPACES} namespaces in one place")


def _check_attributes(element: Element, ids: set[str]) -> None:
    """Check the attributes of one element, and add its id to *ids*."""
    if len(element.attrib) > _MAX_ATTRIBUTES:
        # to put them in order takes the square of their number
        raise XmlError(f"has more than {_MAX_ATTRIBUTES} attributes in one place")
    for name, value in element.attrib.items():
        if etree.QName(name).localname.lower() in _IDS:
            if value in ids:
                raise XmlError("has one id in two places")
            ids.add(str(value))


def _parser() -> etree.XMLParser:
    """Make a parser that reads what is there and nothing else."""
    return etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        collect_ids=False,
        strip_cdata=True,
    )
