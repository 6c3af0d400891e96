"""The parameter ``claims``: single claims that are wanted (OIDC Core section 5.5)."""

import json
from collections.abc import Mapping
from typing import Any, Final

from sso_proxy.errors import TokenError
from sso_proxy.specs.jose.strict import read_json_object

MAX_CLAIMS: Final = 4096
"""Characters of the parameter."""


def read_claims_request(text: str) -> Mapping[str, Any]:
    """
    Read the parameter as JSON.

    Raises:
        ValueError: It is no strict JSON object, or as for `check_claims_request`.
    """
    try:
        claims = read_json_object(text.encode())
    except (TokenError, UnicodeEncodeError):
        raise ValueError("claims is no JSON object") from None
    check_claims_request(claims)
    return claims


def write_claims_request(claims: Mapping[str, Any]) -> str:
    """Write the parameter, without blanks."""
    return json.dumps(claims, separators=(",", ":"), allow_nan=False)


def check_claims_request(claims: Mapping[str, Any]) -> None:
    """
    Check that *claims* asks for claims.

    Raises:
        ValueError: A member (``id_token``, ``userinfo``) is no object; what it wants of
            a claim is neither null nor an object, or one in which ``essential`` is no
            boolean or ``values`` no list; or all of it has more than `MAX_CLAIMS`
            characters as JSON, or cannot be written as such.
    """
    problem = _problem(claims)
    if problem is not None:
        raise ValueError(f"claims: {problem}")
    try:
        length = len(write_claims_request(claims))
    except (TypeError, ValueError, RecursionError):
        raise ValueError("claims: it cannot be written as JSON") from None
    if length > MAX_CLAIMS:
        raise ValueError(f"claims: it has more than {MAX_CLAIMS} characters")


def _problem(claims: Mapping[str, Any]) -> str | None:
    """Say what is no request for claims, or None."""
    for place, wanted in claims.items():
        if not isinstance(wanted, Mapping):
            return f"{place} is no object"
        for name, how in wanted.items():
            if how is None:
                continue
            if not isinstance(how, Mapping):
                return f"{place}.{name} is neither null nor an object"
            if not isinstance(how.get("essential", False), bool):
                return f"essential of {place}.{name} is no boolean"
            if not isinstance(how.get("values", []), list | tuple):
                return f"values of {place}.{name} is no list"
    return None
