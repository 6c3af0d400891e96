"""An answer is the one token that was asked for, or nothing."""

from base64 import b64encode
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.wstrust.answer import (
    Issued,
    NotValid,
    TrustAnswerError,
    read_answer,
)
from sso_proxy.specs.wstrust.fault import SoapFaultError
from sso_proxy.specs.wstrust.names import (
    ENVELOPE,
    SAML1,
    SAML1_TYPE,
    SAML2,
    SAML2_TYPE,
    WSA,
    WSP,
    WSSE,
    WST,
    WSU,
)
from sso_proxy.specs.wstrust.request import TokenRequest, format_time
from sso_proxy.specs.xml import MAX_OCTETS

NOW = 1_800_000_000.0
JWT_TYPE = "urn:ietf:params:oauth:token-type:jwt"
REQUEST = TokenRequest(
    endpoint="https://sts.example.com/",
    soap="1.2",
    message_id="urn:uuid:1",
    now=NOW,
    applies_to="https://a.example.com/",
)
TYPES = {"1.1": "text/xml", "1.2": "application/soap+xml"}


def at(seconds: float) -> str:
    return format_time(NOW + seconds)


def assertion(inside: str = "", more: str = "", space: str = SAML2) -> str:
    return f'<a:Assertion xmlns:a="{space}" ID="i"{more}>{inside}</a:Assertion>'


def conditions(*, begin: float = -10, end: float = 600) -> str:
    return f'<a:Conditions NotBefore="{at(begin)}" NotOnOrAfter="{at(end)}"/>'


def binary(text: str = "dG9rZW4=", more: str = f' ValueType="{JWT_TYPE}"') -> str:
    return f"<wsse:BinarySecurityToken{more}>{text}</wsse:BinarySecurityToken>"


def response(token: str, *more: str) -> str:
    inside = f"<t:RequestedSecurityToken>{token}</t:RequestedSecurityToken>"
    return (
        f"<t:RequestSecurityTokenResponse>{''.join(more)}{inside}"
        "</t:RequestSecurityTokenResponse>"
    )


def lifetime(end: float, begin: float = 0) -> str:
    return (
        f"<t:Lifetime><u:Created>{at(begin)}</u:Created><u:Expires>{at(end)}"
        "</u:Expires></t:Lifetime>"
    )


def collection(*responses: str) -> str:
    name = "t:RequestSecurityTokenResponseCollection"
    return f"<{name}>{''.join(responses)}</{name}>"


def envelope(content: str, header: str = "", soap: str = "1.2") -> bytes:
    space = ENVELOPE["1.1" if soap == "1.1" else "1.2"]
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'<s:Envelope xmlns:s="{space}" xmlns:t="{WST}" xmlns:u="{WSU}"'
        f' xmlns:wsse="{WSSE}" xmlns:w="{WSA}" xmlns:p="{WSP}">{head}'
        f"<s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def read(
    content: str,
    header: str = "",
    *,
    kind: str | None = None,
    **changes: Any,  # noqa: ANN401
) -> Issued | NotValid:
    request = attrs.evolve(REQUEST, **changes)
    body = envelope(content, header, request.soap)
    return read_answer(body, kind or TYPES[request.soap], request, NOW)


def issued(
    content: str,
    header: str = "",
    **changes: Any,  # noqa: ANN401
) -> Issued:
    found = read(content, header, **changes)
    assert isinstance(found, Issued)
    return found


@pytest.mark.parametrize("soap", ["1.1", "1.2"])
@pytest.mark.parametrize("form", ["single", "collection"])
def test_an_assertion_comes_in_its_canonical_form(soap: str, form: str) -> None:
    content = response(assertion(conditions()), f"<t:TokenType>{SAML2}</t:TokenType>")
    if form == "collection":
        content = collection(content)
    found = issued(content, soap=soap, token_type=SAML2_TYPE)
    assert found.value.startswith(b'<a:Assertion xmlns:a="urn:oasis:names:tc:SAML:2.0')
    assert b"</a:Conditions></a:Assertion>" in found.value
    assert (found.is_xml, found.token_type) == (True, SAML2)
    assert found.expires == NOW + 600


def test_a_saml_11_assertion_is_one_too() -> None:
    token = (
        f'<a:Assertion xmlns:a="{SAML1}" AssertionID="i">{conditions()}</a:Assertion>'
    )
    found = issued(response(token), token_type=SAML1_TYPE)
    assert (found.is_xml, found.expires) == (True, NOW + 600)


def test_octets_come_out_of_their_base64() -> None:
    found = issued(response(binary("dG9r\n ZW4=")), token_type=JWT_TYPE)
    assert found == Issued(value=b"token", token_type=JWT_TYPE)


def test_another_element_is_taken_if_no_assertion_was_asked_for() -> None:
    found = issued(response('<x:Own xmlns:x="urn:x">1</x:Own>'), token_type="urn:x")
    assert found.value.startswith(b'<x:Own xmlns:p="')
    assert found.value.endswith(b">1</x:Own>")


@pytest.mark.parametrize("ends", [(100, 200, 300), (300, 100, 200), (200, 300, 100)])
def test_the_earliest_end_counts(ends: tuple[int, int, int]) -> None:
    told, condition, confirmation = ends
    subject = (
        '<a:Subject><a:SubjectConfirmation><a:SubjectConfirmationData NotOnOrAfter="'
        f'{at(confirmation)}"/></a:SubjectConfirmation></a:Subject>'
    )
    token = assertion(subject + conditions(end=condition))
    assert issued(response(token, lifetime(told))).expires == NOW + 100


def test_an_encrypted_assertion_lives_as_long_as_the_service_says() -> None:
    token = f'<a:EncryptedAssertion xmlns:a="{SAML2}"/>'
    assert issued(response(token, lifetime(60))).expires == NOW + 60
    assert issued(response(token)).expires is None


def test_an_answer_may_say_what_it_answers() -> None:
    header = (
        f"<w:Action>{WST}/RSTRC/IssueFinal</w:Action>"
        "<w:RelatesTo>urn:uuid:1</w:RelatesTo>"
        '<w:RelatesTo RelationshipType="urn:other">urn:uuid:2</w:RelatesTo>'
        '<wsse:Security s:mustUnderstand="1"/><x:Own xmlns:x="urn:x"/>'
    )
    applies = (
        "<p:AppliesTo><w:EndpointReference><w:Address>https://a.example.com/"
        "</w:Address></w:EndpointReference></p:AppliesTo>"
    )
    assert issued(response(binary(), applies), header).value == b"token"


ELSEWHERE = (
    "<p:AppliesTo><w:EndpointReference><w:Address>https://b.example.com/"
    "</w:Address></w:EndpointReference></p:AppliesTo>"
)
REFUSED: dict[str, tuple[str, str]] = {
    "nothing": ("", ""),
    "two elements": (response(binary()) * 2, ""),
    "another element": ("<t:RequestSecurityToken/>", ""),
    "empty collection": (collection(), ""),
    "two responses": (collection(response(binary()), response(binary())), ""),
    "no token": ("<t:RequestSecurityTokenResponse/>", ""),
    "empty token": (response(""), ""),
    "text for a token": (response("token"), ""),
    "text beside a token": (response("x" + binary()), ""),
    "two tokens": (response(binary() + binary()), ""),
    "two assertions": (response(assertion() + assertion().replace('"i"', '"j"')), ""),
    "two requested": (
        response(
            binary()
            + "</t:RequestedSecurityToken><t:RequestedSecurityToken>"
            + binary()
        ),
        "",
    ),
    "one id twice": (response(assertion(assertion())), ""),
    "two conditions": (response(assertion(conditions() + conditions())), ""),
    "expired": (response(assertion(conditions(end=0))), ""),
    "lifetime over": (response(binary(), lifetime(-1)), ""),
    "two lifetimes": (response(binary(), lifetime(10), lifetime(20)), ""),
    "not yet": (response(assertion(conditions(begin=61))), ""),
    "lifetime not begun": (response(binary(), lifetime(100, begin=61)), ""),
    "no time": (response(assertion(conditions().replace("T", " "))), ""),
    "no base64": (response(binary("to ken!")), ""),
    "not ascii": (response(binary("tökn")), ""),
    "empty octets": (response(binary("")), ""),
    "elements in octets": (response(binary("<x/>")), ""),
    "hexadecimal": (response(binary("00", ' EncodingType="urn:hex"')), ""),
    "no assertion": (response(f'<a:Advice xmlns:a="{SAML2}"/>'), ""),
    "for somebody else": (response(binary(), ELSEWHERE), ""),
    "another message": (response(binary()), "<w:RelatesTo>urn:uuid:2</w:RelatesTo>"),
    "another action": (response(binary()), f"<w:Action>{WST}/RSTR/Renew</w:Action>"),
    "must be understood": (
        response(binary()),
        '<x:Own xmlns:x="urn:x" s:mustUnderstand="1"/>',
    ),
    "two bodies": (response(binary()) + "</s:Body><s:Body>" + response(binary()), ""),
    "comment": (response(assertion("<!-- -->")), ""),
    "cut": (response(binary()) + "</s:Body>", ""),
    "huge": (response(binary("QUFB" * (MAX_OCTETS // 4))), ""),
    "huge token": (response(binary("QUFB" * 100000)), ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_one_good_token_is_refused(name: str) -> None:
    with pytest.raises(TrustAnswerError):
        read(*REFUSED[name])


@pytest.mark.parametrize(
    ("wanted", "token", "told"),
    [
        (SAML2_TYPE, binary(), ""),
        (SAML2_TYPE, assertion(space=SAML1), ""),
        (SAML1_TYPE, assertion(), ""),
        (SAML2_TYPE, assertion(), SAML1),
        (SAML2_TYPE, assertion(), JWT_TYPE),
        (JWT_TYPE, binary(more=' ValueType="urn:x"'), ""),
        (JWT_TYPE, binary(), "urn:x"),
    ],
)
def test_another_type_than_asked_for_is_refused(
    wanted: str, token: str, told: str
) -> None:
    more = f"<t:TokenType>{told}</t:TokenType>" if told else ""
    with pytest.raises(TrustAnswerError, match="another type"):
        read(response(token, more), token_type=wanted)


@pytest.mark.parametrize(
    ("soap", "kind"),
    [
        ("1.1", "application/soap+xml"),
        ("1.2", "text/xml"),
        ("1.2", "text/html"),
        ("1.2", "application/xop+xml"),
        ("1.1", "multipart/related; type=text/xml"),
        ("1.1", "text/xml; charset=utf-16"),
        ("1.1", "text/xml; a=b; charset=iso-8859-1"),
    ],
)
def test_what_says_to_be_something_else_is_not_read(soap: str, kind: str) -> None:
    with pytest.raises(TrustAnswerError, match="the answer is not"):
        read(response(binary()), soap=soap, kind=kind)
    with pytest.raises(TrustAnswerError, match="the answer is not"):
        read_answer(envelope(response(binary())), None, REQUEST, NOW)


@pytest.mark.parametrize("charset", ['"UTF-8"', "us-ascii", "utf-8"])
def test_utf_8_may_be_said(charset: str) -> None:
    kind = f"Application/SOAP+XML; action=x; charset={charset}"
    assert issued(response(binary()), kind=kind).value == b"token"


def test_an_envelope_of_the_other_version_is_none() -> None:
    body = envelope(response(binary()), soap="1.1")
    with pytest.raises(TrustAnswerError, match=r"no SOAP 1\.2 envelope"):
        read_answer(body, TYPES["1.2"], REQUEST, NOW)


def test_a_fault_is_told_by_its_codes() -> None:
    fault = "<s:Fault><s:Code><s:Value>s:Sender</s:Value></s:Code><s:Reason/></s:Fault>"
    with pytest.raises(SoapFaultError) as caught:
        read(fault)
    assert caught.value.codes == ("Sender",)


def status(code: str, *more: str) -> str:
    reason = "<t:Reason>it\nis old</t:Reason>"
    return (
        f"<t:RequestSecurityTokenResponse>{''.join(more)}<t:Status><t:Code>{WST}/status/"
        f"{code}</t:Code>{reason}</t:Status></t:RequestSecurityTokenResponse>"
    )


def test_what_is_valid_needs_no_token() -> None:
    found = issued(status("valid", lifetime(60)), action="validate")
    assert (found.value, found.expires) == (b"", NOW + 60)


def test_what_is_valid_can_come_with_a_token_that_was_asked_for() -> None:
    with_token = status("valid").replace(
        "<t:Status>",
        f"<t:RequestedSecurityToken>{binary()}</t:RequestedSecurityToken><t:Status>",
    )
    wanted: dict[str, Any] = {"action": "validate", "token_type": JWT_TYPE}
    assert issued(with_token, **wanted).value == b"token"
    with pytest.raises(TrustAnswerError, match="no token"):
        read(status("valid"), **wanted)


def test_what_is_not_valid_has_a_reason() -> None:
    assert read(status("invalid"), action="validate") == NotValid(reason="it is old")


@pytest.mark.parametrize(
    "content", [status("maybe"), "<t:RequestSecurityTokenResponse/>"]
)
def test_without_a_status_nothing_is_valid(content: str) -> None:
    with pytest.raises(TrustAnswerError, match="status"):
        read(content, action="validate")


@given(st.binary(max_size=200), st.integers(0, 2000), st.integers(0, 100))
def test_a_spoiled_answer_gives_the_token_or_nothing(
    junk: bytes, place: int, cut: int
) -> None:
    """No octets make reading fail in another way, or give half a token."""
    good = envelope(response(binary(b64encode(b"the token").decode())))
    spoiled = good[:place] + junk + good[place + cut :]
    try:
        found = read_answer(spoiled, TYPES["1.2"], REQUEST, NOW)
    except (TrustAnswerError, SoapFaultError):
        return
    assert isinstance(found, Issued)
    assert found.value


def test_the_token_is_not_shown() -> None:
    assert "token'" not in repr(issued(response(binary())))
