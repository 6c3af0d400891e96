"""What a service is asked is exactly what was meant, whatever somebody presented."""

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.wstrust.names import (
    ENVELOPE,
    SAML1_TYPE,
    SAML2,
    STATUS_TYPE,
    WSA,
    WSP,
    WSSE,
    WST,
    WST14,
    WSU,
    Soap,
)
from sso_proxy.specs.wstrust.request import (
    TokenRequest,
    build_headers,
    build_request,
    format_time,
)
from sso_proxy.specs.wstrust.source import (
    BinaryToken,
    UsernameToken,
    read_assertion,
)
from sso_proxy.specs.xml import Element, check_text, name_of, parse_xml

REQUEST = TokenRequest(
    endpoint="https://sts.example.com/trust",
    soap="1.2",
    message_id="urn:uuid:1",
    now=1_000_000_000.9,
)
SIGNED = (
    f'<a:Assertion xmlns:a="{SAML2}" xmlns:o="{WSSE}"><o:Embedded>&#13;</o:Embedded>'
    "</a:Assertion>"
).encode()


def built(**changes: Any) -> Element:  # noqa: ANN401
    return parse_xml(build_request(attrs.evolve(REQUEST, **changes)))


def at(root: Element, *path: tuple[str, str]) -> Element:
    """Give the one element at *path*, or fail."""
    for step in path:
        (root,) = [child for child in root if name_of(child) == step]
    return root


def body(root: Element, soap: Soap = "1.2") -> Element:
    return at(root, (ENVELOPE[soap], "Body"), (WST, "RequestSecurityToken"))


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
def test_a_request_is_an_envelope_of_its_version(soap: Soap) -> None:
    root = built(soap=soap)
    space = ENVELOPE[soap]
    assert name_of(root) == (space, "Envelope")
    assert [name_of(child) for child in root] == [(space, "Header"), (space, "Body")]
    header = root[0]
    assert at(header, (WSA, "To")).text == "https://sts.example.com/trust"
    assert at(header, (WSA, "Action")).text == f"{WST}/RST/Issue"
    assert at(header, (WSA, "MessageID")).text == "urn:uuid:1"
    reply_to = at(header, (WSA, "ReplyTo"), (WSA, "Address"))
    assert reply_to.text == f"{WSA}/anonymous"
    security = at(header, (WSSE, "Security"))
    assert security.get(f"{{{space}}}mustUnderstand") == "1"
    times = at(security, (WSU, "Timestamp"))
    assert [child.text for child in times] == [
        "2001-09-09T01:46:40Z",
        "2001-09-09T01:51:40Z",
    ]
    assert at(body(root, soap), (WST, "RequestType")).text == f"{WST}/Issue"


def test_http_says_what_the_message_is() -> None:
    """SOAP 1.1: SOAPAction, quoted; SOAP 1.2: a parameter of the media type."""
    action = f"{WST}/RST/Issue"
    assert build_headers(attrs.evolve(REQUEST, soap="1.1")) == {
        "Content-Type": "text/xml; charset=utf-8",
        "SOAPAction": f'"{action}"',
        "Accept": "text/xml",
    }
    assert build_headers(REQUEST) == {
        "Content-Type": f'application/soap+xml; charset=utf-8; action="{action}"',
        "Accept": "application/soap+xml",
    }


def test_nothing_is_asked_that_was_not_said() -> None:
    assert [name_of(child) for child in body(built())] == [(WST, "RequestType")]


def test_all_that_was_said_is_asked() -> None:
    asked = body(
        built(
            applies_to="https://a.example.com/?x=1&y=2",
            token_type=SAML1_TYPE,
            key_type=f"{WST}/Bearer",
            lifetime=60,
        )
    )
    address = at(
        asked, (WSP, "AppliesTo"), (WSA, "EndpointReference"), (WSA, "Address")
    )
    assert address.text == "https://a.example.com/?x=1&y=2"
    assert at(asked, (WST, "TokenType")).text == SAML1_TYPE
    assert at(asked, (WST, "KeyType")).text == f"{WST}/Bearer"
    lifetime = at(asked, (WST, "Lifetime"), (WSU, "Expires"))
    assert lifetime.text == "2001-09-09T01:47:40Z"


def test_to_validate_asks_for_a_status_unless_a_token_is_wanted() -> None:
    target = BinaryToken(value=b"t", value_type="urn:x")
    root = built(action="validate", validate=target)
    asked = body(root)
    assert at(root[0], (WSA, "Action")).text == f"{WST}/RST/Validate"
    assert at(asked, (WST, "TokenType")).text == STATUS_TYPE
    assert at(asked, (WST, "ValidateTarget"), (WSSE, "BinarySecurityToken")).text
    other = body(built(action="validate", validate=target, token_type=SAML1_TYPE))
    assert at(other, (WST, "TokenType")).text == SAML1_TYPE


def test_tokens_stand_where_they_were_meant_to() -> None:
    root = built(
        security=(UsernameToken(username="proxy", password="p"),),
        on_behalf_of=UsernameToken(username="alice"),
        act_as=read_assertion(SIGNED),
    )
    asked = body(root)
    own = at(root[0], (WSSE, "Security"), (WSSE, "UsernameToken"))
    assert own[0].text == "proxy"
    whose = at(asked, (WST, "OnBehalfOf"), (WSSE, "UsernameToken"))
    assert whose[0].text == "alice"
    assert at(asked, (WST14, "ActAs"), (SAML2, "Assertion")) is not None


def test_an_assertion_keeps_its_octets_and_so_its_signature() -> None:
    """Another prefix for an element of ours would be enough to break it."""
    assertion = read_assertion(SIGNED)
    written = build_request(attrs.evolve(REQUEST, security=(assertion, assertion)))
    assert written.count(assertion.document) == 2
    assert b"<o:Embedded>&#xD;</o:Embedded>" in assertion.document


def test_what_looks_like_our_place_for_an_assertion_is_only_text() -> None:
    place = '<p:n0 xmlns:p="urn:sso-proxy:place"/>'
    inside = f'<a:Assertion xmlns:a="{SAML2}">{place}</a:Assertion>'
    forged = read_assertion(inside.replace("n0", "n1").encode())
    honest = read_assertion(SIGNED)
    written = build_request(
        attrs.evolve(
            REQUEST,
            applies_to=place,
            security=(UsernameToken(username=place), forged, honest),
        )
    )
    assert written.count(honest.document) == 1
    assert written.count(forged.document) == 1


@given(st.text().filter(bool), st.text().filter(bool), st.sampled_from(["1.1", "1.2"]))
def test_nothing_presented_ends_an_element(name: str, uri: str, soap: Soap) -> None:
    """Quotes, angle brackets, ``]]>``: the same tree, with the text in its place."""
    try:
        check_text(name + uri)
    except ValueError:
        with pytest.raises(ValueError, match="XML cannot hold"):
            built(on_behalf_of=UsernameToken(username=name), applies_to=uri)
        return
    root = built(
        soap=soap,
        on_behalf_of=UsernameToken(username=name),
        applies_to=uri,
        security=(BinaryToken(value=name.encode(), value_type=uri),),
    )
    asked = body(root, soap)
    found = at(asked, (WST, "OnBehalfOf"), (WSSE, "UsernameToken"), (WSSE, "Username"))
    assert found.text == name
    token = at(root[0], (WSSE, "Security"), (WSSE, "BinarySecurityToken"))
    assert token.get("ValueType") == uri
    assert len(asked) == 3


def test_times_are_whole_seconds_in_utc() -> None:
    assert format_time(0.999) == "1970-01-01T00:00:00Z"
