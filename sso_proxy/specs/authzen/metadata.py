"""Find the endpoint of a decision point (AuthZEN Authorization API 1.0, section 9)."""

from typing import Final

from sso_proxy.specs.authzen.reading import read_content
from sso_proxy.specs.authzen.values import WELL_KNOWN, AuthzenError
from sso_proxy.specs.oauth.urls import (
    UrlRefusedError,
    check_published_url,
    read_issuer,
)

MAX_METADATA: Final = 65536
"""Octets of metadata."""


def metadata_url(decision_point: str) -> str:
    """
    Give where the metadata of a decision point is: before its path (section 9.2).

    Raises:
        UrlRefusedError: It has no URL that can be used.
    """
    url = read_issuer(decision_point)
    return f"{url.origin}{WELL_KNOWN}{url.path.rstrip('/')}"


def read_metadata(decision_point: str, content_type: str | None, body: bytes) -> str:
    """
    Read where *decision_point* takes questions.

    Raises:
        AuthzenError: The document is another's (section 9.2.3), or names no endpoint
            that we may go to.
    """
    members = read_content(content_type, body, "the metadata")
    if members.get("policy_decision_point") != decision_point:
        raise AuthzenError("the metadata is of another policy_decision_point")
    endpoint = members.get("access_evaluation_endpoint")
    if not isinstance(endpoint, str):
        raise AuthzenError("the metadata has no access_evaluation_endpoint")
    try:
        check_published_url(endpoint, read_issuer(decision_point))
    except UrlRefusedError as e:
        raise AuthzenError(f"access_evaluation_endpoint: {e.detail}") from None
    return endpoint
