"""Requests that browsers bring to a provider (section 9.1)."""

from typing import Final
from urllib.parse import urlencode

from sso_proxy.specs.openid2.discovery import Endpoint
from sso_proxy.specs.openid2.message import FormFields, build_fields
from sso_proxy.specs.openid2.names import IDENTIFIER_SELECT

MAX_URL: Final = 2048
"""Characters of a URL that every browser and server takes; what is longer is posted."""


def build_request(
    endpoint: Endpoint,
    *,
    return_to: str,
    realm: str,
    handle: str = "",
    immediate: bool = False,
) -> FormFields:
    """
    Give the fields that ask a provider whose browser this is.

    Args:
        endpoint: The provider, and who is to log in.
        return_to: Where the answer is to go.
        realm: The URLs that we are; has to cover *return_to*.
        handle: Of the association that the answer is to be signed with; empty if
            there is none (stateless).
        immediate: The provider must not show anything.
    """
    claimed_id = IDENTIFIER_SELECT if endpoint.select else endpoint.claimed_id
    pairs = [
        ("mode", "checkid_immediate" if immediate else "checkid_setup"),
        ("claimed_id", claimed_id),
        ("identity", endpoint.identity),
        ("return_to", return_to),
        ("realm", realm),
    ]
    if handle:
        pairs.append(("assoc_handle", handle))
    return build_fields(pairs)


def request_url(op_endpoint: str, fields: FormFields) -> str:
    """Give the URL with *fields* in its query, behind what is there already."""
    return f"{op_endpoint}{'&' if '?' in op_endpoint else '?'}{urlencode(fields)}"
