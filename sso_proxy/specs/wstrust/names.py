"""Names of WS-Trust 1.3 and of what it stands on: SOAP, WS-Security, WS-Addressing."""

from typing import Final, Literal, TypeAlias

Soap: TypeAlias = Literal["1.1", "1.2"]
Action: TypeAlias = Literal["issue", "validate"]

ENVELOPE: Final[dict[Soap, str]] = {
    "1.1": "http://schemas.xmlsoap.org/soap/envelope/",
    "1.2": "http://www.w3.org/2003/05/soap-envelope",
}
"""The namespace of the envelope, by the version of SOAP."""

MEDIA_TYPE: Final[dict[Soap, str]] = {
    "1.1": "text/xml",
    "1.2": "application/soap+xml",
}

WST: Final = "http://docs.oasis-open.org/ws-sx/ws-trust/200512"
WST_2005: Final = "http://schemas.xmlsoap.org/ws/2005/02/trust"
"""The submission before the standard; only its faults are known."""
WST14: Final = "http://docs.oasis-open.org/ws-sx/ws-trust/200802"
_WSS: Final = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-"
WSSE: Final = f"{_WSS}wssecurity-secext-1.0.xsd"
WSU: Final = f"{_WSS}wssecurity-utility-1.0.xsd"
BASE64: Final = f"{_WSS}soap-message-security-1.0#Base64Binary"
X509: Final = f"{_WSS}x509-token-profile-1.0#X509v3"
PASSWORD_TEXT: Final = f"{_WSS}username-token-profile-1.0#PasswordText"
PASSWORD_DIGEST: Final = f"{_WSS}username-token-profile-1.0#PasswordDigest"
WSA: Final = "http://www.w3.org/2005/08/addressing"
WSP: Final = "http://schemas.xmlsoap.org/ws/2004/09/policy"
ANONYMOUS: Final = f"{WSA}/anonymous"
REPLY: Final = f"{WSA}/reply"

SAML1: Final = "urn:oasis:names:tc:SAML:1.0:assertion"
SAML2: Final = "urn:oasis:names:tc:SAML:2.0:assertion"
_SAML_PROFILE: Final = "http://docs.oasis-open.org/wss/oasis-wss-saml-token-profile-1.1"
SAML1_TYPE: Final = f"{_SAML_PROFILE}#SAMLV1.1"
SAML2_TYPE: Final = f"{_SAML_PROFILE}#SAMLV2.0"
STATUS_TYPE: Final = f"{WST}/RSTR/Status"

SAML_TYPES: Final[dict[str, str]] = {
    SAML1_TYPE: SAML1,
    SAML1: SAML1,
    SAML2_TYPE: SAML2,
    SAML2: SAML2,
}
"""The namespace of the assertions that a token type names; each type has two names."""

KEY_TYPES: Final = {
    "bearer": f"{WST}/Bearer",
    "symmetric": f"{WST}/SymmetricKey",
    "public": f"{WST}/PublicKey",
}

REQUEST_TYPES: Final[dict[Action, str]] = {
    "issue": f"{WST}/Issue",
    "validate": f"{WST}/Validate",
}
ACTIONS: Final[dict[Action, str]] = {
    "issue": f"{WST}/RST/Issue",
    "validate": f"{WST}/RST/Validate",
}
"""``wsa:Action`` of requests."""

REPLIES: Final[dict[Action, frozenset[str]]] = {
    "issue": frozenset(
        f"{WST}/{name}"
        for name in ("RSTR/Issue", "RSTR/IssueFinal", "RSTRC/IssueFinal")
    ),
    "validate": frozenset(
        f"{WST}/{name}"
        for name in ("RSTR/Validate", "RSTR/ValidateFinal", "RSTRC/ValidateFinal")
    ),
}
"""``wsa:Action`` of answers."""

VALID: Final = f"{WST}/status/valid"
INVALID: Final = f"{WST}/status/invalid"
