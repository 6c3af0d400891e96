r"""
Claims and tokens in header fields as Apache's mod_auth_openidc writes them.

A list is one text, its elements joined by a delimiter, before which a ``\`` stands
wherever it is part of an element; an object is JSON.

What a field cannot hold as it is has no field: control characters, blanks at an end,
what has no place in the encoding, more than 8,192 octets.  To write it in some other
way would make two values one, and with them two people.
"""

import json
import math
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from typing import Any, Final, Literal

import attrs

from sso_proxy.specs.http.fields import check_value
from sso_proxy.specs.http.names import fold

PREFIX: Final = "OIDC_"
"""What all names begin with that are not chosen."""

_not_in_names = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]").sub
_TOKENS: Final = ("access_token", "id_token")


@attrs.frozen(kw_only=True)
class ApacheFields:
    """
    What a backend is told, and how.

    Attributes:
        claims: Claims that it gets; empty for all.
        pass_claims: Whether it gets any.
        prefix: What stands before a claim's name.
        delimiter: What stands between the elements of a list.
        encoding: ``latin1``, ``none`` (UTF-8) or ``base64url`` of UTF-8.
        pass_on: What it gets besides, as in `ModAuthOpenidcConfig`.
    """

    claims: frozenset[str] = frozenset()
    pass_claims: bool = True
    prefix: str = PREFIX + "CLAIM_"
    delimiter: str = ","
    encoding: Literal["latin1", "base64url", "none"] = "latin1"
    pass_on: frozenset[str] = frozenset()

    def build(
        self,
        claims: Mapping[str, Any],
        sources: Mapping[str, Mapping[str, Any]],
        kept: Mapping[str, Any],
        scope: str,
    ) -> list[tuple[str, bytes]]:
        """
        Give the fields.

        Args:
            claims: All claims, by name.
            sources: What they are from, by source.
            kept: What the session keeps: tokens.
            scope: The scopes of the access token.

        Raises:
            ValueError: Two claims would have one field, for some who read it.
        """
        found = self._claims(claims) if self.pass_claims else {}
        found |= {
            PREFIX + name: text
            for name, text in _besides(sources, kept, scope).items()
            if name in self.pass_on
        }
        folded = {fold(name) for name in found}
        if len(folded) < len(found):
            raise ValueError("two claims would be one header field")
        encoded = ((name, self._encode(text)) for name, text in found.items())
        return [(name, value) for name, value in encoded if value is not None]

    def _claims(self, claims: Mapping[str, Any]) -> dict[str, str]:
        """Give the texts of claims by the names of their fields."""
        found: dict[str, str] = {}
        for claim, value in claims.items():
            if self.claims and claim not in self.claims:
                continue
            text = write_claim(value, self.delimiter)
            if text is None:
                continue
            name = self.prefix + _not_in_names("-", claim)
            if name in found:
                raise ValueError("two claims would be one header field")
            found[name] = text
        return found

    def _encode(self, text: str) -> bytes | None:
        """Give the octets of a field's value; None if it cannot have this one."""
        try:
            if self.encoding == "base64url":
                text = urlsafe_b64encode(text.encode()).decode().rstrip("=")
            elif self.encoding == "none":
                text = text.encode().decode("latin-1")
            check_value(text)
            return text.encode("latin-1")
        except ValueError:
            return None


def write_claim(  # noqa: PLR0911 - one for each type
    value: Any,  # noqa: ANN401
    delimiter: str,
) -> str | None:
    """Write a claim as text; None for one that is null, or no number."""
    match value:
        case None:
            return None
        case bool():
            return "1" if value else "0"
        case str():
            return value
        case int():
            return str(value)
        case float():
            return f"{value:.8g}" if math.isfinite(value) else None
        case list() | tuple():
            texts = (write_claim(element, delimiter) for element in value)
            return delimiter.join(
                _escape(text, delimiter) for text in texts if text is not None
            )
        case _:
            return _write_json(value)


def _escape(text: str, delimiter: str) -> str:
    r"""Write an element so that who splits at delimiters without ``\`` finds it."""
    return text.replace("\\", "\\\\").replace(delimiter, "\\" + delimiter)


def _besides(
    sources: Mapping[str, Mapping[str, Any]], kept: Mapping[str, Any], scope: str
) -> dict[str, str]:
    """Give what there is besides claims, by name without prefix."""
    found: dict[str, str] = {}
    for name in _TOKENS:
        if kept.get(name) is not None:
            found[name] = str(kept[name])
    if "access_token" in found:
        found["access_token_type"] = str(kept.get("token_type", "Bearer"))
        if kept.get("access_expires") is not None:
            found["access_token_expires"] = str(int(kept["access_expires"]))
    if scope:
        found["scope"] = scope
    for source, name in (
        ("id_token", "id_token_payload"),
        ("userinfo", "userinfo_json"),
    ):
        if source in sources:
            found[name] = _write_json(dict(sources[source]))
    return found


def _write_json(value: Any) -> str:  # noqa: ANN401
    return json.dumps(value, separators=(",", ":"))
