"""
What the parts of the proxy ask of each other, and of plugins.

A method declared with ``async def`` must be a coroutine function in a plugin, too.
It may return without ever suspending, which then costs nothing: no Deferred is made.
Unless a docstring says otherwise, raising means *a technical failure*: the request is
answered 503, the log has the traceback, and nobody else is asked.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from zope.interface import Attribute, Interface

from sso_proxy.interfaces.logins import (
    ILogin as ILogin,
)
from sso_proxy.interfaces.logins import (
    ILoginWishes as ILoginWishes,
)
from sso_proxy.interfaces.logins import (
    ILogout as ILogout,
)
from sso_proxy.interfaces.logins import (
    IOpenIdLogin as IOpenIdLogin,
)
from sso_proxy.interfaces.logins import (
    IRefreshes as IRefreshes,
)
from sso_proxy.interfaces.logins import (
    IWatched as IWatched,
)
from sso_proxy.interfaces.passwords import (
    IPasswordChecker as IPasswordChecker,
)
from sso_proxy.interfaces.policies import (
    ILocalPolicy as ILocalPolicy,
)
from sso_proxy.interfaces.policies import (
    IObligation as IObligation,
)
from sso_proxy.interfaces.policies import (
    IPolicy as IPolicy,
)
from sso_proxy.interfaces.policies import (
    IRememberingPolicy as IRememberingPolicy,
)
from sso_proxy.interfaces.stores import (
    ICache as ICache,
)
from sso_proxy.interfaces.stores import (
    IClosable as IClosable,
)
from sso_proxy.interfaces.stores import (
    ISealer as ISealer,
)
from sso_proxy.interfaces.stores import (
    ISessionStore as ISessionStore,
)
from sso_proxy.interfaces.stores import (
    ISubscription as ISubscription,
)
from sso_proxy.interfaces.stores import (
    ISurveyed as ISurveyed,
)
from sso_proxy.interfaces.tokens import (
    IDelivery as IDelivery,
)
from sso_proxy.interfaces.tokens import (
    IPublishesKeys as IPublishesKeys,
)
from sso_proxy.interfaces.tokens import (
    ITicketSource as ITicketSource,
)
from sso_proxy.interfaces.tokens import (
    ITokenSource as ITokenSource,
)
from sso_proxy.model import (
    Bound,
    HeaderChallenge,
    Identity,
    LoginRedirect,
    MapperVerdict,
    Outcome,
    Refusal,
    Request,
    Unbound,
    UserName,
)


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
    the same bytes until the identity expires, 30 seconds at most, on each connection
    of which the same is known (`sso_proxy.admission.Connection`: listener, peer, TLS),
    unless `TlsFacts.export_key` was asked; only the request line may differ then.

    One whose outcome depends on the query has an attribute ``reads_query`` that is
    true, and is asked each time; one that looks into forms has ``reads_form``, without
    which ``request.body`` is None, and one that goes by sessions ``reads_session``,
    likewise for ``request.session``.
    Credentials are secret: nothing of them may get into a log or a ``reason``.
    """

    consumes: tuple[str, ...] = Attribute(
        "Lower-case names of header fields that hold the credential, ``?name`` for a"
        " parameter of the query, ``cookie:name`` for a cookie, ``form:name`` for a"
        " field of a form; the pipeline removes them from what is decided on"
        " afterwards and the backend gets."
    )

    async def authenticate(request: Request) -> Outcome:
        """
        Say who is calling; ``NotPresented`` if no credential of ours is there.

        Nothing in an identity may change after it was given, claims included: what
        rules come to for it is remembered.  Who is known otherwise by now is another.
        """

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

    May wait for a cache.  The result may be reused as an `IAuthenticator`'s, and not at
    all if *once* is true.  What is not the same for connections that are alike is only
    to be had by `TlsFacts.export_key`: then it stays with the connection.
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

        `Bound` means None, too, and adds fields to the answer; or it lets pass who has
        proved nothing.

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


class IUpstream(Interface):
    """
    A backend: takes one request at a time from many connections.

    Never waits and never raises for what the backend does: everything is told to the
    exchange.
    """

    name: str = Attribute("For logs and metrics: its URL.")
    inside: bool = Attribute(
        "Whether it serves inside this process, where it can look at the caller's"
        " connection."
    )

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


class INoted(Interface):
    """A healthy part (`IHealth`) that operators should know more of than that."""

    notes = Attribute("What is less safe than it could be: lines, nothing secret.")


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
    decide_anew: Callable[[], None] = Attribute(
        "Say that requests which were decided may be decided otherwise from now on."
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

    def checker(name: str) -> IPasswordChecker:
        """
        Give a password checker.

        Raises:
            ConfigError: There is none of this name.
        """

    def token(name: str) -> ITokenSource:
        """
        Give another token source, to make tokens from its tokens.

        Raises:
            ConfigError: There is none of this name, or it needs this one itself.
        """

    def mapper(name: str) -> IUserMapper:
        """
        Give another mapper, to be asked by one that is made of several.

        Raises:
            ConfigError: There is none of this name, or it needs this one itself.
        """

    def condition(text: str, option: str) -> Callable[[Identity, Request], bool]:
        """
        Give the test that a condition is, as routes have them in ``require``.

        Raises:
            ConfigError: It is none; the mistake is that of *option*.
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
