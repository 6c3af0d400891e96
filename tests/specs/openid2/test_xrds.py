"""Services are read from XRDS documents, and nothing else is."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.openid2.xrds import (
    MAX_DOCUMENT,
    MOST_SERVICES,
    MOST_TAGS,
    Service,
    XrdsError,
    read_xrds,
)

HEAD = '<xrds:XRDS xmlns:xrds="xri://$xrds" xmlns="xri://$xrd*($v*2.0)">'


def document(*descriptions: str) -> bytes:
    inside = "".join(f"<XRD>{each}</XRD>" for each in descriptions)
    text = f'<?xml version="1.0" encoding="UTF-8"?>{HEAD}{inside}</xrds:XRDS>'
    return text.encode()


def service(uri: str = "https://op.example/", priority: str = "") -> str:
    given = f' priority="{priority}"' if priority else ""
    return f"<Service{given}><Type>t</Type><URI>{uri}</URI></Service>"


def uris(found: tuple[Service, ...]) -> list[str]:
    return [each.uris[0] for each in found]


def test_a_service_has_types_uris_and_local_ids() -> None:
    found = read_xrds(
        document(
            "<Service><Type> a </Type><Type>b</Type><URI>u</URI>"
            "<LocalID>alice</LocalID><Other/></Service>"
        )
    )
    assert found == (Service(types=("a", "b"), uris=("u",), local_ids=("alice",)),)


def test_services_come_by_priority_and_those_without_last() -> None:
    parts = service("none"), service("20", "20"), service("3", "3"), service("bad", "x")
    found = read_xrds(document("".join((*parts, service("also 3", "3")))))
    assert uris(found) == ["3", "also 3", "20", "none", "bad"]


def test_uris_of_a_service_come_by_priority() -> None:
    inside = '<URI>last</URI><URI priority="2">b</URI><URI priority="1">a</URI>'
    found = read_xrds(document(f"<Service>{inside}</Service>"))
    assert found[0].uris == ("a", "b", "last")


def test_the_last_description_counts() -> None:
    assert uris(read_xrds(document(service("first"), service("last")))) == ["last"]


def test_a_service_elsewhere_in_the_document_is_none() -> None:
    hidden = f"<Extension>{service()}</Extension>"
    assert read_xrds(document(hidden)) == ()
    foreign = '<o:Service xmlns:o="urn:o"><URI>u</URI></o:Service>'
    assert read_xrds(document(foreign)) == ()


BOMB = (
    b'<!DOCTYPE a [<!ENTITY b "bbbbbbbbbb">'
    + b"".join(
        b'<!ENTITY c%d "%s">' % (n, b"&c%d;" % (n - 1) * 10 if n else b"&b;" * 10)
        for n in range(9)
    )
    + b"]>"
)
REFUSED = {
    "nothing": b"",
    "html": b"<html><head></head></html>",
    "another root": b"<XRDS/>",
    "no description": HEAD.encode() + b"</xrds:XRDS>",
    "cut": document(service())[:-5],
    "entity bomb": BOMB + document(service("&c8;"))[38:],
    "document type": b"<!DOCTYPE html>" + document(service())[38:],
    "external entity": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    + document(service("&x;"))[38:],
    "comment in a uri": document(service("https://op.example<!-- -->.evil.example/")),
    "elements in a uri": document(service("https://op<b/>.example/")),
    "too many services": document(service() * (MOST_SERVICES + 1)),
    "too many uris": document(f"<Service>{'<URI>u</URI>' * 65}</Service>"),
    "too long": document(service("u" * MAX_DOCUMENT)),
    "too many tags": document("<a/>" * MOST_TAGS),
    "utf-16": document().decode().encode("utf-16"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_document_is_refused(case: str) -> None:
    with pytest.raises(XrdsError):
        read_xrds(REFUSED[case])


def test_a_refusal_does_not_quote_the_document() -> None:
    with pytest.raises(XrdsError) as refused:
        read_xrds(document(service("hunter2")) + b"<")
    assert "hunter2" not in str(refused.value)


@given(st.binary() | st.text(alphabet='<>/XRDService="&; ').map(str.encode))
def test_no_document_raises_anything_else(octets: bytes) -> None:
    for each in (octets, document(octets.decode("latin-1"))):
        with contextlib.suppress(XrdsError):
            read_xrds(each)
