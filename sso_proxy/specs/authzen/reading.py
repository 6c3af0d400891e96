"""Read JSON that is to have one meaning only, whoever reads it."""

from typing import Any

from sso_proxy.errors import TokenError
from sso_proxy.specs.authzen.values import JSON_TYPE, AuthzenError
from sso_proxy.specs.http.media_type import read_media_type
from sso_proxy.specs.jose.strict import read_json_object


def read_content(content_type: str | None, body: bytes, what: str) -> dict[str, Any]:
    """
    Read the JSON object that a message is.

    Args:
        content_type: Its media type.
        body: Its content.
        what: What to call it.

    Raises:
        AuthzenError: It is not said to be JSON; or is none, or none that everybody
            reads alike.
    """
    if read_media_type(content_type) != JSON_TYPE:
        raise AuthzenError(f"{what} is no application/json")
    try:
        return read_json_object(body)
    except TokenError as e:
        raise AuthzenError(f"{what} is {e.detail}") from None


def need_object(value: object, what: str) -> dict[str, Any]:
    """
    Give *value* if it is an object.

    Raises:
        AuthzenError: It is none.
    """
    if value is None:
        raise AuthzenError(f"{what} is missing")
    if not isinstance(value, dict):
        raise AuthzenError(f"{what} is no object")
    return value
