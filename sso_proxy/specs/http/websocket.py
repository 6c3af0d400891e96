"""The opening handshake of WebSocket (RFC 6455 section 4), seen from between."""

import re
from base64 import b64encode
from collections.abc import Collection
from hashlib import sha1

from sso_proxy.errors import BadAnswerError, BadMessageError
from sso_proxy.model import RequestHead
from sso_proxy.specs.http.answer import Answer
from sso_proxy.specs.http.authority import DEFAULT_PORTS, read_authority

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

# 16 octets in base64: the last of 22 characters holds two bits only.
_is_key = re.compile("[A-Za-z0-9+/]{21}[AQgw]==").fullmatch


def check_upgrade(head: RequestHead) -> str:
    """
    Check a client's handshake (section 4.2.1) and give its key.

    Args:
        head: Of a request whose ``Upgrade`` is ``websocket``.

    Raises:
        BadMessageError: 400: a backend may see no handshake in it, answer 200, and
            take what follows for requests that nobody decided on.
    """
    if head.method != "GET":
        raise BadMessageError(400, "websocket-method")
    if head.values("sec-websocket-version") != ["13"]:
        raise BadMessageError(400, "websocket-version")
    keys = head.values("sec-websocket-key")
    if len(keys) != 1 or not _is_key(keys[0]):
        raise BadMessageError(400, "websocket-key")
    return keys[0]


def accept_for(key: str) -> str:
    """Give the ``Sec-WebSocket-Accept`` that answers *key* (section 4.2.2)."""
    digest = sha1((key + _GUID).encode("ascii"), usedforsecurity=False).digest()
    return b64encode(digest).decode("ascii")


def check_switch(answer: Answer, key: str) -> None:
    """
    Check that a backend did switch to WebSocket (section 4.1), before any tunnel.

    Raises:
        BadAnswerError: It did not; its connection speaks nobody knows what.
    """
    accepted = [v for name, v in answer.headers if name == "sec-websocket-accept"]
    if (
        answer.status != 101
        or answer.upgrade != "websocket"
        or accepted != [accept_for(key)]
    ):
        raise BadAnswerError("websocket-switch")


def origin_allowed(
    origin: str | None, scheme: str, host: str, port: int, allowed: Collection[str]
) -> bool:
    """
    Say whether a page of *origin* may open a WebSocket here (section 10.2).

    Browsers send cookies along whatever page asks, and no CORS rule applies.  Without
    ``Origin`` it is no browser, hence nobody else's cookie.

    Args:
        origin: The ``Origin`` field, or None.
        scheme: Of the request: ``https`` or ``http``.
        host: Of the request, canonical.
        port: Of the request.
        allowed: Further origins, as browsers write them.
    """
    if origin is None or origin in allowed:
        return True
    named, separator, authority = origin.partition("://")
    if named != scheme or not separator:
        return False
    try:
        other, other_port = read_authority(authority)
    except BadMessageError:
        return False
    return (other, other_port or DEFAULT_PORTS[scheme]) == (host, port)
