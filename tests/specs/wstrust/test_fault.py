"""Refusals of a service: what they are about, and what a log may hold of them."""

from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sso_proxy.specs.wstrust.fault import Blame, SoapFaultError, clean, read_fault
from sso_proxy.specs.wstrust.names import ENVELOPE, WSSE, WST, WST_2005
from sso_proxy.specs.xml import XmlError, check_text, parse_xml


def fault_11(code: str, reason: str = "no", space: str = WST) -> bytes:
    return (
        f'<s:Fault xmlns:s="{ENVELOPE["1.1"]}" xmlns:w="{space}"><faultcode>{code}'
        f"</faultcode><faultstring>{reason}</faultstring></s:Fault>"
    ).encode()


def fault_12(*codes: str, reason: str = "no", space: str = WST) -> bytes:
    inner = ""
    for code in reversed(codes[1:]):
        inner = f"<s:Subcode><s:Value>{code}</s:Value>{inner}</s:Subcode>"
    return (
        f'<s:Fault xmlns:s="{ENVELOPE["1.2"]}" xmlns:w="{space}"><s:Code><s:Value>'
        f"{codes[0]}</s:Value>{inner}</s:Code><s:Reason>"
        f'<s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    ).encode()


def read_11(data: bytes) -> SoapFaultError:
    return read_fault(parse_xml(data), "1.1")


def read_12(data: bytes) -> SoapFaultError:
    return read_fault(parse_xml(data), "1.2")


@pytest.mark.parametrize(
    ("code", "blame"),
    [
        ("FailedAuthentication", Blame.SUBJECT),
        ("InvalidSecurityToken", Blame.SUBJECT),
        ("ExpiredData", Blame.SUBJECT),
        ("InvalidScope", Blame.TARGET),
        ("RequestFailed", Blame.REFUSED),
        ("BadRequest", Blame.REQUEST),
        ("InvalidRequest", Blame.REQUEST),
        ("UnheardOf", Blame.REFUSED),
    ],
)
@pytest.mark.parametrize("space", [WST, WST_2005, WSSE])
def test_the_code_says_what_it_is_about(code: str, blame: Blame, space: str) -> None:
    assert read_11(fault_11(f"w:{code}", space=space)).blame is blame
    found = read_12(fault_12("s:Sender", f"w:{code}", space=space))
    assert (found.blame, found.codes) == (blame, ("Sender", code))


@pytest.mark.parametrize(
    ("code", "blame"),
    [
        ("s:Server", Blame.SERVICE),
        ("s:Server.Database", Blame.SERVICE),
        ("Server", Blame.SERVICE),
        ("s:Client", Blame.REFUSED),
        ("s:Client.Authentication", Blame.REFUSED),
        ("s:MustUnderstand", Blame.REQUEST),
        ("s:VersionMismatch", Blame.REQUEST),
        ("w:Server", Blame.REFUSED),
        ("undeclared:FailedAuthentication", Blame.REFUSED),
    ],
)
def test_codes_of_soap_11_are_known(code: str, blame: Blame) -> None:
    assert read_11(fault_11(code)).blame is blame


def test_codes_of_soap_12_are_known() -> None:
    assert read_12(fault_12("s:Receiver")).blame is Blame.SERVICE
    assert read_12(fault_12("s:Sender")).blame is Blame.REFUSED
    assert read_12(fault_12("s:MustUnderstand")).blame is Blame.REQUEST
    assert read_12(fault_12("s:Receiver", "w:InvalidScope")).blame is Blame.TARGET
    assert read_12(fault_12("s:Sender", "w:InvalidScope", "w:Own")).blame is (
        Blame.TARGET
    )


def test_a_code_of_another_namespace_says_nothing() -> None:
    data = fault_12("s:Sender", "w:FailedAuthentication", space="urn:else")
    assert read_12(data).blame is Blame.REFUSED


@pytest.mark.parametrize(
    "data",
    [
        b'<s:Fault xmlns:s="s"/>',
        fault_11(""),
        fault_11("a b"),
        fault_11("w:" + "x" * 65),
        fault_11("<x/>Client"),
        fault_11("Client</faultcode><faultcode>Server"),
    ],
)
def test_a_fault_without_one_code_is_none(data: bytes) -> None:
    with pytest.raises(XmlError):
        read_11(data)


def test_codes_without_end_are_refused() -> None:
    with pytest.raises(XmlError):
        read_12(fault_12(*["s:Sender"] * 9))


def test_a_line_for_the_log_has_codes_and_reason() -> None:
    found = read_12(fault_12("s:Sender", "w:BadRequest", reason=" who\n are you? "))
    assert str(found) == "Sender/BadRequest: who are you?"


@given(st.text())
def test_a_reason_is_one_short_printable_line(reason: str) -> None:
    try:
        check_text(reason)
    except ValueError:
        assert "\0" not in clean(reason)
        return
    found = read_11(fault_11("w:BadRequest", escape(reason))).reason
    assert len(found) <= 200
    assert found.isprintable()


def test_a_reason_cannot_begin_a_line_of_its_own() -> None:
    assert clean("a\r\n2026 INFO all well\x1b[2J\u2028\x85b") == (
        "a 2026 INFO all well [2J b"
    )
