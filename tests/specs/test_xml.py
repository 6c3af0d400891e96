"""XML from others is read without anything that names, fetches or multiplies."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from sso_proxy.specs.xml import (
    MAX_OCTETS,
    XmlError,
    canonical,
    check_text,
    children,
    name_of,
    only_child,
    parse_xml,
    text_of,
)

BOMB = (
    b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">'
    + b"".join(
        b'<!ENTITY c%d "%s">' % (n, b"&c%d;" % (n - 1) * 10 if n else b"&b;" * 10)
        for n in range(9)
    )
    + b"]><a>&c8;</a>"
)

REFUSED = {
    "nothing": b"",
    "white space": b" \n",
    "no xml": b"{}",
    "cut": b"<a><b></b>",
    "two roots": b"<a/><b/>",
    "text behind": b"<a/>x",
    "document type": b"<!DOCTYPE a><a/>",
    "entity bomb": BOMB,
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
    "parameter entity": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://h/">%x;]><a/>',
    "lower-case document type": b"<!doctype a><a/>",
    "undeclared entity": b"<a>&x;</a>",
    "comment": b"<a>alice<!-- -->@example.com</a>",
    "processing instruction": b'<?xml-stylesheet href="http://h/"?><a/>',
    "instruction inside": b"<a><?php 1?></a>",
    "second declaration": b'<?xml version="1.0"?><?xml version="1.0"?><a/>',
    "xml 1.1": b'<?xml version="1.1"?><a/>',
    "other encoding": b'<?xml version="1.0" encoding="utf-7"?><a/>',
    "utf-16": "<a/>".encode("utf-16"),
    "latin-1": b"<a>\xe9</a>",
    "overlong": b"<a>\xc0\xbc</a>",
    "null": b"<a>\0</a>",
    "null by reference": b"<a>&#0;</a>",
    "control by reference": b"<a>&#8;</a>",
    "undeclared prefix": b"<p:a/>",
    "one attribute twice": b"<a xmlns:p='u' xmlns:q='u' p:x='' q:x=''/>",
    "one id twice": b"<a ID='x'><b ID='x'/></a>",
    "one id under two names": b"<a ID='x'><b xmlns:u='u' u:Id='x'/></a>",
    "id and assertion id": b"<a AssertionID='x'><b xml:id='x'/></a>",
    "too deep": b"<a>" * 101 + b"</a>" * 101,
    "far too deep": b"<a>" * 200000,
    "too many tags": b"<a>" + b"<b/>" * 40000 + b"</a>",
    "too many attributes": b"<a " + b" ".join(b"x%d=''" % n for n in range(65)) + b"/>",
    "too many namespaces": b"<a "
    + b" ".join(b"xmlns:x%d='urn:%d'" % (n, n) for n in range(65))
    + b"/>",
    "too long": b"<a>" + b" " * MAX_OCTETS + b"</a>",
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_names_multiplies_or_misleads_is_refused_at_once(name: str) -> None:
    before = time.process_time()
    with pytest.raises(XmlError) as caught:
        parse_xml(REFUSED[name])
    assert time.process_time() - before < 0.5
    assert len(caught.value.detail) < 100


def test_what_a_refusal_says_is_not_the_document() -> None:
    with pytest.raises(XmlError) as caught:
        parse_xml(b"<secret></other>")
    assert "secret" not in caught.value.detail


@pytest.mark.parametrize(
    "data",
    [
        b"<a/>",
        b"\xef\xbb\xbf<a/>",
        b'<?xml version="1.0"?>\n<a/>',
        b"<?xml version='1.0' encoding='UTF-8' standalone='yes' ?><a/>",
        b"<a></a>\n",
    ],
)
def test_a_plain_document_is_read(data: bytes) -> None:
    assert canonical(parse_xml(data)) == b"<a></a>"


def test_the_largest_trees_have_a_canonical_form_in_time() -> None:
    """Both the square of the attributes and elements times namespaces are bounded."""
    names = b" ".join(b"xmlns:x%d='urn:%d'" % (n, n) for n in range(63))
    element = b"<b " + b" ".join(b"x%d=''" % n for n in range(64)) + b"/>"
    data = b"<a " + names + b">" + element * 2000 + b"<c/>" * 30000 + b"</a>"
    before = time.process_time()
    canonical(parse_xml(data))
    assert time.process_time() - before < 3


def test_a_part_keeps_the_namespaces_that_values_may_name() -> None:
    root = parse_xml(
        b'<s:e xmlns:s="urn:s" xmlns:xs="urn:xs"><a:t xmlns:a="urn:a" kind="xs:string">'
        b"\r\n<a:v/></a:t>tail</s:e>"
    )
    assert canonical(root[0]) == (
        b'<a:t xmlns:a="urn:a" xmlns:s="urn:s" xmlns:xs="urn:xs" kind="xs:string">\n'
        b"<a:v></a:v></a:t>"
    )


def test_a_namespace_that_is_no_uri_has_no_canonical_form() -> None:
    with pytest.raises(XmlError):
        canonical(parse_xml(b'<a xmlns="relative"/>'))


@given(st.text())
def test_text_goes_through_a_tree_unchanged_or_is_refused(text: str) -> None:
    root = etree.Element("a")
    try:
        check_text(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"XML compatible|surrogates"):
            root.text = text
        return
    root.text = text
    root.set("b", text)
    read = parse_xml(canonical(root))
    assert (read.text or "", read.get("b")) == (text, text)


@pytest.mark.parametrize("text", ["\0", "a\x1f", "\x7f\x08", "\ud800", "\ufffe"])
def test_characters_that_xml_cannot_hold_are_named(text: str) -> None:
    with pytest.raises(ValueError, match="character that XML cannot hold"):
        check_text(text)


def test_elements_are_found_by_namespace_and_name() -> None:
    root = parse_xml(b"<a xmlns:p='p'><b/><p:b> x\n</p:b><p:c/></a>")
    assert [name_of(found) for found in children(root, "p")] == [("p", "b"), ("p", "c")]
    assert text_of(only_child(root, "p", "b")) == "x"
    assert only_child(root, "p", "d") is None
    assert text_of(None) == ""


def test_one_of_two_is_not_chosen() -> None:
    root = parse_xml(b"<a><b>x</b><b>y</b></a>")
    with pytest.raises(XmlError, match="several b"):
        only_child(root, "", "b")


def test_half_of_a_mixed_text_is_not_taken() -> None:
    with pytest.raises(XmlError, match="elements in a"):
        text_of(parse_xml(b"<a>alice<b/>@example.com</a>"))
