"""What keeps something for the parts of the proxy: caches, sessions, seals."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

from zope.interface import Attribute, Interface

from sso_proxy.model import Headers, Identity, Request
from sso_proxy.session import Opened, Session, SessionEntry


class ISessionStore(Interface):
    """
    Keeps browser sessions.

    Authenticators with a true ``reads_session`` find the route's at
    ``request.sessions``, and what it has loaded at ``request.session``.  They go by
    that if its identity names them.  Fields that are given here belong to the answer.
    A request that is ``passive`` is no use of its session: `load` notes nothing then,
    and after `renew` the session lasts as long as before.

    UnavailableError means that the store cannot answer: nobody is let in.
    SessionTooLargeError: identity and data are more than can be kept.
    """

    logins: Any = Attribute("`sso_proxy.sessions.login_state.LoginStates`.")
    logouts: Any = Attribute("`sso_proxy.sessions.logout_state.LogoutStates`.")
    kept: Any = Attribute(
        "`sso_proxy.sessions.kept.KeptBodies`; None if there is nowhere to keep them."
    )

    devices: Any = Attribute(
        "`sso_proxy.sessions.devices.Devices`; None if sessions are bound to none."
    )

    revocable: bool = Attribute(
        "Whether sessions of others than who asks can be ended by whose they are: by"
        " `revoke_user` and `revoke_sid`."
    )
    binds: frozenset[str] = Attribute("Kinds of keys that sessions may be bound to.")

    def lacks_key(request: Request) -> str:
        """Give the kind of key without which who sent *request* cannot log in."""

    async def load(request: Request) -> Opened:
        """
        Give the session that the cookies of *request* name, if it is not over.

        `Opened.refused` says so if it is one of somebody else, who holds another key.
        """

    async def by_cookie(request: Request) -> Session | None:
        """
        Give the session that the cookies of *request* name, whoever sends them.

        For those only who let a device prove its key: it is not looked at here, and
        nothing is noted.  Other keys are.  Always UnavailableError if nobody can say.
        """

    def explain(request: Request) -> str:
        """
        Say what the cookies of a *request* without a session are, for the log.

        ``none``; ``damaged``; ``foreign`` if they are not sealed by us; ``over`` if
        nothing is wrong with them, so that the session has ended.
        """

    async def start(
        request: Request, identity: Identity, data: Mapping[str, Any]
    ) -> Opened:
        """Begin one with a new id, at each login or gain of rights; end the old one."""

    async def replace(
        request: Request, session: Session, identity: Identity, data: Mapping[str, Any]
    ) -> Opened | None:
        """Change *session*; None if somebody else has changed it, or it is over."""

    async def renew(
        request: Request,
        session: Session,
        work: Callable[[Session], Awaitable[tuple[Identity, Mapping[str, Any]]]],
    ) -> Opened:
        """
        Have *work* say what *session* is to hold, once for all who ask in any process.

        What it raises is raised here, and nothing has changed then.  It has to be
        bounded in time.
        """

    async def end(request: Request) -> Headers:
        """End the request's session, at logout and when somebody begins to log in."""

    async def sessions_of(issuer: str, subject: str) -> tuple[SessionEntry, ...]:
        """List a user's sessions, the oldest first."""

    async def revoke(session_id: str) -> bool:
        """End the session with this `Session.id`; False if there was none."""

    async def revoke_user(issuer: str, subject: str) -> None:
        """End all sessions that a user has now."""

    async def revoke_sid(issuer: str, sid: str) -> None:
        """
        End all sessions that come from one at a provider: their data have its ``sid``.

        One that begins later ends, too, if the provider vouched for it before.
        """

    async def find_sid(issuer: str, sid: str) -> bool:
        """Say whether such sessions are known; False if only browsers could tell."""

    def is_over(session: Session) -> bool:
        """Say whether *session* has ended since it was loaded, as far as known here."""

    def inactive_at(session: Session) -> float:
        """Give the second since the epoch when *session* is over without more use."""

    def take_ended() -> Any:  # noqa: ANN401
        """Give what has ended since the last call: it has ``has(session)``; or None."""

    def take_missed() -> bool:
        """
        Say whether sessions may have ended that `take_ended` did not give; once.

        Then whoever goes by one for long has to look, with `newest`.
        """

    def miss() -> None:
        """Have `take_missed` say so again: it could not be looked at them."""

    async def newest(session: Session) -> Session | None:
        """Give *session* as it is now; None if it is over."""

    def covers(host: str, path: str) -> bool:
        """Say whether browsers send the cookies to *path* of *host*."""


class ICache(Interface):
    """
    Bytes under keys, until they expire.

    Keys are ``(purpose, name)``: nothing stored for one purpose is ever read for
    another.  Values are sealed by the caller before they get here.  An operation that
    a backend cannot do is not in ``operations``; the assembly then refuses it for a
    purpose that needs it.

    A purpose is 1 to 32 of ``a-z 0-9 -``; a value, a member or a message has at most
    1,000,000 octets; a time to live is in seconds, more than 0, and goes by elapsed
    time, whatever is done to the clock.  ValueError is raised otherwise.

    Each purpose has a budget of its own.  When it is used up, what `put` and
    `compare_and_set` wrote goes, the soonest to expire first, and only of this
    purpose.  What `add` and `index_add` wrote never goes before its time.
    UnavailableError is raised where there is no room, and whenever the cache cannot
    answer.
    """

    operations: frozenset[str] = Attribute("Names of the methods that work.")

    def open() -> None:
        """
        Make everything else possible; not while only checking, nor before a fork.

        Never waits.  Called once, when the configuration is known to be good.

        Raises:
            ConfigError: The cache can never be used as it is configured.
        """

    async def get(purpose: str, name: bytes) -> bytes | None:
        """Read, or None."""

    async def put(purpose: str, name: bytes, value: bytes, ttl: float) -> None:
        """Write, replacing; *ttl* in seconds."""

    async def add(purpose: str, name: bytes, value: bytes, ttl: float) -> bool:
        """Write unless there is one; False if there is.  Atomic."""

    async def mark(purpose: str, name: bytes, ttl: float) -> bool:
        """
        Mark *name*; False if it is marked.  Atomic, for replays.

        That is all that can be asked about it: it may not be there for what else is
        done under this purpose.  It never goes before its time.
        """

    async def take(purpose: str, name: bytes) -> bytes | None:
        """Read and delete in one step: of two callers one gets it."""

    async def delete(purpose: str, name: bytes) -> None:
        """Delete; nothing there is no error."""

    async def touch(purpose: str, name: bytes, ttl: float) -> bool:
        """Set the time left; False if there is none."""

    async def compare_and_set(
        purpose: str, name: bytes, old: bytes | None, new: bytes, ttl: float
    ) -> bool:
        """Write *new* if *old* is what is there; False if not."""

    async def index_add(purpose: str, index: bytes, member: bytes, ttl: float) -> None:
        """Put *member* into the set *index*, or set the time that it stays there."""

    async def index_remove(purpose: str, index: bytes, member: bytes) -> None:
        """Take *member* out of the set *index*."""

    async def index_list(purpose: str, index: bytes) -> list[bytes]:
        """List the set *index*, in no order."""

    async def publish(purpose: str, message: bytes) -> None:
        """Tell *message* to all who subscribed to *purpose*, here and elsewhere."""

    def subscribe(purpose: str) -> "ISubscription":
        """Hear from now on what is published for *purpose*, by ourselves, too."""


class ISurveyed(Interface):
    """A cache that can tell its servers apart, for ``sso-proxy cache probe``."""

    async def survey() -> tuple[str, ...]:
        """
        Say one line about each server that answers: its name, version and room.

        Raises:
            UnavailableError: None answers.
        """


class ISubscription(Interface):
    """
    Messages as they are published: ``async for message in subscription``.

    Ends when it or the cache is closed.  UnavailableError means that messages may have
    been missed: subscribe anew, and read what they would have told.
    """

    def __aiter__() -> AsyncIterator[bytes]:
        """Give itself."""

    async def __anext__() -> bytes:
        """Wait for the next message."""

    def close() -> None:
        """Hear no more."""


class ISealer(Interface):
    """
    Makes octets that only we can make and read, wherever they were in the meantime.

    Never waits.  What was sealed for one kind never opens as another.
    """

    def seal(data: bytes, context: bytes = b"") -> bytes:
        """Seal *data*; it opens only with the same *context*, which is not in it."""

    def open(sealed: bytes, context: bytes = b"") -> bytes | None:
        """Give the data; None if it was changed, is not ours, or its key is gone."""


class IClosable(Interface):
    """What ``ITools.shared`` gives, if it must be closed when nobody asks for it."""

    def close() -> None:
        """Let go of everything; called once."""
