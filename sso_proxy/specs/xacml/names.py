"""Names that XACML 3.0 gives to categories, attributes, data types and status codes."""

from collections.abc import Mapping
from typing import Final

MEDIA_TYPE: Final = "application/xacml+json"
"""Of requests and answers (JSON Profile 1.1)."""

_CORE_1: Final = "urn:oasis:names:tc:xacml:1.0"
_CORE_2: Final = "urn:oasis:names:tc:xacml:2.0"
_CORE_3: Final = "urn:oasis:names:tc:xacml:3.0"
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema#"

SUBJECT: Final = f"{_CORE_1}:subject-category:access-subject"
RESOURCE: Final = f"{_CORE_3}:attribute-category:resource"
ACTION: Final = f"{_CORE_3}:attribute-category:action"
ENVIRONMENT: Final = f"{_CORE_3}:attribute-category:environment"

CATEGORIES: Final[Mapping[str, str]] = {
    "subject": SUBJECT,
    "resource": RESOURCE,
    "action": ACTION,
    "environment": ENVIRONMENT,
    **{
        name: f"{_CORE_1}:subject-category:{name}"
        for name in (
            "recipient-subject",
            "intermediary-subject",
            "codebase",
            "requesting-machine",
        )
    },
}
"""Short words of ours for categories (XACML 3.0 appendix B.2)."""

SUBJECT_ID: Final = f"{_CORE_1}:subject:subject-id"
RESOURCE_ID: Final = f"{_CORE_1}:resource:resource-id"
ACTION_ID: Final = f"{_CORE_1}:action:action-id"

STRING: Final = f"{_SCHEMA}string"
BOOLEAN: Final = f"{_SCHEMA}boolean"
INTEGER: Final = f"{_SCHEMA}integer"
DOUBLE: Final = f"{_SCHEMA}double"

DATA_TYPES: Final[Mapping[str, str]] = {
    **{
        name: f"{_SCHEMA}{name}"
        for name in (
            *("string", "boolean", "integer", "double", "time", "date", "dateTime"),
            *("dayTimeDuration", "yearMonthDuration", "anyURI", "hexBinary"),
            "base64Binary",
        )
    },
    "rfc822Name": f"{_CORE_1}:data-type:rfc822Name",
    "x500Name": f"{_CORE_1}:data-type:x500Name",
    "ipAddress": f"{_CORE_2}:data-type:ipAddress",
    "dnsName": f"{_CORE_2}:data-type:dnsName",
}
"""Data types by the words that JSON Profile 1.1 section 3.3.1 has for them."""

OK: Final = f"{_CORE_1}:status:ok"
STATUS: Final[Mapping[str, str]] = {
    f"{_CORE_1}:status:{name}": name
    for name in ("ok", "missing-attribute", "syntax-error", "processing-error")
}
"""Status codes (XACML 3.0 appendix B.8), and what we call them."""
