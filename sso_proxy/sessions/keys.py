"""
Keys that sessions are bound to.

A cookie is good for whoever has it.  A session that is bound to a key is good only over
connections whose client has proved to hold that key, which does not leave the client's
machine with the cookie: the key of its TLS certificate, or that of Token Binding.
"""

import hmac
from collections.abc import Mapping
from typing import Any, Final

import attrs
from twisted.logger import Logger

from sso_proxy.config.route_parts import BindingLevel
from sso_proxy.model import Identity, Request
from sso_proxy.session import Session

_log = Logger()

KINDS: Final = ("certificate", "token_binding")
"""Those that a client shows with its connection."""
DEVICE: Final = "device"
_DEVICE_ONLY: Final = (DEVICE,)
"""That which a browser proves by itself (`sso_proxy.sessions.devices`)."""
REASON: Final = "session-binding"
"""Why a request with somebody's cookie has no session, in log and audit record."""


@attrs.frozen(kw_only=True)
class SessionBindingConfig:
    """
    Keys that a session is bound to when it begins, and logins as long as they last.

    A bound session is always checked: without the key there is no session.

    Attributes:
        certificate: To the key of the client's TLS certificate.  ``require``: nobody
            logs in without one.  ``prefer``: who has none when they log in gets a
            session that is not bound.  ``observe`` refuses nobody: the log says where
            another key came, or none.
        token_binding: To the key of Token Binding (RFC 8471), likewise.
        device: To a key that the browser makes on its device after the login, and
            proves again and again (DBSC).  ``require``: who has not proved it soon
            after the login has no session.  ``prefer``: only where a key is registered,
            which browsers that know nothing of it never do.
    """

    certificate: BindingLevel | None = None
    token_binding: BindingLevel | None = None
    device: BindingLevel | None = None


class Keys:
    """
    Binds what is kept in browsers, and looks whether the key is there again.

    Args:
        config: What is bound to what.

    Attributes:
        kinds: Kinds of keys that it looks for.
    """

    def __init__(self, config: SessionBindingConfig | None = None) -> None:
        levels: dict[str, Any] = {} if config is None else attrs.asdict(config)
        self._levels = {kind: levels[kind] for kind in KINDS if levels.get(kind)}
        self.kinds = frozenset(self._levels)

    def of(self, request: Request) -> dict[str, str]:
        """Give what is to be bound to with *request*: hashes of keys by their kinds."""
        found = ((kind, key_of(request, kind)) for kind in self._levels)
        return {kind: key for kind, key in found if key is not None}

    def lacks(self, request: Request) -> str:
        """Give the kind of key without which nobody may log in; or empty."""
        for kind, level in self._levels.items():
            if level == "require" and key_of(request, kind) is None:
                return kind
        return ""

    def fit(self, request: Request, keys: Mapping[str, str], what: str) -> bool:
        """
        Say whether *request* may go by what is bound to *keys*, and log it if not.

        Args:
            request: The request.
            keys: What `of` gave when it was bound.
            what: What it is, for the log.
        """
        if not keys and not self._levels:
            return True
        fits = True
        for kind in dict.fromkeys((*self._levels, *keys)):
            level, problem = self._levels.get(kind), self._problem(request, kind, keys)
            if not problem:
                continue
            fits = fits and level == "observe"
            _log.warn(
                "Request {id}: {what} {verdict}: {kind} {problem} ({reason})",
                id=request.id,
                what=what,
                verdict="would not be used" if level == "observe" else "is not used",
                kind=kind,
                problem=problem,
                reason=REASON,
            )
        return fits

    def _problem(self, request: Request, kind: str, keys: Mapping[str, str]) -> str:
        """Say what is wrong about one kind of key; empty if nothing is."""
        expected = keys.get(kind)
        if expected is None:
            return "is required, and it is not bound" if self._requires(kind) else ""
        found = key_of(request, kind)
        if found is None:
            return "is missing"
        same = hmac.compare_digest(found.encode(), expected.encode())
        return "" if same else "is another"

    def _requires(self, kind: str) -> bool:
        return self._levels.get(kind) == "require"


def key_of(request: Request, kind: str) -> str | None:
    """Give the hash of the key of this *kind* that a client has proved to hold."""
    if kind == "certificate":
        certificate = None if request.tls is None else request.tls.certificate
        return None if certificate is None else certificate.thumbprint
    if kind == "token_binding":
        bindings = request.token_binding
        return None if bindings is None else bindings.provided.hash
    return None  # one that only a newer release knows


def proved_kinds(request: Request, identity: Identity) -> tuple[str, ...]:
    """Give the kinds of keys that the session of *identity* is bound to, and proved."""
    session = request.session
    if session is None or session.identity.authenticator != identity.authenticator:
        return ()
    return keys_proved(request, session)


def keys_proved(request: Request, session: Session) -> tuple[str, ...]:
    """Give the kinds of keys that *session* is bound to, and *request* has proved."""
    keys = session.keys
    if not keys:
        return _DEVICE_ONLY if session.device else ()
    proved = tuple(kind for kind in keys if key_of(request, kind) == keys[kind])
    return (*proved, DEVICE) if session.device else proved
