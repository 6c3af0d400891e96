"""Browser sessions, as values."""

from collections.abc import Mapping
from typing import Any, Final

import attrs

from sso_proxy.model import Headers, Identity

DEVICE_MISSING: Final = "device-missing"
"""Why a session is not used whose device is not proved, in log and audit record."""


@attrs.frozen(kw_only=True)
class Session:
    """
    What is kept of a login, from one request of a browser to the next.

    Attributes:
        id: Names it in logs, lists and revocations.  No secret: nobody can make its
            cookie of it.
        identity: Who logged in.  The authenticator that it names goes by it.
        created: Seconds since the epoch when the login was.
        used: Seconds since the epoch when it was last noted that it is used.
        expires: Seconds since the epoch when it is over, however much it is used.
        data: What the authenticator keeps with it, such as tokens, in the types of
            JSON.  A secret.
        revision: Counts the changes of *identity* and *data*.
        extra: Members of its record that only a newer release understands.
        keys: Hashes of the keys that it is bound to, by kind: it is good for who proves
            to hold them.
        kept_in: Name of the ``[session.N]`` that has it; empty for one that begins.
        device: Thumbprint of the device's key that was proved with this request; empty
            if none was.  No part of its record.
    """

    id: str
    identity: Identity
    created: float
    used: float
    expires: float
    data: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    revision: int = 0
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    keys: Mapping[str, str] = attrs.field(factory=dict)
    kept_in: str = attrs.field(default="", eq=False)
    device: str = attrs.field(default="", eq=False)


@attrs.frozen
class Opened:
    """
    The session of a request, as it is now.

    Attributes:
        session: The session, or None.
        until: Seconds since the epoch when it has to be looked at again, or None.
        headers: Fields for the answer: ``set-cookie``.
        refused: Why there is none although its cookie came; else empty.
    """

    session: Session | None
    until: float | None = attrs.field(default=None, kw_only=True)
    headers: Headers = attrs.field(default=(), kw_only=True, repr=False)
    refused: str = attrs.field(default="", kw_only=True)


@attrs.frozen(kw_only=True)
class SessionEntry:
    """
    What a list of sessions tells about one.

    Attributes:
        id: Its `Session.id`.
        created: Seconds since the epoch when the login was.
        used: Seconds since the epoch when it was last used, roughly; None if only
            its browser knows.
        device: Whether it is bound to a key of a device; None if sessions never are.
        keys: Kinds of other keys that it is bound to.
    """

    id: str
    created: float
    used: float | None = None
    device: bool | None = None
    keys: tuple[str, ...] = ()
