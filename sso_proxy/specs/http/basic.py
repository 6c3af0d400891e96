"""The ``Basic`` scheme (RFC 7617)."""

import binascii
import re
from base64 import b64decode
from collections.abc import Sequence

import attrs

from sso_proxy.errors import SsoProxyError

_credential = re.compile(r"(?i:basic) +([A-Za-z0-9+/]+={0,2})").fullmatch
_control = re.compile(r"[\x00-\x1F\x7F-\x9F]").search
_unquotable = re.compile(r"[^\x20-\x7E]").search


@attrs.frozen
class BasicError(SsoProxyError):
    """
    There are credentials that cannot be read.

    Attributes:
        detail: For the log; nothing of them.
    """

    detail: str


@attrs.frozen
class UserPass:
    """
    A user and a password, as they were presented.

    Attributes:
        user: The user-id.
        password: The password.
    """

    user: str = attrs.field(repr=False)
    password: str = attrs.field(repr=False)


def read_basic(values: Sequence[str]) -> UserPass | None:
    """
    Read the Authorization fields of a request.

    Args:
        values: The field values, all that there are.

    Returns:
        None if none is of the scheme ``Basic``, in whatever case.

    Raises:
        BasicError: One is, but there are others, or it is not what section 2 says: two
            texts in UTF-8 without control characters, with a colon after the first.
    """
    if not any(value.partition(" ")[0].lower() == "basic" for value in values):
        return None
    if len(values) > 1:
        raise BasicError("there are several credentials")
    match = _credential(values[0])
    if match is None:
        raise BasicError("what follows the scheme is no token68")
    try:
        text = b64decode(match[1], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise BasicError("it is not UTF-8 in base64") from None
    user, colon, password = text.partition(":")
    if not colon:
        raise BasicError("there is no colon")
    if _control(text):
        raise BasicError("there are control characters")
    return UserPass(user, password)


def basic_challenge(realm: str) -> str:
    """
    Give the challenge for *realm*, which asks for UTF-8 (section 2.1).

    Raises:
        ValueError: *realm* is not printable ASCII.
    """
    if _unquotable(realm):
        raise ValueError("must be printable ASCII")
    quoted = realm.replace("\\", "\\\\").replace('"', '\\"')
    return f'Basic realm="{quoted}", charset="UTF-8"'
