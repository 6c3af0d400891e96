"""
Browser sessions that began and ended lately in this process, for operators.

This names users, and is for whoever may list their sessions.
"""

from collections import Counter, deque
from collections.abc import Callable
from typing import Any, Final

import attrs

from sso_proxy.model import Request
from sso_proxy.session import Session

MOST: Final = 500
"""Logins that are kept."""

SESSIONS: Final = ("session-log",)
"""Where a process has its one, among what is shared."""


@attrs.frozen(kw_only=True, eq=False)
class Begun:
    """
    A session that began.

    Attributes:
        store: The ``[session.N]`` that keeps it.
        session: It, without tokens and claims.
        address: The client's.
        application: The host that they logged in at.
    """

    store: str
    session: Session
    address: str
    application: str


class SessionLog:
    """
    Counts, and keeps the last ones that began.

    Attributes:
        begun: How many began, by store and authenticator.
        ended: How many were ended before their time, by store and by how.
        renewed: How often tokens of one were renewed, by store.
    """

    def __init__(self) -> None:
        self.begun: Counter[tuple[str, str]] = Counter()
        self.ended: Counter[tuple[str, str]] = Counter()
        self.renewed: Counter[str] = Counter()
        self._latest: deque[Begun] = deque(maxlen=MOST)

    def note(self, store: str, request: Request, session: Session) -> None:
        """Note that *session* begins with *request*."""
        identity = session.identity
        self.begun[store, identity.authenticator] += 1
        self._latest.append(
            Begun(
                store=store,
                session=attrs.evolve(
                    session,
                    # Nothing secret, and no more than endings are told by.
                    identity=attrs.evolve(identity, claims={}, sources={}, token=""),
                    data={k: v for k, v in session.data.items() if k == "sid"},
                    extra={},
                ),
                address=request.client.address,
                application=request.head.host,
            )
        )

    def drop(self, store: str, has: Callable[[Session], bool]) -> None:
        """Forget those of *store* that have ended, as *has* says."""
        for each in [e for e in self._latest if e.store == store and has(e.session)]:
            self._latest.remove(each)

    def counts(self, now: float) -> Counter[tuple[str, str]]:
        """Count those that may go on, by store and by kinds of keys."""
        return Counter(
            (each.store, ",".join(sorted(each.session.keys)))
            for each in self._latest
            if each.session.expires > now
        )

    def latest(self, now: float) -> list[dict[str, Any]]:
        """Give those that may go on, in the types of JSON, the newest first."""
        return [
            _document(each)
            for each in reversed(self._latest)
            if each.session.expires > now
        ]


def _document(begun: Begun) -> dict[str, Any]:
    session = begun.session
    identity = session.identity
    return {
        "id": session.id,
        "in": begun.store,
        "created": session.created,
        "issuer": identity.issuer,
        "subject": identity.subject,
        "authenticator": identity.authenticator,
        "address": begun.address,
        "application": begun.application,
        "bindings": [*session.keys],
    }
