"""
Sessions that share the key of a session elsewhere (W3C DBSC, "Federated sessions").

A browser takes a provider's key for a relying party if each of them names the other in
its document at `WELL_KNOWN`.  An origin is one or the other, never both.
"""

import json
from collections.abc import Sequence
from typing import Any, Final

from sso_proxy.errors import TokenError
from sso_proxy.specs.dbsc.fields import Provider
from sso_proxy.specs.http.uri import read_origin
from sso_proxy.specs.oauth.confirmation import is_thumbprint

WELL_KNOWN: Final = "/.well-known/device-bound-sessions"
"""Where an origin says with whom it shares sessions."""

MAX_ORIGINS: Final = 64
"""Origins in a document; browsers stop reading long ones."""

_MAX_ID: Final = 256


def build_document(*, relying: Sequence[str] = (), provider: str = "") -> bytes:
    """
    Build the document at `WELL_KNOWN`.

    Args:
        relying: Origins that may share the keys of sessions here.
        provider: The origin whose keys sessions here share, or empty.

    Raises:
        ValueError: Something is no ``https`` origin in its normal form, there are
            more than `MAX_ORIGINS`, or both *relying* and *provider* are given, which
            browsers take for neither.
    """
    if relying and provider:
        raise ValueError("no origin can be provider and relying party")
    document: dict[str, Any] = {}
    if len(relying) > MAX_ORIGINS:
        raise ValueError(f"more than {MAX_ORIGINS} origins are too many")
    if relying:
        document["relying_origins"] = [check_origin(origin) for origin in relying]
    if provider:
        document["provider_origin"] = check_origin(provider)
    return json.dumps(document, separators=(",", ":")).encode()


def check_origin(text: str) -> str:
    """
    Give *text* back if it is an ``https`` origin in its normal form.

    Raises:
        ValueError: It is none.
    """
    if read_origin(text) != text or not text.startswith("https://"):
        raise ValueError(f"{text!r} is no https origin in normal form")
    return text


def read_provider(session_id: object, url: str, key: object) -> Provider:
    """
    Read what a login says about the provider's session.

    Args:
        session_id: What the browser calls it, from the claims of the login.
        url: The provider's origin.
        key: The thumbprint of its key, from the claims of the login.

    Raises:
        TokenError: The identifier cannot stand in a field, or there is no thumbprint:
            a session must never be bound to another key because ours was not readable.
    """
    if (
        not isinstance(session_id, str)
        or not 0 < len(session_id) <= _MAX_ID
        or not session_id.isascii()
        or not session_id.isprintable()
    ):
        raise TokenError("the provider's session has no name", reason="device-provider")
    if not is_thumbprint(key):
        raise TokenError(
            "the provider's key has no thumbprint", reason="device-provider"
        )
    return Provider(session_id=session_id, url=url, key=key)
