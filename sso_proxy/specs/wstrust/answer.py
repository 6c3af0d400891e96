"""What a security token service answers (WS-Trust 1.3 sections 3.2, 4.4 and 7)."""

from base64 import b64decode
from collections.abc import Iterator
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.wstrust.dates import read_time
from sso_proxy.specs.wstrust.fault import clean, read_fault
from sso_proxy.specs.wstrust.names import (
    BASE64,
    ENVELOPE,
    INVALID,
    MEDIA_TYPE,
    REPLIES,
    REPLY,
    SAML1,
    SAML2,
    SAML_TYPES,
    STATUS_TYPE,
    VALID,
    WSA,
    WSP,
    WSSE,
    WST,
    WSU,
)
from sso_proxy.specs.wstrust.request import TokenRequest
from sso_proxy.specs.xml import (
    MAX_OCTETS,
    Element,
    XmlError,
    canonical,
    children,
    name_of,
    only_child,
    parse_xml,
    text_of,
)

MAX_ANSWER: Final = MAX_OCTETS
MAX_TOKEN: Final = 262144
"""Octets of a token; more than any header field can have."""
LEEWAY: Final = 60.0
"""Seconds that the service's clock may be ahead of ours."""

_CHARSETS: Final = frozenset({"", "utf-8", "us-ascii"})


@attrs.frozen
class TrustAnswerError(SsoProxyError):
    """
    What came is no answer to what was asked.

    Attributes:
        detail: Why, for the log; never holds what the service sent.
    """

    detail: str


@attrs.frozen(kw_only=True)
class Issued:
    """
    The token that was asked for.

    Attributes:
        value: An assertion's or another element's canonical form, or the octets that
            a ``BinarySecurityToken`` has; empty if the service only validates.
        token_type: What the service calls it; empty if it does not say.
        is_xml: It is an element.
        expires: Seconds since the epoch: the earliest end that anything in the answer
            names, or None.
    """

    value: bytes = attrs.field(repr=False)
    token_type: str = ""
    is_xml: bool = False
    expires: float | None = None


@attrs.frozen(kw_only=True)
class NotValid:
    """
    What was to be validated is not valid.

    Attributes:
        reason: What the service says in words; for the log alone.
    """

    reason: str = ""


def read_answer(
    body: bytes, content_type: str | None, request: TokenRequest, now: float
) -> Issued | NotValid:
    """
    Read an answer, whatever status HTTP gave it.

    Args:
        body: All of it.
        content_type: What HTTP says that it is.
        request: What was asked.
        now: Seconds since the epoch.

    Raises:
        SoapFaultError: The service refuses.
        TrustAnswerError: It is no answer, or one to something else.
    """
    try:
        _check_type(content_type, request)
        response = _open(parse_xml(body), request)
        return _read_response(response, request, now)
    except XmlError as e:
        raise TrustAnswerError(f"the answer {e.detail}") from None


def _check_type(content_type: str | None, request: TokenRequest) -> None:
    """Check that the answer says to be of our version of SOAP, and in UTF-8."""
    kind, *parameters = (content_type or "").split(";")
    if kind.strip().lower() != MEDIA_TYPE[request.soap]:
        raise TrustAnswerError(f"the answer is not {MEDIA_TYPE[request.soap]}")
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        charset = value.strip().strip('"').lower()
        if name.strip().lower() == "charset" and charset not in _CHARSETS:
            raise TrustAnswerError("the answer is not in UTF-8")


def _open(root: Element, request: TokenRequest) -> Element:
    """Give the one response that an envelope has."""
    soap = ENVELOPE[request.soap]
    if name_of(root) != (soap, "Envelope"):
        raise TrustAnswerError(f"the answer is no SOAP {request.soap} envelope")
    names = [name_of(child) for child in root]
    if names not in ([(soap, "Body")], [(soap, "Header"), (soap, "Body")]):
        raise TrustAnswerError("the envelope does not have one body")
    content = list(root[-1])
    if len(content) != 1:
        raise TrustAnswerError("the body does not have one element")
    if name_of(content[0]) == (soap, "Fault"):
        raise read_fault(content[0], request.soap)
    if len(root) > 1:
        _check_header(root[0], request)
    found = content[0]
    if name_of(found) == (WST, "RequestSecurityTokenResponseCollection"):
        if len(found) != 1:
            raise TrustAnswerError("the collection does not have one response")
        found = found[0]
    if name_of(found) != (WST, "RequestSecurityTokenResponse"):
        raise TrustAnswerError("the answer has no RequestSecurityTokenResponse")
    return found


def _check_header(header: Element, request: TokenRequest) -> None:
    """Check that the answer is one to our question, as far as it says so."""
    soap = ENVELOPE[request.soap]
    for child in header:
        demanding = child.get(f"{{{soap}}}mustUnderstand") in {"1", "true"}
        namespace, name = name_of(child)
        known = namespace == WSA or (namespace, name) == (WSSE, "Security")
        if demanding and not known:
            raise TrustAnswerError("the answer has a header that must be understood")
    action = only_child(header, WSA, "Action")
    if action is not None and text_of(action) not in REPLIES[request.action]:
        raise TrustAnswerError("the answer is one to another action")
    for related in children(header, WSA, "RelatesTo"):
        is_reply = related.get("RelationshipType", REPLY) == REPLY
        if is_reply and text_of(related) != request.message_id:
            raise TrustAnswerError("the answer is one to another message")


def _read_response(
    response: Element, request: TokenRequest, now: float
) -> Issued | NotValid:
    """Read the response."""
    if request.action == "validate":
        reason = _read_status(response)
        if reason is not None:
            return NotValid(reason=reason)
    told = text_of(only_child(response, WST, "TokenType"))
    _check_token_type(told, request.wanted_type)
    _check_applies_to(response, request)
    ends = list(_lifetime(response, now))
    requested = only_child(response, WST, "RequestedSecurityToken")
    if requested is None:
        if request.wanted_type != STATUS_TYPE:
            raise TrustAnswerError("the answer has no token")
        issued = Issued(value=b"")
    else:
        issued = _read_token(requested, request.wanted_type, now, ends)
    if any(end <= now for end in ends):
        raise TrustAnswerError("the token has expired")
    return attrs.evolve(
        issued, token_type=told or issued.token_type, expires=min(ends, default=None)
    )


def _read_status(response: Element) -> str | None:
    """Give why what was to be validated is not valid; None if it is (section 7)."""
    status = only_child(response, WST, "Status")
    if status is None:
        raise TrustAnswerError("the answer has no status")
    code = text_of(only_child(status, WST, "Code"))
    if code == VALID:
        return None
    if code == INVALID:
        return clean(text_of(only_child(status, WST, "Reason")))
    raise TrustAnswerError("the answer has a status that nobody knows")


def _check_token_type(told: str, wanted: str) -> None:
    """Check that the service says to have issued what was asked for."""
    if told and wanted and _plain(told) != _plain(wanted):
        raise TrustAnswerError("the token is of another type than was asked for")


def _plain(token_type: str) -> str:
    """Give one name to each type that has two."""
    return SAML_TYPES.get(token_type, token_type)


def _check_applies_to(response: Element, request: TokenRequest) -> None:
    """Check that the token is for whom it was asked for, as far as it is said."""
    applies = only_child(response, WSP, "AppliesTo")
    if applies is None or not request.applies_to:
        return
    reference = only_child(applies, WSA, "EndpointReference")
    if reference is None:
        return
    if text_of(only_child(reference, WSA, "Address")) != request.applies_to:
        raise TrustAnswerError("the token is for somebody else than was asked for")


def _lifetime(response: Element, now: float) -> Iterator[float]:
    """Give the end of the token's lifetime, if it is told (section 4.4)."""
    lifetime = only_child(response, WST, "Lifetime")
    if lifetime is None:
        return
    _check_begun(text_of(only_child(lifetime, WSU, "Created")), now)
    if end := text_of(only_child(lifetime, WSU, "Expires")):
        yield read_time(end)


def _check_begun(start: str, now: float) -> None:
    if start and read_time(start) > now + LEEWAY:
        raise TrustAnswerError("the token is not yet valid")


def _read_token(
    requested: Element, wanted: str, now: float, ends: list[float]
) -> Issued:
    """Read the one token in *requested*, and add to *ends* when it stops being good."""
    if len(requested) != 1 or (requested.text or "").strip():
        raise TrustAnswerError("the answer does not have one token")
    token = requested[0]
    namespace, name = name_of(token)
    assertions = SAML_TYPES.get(wanted)
    if assertions is not None and namespace != assertions:
        raise TrustAnswerError("the token is of another type than was asked for")
    if (namespace, name) == (WSSE, "BinarySecurityToken"):
        issued = _read_binary(token, wanted)
    else:
        if namespace in {SAML1, SAML2}:
            ends.extend(_assertion_ends(token, now))
        issued = Issued(value=canonical(token), is_xml=True)
    if not 0 < len(issued.value) <= MAX_TOKEN:
        raise TrustAnswerError(
            f"the token is empty, or has more than {MAX_TOKEN} octets"
        )
    return issued


def _read_binary(token: Element, wanted: str) -> Issued:
    """Read octets (WSS 1.1 section 6.3)."""
    if token.get("EncodingType", BASE64) != BASE64:
        raise TrustAnswerError("the token is not in base64")
    value_type = token.get("ValueType", "")
    _check_token_type(value_type, wanted)
    text = "".join(text_of(token).split())
    try:
        value = b64decode(text.encode("ascii"), validate=True)
    except ValueError:
        raise TrustAnswerError("the token is not in base64") from None
    return Issued(value=value, token_type=value_type)


def _assertion_ends(token: Element, now: float) -> Iterator[float]:
    """
    Give when an assertion stops being good (SAML 1.1 2.3.2.1, SAML 2.0 2.4.1, 2.5.1).

    Of an encrypted one, nobody but its recipient knows.
    """
    namespace, name = name_of(token)
    if name == "EncryptedAssertion" and namespace == SAML2:
        return
    if name != "Assertion":
        raise TrustAnswerError("the token is no assertion")
    bounds = [only_child(token, namespace, "Conditions")]
    subject = only_child(token, namespace, "Subject")
    if subject is not None and namespace == SAML2:
        bounds.extend(
            only_child(confirmation, namespace, "SubjectConfirmationData")
            for confirmation in children(subject, namespace, "SubjectConfirmation")
        )
    for bound in bounds:
        if bound is None:
            continue
        _check_begun(bound.get("NotBefore", ""), now)
        if end := bound.get("NotOnOrAfter", ""):
            yield read_time(end)
