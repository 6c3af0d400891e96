"""What security token services say, for tests without one."""

from base64 import b64encode
from collections.abc import Callable

from sso_proxy.specs.wstrust.names import (
    ENVELOPE,
    MEDIA_TYPE,
    SAML2,
    WSA,
    WSSE,
    WST,
    WSU,
    Soap,
)
from sso_proxy.specs.wstrust.request import format_time
from sso_proxy.specs.xml import Element, name_of, parse_xml
from sso_proxy.testing.fakes import NOW
from tests.conformance.parts import Asked
from tests.support.sts_faults import Said


def envelope(content: str, header: str = "", soap: Soap = "1.2") -> bytes:
    """Put *content* into an envelope."""
    head = f"<s:Header>{header}</s:Header>" if header else ""
    return (
        f'<s:Envelope xmlns:s="{ENVELOPE[soap]}" xmlns:t="{WST}" xmlns:u="{WSU}"'
        f' xmlns:wsse="{WSSE}" xmlns:w="{WSA}">{head}'
        f"<s:Body>{content}</s:Body></s:Envelope>"
    ).encode()


def issued(token: str, more: str = "") -> str:
    """Say that *token* is what was asked for."""
    return (
        "<t:RequestSecurityTokenResponseCollection><t:RequestSecurityTokenResponse>"
        f"<t:RequestedSecurityToken>{token}</t:RequestedSecurityToken>{more}"
        "</t:RequestSecurityTokenResponse></t:RequestSecurityTokenResponseCollection>"
    )


def assertion(subject: str = "alice", end: float = 600) -> str:
    """Give an assertion."""
    over = format_time(NOW + end)
    return (
        f'<a:Assertion xmlns:a="{SAML2}" ID="i"><a:Subject><a:NameID>{subject}'
        f'</a:NameID></a:Subject><a:Conditions NotOnOrAfter="{over}"/>'
        "</a:Assertion>"
    )


def binary(value: bytes, value_type: str) -> str:
    """Give octets that are a token."""
    return (
        f'<wsse:BinarySecurityToken ValueType="{value_type}">'
        f"{b64encode(value).decode()}</wsse:BinarySecurityToken>"
    )


def status(code: str) -> str:
    """Say whether what was to be validated is valid."""
    return (
        f"<t:RequestSecurityTokenResponse><t:Status><t:Code>{WST}/status/{code}</t:Code>"
        "<t:Reason>because</t:Reason></t:Status></t:RequestSecurityTokenResponse>"
    )


def fault(code: str, reason: str = "no", role: str = "Sender") -> str:
    """Refuse."""
    return (
        f"<s:Fault><s:Code><s:Value>s:{role}</s:Value><s:Subcode><s:Value>{code}"
        "</s:Value></s:Subcode></s:Code><s:Reason>"
        f'<s:Text xml:lang="en">{reason}</s:Text></s:Reason></s:Fault>'
    )


def said(content: str | bytes, code: int = 200, soap: Soap = "1.2") -> Said:
    """Give an answer with *content* in its body; octets are all of it."""
    body = content if isinstance(content, bytes) else envelope(content, soap=soap)
    headers = (("Content-Type", f"{MEDIA_TYPE[soap]}; charset=utf-8"),)
    return Said(status=code, body=body, headers=headers)


def always(content: str | bytes, code: int = 200) -> Callable[[Asked], Said]:
    """Say the same to everybody."""
    return lambda _: said(content, code)


def find(root: Element, *path: str) -> Element:
    """Give the one element at a path of local names, or fail."""
    for step in path:
        (root,) = [child for child in root if name_of(child)[1] == step]
    return root


def asked_for(asked: Asked) -> tuple[Element, Element]:
    """Give security header and question of what was sent."""
    root = parse_xml(asked.body)
    question = find(root, "Body", "RequestSecurityToken")
    return find(root, "Header", "Security"), question
