"""Only the head of a page says who vouches for it."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.openid2.html_links import (
    MAX_HEAD,
    MOST_TAGS,
    HtmlError,
    HtmlLinks,
    read_links,
)

LINK = '<link rel="openid2.provider" href="https://op.example/">'
LOCAL = '<link rel="openid2.local_id" href="https://op.example/alice">'
META = '<meta http-equiv="X-XRDS-Location" content="https://example.com/xrds">'
FOUND = HtmlLinks(provider="https://op.example/")
NOTHING = HtmlLinks()


def test_all_that_a_head_can_say() -> None:
    page = f"<!DOCTYPE html><html><head><title>a</title>{LINK}{LOCAL}{META}</head>"
    assert read_links(page.encode()) == HtmlLinks(
        provider="https://op.example/",
        local_id="https://op.example/alice",
        xrds_location="https://example.com/xrds",
    )


READ = {
    "without html and head": LINK,
    "in capitals": "<HTML><HEAD><LINK REL=OpenID2.Provider HREF=https://op.example/>",
    "single quotes": "<link rel='openid2.provider' href='https://op.example/'/>",
    "several relations": LINK.replace("openid2", "openid.server openid2"),
    "attributes turned": '<link href="https://op.example/" rel="openid2.provider">',
    "behind a comment": f"<!-- > {LINK[:-1]} -->{LINK}",
    "behind an empty comment": f"<!-->{LINK}",
    "behind a script": f"<script>if (a < b) '</p>'</script>{LINK}",
    "behind a title": f"<title><body></title>{LINK}",
    "behind an instruction": f"<?xml version='1.0'?>{LINK}",
    "behind a bom": f"\ufeff{LINK}",
    "behind a greater-than in a value": f'<meta name="a" content="<body>">{LINK}',
    "behind others": f'<base href="/"><style>a</style><link rel=icon href=a>{LINK}',
    "twice the same": LINK * 2,
    "space around": LINK.replace("https", " \n https"),
    "in a page of another charset": f"<title>\xe4</title>{LINK}",
    "an attribute twice": LINK.replace(">", " href='https://evil.example/'>"),
    "end tags of others": f"</link></p>{LINK}",
}


@pytest.mark.parametrize("case", READ)
def test_links_in_a_head_are_read(case: str) -> None:
    encoding = "latin-1" if "charset" in case else "utf-8"
    assert read_links(READ[case].encode(encoding)) == FOUND


IGNORED = {
    "in the body": f"<head></head><body>{LINK}",
    "in a body without a head": f"<body>{LINK}",
    "behind the head": f"<head></head>{LINK}",
    "behind what begins the body": f"<head><p>{LINK}",
    "behind text": f"<head>hello{LINK}",
    "behind text alone": f"x{LINK}",
    "behind another body's end": f"</body>{LINK}",
    "in a comment": f"<!-- {LINK} -->",
    "in a comment without an end": f"<!-- {LINK}",
    "in a comment that only seems to end": f"<!--- {LINK} -- >",
    "in a script": f"<script>{LINK}</script>",
    "in a script without an end": f"<script>{LINK}",
    "in a script in a script": f"<script><!--<script></script>{LINK}--></script>",
    "in a style": f"<style>{LINK}</style>",
    "in a title": f"<title>{LINK}</title>",
    "in a title with another end": f"<title></titlex>{LINK}</title>",
    "in noscript": f"<noscript>{LINK}</noscript>",
    "in a template": f"<template>{LINK}</template>",
    "in an attribute": f"<meta content='{LINK}'>",
    "in a tag without an end": f"<meta content='{LINK}",
    "in a declaration": f"<!DOCTYPE a{LINK[1:-1]}>",
    "another relation": LINK.replace("openid2", "openid"),
    "a part of a relation": LINK.replace("openid2", "xopenid2"),
    "no href": LINK.replace("href", "title"),
    "an element that begins so": LINK.replace("link", "linked"),
    "beyond what is looked at": f"<!--{'x' * MAX_HEAD}-->{LINK}",
    "behind too many tags": f"{'<base>' * MOST_TAGS}{LINK}",
    "in a tag without measure": LINK.replace("rel", f"a='{'x' * 4096}' rel"),
}


@pytest.mark.parametrize("case", IGNORED)
def test_links_elsewhere_are_not(case: str) -> None:
    assert read_links(IGNORED[case].encode()) == NOTHING


def test_references_are_decoded_as_far_as_they_are_some() -> None:
    page = LINK.replace("example/", "example/?a=1&amp;b=&#50;&#x33;&copy=4&lt")
    found = read_links(page.encode())
    assert found.provider == "https://op.example/?a=1&b=23&copy=4&lt"


@pytest.mark.parametrize("link", [LINK, LOCAL, META])
def test_a_page_that_names_two_is_refused(link: str) -> None:
    with pytest.raises(HtmlError):
        read_links(f"{link}{link.replace('example', 'example.evil')}".encode())


SLOW = {
    "comments": "<!--",
    "declarations": "<!",
    "instructions": "<?",
    "tags": "<a ",
    "links": "<link ",
    "attributes": " a=",
    "quotes": " a='b' \"",
    "titles": "<title>",
    "ends": "</",
    "spaces": " a  ",
    "closed titles": "<title></title>",
    "slashes": "/",
    "ends of scripts": "</script <",
    "other tags": "<link a>",
    "space": " ",
}


@pytest.mark.parametrize("case", SLOW)
def test_no_page_takes_long(case: str) -> None:
    """Python's own parser takes the square of the length for some of them."""
    part = SLOW[case]
    first = "<link " if case in {"attributes", "quotes", "spaces", "slashes"} else ""
    first = "<script><script" if case == "ends of scripts" else first
    page = (first + part * MAX_HEAD).encode()[:MAX_HEAD]
    before = time.process_time()
    read_links(page)
    read_links(page + b">")
    assert time.process_time() - before < 0.5


WORDS = ["<", ">", "<link", " rel=openid2.provider", "=", "'", '"', "<!--", "-->", "/"]
MORE = ["<title>", "</title>", " href=a", "<script>", "&#", ";", "<head>", "x", "\n"]


@given(
    st.binary() | st.lists(st.sampled_from(WORDS + MORE)).map("".join).map(str.encode)
)
def test_no_page_raises_anything_else(page: bytes) -> None:
    with contextlib.suppress(HtmlError):
        read_links(page)
