"""One document says who vouches for an identifier."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.openid2.discovery import (
    Discovered,
    DocumentError,
    Endpoint,
    Page,
    find_location,
    read_document,
)
from sso_proxy.specs.openid2.names import IDENTIFIER_SELECT, SERVER, SIGNON, XRDS

ALICE = "https://example.com/alice"
OP = "https://op.example/login"
LOCATION = "https://example.com/xrds"
LINK = f'<link rel="openid2.provider" href="{OP}">'
META = f'<meta http-equiv="X-XRDS-Location" content="{LOCATION}">'
SIGNED_ON = f"<Type>{SIGNON}</Type><URI>{OP}</URI>"


def xrds(*services: str) -> bytes:
    inside = "".join(f"<Service>{each}</Service>" for each in services)
    start = '<XRDS xmlns="xri://$xrds"><XRD xmlns="xri://$xrd*($v*2.0)">'
    return f"{start}{inside}</XRD></XRDS>".encode()


def page(
    body: str | bytes = "",
    media_type: str | None = "text/html; charset=iso-8859-1",
    location: str | None = None,
) -> Page:
    octets = body.encode() if isinstance(body, str) else body
    return Page(media_type=media_type, location=location, body=octets)


def read(*services: str) -> tuple[Endpoint, ...]:
    return read_document(page(xrds(*services), XRDS), ALICE).endpoints


def test_an_identifier_in_xrds_names_its_provider() -> None:
    found = read_document(page(xrds(SIGNED_ON), f"{XRDS}; charset=utf-8"), ALICE)
    endpoint = Endpoint(op_endpoint=OP, claimed_id=ALICE)
    assert found == Discovered(claimed_id=ALICE, endpoints=(endpoint,))
    assert (found.best, found.vouching) == (endpoint, (endpoint,))
    assert endpoint.identity == ALICE


def test_an_identifier_may_have_another_name_at_its_provider() -> None:
    local = "https://op.example/users/1"
    (endpoint,) = read(f"{SIGNED_ON}<LocalID>{local}</LocalID>")
    assert (endpoint.claimed_id, endpoint.identity) == (ALICE, local)


def test_the_identifier_of_a_provider_lets_its_user_choose() -> None:
    (endpoint,) = read(f"<Type>{SERVER}</Type><URI>{OP}</URI>")
    assert endpoint == Endpoint(op_endpoint=OP, select=True)
    assert endpoint.identity == IDENTIFIER_SELECT


def test_a_providers_identifier_goes_first_and_vouches_for_nobody() -> None:
    """Section 7.3.2.2; in an answer only who is named there counts."""
    server = f"<Type>{SERVER}</Type><URI>https://other.example/</URI>"
    found = read_document(page(xrds(SIGNED_ON, server), XRDS), ALICE)
    assert found.best == Endpoint(op_endpoint="https://other.example/", select=True)
    assert [each.op_endpoint for each in found.vouching] == [OP]


def test_other_services_are_none_of_ours() -> None:
    old = "<Type>http://openid.net/signon/1.1</Type><URI>https://old.example/</URI>"
    assert read(old, f"<Type>{SIGNON}x</Type><URI>{OP}</URI>") == ()


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "/op", "https://a@b/", "ftp://a"]
)
def test_what_is_no_url_is_no_provider(uri: str) -> None:
    assert read(f"<Type>{SIGNON}</Type><URI>{uri}</URI>") == ()


def test_two_local_identifiers_are_two_users() -> None:
    with pytest.raises(DocumentError):
        read(f"{SIGNED_ON}<LocalID>a</LocalID><LocalID>b</LocalID>")
    read(f"{SIGNED_ON}<LocalID>a</LocalID><LocalID>a</LocalID>")


@pytest.mark.parametrize("local", ["a\x85b", "ä", "a" * 2049, IDENTIFIER_SELECT])
def test_a_local_identifier_has_to_be_one_that_can_be_sent(local: str) -> None:
    with pytest.raises(DocumentError):
        read(f"{SIGNED_ON}<LocalID>{local}</LocalID>")


def test_html_names_a_provider_and_a_local_identifier() -> None:
    local = '<link rel="openid2.local_id" href="https://op.example/1">'
    found = read_document(page(LINK + local), ALICE)
    endpoint = Endpoint(
        op_endpoint=OP, claimed_id=ALICE, local_id="https://op.example/1"
    )
    assert found.endpoints == (endpoint,)
    assert read_document(page("<title>nothing</title>"), ALICE).best is None


def test_html_with_a_provider_that_is_no_url_is_refused() -> None:
    with pytest.raises(DocumentError):
        read_document(page(LINK.replace(OP, "/relative")), ALICE)


def test_where_the_document_is_stands_in_the_field_or_in_html() -> None:
    assert find_location(page(META)) == LOCATION
    assert find_location(page("", location=f" {LOCATION}")) == LOCATION
    assert find_location(page(META, location="https://b.example/")) != LOCATION
    assert find_location(page("<title></title>")) is None


def test_what_is_the_document_does_not_lead_elsewhere() -> None:
    assert find_location(page(xrds(), XRDS, LOCATION)) is None


def test_only_html_is_looked_at_for_where_the_document_is() -> None:
    assert find_location(page(META, "text/plain")) is None
    assert find_location(page(META, None)) is None
    assert find_location(page(META, "application/xhtml+xml")) == LOCATION


@pytest.mark.parametrize("location", ["/xrds", "ftp://a.example/", "https://a b/", "x"])
def test_a_document_has_to_be_at_a_url(location: str) -> None:
    with pytest.raises(DocumentError):
        find_location(page(location=location))


def test_one_document_is_never_read_in_two_ways() -> None:
    """What is both, to somebody, is what its sender says it is, and only that."""
    both = f"{LINK.replace(OP, 'https://evil.example/')}".encode() + xrds(SIGNED_ON)
    assert read_document(page(both), ALICE).endpoints[0].op_endpoint != OP
    with pytest.raises(DocumentError):
        read_document(page(both, XRDS), ALICE)
    links = xrds(f"{SIGNED_ON}<x:link xmlns:x='u' rel='openid2.provider' href='x'/>")
    assert read_document(page(links, XRDS), ALICE).endpoints[0].op_endpoint == OP


@pytest.mark.parametrize(
    "kind", ["text/html", "text/plain", None, f"{XRDS}, text/html"]
)
def test_what_was_named_as_the_document_has_to_be_one(kind: str | None) -> None:
    """A page of HTML in its place must not speak instead of it."""
    with pytest.raises(DocumentError):
        read_document(page(LINK, kind), ALICE, named=True)


@pytest.mark.parametrize("kind", ["text/xml", "application/xml;charset=UTF-8", XRDS])
def test_what_was_named_as_the_document_may_be_called_xml(kind: str) -> None:
    found = read_document(page(xrds(SIGNED_ON), kind), ALICE, named=True)
    assert found.endpoints


@pytest.mark.parametrize("kind", ["text/xml", "text/plain", None, "text/html, a/b"])
def test_what_was_not_named_has_to_say_what_it_is(kind: str | None) -> None:
    for body in (LINK.encode(), xrds(SIGNED_ON)):
        with pytest.raises(DocumentError):
            read_document(page(body, kind), ALICE)


def test_a_document_type_is_refused() -> None:
    bomb = b'<!DOCTYPE a [<!ENTITY b "&#60;">]>' + xrds(SIGNED_ON)
    with pytest.raises(DocumentError):
        read_document(page(bomb, XRDS), ALICE)


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint(op_endpoint=OP, select=True),
        Endpoint(op_endpoint=OP, claimed_id=ALICE),
        Endpoint(op_endpoint=OP, claimed_id=ALICE, local_id="1"),
    ],
)
def test_an_endpoint_is_kept_as_json(endpoint: Endpoint) -> None:
    kept = json.loads(json.dumps(endpoint.as_json()))
    assert Endpoint.from_json(kept) == endpoint


@given(
    st.builds(
        Page,
        media_type=st.sampled_from([None, "text/html", XRDS, "text/xml"]) | st.text(),
        location=st.none() | st.text(),
        body=st.binary() | st.text().map(xrds),
    ),
    st.booleans(),
)
def test_no_page_raises_anything_else(given: Page, named: bool) -> None:  # noqa: FBT001
    try:
        find_location(given)
        read_document(given, ALICE, named=named)
    except DocumentError:
        pass
