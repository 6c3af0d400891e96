"""Ask a security token service (WS-Trust 1.3 sections 3, 4 and 7, 1.4 section 9.3)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

import attrs
from lxml import etree

from sso_proxy.specs.wstrust.names import (
    ACTIONS,
    ANONYMOUS,
    ENVELOPE,
    MEDIA_TYPE,
    REQUEST_TYPES,
    STATUS_TYPE,
    WSA,
    WSP,
    WSSE,
    WST,
    WST14,
    WSU,
    Action,
    Soap,
)
from sso_proxy.specs.wstrust.source import (
    BinaryToken,
    SamlAssertion,
    SourceToken,
    UsernameToken,
    add_binary,
    add_text,
    add_username,
)
from sso_proxy.specs.xml import Element

VALIDITY: Final = 300
"""Seconds that a request is good for."""

_PLACE: Final = "urn:sso-proxy:place"


@attrs.frozen(kw_only=True)
class TokenRequest:
    """
    What a service is asked for.

    Attributes:
        endpoint: Where it is, for ``wsa:To``.
        soap: The version of SOAP.
        action: Issue a token, or validate one.
        message_id: A name for this message that no other has: a URI.
        now: When it is asked, seconds since the epoch.
        security: Tokens in the security header.
        on_behalf_of: Whom the token is for, if that is not who asks.
        act_as: Whom the token is for, if who asks is to be named in it.
        validate: What is to be validated.
        applies_to: Who will be shown the token; empty leaves it out.
        token_type: What kind of token; empty leaves it to the service.
        key_type: What kind of key is in it: a URI; empty leaves it out.
        lifetime: Seconds that the token should be good for; 0 leaves it out.
    """

    endpoint: str
    soap: Soap
    action: Action = "issue"
    message_id: str
    now: float
    security: Sequence[SourceToken] = ()
    on_behalf_of: SourceToken | None = None
    act_as: SourceToken | None = None
    validate: SourceToken | None = None
    applies_to: str = ""
    token_type: str = ""
    key_type: str = ""
    lifetime: int = 0

    @property
    def wanted_type(self) -> str:
        """Give the token type that is asked for; a service may only say whether."""
        if self.action == "validate" and not self.token_type:
            return STATUS_TYPE
        return self.token_type


def build_headers(request: TokenRequest) -> Mapping[str, str]:
    """Give the fields that HTTP has to have (SOAP 1.1 section 6, SOAP 1.2 part 2)."""
    action = ACTIONS[request.action]
    media_type = MEDIA_TYPE[request.soap]
    kind = f"{media_type}; charset=utf-8"
    if request.soap == "1.1":
        fields = {"Content-Type": kind, "SOAPAction": f'"{action}"'}
    else:
        fields = {"Content-Type": f'{kind}; action="{action}"'}
    return {**fields, "Accept": media_type}


def build_request(request: TokenRequest) -> bytes:
    """
    Build the envelope.

    Everything is put in as text of a tree, or is the canonical form of a document that
    was read as one: nothing that somebody presented can end an element.

    Raises:
        TextError: Something has a character that XML cannot hold.
    """
    return _Writer(request).write()


def format_time(seconds: float) -> str:
    """Give a time as ``wsu:Created`` has it (WSS 1.1 section 10)."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class _Writer:
    """Writes one request."""

    def __init__(self, request: TokenRequest) -> None:
        self._request = request
        self._soap = ENVELOPE[request.soap]
        self._created = format_time(request.now)
        self._documents: list[bytes] = []

    def write(self) -> bytes:
        """Give the envelope."""
        names = {"s": self._soap, "wsa": WSA, "wsse": WSSE, "wsu": WSU, "wst": WST}
        root = etree.Element(etree.QName(self._soap, "Envelope"), nsmap=names)
        self._add_header(etree.SubElement(root, etree.QName(self._soap, "Header")))
        body = etree.SubElement(root, etree.QName(self._soap, "Body"))
        self._add_question(etree.SubElement(body, _wst("RequestSecurityToken")))
        written = etree.tostring(root, encoding="utf-8")
        # lxml would give the elements of a tree that is put into another one the
        # prefixes of this one, and their signatures would be good no more.  Text cannot
        # look like a place: its angle brackets are escaped.
        for number, document in enumerate(self._documents):
            written = written.replace(_place(number), document)
        return written

    def _add_header(self, header: Element) -> None:
        request = self._request
        add_text(header, WSA, "Action", ACTIONS[request.action])
        add_text(header, WSA, "MessageID", request.message_id)
        reply_to = etree.SubElement(header, etree.QName(WSA, "ReplyTo"))
        add_text(reply_to, WSA, "Address", ANONYMOUS)
        add_text(header, WSA, "To", request.endpoint)
        security = etree.SubElement(header, etree.QName(WSSE, "Security"))
        security.set(etree.QName(self._soap, "mustUnderstand"), "1")
        self._add_times(etree.SubElement(security, etree.QName(WSU, "Timestamp")))
        for token in request.security:
            self._add_token(security, token)

    def _add_times(self, parent: Element, lifetime: int = VALIDITY) -> None:
        add_text(parent, WSU, "Created", self._created)
        expires = format_time(self._request.now + lifetime)
        add_text(parent, WSU, "Expires", expires)

    def _add_question(self, question: Element) -> None:
        request = self._request
        add_text(question, WST, "RequestType", REQUEST_TYPES[request.action])
        if request.wanted_type:
            add_text(question, WST, "TokenType", request.wanted_type)
        if request.applies_to:
            applies = _sub(question, WSP, "AppliesTo", "wsp")
            reference = etree.SubElement(applies, etree.QName(WSA, "EndpointReference"))
            add_text(reference, WSA, "Address", request.applies_to)
        if request.lifetime:
            wanted = etree.SubElement(question, _wst("Lifetime"))
            self._add_times(wanted, request.lifetime)
        if request.key_type:
            add_text(question, WST, "KeyType", request.key_type)
        if request.on_behalf_of is not None:
            parent = etree.SubElement(question, _wst("OnBehalfOf"))
            self._add_token(parent, request.on_behalf_of)
        if request.act_as is not None:
            parent = _sub(question, WST14, "ActAs", "wst14")
            self._add_token(parent, request.act_as)
        if request.validate is not None:
            parent = etree.SubElement(question, _wst("ValidateTarget"))
            self._add_token(parent, request.validate)

    def _add_token(self, parent: Element, token: SourceToken) -> None:
        match token:
            case UsernameToken():
                add_username(parent, token, self._created)
            case BinaryToken():
                add_binary(parent, token)
            case SamlAssertion():
                _sub(parent, _PLACE, f"n{len(self._documents)}", "p")
                self._documents.append(token.document)


def _wst(name: str) -> etree.QName:
    return etree.QName(WST, name)


def _sub(parent: Element, namespace: str, name: str, prefix: str) -> Element:
    """Add an element whose namespace is declared there."""
    qualified = etree.QName(namespace, name)
    return etree.SubElement(parent, qualified, nsmap={prefix: namespace})


def _place(number: int) -> bytes:
    """Give what is written where a document belongs."""
    return f'<p:n{number} xmlns:p="{_PLACE}"/>'.encode("ascii")
