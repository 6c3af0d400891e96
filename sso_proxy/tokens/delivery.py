"""Where backends look for their tokens (RFC 6750 section 2, RFC 7617)."""

import re
from base64 import b64encode
from typing import Final

import attrs
from zope.interface import implementer

from sso_proxy.equipment import Equipment
from sso_proxy.interfaces import IDelivery
from sso_proxy.specs.http.domain_cookie import is_cookie_value
from sso_proxy.token import NotIssued, Token

_NO_FORM: Final = NotIssued(reason="token-no-form", status=415)

_is_one_word = re.compile(r"[\x21-\x7e]+").fullmatch


def _unusable(what: str) -> NotIssued:
    """Say that a token cannot stand where it should (RFC 9110 section 5.5)."""
    detail = f"the token has characters that cannot stand in {what}"
    return NotIssued(reason="token-unusable", status=502, detail=detail)


@implementer(IDelivery)
@attrs.frozen
class HeaderDelivery:
    """
    Into a header field.

    Attributes:
        field: Its name, as it is sent.
        scheme: What stands before the token, such as ``Bearer``; empty for nothing.
    """

    field: str
    scheme: str = ""

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name the field, which clients do not send."""
        return (self.field.lower(),)

    def apply(self, token: Token, equipment: Equipment) -> NotIssued | None:
        """Add the field."""
        if not _is_one_word(token.value):
            return _unusable("a header field")
        value = f"{self.scheme} {token.value}" if self.scheme else token.value
        equipment.fields.append((self.field, value))
        return None


@implementer(IDelivery)
@attrs.frozen
class BasicDelivery:
    """
    As the password of Basic authentication (RFC 7617).

    Attributes:
        user: The user name; empty for the one that the backend knows the caller by.
    """

    user: str = ""

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name the field ``Authorization``."""
        return ("authorization",)

    def apply(self, token: Token, equipment: Equipment) -> NotIssued | None:
        """Add the field ``Authorization``."""
        user = self.user or equipment.user
        if ":" in user or not user.isprintable():
            detail = "the user name cannot stand before a colon"
            return NotIssued(reason="token-user", status=403, detail=detail)
        pair = b64encode(f"{user}:{token.value}".encode()).decode("ascii")
        equipment.fields.append(("Authorization", f"Basic {pair}"))
        return None


@implementer(IDelivery)
@attrs.frozen
class CookieDelivery:
    """
    Into a cookie.

    Attributes:
        name: Its name.
    """

    name: str

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name the cookie, which clients do not send."""
        return (f"cookie:{self.name}",)

    def apply(self, token: Token, equipment: Equipment) -> NotIssued | None:
        """Add the cookie (RFC 6265 section 4.1.1)."""
        if not is_cookie_value(token.value):
            return _unusable("a cookie")
        equipment.cookies.append((self.name, token.value))
        return None


@implementer(IDelivery)
@attrs.frozen
class QueryDelivery:
    """
    Into a parameter of the query.

    Attributes:
        name: Its name.
    """

    name: str

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name the parameter, which clients do not send."""
        return (f"?{self.name}",)

    def apply(self, token: Token, equipment: Equipment) -> NotIssued | None:
        """Add the parameter."""
        equipment.query.append((self.name, token.value))
        return None


@implementer(IDelivery)
@attrs.frozen
class FormDelivery:
    """
    Into a field of the form that is posted; other requests cannot have it.

    Attributes:
        name: Its name.
    """

    name: str

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name the field, which clients do not send."""
        return (f"form:{self.name}",)

    def apply(self, token: Token, equipment: Equipment) -> NotIssued | None:
        """Add the field."""
        if not equipment.has_form:
            return _NO_FORM
        equipment.form.append((self.name, token.value))
        return None


@implementer(IDelivery)
@attrs.frozen
class EnvironDelivery:
    """
    Into the environ of a hosted WSGI application.

    Attributes:
        name: The member's name.
    """

    name: str

    @property
    def consumes(self) -> tuple[str, ...]:
        """Name nothing: no client can send a member of an environ."""
        return ()

    def apply(self, token: Token, equipment: Equipment) -> NotIssued | None:
        """Add the member."""
        equipment.environ[self.name] = token.value
        return None
