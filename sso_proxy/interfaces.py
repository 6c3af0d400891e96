"""
What the parts of the proxy ask of each other, and of plugins.

A method declared with ``async def`` must be a coroutine function in a plugin, too.
It may return without ever suspending, which then costs nothing: no Deferred is made.
Unless a docstring says otherwise, raising means *a technical failure*: the request is
answered 503, the log has the traceback, and nobody else is asked.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from zope.interface import Attribute, Interface

from sso_proxy.model import (
    Bound,
    Decision,
    HeaderChallenge,
    Headers,
    Identity,
    LoginRedirect,
    MapperVerdict,
    Outcome,
    Refusal,
    Request,
    Unbound,
    UserName,
)
from sso_proxy.session import Opened, Session, SessionEntry


class IPluginFactory(Interface):
    """
    The light declaration by which a component is found: strings only.

    An object that provides this stands in a module of ``twisted.plugins``, in a file
    of a configured ``plugin_path``, or behind an entry point of the group
    ``sso_proxy.plugins``.
    """

    name: str = Attribute("What the configuration's ``type`` says.")
    makes: str = Attribute("Name of the interface made here: ``IUserMapper``.")
    target: str = Attribute(
        "``module:Class``.  The class has ``config_class``, an attrs class, and a"
        " class method ``from_config(config, tools)`` that returns the component."
    )


class IAuthenticator(Interface):
    """
    Finds out who is calling, by one kind of credential.

    May wait (for keys, for an authorization server).  The result may be reused for
    the same bytes on the same connection until the identity expires, 30 seconds at
    most; only the request line may differ then.  One whose outcome depends on the
    query has an attribute ``reads_query`` that is true, and is asked each time; one
    that looks into forms has ``reads_form``, without which ``request.body`` is None.
    Credentials are secret: nothing of them may get into a log or a ``reason``.
    """

    consumes: tuple[str, ...] = Attribute(
        "Lower-case names of header fields that hold the credential, ``?name`` for a"
        " parameter of the query, ``cookie:name`` for a cookie, ``form:name`` for a"
        " field of a form; the pipeline removes them from what is decided on"
        " afterwards and the backend gets."
    )

    async def authenticate(request: Request) -> Outcome:
        """Say who is calling; ``NotPresented`` if no credential of ours is there."""

    def challenge(request: Request) -> LoginRedirect | HeaderChallenge | None:
        """Say how a client without a credential can get in.  Never waits."""

    def refusal(request: Request, refusal: Refusal) -> HeaderChallenge | None:
        """
        Say that an identity of ours is not enough for *request*.  Never waits.

        None leaves it at the status; a 401 then becomes a 403.
        """


class ITakesTokens(Interface):
    """
    What an authenticator that takes access tokens tells about them (RFC 9728).

    Beside `IAuthenticator`; without it, the metadata of its routes says less.
    """

    issuers: tuple[str, ...] = Attribute("Issuers whose tokens it believes.")
    bearer_methods: tuple[str, ...] = Attribute(
        "Where tokens may stand: ``header``, ``body``, ``query``; may be other places."
    )


class IBinding(Interface):
    """
    Checks that the caller holds a key.

    May wait for a cache.  The result belongs to the connection and may be reused for
    the same bytes on it only, and not at all if *once* is true.
    """

    kind: str = Attribute("``certificate``, ``dpop``, ``token_binding`` or ``device``.")
    members: frozenset[str] = Attribute("The ``cnf`` members it answers for.")
    once: bool = Attribute(
        "Whether a proof is good for one request only: then what was decided is never"
        " used again for the same bytes."
    )

    async def check(request: Request, identity: Identity) -> Unbound | Bound | None:
        """
        Say why *identity* may not be used for this request, or None if it may.

        `Bound` means None, too, and adds fields to the answer.

        Called when the identity has a confirmation member of ours, or the route
        requires this kind; without such a member the answer is *not bound*.
        """


class IUserMapper(Interface):
    """Turns a proven identity into the user name a backend expects."""

    async def map_user(identity: Identity) -> UserName | MapperVerdict:
        """
        Name the user that *identity* is; DECLINED asks the next mapper, REFUSED is 403.

        Must not depend on anything outside *identity* and this mapper's own data.
        """


class IPolicy(Interface):
    """Decides whether a proven identity may make a request."""

    async def decide(identity: Identity, request: Request) -> Decision:
        """
        Decide on *request*.

        Asked for every request, repeated ones too.  Must not depend on header
        fields unless ``reads_headers`` is true.
        """


class IObligation(Interface):
    """Does what a policy permits only under the condition that it is done."""

    name: str = Attribute("The obligation's name in a decision.")

    async def fulfil(parameters: Mapping[str, Any], request: Request) -> None:
        """Do it.  Raising denies the request."""


class ITokenSource(Interface):
    """Gets a credential for one audience."""

    async def token_for(identity: Identity, audience: str, request: Request) -> Any:  # noqa: ANN401
        """Give a token good for *audience* alone.  What it returns is secret."""


class IDelivery(Interface):
    """Puts a token where a backend looks for it."""

    def apply(token: Any, outgoing: Any) -> None:  # noqa: ANN401
        """Add *token* to the request *outgoing*.  Never waits."""


class ISessionStore(Interface):
    """
    Keeps browser sessions.

    Authenticators with a true ``reads_session`` find the route's at
    ``request.sessions``, and what it has loaded at ``request.session``.  They go by
    that if its identity names them.  Fields that are given here belong to the answer.

    UnavailableError means that the store cannot answer: nobody is let in.
    SessionTooLargeError: identity and data are more than can be kept.
    """

    logins: Any = Attribute("`sso_proxy.sessions.login_state.LoginStates`.")

    async def load(request: Request) -> Opened:
        """Give the session that the cookies of *request* name, if it is not over."""

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

    def is_over(session: Session) -> bool:
        """Say whether *session* has ended since it was loaded, as far as known here."""

    def take_ended() -> Any:  # noqa: ANN401
        """Give what has ended since the last call: it has ``has(session)``; or None."""

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
        """Write unless there is one; False if there is.  Atomic (replay marks)."""

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


class IUpstream(Interface):
    """
    A backend: takes one request at a time from many connections.

    Never waits and never raises for what the backend does: everything is told to the
    exchange.
    """

    name: str = Attribute("For logs and metrics: its URL.")

    def forward(exchange: Any, outgoing: Any) -> Any:  # noqa: ANN401
        """
        Send *outgoing* and tell *exchange* the answer; returns the body's sink.

        `sso_proxy.upstream` has the three types.
        """

    def close() -> None:
        """Drop idle connections and, as requests end, all others."""


class IAuditSink(Interface):
    """Takes audit records."""

    def record(line: bytes) -> None:
        """
        Take one JSON line, complete with its line feed.

        Called for every request; must only queue.  Must not raise.
        """

    def flush() -> None:
        """Write what is queued.  Called about every 50 ms."""

    def reopen() -> None:
        """Open the file anew, after it was rotated."""


class IHealth(Interface):
    """A part whose state matters to whoever sends traffic here."""

    async def probe() -> tuple[str, ...]:
        """
        Say what is missing, one line each, nothing secret; empty if all is well.

        A line that begins with ``warning:`` is for the operator, and no reason to
        send requests elsewhere.
        """


class IClock(Interface):
    """Time, as an argument."""

    def time() -> float:
        """Seconds since the epoch; may jump."""

    def monotonic() -> float:
        """Seconds since some moment; never goes back."""


class ITools(Interface):
    """What a component may use of the proxy that it is part of."""

    name: str = Attribute("What the configuration calls the component being made.")
    clock: IClock = Attribute("The time.")
    http_client: Any = Attribute(
        "`sso_proxy.net.http_client.HttpClient`: bounded in time and size."
    )
    reactor: Any = Attribute("The running reactor; None while only checking.")
    spawn: Callable[[Any], None] = Attribute(
        "Start a coroutine in the background; failures are logged."
    )
    state_dir: Path = Attribute(
        "Where files may be kept; may not be there yet, and nothing may be made in it"
        " while only checking."
    )

    def shared(key: tuple[Any, ...], make: Callable[[], Any]) -> Any:  # noqa: ANN401
        """
        Give what was made for *key* before, or make it.

        What a reload should not forget, such as keys fetched from a provider that may
        be down just then.  *key* begins with a name of its own and has everything that
        the thing depends on; it is dropped when a configuration no longer asks for it.
        """

    def cache(name: str | None, needs: frozenset[str]) -> ICache:
        """
        Give a cache, usable once serving, not while components are being made.

        Args:
            name: Its name in the configuration; None is the default one, which there
                always is.
            needs: The operations that it has to have.

        Raises:
            ConfigError: There is none of this name, or it cannot do all that.
        """

    def sealer(kind: str) -> ISealer:
        """
        Give what seals records of *kind* with our own keys.

        Raises:
            ConfigError: There is no usable key ring.
        """


class IClosable(Interface):
    """What ``ITools.shared`` gives, if it must be closed when nobody asks for it."""

    def close() -> None:
        """Let go of everything; called once."""
