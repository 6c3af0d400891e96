"""How a security token service refuses: SOAP faults (WS-Trust 1.3 section 11)."""

import re
from collections.abc import Iterator
from enum import Enum
from typing import Final

import attrs

from sso_proxy.errors import SsoProxyError
from sso_proxy.specs.wstrust.names import (
    ENVELOPE,
    WSA,
    WSSE,
    WST,
    WST_2005,
    WSU,
    Soap,
)
from sso_proxy.specs.xml import Element, XmlError, children, only_child, text_of

_MAX_REASON: Final = 200
_MAX_CODES: Final = 8
_OURS: Final = frozenset({WST, WST_2005, WSSE, WSU, WSA})
"""The namespaces whose codes have a meaning."""

_code = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}").fullmatch


class Blame(Enum):
    """What a fault is about."""

    SUBJECT = "subject"
    """The token that was presented: another one may be good."""
    TARGET = "target"
    """Whom the token is asked for."""
    REFUSED = "refused"
    """The request as a whole; nobody says why."""
    REQUEST = "request"
    """How we ask: our configuration, or what the service can do."""
    SERVICE = "service"
    """The service itself."""


_BLAMES: Final = {
    "FailedAuthentication": Blame.SUBJECT,
    "InvalidSecurityToken": Blame.SUBJECT,
    "ExpiredData": Blame.SUBJECT,
    "FailedCheck": Blame.SUBJECT,
    "SecurityTokenUnavailable": Blame.SUBJECT,
    "RenewNeeded": Blame.SUBJECT,
    "InvalidScope": Blame.TARGET,
    "RequestFailed": Blame.REFUSED,
    "InvalidRequest": Blame.REQUEST,
    "BadRequest": Blame.REQUEST,
    "AuthenticationBadElements": Blame.REQUEST,
    "InvalidTimeRange": Blame.REQUEST,
    "UnableToRenew": Blame.REQUEST,
    "UnsupportedSecurityToken": Blame.REQUEST,
    "UnsupportedAlgorithm": Blame.REQUEST,
    "InvalidSecurity": Blame.REQUEST,
    "MessageExpired": Blame.REQUEST,
    "ActionNotSupported": Blame.REQUEST,
    "InvalidAddressingHeader": Blame.REQUEST,
    "MessageAddressingHeaderRequired": Blame.REQUEST,
    "DestinationUnreachable": Blame.REQUEST,
    "EndpointUnavailable": Blame.SERVICE,
}
_SOAP_BLAMES: Final = {
    "Client": Blame.REFUSED,
    "Sender": Blame.REFUSED,
    "Server": Blame.SERVICE,
    "Receiver": Blame.SERVICE,
    "VersionMismatch": Blame.REQUEST,
    "MustUnderstand": Blame.REQUEST,
    "DataEncodingUnknown": Blame.REQUEST,
}


@attrs.frozen
class SoapFaultError(SsoProxyError):
    """
    The service refuses.

    Attributes:
        codes: Local names of the code and the codes below it: ``Sender``,
            ``FailedAuthentication``.
        reason: What it says in words, cleaned and bounded.  For the log alone.
        blame: What it is about.
    """

    codes: tuple[str, ...]
    reason: str
    blame: Blame

    def __str__(self) -> str:
        """Give the line for the log."""
        return f"{'/'.join(self.codes)}: {self.reason}"


def read_fault(fault: Element, soap: Soap) -> SoapFaultError:
    """
    Read a fault.

    Raises:
        XmlError: It is none of this version of SOAP.
    """
    if soap == "1.1":
        found = tuple(_dotted(*_read_code(only_child(fault, "", "faultcode"), soap)))
        reason = text_of(only_child(fault, "", "faultstring"))
    else:
        namespace = ENVELOPE[soap]
        found = tuple(_read_codes(fault, namespace))
        texts = only_child(fault, namespace, "Reason")
        spoken = [] if texts is None else children(texts, namespace, "Text")
        reason = text_of(spoken[0] if spoken else None)
    return SoapFaultError(
        codes=tuple(name for _, name in found),
        reason=clean(reason),
        blame=_blame(found, soap),
    )


def clean(text: str) -> str:
    """Give what a service says in words as one short line that a log can hold."""
    shown = (c if c.isprintable() else " " for c in text[: 8 * _MAX_REASON])
    return " ".join("".join(shown).split())[:_MAX_REASON]


def _read_codes(fault: Element, namespace: str) -> Iterator[tuple[str, str]]:
    """Give the code of a SOAP 1.2 fault, and the codes below it."""
    level = only_child(fault, namespace, "Code")
    for _ in range(_MAX_CODES):
        if level is None:
            return
        yield _read_code(only_child(level, namespace, "Value"), "1.2")
        level = only_child(level, namespace, "Subcode")
    raise XmlError(f"has more than {_MAX_CODES} codes in a fault")


def _read_code(element: Element | None, soap: Soap) -> tuple[str, str]:
    """Give the namespace and the local name of a code, which is a qualified name."""
    prefix, colon, name = text_of(element).rpartition(":")
    if element is None or not _code(name):
        raise XmlError("has a fault without a code")
    namespace = element.nsmap.get(prefix or None, "")
    if not colon and soap == "1.1" and name.partition(".")[0] in _SOAP_BLAMES:
        namespace = ENVELOPE[soap]  # many forget it
    return namespace, name


def _dotted(namespace: str, name: str) -> Iterator[tuple[str, str]]:
    """Give the parts of a SOAP 1.1 code: ``Client.Authentication`` (section 4.4.1)."""
    if namespace != ENVELOPE["1.1"]:
        yield namespace, name
        return
    for part in name.split(".")[:_MAX_CODES]:
        yield namespace, part


def _blame(found: tuple[tuple[str, str], ...], soap: Soap) -> Blame:
    """Say what a fault is about: the most special code that we know says so."""
    for namespace, name in reversed(found):
        if namespace in _OURS and name in _BLAMES:
            return _BLAMES[name]
        if namespace == ENVELOPE[soap] and name in _SOAP_BLAMES:
            return _SOAP_BLAMES[name]
    return Blame.REFUSED
